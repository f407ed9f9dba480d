// One chart: lines over time, gaps where nothing is known, a legend that reads like a sentence.

import { area, gaps, line, powers, ticks } from "/page/axes.js";
import { element, say, shape } from "/page/elements.js";
import { UNKNOWN } from "/page/format.js";

const MARGIN = { left: 46, right: 8, top: 8, bottom: 20 };

/**
 * `title` stands above; `series` are {name, short}; `format` writes a value; `empty` says what is missing when
 * nothing is known. `logarithmic` is for values above 0.
 */
export class Chart {
  constructor({ title, series, format, empty, logarithmic = false, card = true }) {
    Object.assign(this, { title, series, format, empty, logarithmic });
    this.drawing = shape("svg", { role: "img", tabindex: "0" });
    this.note = element("p", { class: "empty" }, empty);
    this.plot = element("div", { class: "plot" }, this.drawing, this.note);
    this.when = element("span", { class: "quiet" });
    this.values = series.map(() => element("b", {}, UNKNOWN));
    const keys = series.map(({ name }, at) => element("span", {}, sample(at), `${name} `, this.values[at]));
    const head = element("div", { class: "chart-head" }, element("h2", {}, title), this.when);
    this.node = element("section", { class: card ? "card chart" : "chart", "aria-label": title }, head, this.plot, element("div", { class: "legend" }, ...keys));
    this.cursor = null;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  /** `data` are lists of values or null, one for each series; `label` says when a step was; `limit` draws a line. */
  update(data, label, limit = null) {
    Object.assign(this, { data, label, limit });
    this.draw();
  }

  listen() {
    const step = (event) => {
      const box = this.plot.getBoundingClientRect(), length = this.data?.[0]?.length ?? 0;
      const share = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
      this.point(Math.round(share * (length - 1)));
    };
    this.plot.addEventListener("pointermove", step);
    this.plot.addEventListener("pointerdown", step);
    this.plot.addEventListener("pointerleave", () => this.point(null));
    this.drawing.addEventListener("blur", () => this.point(null));
    this.drawing.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
      if (event.key === "Escape") this.point(null);
      if (!move) return;
      event.preventDefault();
      this.point((this.cursor ?? (this.data?.[0]?.length ?? 1) - 1) + move);
    });
  }

  point(step) {
    const last = (this.data?.[0]?.length ?? 0) - 1;
    this.cursor = step === null || last < 0 ? null : Math.min(last, Math.max(0, step));
    this.draw();
  }

  draw() {
    const { width, height } = this.plot.getBoundingClientRect();
    if (!this.data || width < 60) return;
    const { x, y, marks } = this.scales(width, height);
    const last = this.data[0].length - 1, nothing = this.data.every((values) => values.every((value) => value === null));
    const floor = height - MARGIN.bottom;
    const parts = nothing ? [] : gaps(this.data).map(([from, to]) => gap(x(from - 0.5), x(to + 0.5), floor));
    for (const mark of marks) {
      parts.push(shape("line", { class: "gridline", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(mark), y2: y(mark) }));
      parts.push(shape("text", { x: MARGIN.left - 6, y: y(mark) + 4, "text-anchor": "end" }, nothing ? "" : this.format(mark)));
    }
    for (const [at, anchor] of [[0, "start"], [Math.round(last / 2), "middle"], [last, "end"]]) {
      parts.push(shape("text", { x: x(at), y: height - 4, "text-anchor": anchor }, this.label(at)));
    }
    if (this.limit !== null) parts.push(shape("line", { class: "limit", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(this.limit), y2: y(this.limit) }));
    if (!nothing) this.lines(parts, x, y, floor);
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.drawing.replaceChildren(...parts);
    this.note.hidden = !nothing;
    this.tell(nothing);
  }

  lines(parts, x, y, floor) {
    this.data.forEach((values, at) => {
      if (at === 0 && !this.logarithmic) parts.push(shape("path", { class: "area s1", d: area(values, x, y, floor) }));
      parts.push(shape("path", { class: `s${at + 1}`, d: line(values, x, y) }));
    });
    if (this.cursor === null) return;
    parts.push(shape("line", { class: "cursor", x1: x(this.cursor), x2: x(this.cursor), y1: MARGIN.top, y2: floor }));
    this.data.forEach((values, at) => {
      const value = values[this.cursor];
      if (value !== null) parts.push(shape("circle", { class: `dot s${at + 1}`, cx: x(this.cursor), cy: y(value), r: 3.5 }));
    });
  }

  scales(width, height) {
    const known = this.data.flat().filter((value) => value !== null && (!this.logarithmic || value > 0));
    if (this.limit !== null) known.push(this.limit);
    const most = Math.max(0, ...known), top = MARGIN.top, floor = height - MARGIN.bottom;
    const marks = this.logarithmic ? powers(Math.min(1, ...known), Math.max(10, most)) : ticks(most);
    const [low, high] = [marks[0], marks.at(-1)].map((mark) => (this.logarithmic ? Math.log10(mark) : mark));
    const steps = Math.max(1, this.data[0].length - 1);
    return {
      marks,
      x: (at) => MARGIN.left + (at / steps) * (width - MARGIN.left - MARGIN.right),
      y: (value) => floor - ((this.logarithmic ? Math.log10(Math.max(value, marks[0])) : value) - low) / (high - low) * (floor - top),
    };
  }

  tell(nothing) {
    const last = this.data[0].length - 1, at = this.cursor ?? last;
    const shown = this.data.map((values) => this.format(values[at] ?? null));
    shown.forEach((text, place) => say(this.values[place], text));
    say(this.when, this.cursor === null ? "" : this.label(at));
    const words = this.series.map(({ name }, place) => `${name} ${shown[place] === UNKNOWN ? "not known" : shown[place]}`).join(", ");
    const where = this.cursor === null && this.label(last) === "now" ? "Now" : this.label(at);
    this.drawing.setAttribute("aria-label", nothing ? `${this.title}: ${this.empty}` : `${this.title}. ${where}: ${words}. Arrow keys move through time.`);
  }
}

function gap(from, to, floor) {
  const left = Math.max(MARGIN.left, from);
  return shape("rect", { class: "gap", x: left, y: MARGIN.top, width: Math.max(1, to - left), height: floor - MARGIN.top });
}

const sample = (at) => shape("svg", { viewBox: "0 0 18 8", "aria-hidden": "true" }, shape("path", { class: `s${at + 1}`, d: "M1 4H17" }));
