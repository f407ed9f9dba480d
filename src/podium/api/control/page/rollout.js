// The split of traffic, the rollout that runs or ran last, its evidence, and the buttons that decide.

import { tell } from "/page/api.js";
import { Chart } from "/page/chart.js";
import { element, say, shape, show, state } from "/page/elements.js";
import { UNKNOWN, clock, duration, number, percent } from "/page/format.js";

const DECISIONS = {
  approve: { word: "Approve", text: "The rollout takes its next step." },
  promote: { word: "Promote", text: "The canary gets all traffic at once, whatever the evidence says." },
  abort: { word: "Abort", text: "All traffic goes back to the stable environment, at once. This revision is not started again." },
};
const TONES = { done: "good", "rolled-back": "bad", held: "warn", aborted: "bad" };
const odds = (value) => (value === null ? UNKNOWN : `${number(value)} : 1`);

/** The split as a bar and in words; `traffic` null when it may not be read. */
export function traffic(node, told, refused) {
  if (!told) return show(node, element("p", { class: "nothing" }, refused ?? "The split is not known yet."));
  let from = 0;
  const names = Object.keys(told.weights), bars = [], words = [];
  names.forEach((name, at) => {
    const weight = told.weights[name], { endpoints } = told.environments[name], colour = `e${(at % 4) + 1}`;
    bars.push(shape("rect", { class: colour, x: `${from}%`, width: `${weight}%`, height: "100%" }));
    from += weight;
    const healthy = endpoints.filter((one) => one.healthy).length;
    words.push(element("span", {}, element("span", { class: `swatch ${colour}` }), element("b", {}, `${name} ${number(weight)} %`),
      `${name === told.stable ? ", stable" : ""}, ${healthy} of ${endpoints.length} healthy`));
  });
  const label = names.map((name) => `${name} ${number(told.weights[name])} per cent`).join(", ");
  show(node, element("div", { class: "split" }, shape("svg", { role: "img", "aria-label": `Traffic: ${label}` }, ...bars)),
    element("div", { class: "split-key" }, ...words, told.confirmed ? null : state("not confirmed by the gateway", "warn")));
}

/** The rollout's part of the card. `decided` is called after a decision. */
export class Rollout {
  constructor(node, decided) {
    this.decided = decided;
    this.head = element("div", {});
    this.facts = element("dl", { class: "facts" });
    this.buttons = element("p", { class: "buttons" });
    this.chart = new Chart({ title: "Evidence against the canary", series: [{ name: "odds" }], format: odds, empty: "No interval has been judged yet.", logarithmic: true, card: false });
    this.grid = element("div", { class: "rollout-grid" }, element("div", {}, this.facts), this.chart.node);
    node.append(this.head, this.grid, this.buttons);
    this.dialog = document.getElementById("decide-dialog");
    document.getElementById("decide-form").addEventListener("submit", (event) => { event.preventDefault(); this.decide(); });
    document.getElementById("decide-close").addEventListener("click", () => this.dialog.close());
  }

  /** `told` is null where no rollout ever ran; `refused` says why nothing can be shown; `now` is the controller's. */
  update(told, refused, now) {
    this.grid.hidden = this.buttons.hidden = !told;
    if (!told) {
      return show(this.head, element("p", { class: "nothing" }, refused ?? "No rollout has run. Start one with podium rollout start."));
    }
    show(this.head, element("h3", {}, `${told.ended ? "Last rollout" : "Rollout"} ${told.number}: ${told.revision} on ${told.environment} `, state(told.phase, TONES[told.phase] ?? "none")), steps(told));
    show(this.facts, ...facts(told, now));
    show(this.buttons, ...told.possible.filter((word) => word in DECISIONS).map((word) =>
      element("button", { type: "button", class: word === "abort" ? "danger" : "plain", "data-decision": word }, DECISIONS[word].word)));
    for (const button of this.buttons.children) button.onclick = () => this.open(button.dataset.decision);
    const points = told.evidence?.points ?? [];
    this.chart.update([points.map((point) => point.odds)], (at) => (points[at] ? clock(points[at].at) : ""), told.evidence?.alarm ?? null);
    this.chart.node.hidden = points.length === 0;
  }

  open(word) {
    this.word = word;
    say(document.getElementById("decide-title"), `${DECISIONS[word].word} this rollout?`);
    say(document.getElementById("decide-text"), DECISIONS[word].text);
    say(document.getElementById("decide-go"), DECISIONS[word].word);
    say(document.getElementById("decide-said"), "");
    this.dialog.showModal();
  }

  async decide() {
    const reason = document.getElementById("decide-reason"), go = document.getElementById("decide-go");
    go.disabled = true;
    try {
      await tell(`/control/rollouts/current/${this.word}`, { reason: reason.value || "from the dashboard" });
      reason.value = "";
      this.dialog.close();
      this.decided();
    } catch (refused) {
      say(document.getElementById("decide-said"), refused.message);
    } finally {
      go.disabled = false;
    }
  }
}

function steps(told) {
  const finished = told.ended && told.phase === "done";
  const place = (at) => (finished || at < told.step ? "done" : at === told.step && !told.ended ? "now" : null);
  return element("ol", { class: "steps", "aria-label": "Steps" }, ...told.steps.map((share, at) => element("li", { "data-place": place(at), "aria-current": place(at) === "now" ? "step" : null }, `${number(share)} %`)));
}

function facts(told, now) {
  const counts = told.evidence?.metrics.errors;
  const waits = told.ended ? null : told.waits_for, verdict = told.verdict?.sentence;
  const found = [
    ["Canary's share", `${number(told.confirmed)} %${told.wanted === told.confirmed ? "" : ` (${number(told.wanted)} % wanted)`}`],
    ["Verdict", waits?.includes(verdict) ? null : verdict],
    ["Waits for", waits],
    ["Reason", told.reason],
    ["Bad in this step", counts ? `canary ${share(counts.canary)}, stable ${share(counts.stable)}` : null],
    [told.ended ? "Ended" : "In this phase for", told.ended ? clock(told.phase_since) : duration(now - told.phase_since)],
  ];
  return found.filter(([, value]) => value).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
}

const share = ({ attempts, bad }) => `${bad} of ${attempts}${attempts ? ` (${percent(bad / attempts)})` : ""}`;
