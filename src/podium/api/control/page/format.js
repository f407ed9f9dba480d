// Numbers as people read them. What is not known is a dash, never a zero.

export const UNKNOWN = "–";

const known = (value) => value !== null && value !== undefined;

/** Three significant digits. */
export function number(value) {
  if (!known(value)) return UNKNOWN;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (size >= 1e4) return `${(value / 1e3).toPrecision(3)} k`;
  return size >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(size < 0.01 ? 1 : size < 1 ? 2 : 3)));
}

/** Seconds, or milliseconds below one. */
export function seconds(value) {
  if (!known(value)) return UNKNOWN;
  if (value === 0) return "0";
  if (value >= 1) return `${number(value)} s`;
  return `${number(value * 1000)} ms`;
}

export const percent = (value) => (known(value) ? `${number(value * 100)} %` : UNKNOWN);

export function bytes(value) {
  if (!known(value)) return UNKNOWN;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = value, unit = 0;
  while (size >= 1000 && unit < units.length - 1) { size /= 1000; unit += 1; }
  return `${number(size)} ${units[unit]}`;
}

/** How long ago, or how long, in words. */
export function duration(value) {
  if (!known(value)) return UNKNOWN;
  if (value < 90) return `${Math.max(0, Math.round(value))} s`;
  if (value < 5400) return `${Math.round(value / 60)} min`;
  if (value < 172800) return `${Number((value / 3600).toPrecision(2))} h`;
  return `${Math.round(value / 86400)} days`;
}

/** The present by the controller's clock, which need not be this machine's; seconds since 1970. */
export const present = (told) => told.at + told.age_seconds;

/** Time of day of seconds since 1970; with the date when it is not today's. */
export function clock(value) {
  if (!known(value)) return UNKNOWN;
  const time = new Date(value * 1000);
  const day = time.toDateString() === new Date().toDateString() ? "" : `${time.toLocaleDateString()} `;
  return day + time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}
