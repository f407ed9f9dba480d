// The slowest requests and the newest ones, with the names under which logs and traces know them.

import { element, show, state, table } from "/page/elements.js";
import { UNKNOWN, clock, duration, number, seconds } from "/page/format.js";

const GOOD = "ok";
const EXCLUDED = ["client_error", "unauthorized", "rate_limited", "cancelled"];
const SHOWN = 10;

const tone = (outcome) => (outcome === GOOD ? "good" : EXCLUDED.includes(outcome) ? "warn" : "bad");
const nothing = (text) => element("p", { class: "nothing" }, text);
const served = ({ model, version }) => (model === "none" ? "" : version && version !== "none" ? `${model}@${version}` : model);
const result = (one) => state(one.outcome.replaceAll("_", " "), tone(one.outcome));

/** The request's own name, and that of its trace where there is one; both are text that can be selected whole. */
function names(one) {
  const trace = one.trace_id ? element("span", { class: "id trace" }, one.trace_id) : null;
  return element("span", { class: "ids" }, element("code", { class: "id" }, one.request_id || UNKNOWN), trace);
}

/** What the tables leave out: replicas that do not tell their requests, and how old is what they last told. */
function gaps(sources) {
  return sources.filter((one) => one.problem).map((one) => {
    const then = one.age_seconds === null ? "It has told no request yet." : `Its requests are those of ${duration(one.age_seconds)} ago.`;
    return element("p", { class: "gap" }, element("b", {}, one.replica), ` ${one.problem}. ${then}`);
  });
}

export function slowest(node, { requests }) {
  const columns = [
    { title: "Took", kind: "num", label: "took" }, { title: "First token", kind: "num", label: "first token" }, { title: "In queue", kind: "num", label: "queue" },
    { title: "Tokens", kind: "num", label: "tokens" }, { title: "Request and trace" }, { title: "Model", kind: "name" }, { title: "Replica", label: "at" }, { title: "Outcome" }, { title: "Ended", label: "ended" },
  ];
  const rows = requests.slowest.slice(0, SHOWN).map(({ replica, request: one }) => [
    seconds(one.e2e_seconds), seconds(one.ttft_seconds), seconds(one.queue_seconds), number(one.output_tokens),
    names(one), served(one), replica, result(one), clock(one.at),
  ]);
  const window = requests.window_seconds === null ? "" : ` in the last ${duration(requests.window_seconds)}`;
  show(node, ...gaps(requests.sources),
    rows.length ? table(`The slowest requests${window}`, columns, rows) : nothing(requests.sources.length ? `No request has ended${window}.` : "No replica's admin port is known, so no request is."));
}

export function newest(node, { requests }) {
  const columns = [
    { title: "Ended", label: "" }, { title: "Outcome" }, { title: "Status", kind: "num", label: "status" }, { title: "Route", kind: "long" }, { title: "Model", kind: "name" },
    { title: "Took", kind: "num", label: "took" }, { title: "Tokens", kind: "num", label: "tokens" }, { title: "Replica", label: "at" }, { title: "Request and trace", kind: "long" }, { title: "Why", label: "why" },
  ];
  const rows = requests.newest.map(({ replica, request: one }) => [
    clock(one.at), result(one), String(one.status || UNKNOWN), one.route, served(one), seconds(one.e2e_seconds),
    `${number(one.prompt_tokens)} + ${number(one.output_tokens)}`, replica, names(one), one.error_code ?? one.finish_reason ?? "",
  ]);
  show(node, rows.length ? table("The requests that ended last, the newest first", columns, rows) : nothing("No request has ended yet."));
}
