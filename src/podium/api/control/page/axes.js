// Where a value stands in a drawing, and which values are worth a line.

/** Round values from 0 to at least `most`: a few of them, evenly spaced. */
export function ticks(most, wanted = 3) {
  if (!(most > 0)) return [0, 1];
  const raw = most / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw * 0.999) * power;
  const found = [];
  for (let at = 0; at < most + step * 0.999; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}

/** Powers of ten around `least` and `most`, both above 0; at most five of them. */
export function powers(least, most) {
  const first = Math.floor(Math.log10(least)), last = Math.max(first + 1, Math.ceil(Math.log10(most)));
  const stride = Math.ceil((last - first) / 4);
  const found = [];
  for (let at = first; at < last + stride; at += stride) found.push(10 ** at);
  return found;
}

/** Runs of steps at which every series is null, as [first, last]; only those of a whole axis count as gaps. */
export function gaps(series) {
  const length = series[0]?.length ?? 0, found = [];
  for (let at = 0; at < length; at += 1) {
    if (series.some((values) => values[at] !== null)) continue;
    const newest = found.at(-1);
    if (newest && newest[1] === at - 1) newest[1] = at;
    else found.push([at, at]);
  }
  return found;
}

/** The `d` of a path through the points that are known: a break wherever one is not, a dash where one stands alone. */
export function line(values, x, y) {
  let path = "", pen = false;
  values.forEach((value, at) => {
    if (value === null) { pen = false; return; }
    const alone = !pen && (values[at + 1] ?? null) === null;
    path += `${pen ? "L" : "M"}${(x(at) - (alone ? 1.5 : 0)).toFixed(1)} ${y(value).toFixed(1)}${alone ? "h3" : ""}`;
    pen = true;
  });
  return path;
}

/** The same, closed down to `floor`. */
export function area(values, x, y, floor) {
  let path = "", first = null, last = null;
  const close = () => { if (first !== null) path += `L${x(last).toFixed(1)} ${floor}L${x(first).toFixed(1)} ${floor}Z`; first = null; };
  values.forEach((value, at) => {
    if (value === null) { close(); return; }
    path += `${first === null ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    first ??= at;
    last = at;
  });
  close();
  return path;
}
