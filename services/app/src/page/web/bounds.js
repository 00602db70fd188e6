// What is certain of a clock. The pieces of this script (build.rs has their order) are one module when they are sent.
//
// All instants and durations are milliseconds. Instants are those of performance.now(), which nobody sets; but on Linux
// and Android it is slewed with the visitor's clock, and then no difference between the two shows it.

// How fast two clocks may drift apart that nobody slews. Quartz is right to 100 ppm, and kernels tune the rate of a clock
// by at most 500 ppm.
const DRIFT = 500e-6;

// And two that are slewed, one here and one there: Linux makes a clock quicker or slower by at most an eighth (by
// ADJ_OFFSET; a tenth by its tick; chrony by 83,333 ppm unless it is told otherwise).
const SLEW = 0.25;

// How long a clock is taken for one that is slewed after an answer has shown it.
const SETTLING = 20_000;

// How far a clock is ahead of performance.now(): between `low` and `high`, as it was at the instant `at`.
export class Bounds {
  constructor(low, high, at) {
    Object.assign(this, { low, high, at });
  }

  // The same at another instant: less certain, as the clocks may have drifted apart.
  carried(at, rate = DRIFT) {
    return this.widened(rate * Math.abs(at - this.at), at);
  }

  widened(by, at = this.at) {
    return new Bounds(this.low - by, this.high + by, at);
  }

  // What both allow, at the later of their instants; null when they contradict each other.
  and(other, rate) {
    const at = Math.max(this.at, other.at);
    const [one, two] = [this.carried(at, rate), other.carried(at, rate)];
    const both = new Bounds(Math.max(one.low, two.low), Math.min(one.high, two.high), at);
    return both.low <= both.high ? both : null;
  }

  get middle() {
    return (this.low + this.high) / 2;
  }
}

// The bounds on a clock that was read at some instant between `sent` and `received`, and said `time`. `grain` is how far
// a value of performance.now() can be from the truth.
export function readBetween(sent, received, time, grain) {
  // A number of milliseconds since 1970 is only kept to about a quarter of a microsecond.
  const slack = grain + 0.001;
  const drift = DRIFT * (received - sent + 2 * slack);
  return new Bounds(time - received - slack - drift, time - sent + slack + drift, received);
}

// Browsers round their clocks, and some add noise, so that sites cannot measure too much: a value may be off by one
// step either way. The steps are measured here; where they are too long for that they are taken to be 100 ms, more than
// any browser's.
export function measureGrains() {
  const smallest = (values, atLeast, wanted) => {
    const steps = values.slice(1).map((value, index) => value - values[index]);
    return steps.length < wanted ? 100 : Math.max(atLeast, 1.01 * Math.min(...steps));
  };
  const instants = [performance.now()];
  const times = [Date.now()];
  for (let round = 0; round < 300_000 && (times.length < 4 || instants.length < 8); round++) {
    const instant = performance.now();
    const time = Date.now();
    if (instant > instants.at(-1)) instants.push(instant);
    if (time > times.at(-1)) times.push(time);
  }
  return { instant: smallest(instants, 0.001, 4), time: smallest(times, 1, 2) };
}

// The visitor's clock, Date, which shows whole milliseconds and may be wrong, or be set at any moment.
export class OwnClock {
  constructor(grains) {
    this.grains = grains;
    this.bounds = this.read();
  }

  read() {
    const before = performance.now();
    const time = Date.now();
    return readBetween(before, performance.now(), time, this.grains.instant).widened(this.grains.time);
  }

  // How far it has moved ahead of performance.now() at most since it was last looked at, more than drift explains; null
  // if it has not. It was set, or is slewed; or, where it has moved forward, performance.now() stood still for so long,
  // because the machine slept.
  moved() {
    const seen = this.read();
    const was = this.bounds.carried(seen.at);
    const both = this.bounds.and(seen);
    this.bounds = both ?? seen;
    return both ? null : seen.high - was.low;
  }

  // Its bounds, from some milliseconds of reading it over and over: where its value moves on, its time is known to a
  // fraction of a step. Nothing older is used: a clock that is set by less than a step would not be noticed.
  watch(duration) {
    let bounds = this.read();
    const end = performance.now() + duration;
    // Far more reads than fit into that time; but where a clock stands still, as under some tools, it has to end too.
    for (let reads = 0; reads < 20_000 && performance.now() < end; reads++) bounds = bounds.and(this.read()) ?? bounds;
    return bounds;
  }
}

// The clock of one instance of the service, by its answers.
//
// While no answer contradicts another, none of the two clocks is taken to be slewed. That may be wrong for a moment: what
// has not been contradicted yet is still within the journey of the last answer, but may be narrower than it should be.
class Clock {
  constructor(bounds) {
    Object.assign(this, { count: 0, quickest: Infinity, bounds, steady: bounds, isSlewed: false, slewedUntil: -Infinity });
  }

  // Whether the answer fits what was known.
  take(bounds, trip) {
    const steady = this.steady.and(bounds);
    if (!steady) Object.assign(this, { count: 0, quickest: Infinity, slewedUntil: bounds.at + SETTLING });
    // What all answers allow since the last contradiction.
    this.steady = steady ?? bounds;
    this.isSlewed = bounds.at < this.slewedUntil;
    // The clock may have been slewed during the journey too; and what has just been contradicted may have been untrue.
    const sure = bounds.widened(SLEW * trip);
    this.bounds = this.isSlewed ? ((steady && this.bounds.and(sure, SLEW)) ?? sure) : this.steady;
    this.count++;
    this.quickest = Math.min(this.quickest, trip);
    return steady !== null;
  }

  carried(at) {
    return this.bounds.carried(at, this.isSlewed ? SLEW : DRIFT);
  }

  // The machine may have slept for so long: by that the service's clock is ahead of performance.now() now.
  slept(duration) {
    this.bounds.high += duration;
    if (this.steady !== this.bounds) this.steady.high += duration;
  }
}

// The clocks of the service: each instance has its own, and their bounds are never mixed.
export class Answers {
  constructor() {
    this.restart();
  }

  restart() {
    this.clocks = new Map();
    this.current = null;
    this.isStale = false;
  }

  // What is known stays until there is something new, and then is not used.
  expire() {
    this.isStale = true;
  }

  // Says what is not as it should be: "old" when a cache has answered, "set" when one of the two clocks was set or slewed
  // since the last answer of that instance; then this is a new beginning.
  take({ said: { instance, clock: status }, time, trip, bounds }) {
    if (this.isStale) this.restart();
    const known = this.clocks.get(instance) ?? new Clock(bounds);
    if (known.time === time) return "old";
    Object.assign(known, { instance, time, status });
    this.clocks.set(instance, known);
    this.current = instance;
    return known.take(bounds, trip) ? null : "set";
  }

  slept(duration) {
    for (const clock of this.clocks.values()) clock.slept(duration);
  }

  get clock() {
    return this.clocks.get(this.current) ?? null;
  }
}
