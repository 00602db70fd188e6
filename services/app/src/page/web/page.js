// The page itself: from what is known to what is shown.

const element = (id) => document.getElementById(id);

// Writes only what is different, or a screen reader would read it out again.
function write(id, text) {
  const place = element(id);
  if (place && place.textContent !== text) place.textContent = text;
}

// What a screen reader reads out now. It notices what is put into an empty place, even if that was there before.
function say(words) {
  write("spoken", "");
  setTimeout(() => write("spoken", words), 100);
}

const grains = measureGrains();
const own = new OwnClock(grains);
const answers = new Answers();

// Why there is no answer, and since when; null while all is well.
let trouble = null;
let lastAnswer = null;

// ------------------------------------------------------------------------------------------------ the zone

let zone = "UTC";
// How far it is ahead of UTC by the service, in seconds: for a zone that the browser does not know.
let givenOffset = null;
let format = null;

function formatOf(name) {
  return new Intl.DateTimeFormat("en-GB", {
    timeZone: name, hourCycle: "h23", weekday: "long", year: "numeric", month: "long", day: "numeric", hour: "2-digit",
    minute: "2-digit", second: "2-digit",
  });
}

// A time as it is read off a clock in the zone. Intl knows when summer time begins, to the second.
function inZone(time) {
  const whole = Math.floor(time / 1000) * 1000;
  const shown = format ? whole : whole + (givenOffset ?? 0) * 1000;
  const parts = (format ?? formatOf("UTC")).formatToParts(shown);
  const part = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  const clock = `${part.hour}:${part.minute}:${part.second}`;
  const date = `${part.weekday}, ${part.day} ${part.month} ${part.year}`;
  const local = Date.parse(`${part.day} ${part.month} ${part.year} ${clock} UTC`);
  return { clock, date, offset: (local - whole) / 1000 };
}

const query = () => (zone === "UTC" ? "" : `?tz=${encodeURIComponent(zone).replaceAll("%2F", "/")}`);

function remembered() {
  // Storage can be forbidden, and what is in it is not necessarily from here.
  try {
    return usualName(localStorage.getItem("tz") ?? "");
  } catch {
    return null;
  }
}

function setZone(name, isChosen) {
  zone = usualName(name) ?? name;
  format = usualName(zone) && formatOf(zone);
  element("zone").value = element("zone").dataset.zone = zone;
  write("zone-name", zone.replaceAll("_", " "));
  const origin = location.origin;
  write("command", zone === "UTC" ? `curl ${origin}/now` : `curl "${origin}/now${query()}"`);
  element("json").href = `/now${query()}`;
  element("mine").hidden = zone === here;
  if (isChosen) {
    try {
      localStorage.setItem("tz", zone);
    } catch {
      // Then it is forgotten, and the address bar still has it.
    }
    history.replaceState(null, "", `/${query()}`);
    write("notice", "");
  }
  draw();
  if (isChosen) say(`The time in ${zone.replaceAll("_", " ")} is ${element("time").textContent}`);
}

// ------------------------------------------------------------------------------------------------ the clock

let nextTick = null;

// Milliseconds; while it is not known whether the machine slept for so long, the clock may be off by half of it.
const LONGEST_NAP = 1000;

function draw() {
  clearTimeout(nextTick);
  const moved = follow();
  const { clock } = answers;
  // Until there is an answer, the time is the one that came with the page: it stands, in whatever zone.
  const time = clock ? performance.now() + clock.bounds.middle : Date.parse(element("time").dateTime);
  let untilNext = 1000;
  if (Number.isFinite(time)) {
    const { clock: text, date, offset } = inZone(time);
    write("time", text);
    element("time").dateTime = new Date(time).toISOString().replace(/\.\d+/, "");
    write("date", date);
    write("utc-offset", zone === "UTC" ? "" : offsetInWords(offset));
    const title = `${text.slice(0, 5)} ${zone.replaceAll("_", " ")} · nowd`;
    if (document.title !== title) document.title = title;
    // A little late is better than a little early: then it would show the old second once more.
    untilNext = 1001 - (time % 1000);
  }
  if (trouble || moved !== null) tell();
  nextTick = setTimeout(draw, untilNext);
}

// Looks whether the visitor's clock was set or is slewed, or the machine slept (see OwnClock), and by how much it moved
// then; asks at once if what was known of the service's clock may not hold any more.
function follow(answer) {
  const moved = own.moved();
  if (moved > 0) {
    if (moved < LONGEST_NAP) {
      answers.slept(moved);
      if (answer) answer.bounds.high += moved;
    } else if (answers.clock) {
      startAnew();
    }
    wake();
  }
  return moved;
}

// After a jump that was longer nothing is known: how long the machine slept, or by how much its clock was set.
function startAnew() {
  answers.restart();
  write("time", "--:--:--");
  write("date", gap);
  write("utc-offset", "");
  element("time").removeAttribute("datetime");
  document.title = "nowd";
  write("offset-lead", "Not compared yet");
  write("offset-value", "–");
  write("offset-bound", "");
  write("offset-basis", "");
  write("offset-words", "Your device slept, or its clock was set: it is measured anew.");
  element("ruler").hidden = true;
}

// ------------------------------------------------------------------------------------------------ the figures

// What was read out, and when: the ends of an interval.
let spoken = null;
const BETWEEN_WORDS = 10_000;

// What is shown was true at that moment, which stands beside it. So it stays as it is until there is something new: an
// answer, none although it is time for one, or that the visitor's clock has moved.
function tell() {
  const { clock } = answers;
  if (clock) {
    const now = own.watch(4);
    const service = clock.carried(now.at);
    // How far the visitor's clock is ahead of the service's.
    tellOffset(now.low - service.high, now.high - service.low, clock, now.at);
    tellOwn(clock);
  }
  const since = lastAnswer === null ? "since this page was opened" : `since ${inZone(lastAnswer).clock}`;
  const known = clock ? " The clock goes on from what was known, and its bound grows."
    : element("time").dateTime ? " This was the time when the page was asked for." : "";
  write(
    "state",
    // Not when exactly: a screen reader would read that out each time.
    trouble ? `No answer ${since}. ${trouble} The page asks again within ${LONGEST_PAUSE / 1000}\u00a0s.${known}`
      : !clock ? "Asking …"
        : isVouched(clock) ? "Live, by this service’s clock and not your device’s."
          : "Live, but nothing vouches for this service’s clock.",
  );
  document.documentElement.dataset.clock = clock && !isVouched(clock) ? "unvouched" : "";
  document.documentElement.dataset.state = trouble ? "trouble" : clock ? "live" : "asking";
}

function tellOffset(low, high, clock, at) {
  const { offset, bound } = figure(low, high);
  const place = element("offset");
  Object.assign(place.dataset, { low, high, count: clock.count });
  write("offset-value", offset);
  write("offset-bound", bound);
  const middle = Math.abs(low + high) / 2;
  const quarters = Math.round(middle / 900_000);
  // No zone is further from another than 26 hours.
  const zoneWords = quarters && quarters <= 104 && Math.abs(middle - quarters * 900_000) < 20_000
    ? " It is off by about a whole number of quarters of an hour: is the time zone of your device right?" : "";
  const verdict = low > 0 ? `Your clock is ahead of this service’s.${zoneWords}`
    : high < 0 ? `Your clock is behind this service’s.${zoneWords}`
      : "Your clock agrees with this service’s: no difference can be told from here.";
  write("offset-lead", low > 0 ? "Ahead" : high < 0 ? "Behind" : "In agreement");
  const trip = `${clock.quickest < 10 ? clock.quickest.toFixed(1) : clock.quickest.toFixed(0)}\u00a0ms`;
  write("offset-words", clock.isSlewed ? `${verdict} One of the two is being set right, or was just now.` : verdict);
  const asOf = inZone(at + clock.bounds.middle).clock;
  write("offset-basis", `At ${asOf}, from ${count(clock.count, "answer")}; the quickest took ${trip}.`);
  drawRuler("", low, high);
  // Read out once, and again only when it is certainly another, and not every second while a clock is slewed.
  const isOther = spoken === null || ((low > spoken.high || high < spoken.low) && at > spoken.at + BETWEEN_WORDS);
  if (isOther && clock.count >= FIRST_ROUND) {
    spoken = { low, high, at };
    say(`${verdict} ${offset} ${bound}`);
  }
}

// An interval of milliseconds on a scale that it fits on; an infinite one is all of it.
function drawRuler(prefix, low, high) {
  const isBounded = Number.isFinite(high);
  const { end, text } = isBounded ? scale(low, high) : { end: 1, text: "?" };
  write(`${prefix}low`, isBounded ? `${minus}${text}` : text);
  write(`${prefix}high`, isBounded ? `+${text}` : text);
  const { style } = element(`${prefix}band`);
  style.left = isBounded ? `${50 + (low / end) * 50}%` : "0";
  style.width = isBounded ? `${((high - low) / end) * 50}%` : "100%";
  element(`${prefix}ruler`).hidden = false;
}

const isVouched = ({ status }) => status?.status === "synchronized" && Number.isFinite(status.max_error);

// As `page.rs` has them.
const SYNCHRONIZED = ["Synchronized", "Its host keeps it synchronized, and vouches that it is wrong by no more than this."];
const UNSYNCHRONIZED = ["Not synchronized", "Nothing keeps it right at the moment, so nobody can say how wrong it is."];
const UNKNOWN = ["Status not known", "Its host could not be asked, so nobody can say how wrong it is."];

function tellOwn(clock) {
  const { instance, status } = clock;
  const isKept = isVouched(clock);
  const [lead, words] = isKept ? SYNCHRONIZED : status?.status === "unsynchronized" ? UNSYNCHRONIZED : UNKNOWN;
  write("clock-lead", lead);
  write("bound", isKept ? ownBound(status.max_error) : "Error not known");
  write("bound-words", words);
  const bound = isKept ? Math.max(status.max_error * 1000, 0.001) : Infinity;
  drawRuler("bound-", -bound, bound);
  write("bound-basis", `Stated at ${inZone(lastAnswer).clock}`);
  write("instance", instance);
  const others = answers.clocks.size - 1;
  write("instances", others ? `, the last of ${others + 1} that have answered` : "");
}

// ------------------------------------------------------------------------------------------------ asking

let wake = () => {};

// Until it is over, or something happens that is worth asking at once for.
function pauseOrWake(duration) {
  return Promise.race([pause(duration), new Promise((resume) => { wake = resume; })]);
}

async function askAround(times) {
  for (let i = 0; i < times && !document.hidden; i++) {
    const answer = await ask(format ? "/now" : `/now${query()}`, grains.instant);
    // Null is less.
    if (follow(answer) >= LONGEST_NAP) continue;
    if (answers.take(answer) === "old") throw new Failure("A cache on the way answers instead of it.");
    givenOffset = answer.said.utc_offset ?? null;
    trouble = null;
    lastAnswer = answer.time;
    draw();
    tell();
  }
}

async function askForEver() {
  let failures = 0;
  for (;;) {
    if (document.hidden) {
      // Nobody looks; `wake` comes when somebody does.
      await new Promise((resume) => { wake = resume; });
      continue;
    }
    try {
      await askAround(answers.clock && !answers.isStale && !failures ? LATER_ROUND : FIRST_ROUND);
      failures = 0;
      if (answers.clock) await pauseOrWake(answers.clock.isSlewed ? WHILE_SLEWED : BETWEEN_ROUNDS);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      trouble = error.message;
      failures++;
      tell();
      await pauseOrWake(Math.min(LONGEST_PAUSE, 1000 * 2 ** (failures - 1)));
    }
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  answers.expire();
  draw();
  wake();
});
addEventListener("online", () => wake());

// ------------------------------------------------------------------------------------------------ the rest

element("copy").addEventListener("click", async () => {
  const command = element("command");
  let isCopied = false;
  try {
    await navigator.clipboard.writeText(command.textContent);
    isCopied = true;
  } catch {
    // Without HTTPS there is no clipboard to write to; what is selected can be copied all the same.
    getSelection().selectAllChildren(command);
    isCopied = document.execCommand("copy");
  }
  write("copy", isCopied ? "Copied" : "Selected");
  say(isCopied ? "Copied" : "The command is selected: copy it with your keyboard");
  setTimeout(() => write("copy", "Copy"), 2000);
});

element("picker").addEventListener("submit", (event) => event.preventDefault());
element("mine").addEventListener("click", () => {
  setZone(here, true);
  // The button has gone, and the focus must not go with it.
  element("zone").focus();
});
element("mine").textContent = `Where you are: ${here.replaceAll("_", " ")}`;
element("show").hidden = true;
element("copy").hidden = false;
tell();

comboBox({
  input: element("zone"), list: element("zones"), zones: allZones(), choose: (name) => setZone(name, true),
  hint: (words) => write("zone-hint", words), say,
});

// A zone in the address is what somebody shared; the service has found it, and wrote its usual name into the field.
const isShared = new URLSearchParams(location.search).has("tz");
setZone((isShared ? null : remembered()) ?? element("zone").defaultValue, false);
askForEver();
