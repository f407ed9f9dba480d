// Which charts there are, and what stands in the tiles above them.

import { Chart } from "/page/chart.js";
import { element, show } from "/page/elements.js";
import { UNKNOWN, bytes, duration, number, percent, seconds } from "/page/format.js";

const perSecond = (value) => (value === null ? UNKNOWN : number(value));
const quantiles = (figure) => ["p50", "p95", "p99"].map((word) => ({ name: word, of: (model) => model[`${figure}_${word}`] }));

const NO_ANSWER = "No request has ended well in this time.";
const NONE_COMPUTED = "No answer was computed in this time.";
const CHARTS = [
  { title: "Requests a second", format: perSecond, empty: "Nothing has been learnt of this model yet.", series: [
    { name: "good", of: (m) => m.good }, { name: "bad", of: (m) => m.bad }, { name: "excluded", of: (m) => m.excluded }] },
  { title: "Time to first token", format: seconds, empty: NONE_COMPUTED, series: quantiles("ttft") },
  { title: "Time per output token", format: seconds, empty: NONE_COMPUTED, series: quantiles("inter_token") },
  { title: "End-to-end time", format: seconds, empty: NO_ANSWER, series: quantiles("e2e") },
  { title: "Tokens a second", format: perSecond, empty: "Nothing has been learnt of this model yet.", series: [
    { name: "output", of: (m) => m.output_tokens }, { name: "prompt", of: (m) => m.prompt_tokens }] },
  { title: "Batch and queue", format: perSecond, empty: "No replica tells its batch.", series: [
    { name: "running", of: (m) => m.running }, { name: "waiting", of: (m) => m.waiting }] },
  { title: "Caches", format: percent, empty: "No cacheable request, and no replica tells its KV cache.", series: [
    { name: "kept answers hit", of: (m) => m.cache_hit_rate }, { name: "KV in use", of: (m) => m.kv_ratio }] },
  { title: "Memory of the workers", format: bytes, empty: "No replica tells its memory.", series: [{ name: "resident", of: (m) => m.memory_bytes }] },
];
const GATEWAY = { title: "At the gateway, a second", format: perSecond, empty: "The gateway tells nothing.", series: [
  { name: "requests", of: (d) => d.gateway_requests }, { name: "5xx", of: (d) => d.gateway_errors }, { name: "retries", of: (d) => d.retries }] };

/** The charts of one model, and the gateway's. */
export class Panels {
  constructor(node) {
    this.charts = CHARTS.map((given) => ({ given, chart: new Chart(given) }));
    this.gateway = new Chart(GATEWAY);
    node.append(this.charts[0].chart.node, this.gateway.node, ...this.charts.slice(1).map(({ chart }) => chart.node));
  }

  update(dashboard, model) {
    const label = stepLabel(dashboard);
    this.gateway.update(GATEWAY.series.map(({ of }) => of(dashboard)), label);
    if (!model) return;
    for (const { given, chart } of this.charts) chart.update(given.series.map(({ of }) => of(model)), label);
  }
}

/** The figures of now, large; `model` is that of the shortest span. */
export function tiles(node, model) {
  const last = (values) => values?.findLast((value, at) => value !== null && at >= values.length - 5) ?? null;
  const good = last(model?.good), bad = last(model?.bad);
  const rate = good === null ? null : good + (bad ?? 0) + (last(model.excluded) ?? 0);
  const errors = good === null || good + bad === 0 ? null : bad / (good + bad);
  const running = last(model?.running), waiting = last(model?.waiting);
  const told = [
    ["Requests", rate === null ? UNKNOWN : number(rate), "/s"],
    ["Bad", percent(errors), "", errors > 0.05 ? "bad" : null],
    ["First token, p95", seconds(last(model?.ttft_p95)), ""],
    ["Output tokens", number(last(model?.output_tokens)), "/s"],
    ["Running", number(running), model?.running_limit ? `of ${number(model.running_limit)}` : ""],
    ["Waiting", number(waiting), ""],
    ["Cache hits", percent(last(model?.cache_hit_rate)), ""],
    ["Replicas ready", number(model?.replicas_ready ?? null), ""],
  ];
  show(node, ...told.map(([name, value, unit, tone]) =>
    element("dl", { class: "tile", "data-tone": value === UNKNOWN ? "none" : tone ?? null },
      element("dt", {}, name), element("dd", {}, value, unit && value !== UNKNOWN ? element("small", {}, ` ${unit}`) : null))));
}

const ago = (value) => (value % 60 === 0 || value > 3600 ? duration(value) : value < 90 ? `${value} s` : `${Number((value / 60).toPrecision(2))} min`);

export function stepLabel({ step_seconds: step, count }) {
  return (at) => (at === count - 1 ? (step > 10 ? `last ${ago(step)}` : "now") : `−${ago((count - 1 - at) * step)}`);
}
