// Replicas and alerts, as tables and banners.

import { element, show, state, table } from "/page/elements.js";
import { bytes, clock, duration, number, percent, present } from "/page/format.js";

const REPLICA_TONES = { up: "good", unknown: "none", stale: "warn", garbage: "bad", refused: "bad", down: "bad" };
const ALERT_TONES = { ok: "good", pending: "warn", firing: "bad", "no data": "none" };
const SEVERITIES = { page: "urgent", ticket: "in work hours" };
const ORDER = ["firing", "pending", "no data", "ok"];

const nothing = (text) => element("p", { class: "nothing" }, text);

export function replicas(node, dashboard) {
  const columns = [
    { title: "Process", kind: "name" }, { title: "State" }, { title: "Running", kind: "num", label: "running" }, { title: "Waiting", kind: "num", label: "waiting" },
    { title: "Memory", kind: "num", label: "memory" }, { title: "Models ready", kind: "num", label: "models ready" }, { title: "Answered", label: "answered" }, { title: "What is wrong", kind: "long" },
  ];
  const rows = dashboard.replicas.map((one) => [
    one.name, state(one.state, REPLICA_TONES[one.state]),
    one.name === "gateway" ? "" : number(one.running), one.name === "gateway" ? "" : number(one.waiting),
    one.name === "gateway" ? "" : bytes(one.memory_bytes), one.name === "gateway" ? "" : number(one.models_ready),
    one.age_seconds === null ? "never" : one.age_seconds < 2.5 ? "just now" : `${duration(one.age_seconds)} ago`, one.problem,
  ]);
  show(node, table("Every process that is watched", columns, rows),
    rows.length > 1 ? null : nothing("No replica is watched: the servers run elsewhere, and their metrics addresses are not configured (gateway.environments.NAME.metrics)."));
}

/** What each model does now, and how often its workers were replaced in the span that was chosen. */
export function models(node, dashboard, shortest) {
  const columns = [
    { title: "Model", kind: "name" }, { title: "Replicas" }, { title: "Running", kind: "num", label: "running" }, { title: "Waiting", kind: "num", label: "waiting" },
    { title: "KV in use", kind: "num", label: "KV in use" }, { title: "Memory", kind: "num", label: "memory" }, { title: "Tokens a second", kind: "num", label: "tokens/s" }, { title: "Workers replaced", kind: "num", label: "workers replaced" },
  ];
  const of = (value, limit) => (limit === null ? number(value) : `${number(value)} of ${number(limit)}`);
  const replaced = Object.fromEntries(dashboard.models.map((one) => [one.name, one.worker_restarts]));
  const rows = shortest.models.map((one) => [
    one.name, ready(one), of(newest(one.running), one.running_limit), of(newest(one.waiting), one.queue_limit),
    percent(newest(one.kv_ratio)), bytes(newest(one.memory_bytes)), number(newest(one.output_tokens)), number(replaced[one.name]),
  ]);
  const left = dashboard.models_without_history;
  show(node, rows.length ? table("Every model", columns, rows) : nothing("No model is configured."),
    left.length ? nothing(`No room for the history of ${left.join(", ")}: they count in the totals.`) : null);
}

function ready({ replicas_ready: ready, replicas_failed: failed }) {
  if (ready === null) return state("not known", "none");
  if (failed) return state(`${number(ready)} ready, ${number(failed)} failed`, "bad");
  return state(`${number(ready)} ready`, ready ? "good" : "warn");
}

const newest = (values) => values.at(-1) ?? null;

/** How long a window is, and how much of it is known where that is not all of it. */
function stretch({ seconds, known_seconds: known }) {
  return known < 0.99 * seconds ? `${duration(seconds)}, of which ${duration(known)} are known` : duration(seconds);
}

export function budget(node, { budget: told }) {
  const columns = [{ title: "In the last" }, { title: "Requests", kind: "num", label: "requests" }, { title: "Bad", kind: "num", label: "bad" }, { title: "Burns", label: "burns", kind: "long" }];
  const rows = told.windows.map((one) => [stretch(one), number(one.requests), percent(one.bad_ratio),
    one.burn_rate === null ? state(one.requests === null ? "not known" : "nobody asked", "none") : state(`${number(one.burn_rate)} times as fast as it may`, one.burn_rate > 1 ? "bad" : "good")]);
  const left = told.left === null ? "Nothing is known of a day's budget." : told.left <= 0 ? `More than a day's budget is spent: ${number(1 - told.left)} times as much.` : `${percent(told.left)} of a day's budget is left.`;
  show(node, element("p", {}, `${percent(told.objective)} of the requests should be good. ${left}`), table("How fast the error budget burns", columns, rows));
}

export function alerts(node, told) {
  const columns = [{ title: "Alert" }, { title: "About", kind: "name" }, { title: "State" }, { title: "For", kind: "num", label: "for" }, { title: "Urgency" }, { title: "What is known", kind: "long" }];
  const now = present(told);
  const sorted = [...told.alerts].sort((one, two) => ORDER.indexOf(one.state) - ORDER.indexOf(two.state));
  const rows = sorted.map((one) => [one.rule, one.subject, state(one.state, ALERT_TONES[one.state]), duration(now - one.since), SEVERITIES[one.severity], one.sentence]);
  show(node, rows.length ? table("Every rule", columns, rows) : nothing("No rule has been judged yet."));
}

export function past(node, told) {
  const columns = [{ title: "Alert" }, { title: "About", kind: "name" }, { title: "Fired", label: "fired" }, { title: "Lasted", kind: "num", label: "lasted" }, { title: "Ended" }, { title: "Then", kind: "long" }];
  const rows = told.past.slice(0, 30).map((one) => [one.rule, one.subject, clock(one.fired_at), duration(one.ended_at - one.fired_at), one.end === "resolved" ? "resolved" : "its data ended", one.sentence]);
  show(node, rows.length ? table("Alerts that have ended", columns, rows) : nothing("No alert has fired and ended yet."));
}

export function banners(firing, problems, dashboard) {
  show(firing, ...dashboard.firing.map((one) =>
    element("li", { class: one.severity === "page" ? "banner bad" : "banner" }, element("b", {}, `${one.rule} · ${one.subject}`), `${one.sentence}, since ${clock(one.fired_at)}`)));
  const told = new Set(dashboard.firing.filter((one) => one.rule === "ReplicaDown").map((one) => one.subject));
  show(problems, ...dashboard.problems.filter((one) => !told.has(one.subject)).map((one) => element("li", { class: "banner" }, element("b", {}, one.subject), one.sentence)));
}
