// The page: asks once a second, and shows what came or why nothing did.

import { Refused, ask, key, useKey } from "/page/api.js";
import { element, say, show } from "/page/elements.js";
import { bytes, clock, duration, present } from "/page/format.js";
import { Gpus } from "/page/gpus.js";
import { Panels, tiles } from "/page/panels.js";
import { newest, slowest } from "/page/requests.js";
import { Rollout, traffic } from "/page/rollout.js";
import { alerts, banners, budget, models, past, replicas } from "/page/tables.js";

const PERIOD_MS = 1000;
const SPANS = { "5m": "5 min", "1h": "1 h", "24h": "24 h" };
const at = (id) => document.getElementById(id);
const main = document.querySelector("main");

const REST_ROUNDS = 5; // where no rollout ever ran, one is looked for every fifth time
const NOW = "5m";
const view = { span: NOW, model: null, answeredAt: null, askedForKey: false, rest: 0 };
const panels = new Panels(at("panels"));
const gpus = new Gpus(at("gpus"));
const rollout = new Rollout(at("rollout-body"), () => refresh());

/** What `promise` gives, or the refusal; a refusal for want of a caller's rights concerns one part, not the page. */
async function part(promise) {
  try {
    return [await promise, null];
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    return [null, refused];
  }
}

async function look() {
  const newest = part(ask(`/monitoring/dashboard?span=${NOW}`));
  const chosen = view.span === NOW ? newest : part(ask(`/monitoring/dashboard?span=${view.span}`));
  const [[now, none], [told, refused], [split, noSplit], [current, noRollout]] = await Promise.all([
    newest, chosen, part(ask("/control/traffic")), part(newestRollout()),
  ]);
  if (!told || !now) return failed(refused ?? none);
  draw(told, now);
  traffic(at("traffic"), split, noSplit?.message);
  rollout.update(current, noRollout?.message, present(now));
  Object.assign(view, { answeredAt: Date.now(), askedForKey: false });
  main.classList.remove("stale");
  at("away").hidden = true;
}

/** Looks, whatever comes: an answer that cannot be drawn, such as one of another version, is said to be one. */
async function refresh() {
  try {
    await look();
  } catch (error) {
    console.error(error);
    failed(new Refused(0, "This page cannot show what the controller answers. Reload it."));
  }
}

async function newestRollout() {
  if (view.rest > 0) { view.rest -= 1; return null; }
  try {
    return await ask("/control/rollouts/current");
  } catch (refused) {
    if (refused.status !== 404) throw refused;
    view.rest = REST_ROUNDS;
    return null;
  }
}

/** `told` is of the span that was chosen, `now` of the shortest one, whose last step is of the last seconds. */
function draw(told, now) {
  const names = told.models.map((model) => model.name);
  if (!names.includes(view.model)) view.model = names[0] ?? null;
  const model = told.models.find((one) => one.name === view.model);
  status(told.age_seconds > 5 ? "unknown" : told.status);
  say(at("age"), told.age_seconds > 3 ? `figures are ${duration(told.age_seconds)} old` : `as of ${clock(told.at)}`);
  picker(at("models"), "model", Object.fromEntries(names.map((name) => [name, name])), view.model, (name) => { view.model = name; });
  at("models").hidden = names.length < 2;
  banners(at("firing"), at("problems"), told);
  tiles(at("tiles"), now.models.find((one) => one.name === view.model));
  panels.update(told, model);
  models(at("model-list"), told, now);
  gpus.update(told);
  budget(at("budget"), told);
  replicas(at("replicas"), told);
  alerts(at("alerts"), told);
  past(at("past"), told);
  slowest(at("slowest"), told);
  newest(at("newest"), told);
  say(at("foot"), `History in ${bytes(told.kept_bytes)} of memory: the newest hour by the second, the newest day by ten seconds. Grey areas are times of which nothing is known.`);
}

function failed(refused) {
  main.classList.add("stale");
  status("unknown");
  const away = at("away");
  away.hidden = false;
  if (refused.status === 401 || refused.status === 403) {
    say(away, `${refused.message} Enter one with the button "Key".`);
    if (!view.askedForKey) openKey(key() ? refused.message : "");
    view.askedForKey = true;
  } else {
    const since = view.answeredAt ? ` What is shown is from ${clock(view.answeredAt / 1000)}.` : "";
    say(away, `${refused.message}${since}`);
  }
}

function status(word) {
  at("status").dataset.status = word;
  say(at("status"), word);
  document.title = word === "healthy" ? "Podium" : `${word} · Podium`;
}

function picker(node, name, choices, chosen, choose) {
  const ids = Object.keys(choices);
  if (node.dataset.choices !== ids.join("\n")) {
    node.dataset.choices = ids.join("\n");
    const labels = ids.map((id) => {
      const input = element("input", { type: "radio", name, value: id });
      input.checked = id === chosen;
      input.addEventListener("change", () => { choose(id); refresh(); });
      return element("label", {}, input, choices[id]);
    });
    show(node, node.querySelector("legend"));
    node.append(...labels);
  }
}

function openKey(said) {
  say(at("key-said"), said);
  if (!at("key-dialog").open) at("key-dialog").showModal();
}

function keyDialog() {
  at("key-button").addEventListener("click", () => openKey(""));
  at("key-close").addEventListener("click", () => at("key-dialog").close());
  at("key-forget").addEventListener("click", () => { useKey(""); at("key-dialog").close(); refresh(); });
  at("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useKey(at("key-input").value.trim());
    at("key-input").value = "";
    view.askedForKey = false;
    at("key-dialog").close();
    refresh();
  });
}

/** One question at a time, once a second; a page that nobody looks at asks nothing. */
async function follow() {
  for (;;) {
    const began = performance.now();
    if (!document.hidden) await refresh();
    await new Promise((resume) => { setTimeout(resume, Math.max(100, PERIOD_MS - (performance.now() - began))); });
  }
}

picker(at("spans"), "span", SPANS, view.span, (span) => { view.span = span; });
keyDialog();
follow();
