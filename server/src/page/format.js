// Numbers, sizes and times as people read them; blanks in them do not break.

const plain = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

export const count = (number) => plain.format(number);
export const short = (number) => compact.format(number);

/** A number of things: `1 file`, `12 files`. */
export const things = (number, name) => `${count(number)}\u00a0${name}${number === 1 ? "" : "s"}`;

/** Three digits and a decimal unit: `1.61 GB`. */
export function bytes(number) {
  let unit = 0;
  while (number >= 999.5 && unit < UNITS.length - 1) {
    number /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
  return `${number.toFixed(digits)}\u00a0${UNITS[unit]}`;
}

const STEPS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/** A length of time in its largest units: `2 h 5 min`, `12 s`. */
export function span(milliseconds) {
  let seconds = Math.max(0, Math.round(milliseconds / 1000));
  const first = STEPS.findIndex(([length]) => seconds >= length);
  if (first < 0) return "0 s";
  const parts = [];
  for (const [length, name] of STEPS.slice(first, first + 2)) {
    const whole = Math.floor(seconds / length);
    if (whole > 0) parts.push(`${whole}\u00a0${name}`);
    seconds -= whole * length;
  }
  return parts.join("\u00a0");
}

/** How long something took: as exactly as it matters. */
export function took(milliseconds) {
  if (milliseconds < 95) return `${Math.max(1, Math.round(milliseconds))}\u00a0ms`;
  return milliseconds < 9950 ? `${(milliseconds / 1000).toFixed(1)}\u00a0s` : span(milliseconds);
}

/** How long ago, with the largest unit alone. */
export function ago(time) {
  const seconds = (Date.now() - time) / 1000;
  if (seconds < 10) return "just now";
  const [length, name] = STEPS.find(([length]) => seconds >= length);
  return `${Math.floor(seconds / length)} ${name} ago`;
}

/** A moment in the reader's own time: `2026-11-26 14:03`. */
export function moment(time) {
  const date = new Date(time);
  const two = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
