// Numbers as people read them.

const minus = "\u2212";
const gap = "\u00a0";

// The second significant digit of a bound: what figures are rounded to. A power of ten, from a microsecond to a second.
const digit = (bound) => 10 ** Math.min(3, Math.max(-3, Math.floor(Math.log10(bound)) - 1));

// `steps` of a power of ten of milliseconds, in the unit that fits.
function duration(steps, step) {
  const decimals = (unit) => Math.max(0, Math.round(Math.log10(unit / step)));
  if (steps * step < 1000) return `${(steps * step).toFixed(decimals(1))}${gap}ms`;
  // Whole steps in a minute, so that no rounding makes 60 seconds.
  const minute = Math.round(60_000 / step);
  const minutes = Math.floor(steps / minute);
  const hours = Math.floor(minutes / 60);
  const parts = [[Math.floor(hours / 24), "d"], [hours % 24, "h"], [minutes % 60, "min"]];
  const seconds = (((steps % minute) * step) / 1000).toFixed(decimals(1000));
  return [...parts.filter(([number]) => number), [seconds, "s"]].map((part) => part.join(gap)).join(" ");
}

// An interval as its middle and what it may be off by, rounded so that nothing of the interval is lost.
export function figure(low, high) {
  const middle = (low + high) / 2;
  const half = (high - low) / 2;
  const step = digit(half);
  const steps = Math.round(middle / step);
  const bound = Math.ceil((half + Math.abs(middle - steps * step)) / step - 1e-6);
  const sign = steps < 0 ? minus : steps > 0 ? "+" : "";
  return { offset: sign + duration(Math.abs(steps), step), bound: `±${gap}${duration(bound, step)}` };
}

// `seconds` is what the service says of its own clock, to the microsecond.
export const ownBound = (seconds) => `±${gap}${duration(Math.ceil(seconds * 1e6 - 1e-3), 0.001)}`;

// The end of a scale that both ends of an interval fit on: 1, 2 or 5 with zeros, of a unit that people know.
export function scale(low, high) {
  const reach = Math.max(Math.abs(low), Math.abs(high));
  for (const [unit, name, most] of [[1, "ms", 500], [1000, "s", 30], [6e4, "min", 30], [36e5, "h", 12], [864e5, "d", 1e9]]) {
    for (let power = unit === 1 ? 0.01 : 1; power <= most; power *= 10) {
      const times = [1, 2, 5].find((times) => times * power * unit >= reach);
      if (times) return { end: times * power * unit, text: `${+(times * power).toPrecision(1)}${gap}${name}` };
    }
  }
  return { end: reach, text: "" };
}

export function offsetInWords(seconds) {
  const minutes = Math.round(Math.abs(seconds) / 60);
  if (!minutes) return "UTC";
  const rest = minutes % 60 ? `:${String(minutes % 60).padStart(2, "0")}` : "";
  return `UTC${seconds < 0 ? minus : "+"}${Math.floor(minutes / 60)}${rest}`;
}

export const count = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;
