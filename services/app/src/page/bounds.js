// What is certain of a clock. The pieces of this script (build.rs has their order) are one module when they are sent.
//
// All instants and durations are milliseconds. Instants are those of performance.now(), which nobody sets.

// How fast two clocks may drift apart: 500 ppm is the most that systems correct theirs by.
const DRIFT = 500e-6;

// How far a clock is ahead of performance.now(): between `low` and `high`, as it was at the instant `at`.
export class Bounds {
  constructor(low, high, at) {
    Object.assign(this, { low, high, at });
  }

  // The same at another instant: less certain, as the clocks may have drifted apart.
  carried(at) {
    const drift = DRIFT * Math.abs(at - this.at);
    return new Bounds(this.low - drift, this.high + drift, at);
  }

  // What both allow, at the later of their instants; null when they contradict each other.
  and(other) {
    const at = Math.max(this.at, other.at);
    const [one, two] = [this.carried(at), other.carried(at)];
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
    this.restart();
  }

  restart() {
    this.bounds = this.read();
  }

  read() {
    const before = performance.now();
    const time = Date.now();
    const seen = readBetween(before, performance.now(), time, this.grains.instant);
    seen.low -= this.grains.time;
    seen.high += this.grains.time;
    return seen;
  }

  // Whether it was set, or the machine slept: then Date has moved on and performance.now() has not.
  hasJumped() {
    const both = this.bounds.and(this.read());
    this.bounds = both ?? this.bounds;
    return both === null;
  }

  // Its bounds, from some milliseconds of reading it over and over: where its value moves on, its time is known to a
  // fraction of a step. Nothing older is used: a clock that is set by less than a step would not be noticed.
  watch(duration) {
    let bounds = this.read();
    for (const end = performance.now() + duration; performance.now() < end; ) bounds = bounds.and(this.read()) ?? bounds;
    return bounds;
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

  // Says what is not as it should be: "old" when a cache has answered, "set" when the clock of that instance was set since
  // its last answer; then this is a new beginning.
  take({ said: { instance, clock }, time, trip, bounds }) {
    if (this.isStale) this.restart();
    const known = this.clocks.get(instance);
    if (known?.time === time) return "old";
    const both = known ? known.bounds.and(bounds) : bounds;
    const { count, quickest } = both && known ? known : { count: 0, quickest: Infinity };
    this.clocks.set(instance, {
      instance, time, status: clock, bounds: both ?? bounds, count: count + 1, quickest: Math.min(quickest, trip),
    });
    this.current = instance;
    return both ? null : "set";
  }

  get clock() {
    return this.clocks.get(this.current) ?? null;
  }
}
