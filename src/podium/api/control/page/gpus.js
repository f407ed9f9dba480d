// The GPUs: all of them over time, and each of them now.

import { Chart } from "/page/chart.js";
import { element, show, table } from "/page/elements.js";
import { UNKNOWN, bytes, number, percent } from "/page/format.js";
import { stepLabel } from "/page/panels.js";

const watts = (value) => (value === null ? UNKNOWN : `${number(value)} W`);
const CHARTS = [
  { title: "GPU memory and use", format: percent, empty: "No GPU is told now.", card: false, series: [
    { name: "memory in use", of: (gpus) => gpus.memory_ratio }, { name: "busiest GPU", of: (gpus) => gpus.utilization_ratio }] },
  { title: "GPU power", format: watts, empty: "No GPU tells its energy.", card: false, series: [{ name: "all GPUs", of: (gpus) => gpus.watts }] },
];

/** Two charts and a table; one sentence where no replica has a GPU. */
export class Gpus {
  constructor(node) {
    this.charts = CHARTS.map((given) => ({ given, chart: new Chart(given) }));
    this.drawn = element("div", { class: "pair", hidden: "" }, ...this.charts.map(({ chart }) => chart.node));
    this.list = element("div");
    node.append(this.drawn, this.list);
  }

  update(dashboard) {
    const { gpus } = dashboard, label = stepLabel(dashboard);
    this.drawn.hidden = gpus.now.length === 0;
    for (const { given, chart } of this.charts) chart.update(given.series.map(({ of }) => of(gpus)), label);
    show(this.list, gpus.now.length ? listed(gpus.now) : element("p", { class: "nothing" }, "No replica tells of a GPU. On a machine with NVIDIA GPUs, install podium[gpu] to see them here."));
  }
}

function listed(gpus) {
  const columns = [{ title: "GPU" }, { title: "Replica", label: "at" }, { title: "Memory", kind: "num", label: "memory" }, { title: "In use", kind: "num", label: "in use" }, { title: "Busy", kind: "num", label: "busy" }, { title: "Power", kind: "num", label: "power" }];
  const rows = gpus.map((one) => [
    `GPU ${one.gpu}`, one.replica, one.used_bytes === null || one.size_bytes === null ? UNKNOWN : `${bytes(one.used_bytes)} of ${bytes(one.size_bytes)}`,
    percent(one.used_bytes === null || !one.size_bytes ? null : one.used_bytes / one.size_bytes), percent(one.utilization_ratio), watts(one.watts),
  ]);
  return table("Each GPU now", columns, rows);
}
