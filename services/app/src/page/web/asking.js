// Asks the service for the time: a few times in a row, then again and again while somebody looks.

// Then one at a time, and so often that no slew stays unseen for long.
const FIRST_ROUND = 8;
const LATER_ROUND = 1;
const BETWEEN_REQUESTS = 60;
const BETWEEN_ROUNDS = 3000;
const WHILE_SLEWED = 1000;
const PATIENCE = 10_000;
const LONGEST_PAUSE = 10_000;

const pause = (duration) => new Promise((resume) => setTimeout(resume, duration));

// A request failed; its message is for people.
class Failure extends Error {}

// Chromium notes `requestStart` just before it writes the request, as it is specified. Firefox notes it just after: too
// late for a bound, as the service may have read its clock by then.
const NOTES_BEFORE_IT_SENDS = / Chrome\//.test(navigator.userAgent);

// When the request really left and its answer was there, as the browser's network noted it: without the time that both
// waited for this page. The service reads its clock before it writes the head of its answer, so the first byte of that is
// enough; but not `responseStart`, which may be that of a response that something on the way sent ahead (103, Early
// Hints). Notes that make no sense are not used.
function noted(url, sent, received, grain) {
  const note = performance.getEntriesByName(url).at(-1);
  const answered = note?.finalResponseHeadersStart || note?.responseEnd;
  const instants = [sent - grain, note?.startTime, note?.requestStart, answered, note?.responseEnd, received + grain];
  const inOrder = instants.slice(1).every((instant, index) => instant >= instants[index]);
  return inOrder ? { sent: NOTES_BEFORE_IT_SENDS ? note.requestStart : sent, received: answered } : { sent, received };
}

// One question and its answer.
async function ask(path, grain) {
  const url = new URL(path, location.href).href;
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), PATIENCE);
  performance.clearResourceTimings();
  try {
    const before = performance.now();
    const response = await fetch(url, { cache: "no-store", credentials: "omit", signal: end.signal });
    const text = await response.text();
    const after = performance.now();
    if (!response.ok) throw new Failure(`It answers ${response.status}.`);
    if (Number(response.headers.get("age")) > 0) throw new Failure("A cache on the way answers instead of it.");
    // The note may come a little after the answer.
    await pause(BETWEEN_REQUESTS);
    const { sent, received } = noted(url, before, after, grain);
    const said = JSON.parse(text);
    const time = said.unix_time * 1000;
    if (!Number.isFinite(time) || typeof said.instance !== "string") throw new Failure("Its answer makes no sense.");
    return { said, time, trip: received - sent, bounds: readBetween(sent, received, time, grain) };
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(
      end.signal.aborted ? "It does not answer." : error instanceof SyntaxError ? "Its answer makes no sense." : "It cannot be reached.",
    );
  } finally {
    clearTimeout(timer);
  }
}
