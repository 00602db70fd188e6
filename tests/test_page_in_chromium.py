"""The page at `/` as people meet it: in a real browser, also one whose clock or network is bad."""

import datetime
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.browser import Browser, Page, settled
from support.process import poll
from support.slow_link import SlowLink
from support.tools import compiled

MEASURED = "Number(document.querySelector('#offset').dataset.count) >= 8"
"""A whole round has been asked."""


@pytest.fixture(scope="session")
def shifted(tmp_path_factory) -> Iterator[Callable[[float], Browser]]:
    """Starts a browser on a machine whose clock is wrong by so many seconds."""
    library = compiled("shifted_clock", tmp_path_factory.mktemp("clock"))
    started = []

    def start(seconds: float, before: Path | None = None, **environment: str) -> Browser:
        # What is preloaded first is asked first.
        libraries = ":".join(str(each) for each in (before, library) if each)
        clock = {"LD_PRELOAD": libraries, "CLOCK_SHIFT_MS": f"{seconds * 1000:.0f}"}
        started.append(Browser(environment=clock | environment))
        return started[-1]

    yield start
    for browser in started:
        browser.end()


@pytest.fixture
def stepped(shifted, tmp_path) -> Callable[[int], tuple[Browser, Callable[[], None]]]:
    """Starts a browser on a machine whose clock is stepped by whole seconds as soon as the second value is called."""
    library, step = compiled("shift_clocks", tmp_path), tmp_path / "step"
    return lambda seconds: (
        shifted(0, before=library, SHIFT_WHEN=str(step), SHIFT_REALTIME=str(seconds)),
        step.touch,
    )


def offset(page: Page) -> tuple[float, float]:
    """Between which two values the page has the visitor's clock ahead of the service's, in seconds."""
    said = page.evaluate("({ ...document.querySelector('#offset').dataset })")
    return float(said["low"]) / 1000, float(said["high"]) / 1000


def assert_finds(page: Page, truth: float, within: float) -> None:
    """The page's bounds hold the truth all the time, from the first answer to the last of a round."""
    page.wait_for("document.querySelector('#offset').dataset.count")
    seen = set()

    def is_measured() -> bool:
        seen.add(offset(page))
        return page.evaluate(MEASURED)

    poll(is_measured, "a whole round")
    wrong = [(low, high) for low, high in seen if not low <= truth <= high]
    assert not wrong, f"{truth} s is not in {wrong}"
    low, high = offset(page)
    assert high - low <= 2 * within, f"{high - low} s wide"


def ahead_of(instant: float, clock: str) -> float:
    """Seconds that a reading such as 20:11:51 is ahead of a Unix time, or of the reading that it stands for. Days do
    not count."""
    hours, minutes, seconds = map(int, clock.split(":"))
    return ((hours * 60 + minutes) * 60 + seconds - instant + 43200) % 86400 - 43200


def changed_answers(body: str) -> str:
    """A script that changes every answer of `/now` on its way to the page: `said` is the document, `number` counts."""
    return f"""
        const original = fetch; let number = 0;
        fetch = async (...question) => {{
            const response = await original(...question);
            const said = JSON.parse(await response.text());
            number++;
            {body}
            return new Response(JSON.stringify(said), {{ headers: response.headers }});
        }};"""


# ------------------------------------------------------------------------------------------------- the clock


def test_the_clock_is_the_services_and_goes_on(visit, nowd):
    ahead = 5 * 3600 + 0.5
    page = visit()
    page.open(nowd(ahead).url)
    page.wait_for(MEASURED)
    shown = page.text("#time")
    for _ in range(3):
        last, before = shown, time.time() + ahead
        page.wait_for(f"document.querySelector('#time').innerText !== '{last}'", 2)
        shown = page.text("#time")
        # A second is shown once it has begun, and until it is over.
        assert ahead_of(before, shown) >= -1
        assert ahead_of(time.time() + ahead, shown) <= 0
        assert ahead_of(ahead_of(0, last), shown) == 1
    assert page.evaluate("document.querySelector('#time').dateTime")[11:19] == page.text("#time")
    assert page.evaluate("document.title").startswith(page.text("#time")[:5])


def test_the_clock_goes_through_the_change_to_summer_time_to_the_second(visit, one_nowd):
    change = datetime.datetime(2027, 3, 28, 1, tzinfo=datetime.UTC).timestamp()
    page = visit()
    page.before_each_document(
        changed_answers(f"globalThis.ahead ??= {change - 1.5} - said.unix_time; said.unix_time += ahead;")
    )
    page.open(f"{one_nowd.url}/?tz=Europe/Madrid")
    page.wait_for("document.querySelector('#time').innerText === '01:59:59'")
    page.wait_for("document.querySelector('#time').innerText !== '01:59:59'", 3)
    assert page.text("#time") == "03:00:00"
    assert page.text("#utc-offset") == "UTC+2"
    assert page.text("#date") == "Sunday, 28 March 2027"


def test_a_zone_that_the_browser_does_not_know_is_shown_as_the_service_has_it(visit, one_nowd):
    page = visit()
    page.before_each_document("""
        const Format = Intl.DateTimeFormat;
        Intl.DateTimeFormat = function (locale, options) {
            if (options?.timeZone === "Asia/Kathmandu") throw new RangeError("no such zone");
            return new Format(locale, options);
        };""")
    page.open(f"{one_nowd.url}/?tz=Asia/Kathmandu")
    page.wait_for(MEASURED)
    assert abs(ahead_of(time.time() + 5.75 * 3600, page.text("#time"))) <= 2
    assert page.text("#utc-offset") == "UTC+5:45"


def test_without_javascript_the_page_shows_the_time_of_the_request_in_any_zone(visit, one_nowd):
    page = visit()
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    page.open(one_nowd.url)
    date = page.responses[f"{one_nowd.url}/"]["headers"]["date"]
    assert page.text("#time") in date
    assert "when the page was asked for" in page.text("#state")
    assert page.text("#command") == f"curl {one_nowd.url}/now"
    page.evaluate("document.querySelector('#zone').value = 'asia/kathmandu'")
    page.click("#show")
    page.wait_for("location.search === '?tz=asia%2Fkathmandu'")
    page.wait_for("document.querySelector('#zone-name')?.innerText === 'Asia/Kathmandu'")
    assert page.text("#utc-offset") == "UTC+5:45"
    page.open(f"{one_nowd.url}/?tz=Mars/Base")
    assert "No time zone is called “Mars/Base”" in page.text("#notice")
    page.complaints.clear()  # that this was answered 400


def test_with_javascript_the_page_does_not_ask_for_it_while_it_waits_for_the_first_answer(visit, one_nowd):
    page = visit()
    page.before_each_document("fetch = () => new Promise(() => {});")
    page.open(one_nowd.url)
    assert page.text("#state") == "Asking …"
    assert page.evaluate("document.documentElement.dataset.state") == "asking"


# ------------------------------------------------------------------------------------------------- the figures


def test_a_clock_that_is_right_is_found_right(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    assert_finds(page, 0, within=0.1)
    assert page.text("#offset-lead") == "In agreement"
    assert "agrees" in page.text("#offset-words")
    assert re.fullmatch(r"[+−]?\d+(\.\d+)? ms ± \d+(\.\d+)? ms", page.text("#offset").replace("\u00a0", " "))
    assert page.evaluate("crossOriginIsolated"), "or the browser's clock would be coarser than it has to be"


@pytest.mark.parametrize(("shift", "words"), [(37.5, "ahead"), (-7200, "behind")], ids=["37.5 s ahead", "2 h behind"])
def test_the_shift_of_the_visitors_clock_is_found_within_its_own_bound(shifted, one_nowd, shift, words):
    page = shifted(shift).page()
    assert abs(page.evaluate("Date.now()") / 1000 - time.time() - shift) < 0.5, "its clock is not shifted"
    page.open(one_nowd.url)
    assert_finds(page, shift, within=0.1)
    assert page.text("#offset-lead").lower() == words
    assert f"Your clock is {words}" in page.text("#offset-words")
    assert ("time zone" in page.text("#offset-words")) == (shift == -7200)
    # The large clock is right all the same.
    assert abs(ahead_of(time.time(), page.text("#time"))) <= 2
    assert not page.complaints


def test_the_shift_of_the_services_clock_is_found_within_its_own_bound(visit, nowd):
    page = visit()
    page.open(nowd(+3.25).url)
    assert_finds(page, -3.25, within=0.1)


@pytest.mark.parametrize(
    ("out", "back"), [(0.4, 0), (0, 0.4), (0.2, 0.2)], ids=["slow there", "slow back", "slow both ways"]
)
def test_on_a_slow_network_the_bound_is_half_the_journey_and_holds_the_truth(visit, one_nowd, out, back):
    link = SlowLink(one_nowd.host, one_nowd.port, out, back)
    try:
        page = visit()
        page.open(link.url)
        page.wait_for("document.querySelector('#offset').dataset.count >= 2")
        low, high = offset(page)
        assert low <= 0 <= high
        # The clock of the service was read at one end of the journey, if only one way is slow; nobody can know.
        middle, half = (low + high) / 2, (high - low) / 2
        assert half == pytest.approx(0.2, abs=0.15)
        assert middle == pytest.approx((out - back) / -2, abs=0.15)
        # It improves as soon as the network does: nothing is averaged.
        link.out = link.back = 0
        poll(lambda: offset(page)[1] - offset(page)[0] < 0.1, "a narrow bound")
        low, high = offset(page)
        assert low <= 0 <= high
    finally:
        link.end()


def test_a_browser_that_slows_itself_down_holds_the_truth(visit, one_nowd):
    page = visit()
    page.slow_down(400)
    page.open(one_nowd.url)
    page.wait_for("document.querySelector('#offset').dataset.count >= 2")
    low, high = offset(page)
    assert low <= 0 <= high


def test_a_clock_that_is_set_while_the_page_is_open_is_measured_anew(visit, one_nowd):
    page = visit()
    page.before_each_document("const now = Date.now; let set = 0; Date.now = () => now.call(Date) + set;")
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    page.evaluate("set = 100_000")
    page.wait_for("document.querySelector('#offset').dataset.low > 50_000")
    assert_finds(page, 100, within=0.1)


WATCHED = """
    globalThis.wrong = [];
    globalThis.told = 0;
    // How far the visitor's clock is ahead; both clocks of the browser can be moved, as its machine moves them.
    const instant = performance.now;
    globalThis.ahead = globalThis.hurried = () => 0;
    const at = () => instant.call(performance);
    Date.now = () => Math.floor(performance.timeOrigin + at() + ahead(at()) + hurried(at()));
    performance.now = () => at() + hurried(at());
    addEventListener("DOMContentLoaded", () => {
        const place = document.querySelector("#offset");
        // It is called as soon as the page has told something, before anything else runs.
        new MutationObserver(() => {
            const [low, high] = [Number(place.dataset.low), Number(place.dataset.high)];
            // The clocks were read a moment ago, and `timeOrigin` is not known to the microsecond.
            const truths = [at(), at() - 200].map((then) => ahead(then) + hurried(then));
            told++;
            if (low - 3 > Math.max(...truths) || high + 3 < Math.min(...truths)) wrong.push([low, truths, high]);
        }).observe(place, { attributes: true });
    });
    const from = (rate, start) => (now) => rate * (now - start);"""
"""Holds every interval against the truth at the moment when it is told."""


@pytest.mark.parametrize("seconds", [-100, -1, 100])
def test_a_real_step_of_the_visitors_clock_is_followed(stepped, one_nowd, seconds):
    browser, step = stepped(seconds)
    page = browser.page()
    page.open(one_nowd.url)
    assert_finds(page, 0, within=0.1)
    step()
    page.wait_for(f"Math.abs(document.querySelector('#offset').dataset.low - {seconds * 1000}) < 200")
    assert_finds(page, seconds, within=0.1)
    assert abs(ahead_of(time.time(), page.text("#time"))) <= 2
    assert not page.complaints


def test_a_clock_that_is_set_back_is_followed_without_a_new_answer(visit, one_nowd):
    page = visit()
    page.before_each_document(WATCHED)
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    page.evaluate("fetch = () => new Promise(() => {}); ahead = () => -90_000;")
    page.wait_for("document.querySelector('#offset').dataset.high < -89_000")
    low, high = offset(page)
    # No machine sleeps for less than no time: what was known of the service still holds.
    assert low <= -90 <= high
    assert high - low < 0.1
    assert "behind" in page.text("#offset-words")


@pytest.mark.parametrize("rate", [0.083, -0.083], ids=["forward", "back"])
def test_a_slew_of_the_visitors_clock_is_followed_as_it_happens(visit, one_nowd, rate):
    """As on systems whose monotonic clock is left alone by it. This fast is as fast as chrony slews."""
    page = visit()
    page.before_each_document(WATCHED)
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    page.evaluate(f"ahead = from({rate}, at())")
    end = f"{1000 * abs(rate)} * 4 < Math.abs(document.querySelector('#offset').dataset.low)"
    gone = "globalThis.blank ||= document.querySelector('#time').innerText.startsWith('-'), "
    page.wait_for(gone + end)
    assert page.evaluate("wrong") == []
    assert not page.evaluate("blank"), "the clock was taken away"
    # Without an answer too: then the bound has to grow, as the machine may have slept.
    page.evaluate("fetch = () => new Promise(() => {}); told = 0;")
    page.wait_for("told >= 3")
    assert page.evaluate("wrong") == []


@pytest.mark.parametrize("rate", [0.083, -0.083], ids=["forward", "back"])
def test_a_slew_that_the_browser_cannot_see_is_found_by_the_answers(visit, one_nowd, rate):
    """As on Linux, where the monotonic clock is slewed too; and how a slew of the service shows."""
    page = visit()
    page.before_each_document(WATCHED)
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    page.evaluate(f"hurried = from({rate}, at())")
    page.wait_for("document.querySelector('#offset-words').innerText.includes('is being set right')")
    page.evaluate("wrong.length = told = 0")
    page.wait_for("told >= 4")
    assert page.evaluate("wrong") == []


def test_after_a_nap_the_bound_counts_that_the_machine_may_have_slept(visit, one_nowd):
    page = visit()
    page.before_each_document(WATCHED)
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    # Half a second goes by, and the browser's stopwatch stands still, as that of a machine that sleeps.
    page.evaluate("""
        fetch = () => new Promise(() => {});
        const end = at() + 500;
        while (at() < end);
        told = 0;
        [ahead, hurried] = [() => 500, () => -500];""")
    page.wait_for("told")
    assert page.evaluate("wrong") == []
    low, high = offset(page)
    assert high - low == pytest.approx(0.5, abs=0.1)


def test_after_a_sleep_the_page_does_not_call_itself_live(visit, one_nowd):
    page = visit()
    page.before_each_document(WATCHED)
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    page.evaluate("fetch = () => new Promise(() => {}); ahead = () => 3_600_000;")
    page.wait_for("document.querySelector('#time').innerText.startsWith('-')")
    assert page.text("#state") == "Asking …"
    assert "slept, or its clock was set" in page.text("#offset-words")
    assert page.evaluate("document.documentElement.dataset.state") == "asking"


def test_a_browser_that_tells_the_time_coarsely_finds_a_bound_that_says_so(visit, one_nowd):
    page = visit()
    page.before_each_document("""
        const date = Date.now, instant = performance.now;
        Date.now = () => Math.floor(date.call(Date) / 100) * 100;
        performance.now = () => Math.floor(instant.call(performance) / 100) * 100;
        performance.getEntriesByName = () => [];""")
    page.open(one_nowd.url)
    assert_finds(page, 0, within=0.6)
    low, high = offset(page)
    assert high - low > 0.15


def test_a_browser_whose_clocks_stand_still_while_a_script_runs_is_not_kept_busy(visit, one_nowd):
    """As tools have them that take pictures of pages in a time of their own (`--virtual-time-budget`)."""
    page = visit()
    page.before_each_document("""
        const date = Date.now.bind(Date), instant = performance.now.bind(performance);
        let [time, since] = [date(), instant()];
        const look = () => { [time, since] = [date(), instant()]; };
        // Each task sees one moment.
        setInterval(look, 5);
        Date.now = () => time;
        performance.now = () => since;
        performance.getEntriesByName = () => [];""")
    page.open(one_nowd.url)
    page.wait_for("document.documentElement.dataset.state === 'live'")


def test_every_instance_is_measured_by_itself(visit, one_nowd):
    page = visit()
    # As behind a balancer: every second answer comes from another instance, whose clock is 30 s ahead.
    page.before_each_document(changed_answers("if (number % 2) { said.instance = 'ffffffff'; said.unix_time += 30; }"))
    page.open(one_nowd.url)
    page.wait_for("document.querySelector('#offset').dataset.count >= 4")
    assert "the last of 2" in page.text("#instances")
    instance, low, high = shown_together(page)
    truth = -30 if instance == "ffffffff" else 0
    assert low <= truth <= high


def shown_together(page: Page) -> tuple[str, float, float]:
    return page.evaluate("""(() => {
        const { low, high } = document.querySelector("#offset").dataset;
        return [document.querySelector("#instance").innerText, low / 1000, high / 1000];
    })()""")


def test_an_answer_out_of_a_cache_is_not_taken_for_the_time(visit, one_nowd):
    page = visit()
    page.before_each_document(changed_answers("globalThis.first ??= said; Object.assign(said, first);"))
    page.open(one_nowd.url)
    page.wait_for("document.querySelector('#state').innerText.includes('A cache on the way answers')")


def test_the_services_own_bound_is_shown_as_it_says_it(visit, one_nowd):
    page = visit()
    page.before_each_document(
        changed_answers("said.clock = { status: number > 8 ? 'unsynchronized' : 'synchronized', max_error: 0.000312 };")
    )
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    assert page.text("#clock-lead") == "Synchronized"
    assert page.text("#bound").replace("\u00a0", " ") == "± 0.312 ms"
    assert "vouches" in page.text("#bound-words")
    assert page.text("#bound-low").replace("\u00a0", " ") == "−0.5 ms"
    assert re.match(r"Stated at \d\d:\d\d:\d\d by instance [0-9a-f]{8}\.", page.text(".facts section:last-child .small"))


DOT = "getComputedStyle(document.querySelector('#state'), '::before').backgroundColor"


@pytest.mark.parametrize(
    ("clock", "lead"),
    [
        ("{ status: 'unsynchronized', max_error: null }", "Not synchronized"),
        ("{ status: 'unknown', max_error: null }", "Status not known"),
        ("{ status: 'synchronized', max_error: null }", "Status not known"),
        ("{ status: 'toString', max_error: 1 }", "Status not known"),
        ("undefined", "Status not known"),
    ],
)
def test_a_clock_that_nothing_vouches_for_is_not_called_right(visit, one_nowd, clock, lead):
    vouched = visit()
    vouched.before_each_document(changed_answers("said.clock = { status: 'synchronized', max_error: 0.001 };"))
    vouched.open(one_nowd.url)
    vouched.wait_for(MEASURED)
    assert vouched.text("#state") == "Live, by this service’s clock and not your device’s."

    page = visit()
    page.before_each_document(changed_answers(f"said.clock = {clock};"))
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    assert page.text("#clock-lead") == lead
    assert page.text("#bound") == "Error not known"
    assert page.text("#state") == "Live, but nothing vouches for this service’s clock."
    assert page.evaluate(DOT) != vouched.evaluate(DOT), "the dot has to be amber"
    assert "is right even" not in page.evaluate("document.body.textContent")
    assert "does not depend on your clock" in page.evaluate("document.body.textContent")


def test_the_page_names_its_program_and_its_description(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    assert re.match(r"nowd \d+\.\d+\.\d+ · .*Apache License 2\.0", page.text("footer"))
    assert ("link", "API description (OpenAPI)") in page.roles()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_error_is_a_page_in_the_same_style_that_leads_back(visit, one_nowd, scheme):
    page = visit(width=320, height=568)
    page.media(prefers_color_scheme=scheme)
    page.open(f"{one_nowd.url}/nope")
    assert page.text("h1") == "Not found"
    assert "“/nope”" in page.text("main")
    # The policy names the style by its hash: with another one it would have no effect, and the console would say so.
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", background))) < 64) == (scheme == "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate(CONTRASTS) == []
    complaints = [complaint for complaint in page.complaints if "404" not in complaint]
    assert not complaints, complaints
    page.complaints.clear()
    page.click("a")
    page.wait_for("document.querySelector('#time') !== null")


WORLDS = r"""async () => {
    const { Answers, readBetween } = await import(document.querySelector("script").src);
    // A generator with a seed of its own, so that what fails once fails again.
    let seed = 1;
    const random = (low, high) => {
        seed = (seed * 48271) % 2147483647;
        return low + (seed / 2147483647) * (high - low);
    };
    const wrong = [];
    for (let world = 0; world < 300; world++) {
        const answers = new Answers();
        const grain = [0.005, 0.1, 1, 100][world % 4];
        const journey = 10 ** random(-1, 3);
        // Three clocks that go wrong as fast as clocks may, and what is really between each and performance.now().
        const clocks = [0, 1, 2].map(() => [random(-1e6, 1e6), random(-400e-6, 400e-6)]);
        const truth = (which, at) => clocks[which][0] + clocks[which][1] * at;
        let at = 1000;
        for (let question = 0; question < 30; question++) {
            const which = Math.floor(random(0, 3));
            const sent = (at += 10 ** random(0, 4));
            const read = (at += journey * random(0, 1) ** 3);
            const received = (at += journey * random(0, 1) ** 3);
            const [seenSent, seenReceived] = [sent, received].map((instant) => instant + random(-grain, grain));
            const time = read + truth(which, read);
            const bounds = readBetween(seenSent, seenReceived, time, grain);
            const was = answers.take({ said: { instance: which }, time, trip: 0, bounds });
            const later = received + 10 ** random(0, 5);
            const { low, high } = answers.clock.carried(later);
            if (was || !(low <= truth(which, later) && truth(which, later) <= high)) wrong.push([world, question, was]);
        }
    }
    return wrong;
}"""


def test_the_bounds_hold_the_truth_in_every_world(visit, one_nowd):
    """The arithmetic of the page with clocks that drift, journeys of any length and browsers that round."""
    page = visit()
    page.open(one_nowd.url)
    assert page.evaluate(f"({WORLDS})()") == []


SLEWED_WORLDS = r"""async () => {
    const { Answers, readBetween } = await import(document.querySelector("script").src);
    let seed = 1;
    const random = (low, high) => {
        seed = (seed * 48271) % 2147483647;
        return low + (seed / 2147483647) * (high - low);
    };
    const wrong = [];
    let noticed = 0;
    for (let world = 0; world < 300; world++) {
        const answers = new Answers();
        const journey = 10 ** random(-1, 2.5);
        // The clock is slewed for some seconds, from a moment that nobody knows.
        const [start, length, rate] = [random(2000, 60_000), 10 ** random(3, 4.5), random(-0.17, 0.17)];
        const truth = (at) => 1e6 + rate * Math.min(length, Math.max(0, at - start));
        let at = 1000;
        while (at < start + length) {
            const sent = (at += 10 ** random(1.5, 3.5));
            const read = (at += journey * random(0, 1) ** 3);
            const received = (at += journey * random(0, 1) ** 3);
            const [time, trip] = [read + truth(read), received - sent];
            answers.take({ said: { instance: "a" }, time, trip, bounds: readBetween(sent, received, time, 0.1) });
            const { clock } = answers;
            const { low, high } = clock.bounds;
            // Before the slew is found out nothing is wrong by more than the journey of the last answer.
            const slack = clock.isSlewed ? 0 : trip * 1.2 + 1;
            const holds = (at, { low, high }) => low - slack <= truth(at) && truth(at) <= high + slack;
            if (!holds(received, clock.bounds)) wrong.push([world, clock.isSlewed, low, truth(received), high]);
            const later = received + 10 ** random(0, 4);
            if (clock.isSlewed && !holds(later, clock.carried(later))) wrong.push([world, "later"]);
            noticed += clock.isSlewed;
        }
    }
    return [wrong.slice(0, 5), noticed > 1000];
}"""


def test_the_bounds_hold_the_truth_while_a_clock_is_slewed(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    assert page.evaluate(f"({SLEWED_WORLDS})()") == [[], True]


FIGURES = r"""async () => {
    const { figure, scale } = await import(document.querySelector("script").src);
    const units = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };
    const read = (text) => {
        const parts = [...text.matchAll(/([\d.]+)\u00a0(ms|s|min|h|d)\b/g)];
        const sum = parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit], 0);
        return text.startsWith("\u2212") ? -sum : sum;
    };
    const wrong = [];
    for (let exponent = -3; exponent < 12; exponent += 0.0371) {
        for (let width = -2.5; width < 8; width += 0.43) {
            for (const sign of [-1, 1]) {
                const low = sign * 10 ** exponent - 10 ** width;
                const high = sign * 10 ** exponent + 10 ** width;
                const { offset, bound } = figure(low, high);
                const [middle, half] = [read(offset), read(bound.slice(2))];
                // What is left of a number of days to 16 digits.
                const slack = 1e-9 * Math.max(1, Math.abs(low));
                const isWhole = middle - half <= low + slack && middle + half >= high - slack;
                // Two digits of the bound are shown, so it is at most a fifth too wide, and never finer than it can be.
                const isNarrow = half <= 1.25 * 10 ** width + 0.002;
                const isOdd = /(?<![\d.])60(\.0+)?\u00a0s/.test(offset);
                if (!isWhole || !isNarrow || isOdd) wrong.push([low, high, offset, bound]);
                if (scale(low, high).end < Math.max(-low, high)) wrong.push([low, high, scale(low, high)]);
            }
        }
    }
    return wrong.slice(0, 5);
}"""


def test_what_is_shown_holds_the_whole_interval(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    assert page.evaluate(f"({FIGURES})()") == []


# ------------------------------------------------------------------------------------------------- without the service


def test_when_the_service_is_gone_the_page_says_since_when_and_its_bound_grows(visit, nowd):
    server = nowd()
    page = visit()
    page.before_each_document(changed_answers("(globalThis.allSaid ??= []).push(said.unix_time);"))
    page.open(server.url)
    page.wait_for(MEASURED)
    server.stop()
    # It would ask again within three seconds; somebody who comes back to the page makes it ask now.
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for("document.documentElement.dataset.state === 'trouble'")
    said = page.text("#state")
    assert "It cannot be reached." in said
    since = re.search(r"No answer since (\d\d:\d\d:\d\d)\.", said)
    # Not always the last one: an answer that a busy machine held up is not used.
    answers = page.evaluate("allSaid")
    assert any(-1 < ahead_of(answer, since[1]) <= 0 for answer in answers), (said, answers)
    widths = []
    for _ in range(2):
        shown = page.text("#time")
        page.wait_for(f"document.querySelector('#time').innerText !== '{shown}'", 3)
        low, high = offset(page)
        assert low <= 0 <= high
        widths.append(high - low)
    assert widths[0] < widths[1]
    # A screen reader would read it out each time.
    assert page.text("#state") == said
    page.complaints.clear()  # that it could not be reached


def test_the_page_takes_up_again_when_the_network_is_back(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.send("Network.emulateNetworkConditions", offline=True, **offline)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for("document.documentElement.dataset.state === 'trouble'")
    page.send("Network.emulateNetworkConditions", offline=False, **offline)
    page.wait_for("document.documentElement.dataset.state === 'live'", 8)
    assert page.text("#state").startswith("Live")
    page.complaints.clear()


def test_after_failures_the_page_asks_less_often_but_every_ten_seconds_and_says_so(visit, one_nowd):
    page = visit()
    page.before_each_document("""
        // Time goes by a hundred times as fast.
        const later = setTimeout, pauses = [];
        setTimeout = (run, delay) => { pauses.push(delay); return later(run, delay / 100); };
        let asked = 0;
        fetch = () => { asked++; return Promise.reject(new TypeError("no network")); };""")
    page.open(one_nowd.url)
    page.wait_for("asked >= 3")
    said = page.text("#state")
    assert "It cannot be reached. The page asks again within 10 s." in said.replace("\u00a0", " ")
    page.wait_for("asked >= 8")
    assert {1000, 2000, 4000, 8000} <= set(page.evaluate("pauses"))
    assert page.evaluate("Math.max(...pauses)") == 10_000
    # A screen reader would read it out each time.
    assert page.text("#state") == said


def test_nobody_is_asked_while_nobody_looks(visit, one_nowd):
    page = visit()
    # Time goes by forty times as fast: ten seconds are a quarter of one.
    page.before_each_document("""
        const later = setTimeout; setTimeout = (run, delay) => later(run, delay / 40);
        let isHidden = false;
        Object.defineProperty(Document.prototype, "hidden", { get: () => isHidden });
        const hide = (hidden) => { isHidden = hidden; document.dispatchEvent(new Event("visibilitychange")); };""")
    page.open(one_nowd.url)
    page.wait_for("document.querySelector('#offset').dataset.count >= 14")
    page.evaluate("hide(true)")
    asked = settled(lambda: len(page.requests), "no more requests", 0.8)
    page.evaluate("hide(false)")
    poll(lambda: len(page.requests) >= asked + 8, "it asks again")
    low, high = offset(page)
    assert low <= 0 <= high


# ------------------------------------------------------------------------------------------------- the zone


def test_a_zone_is_found_by_keyboard_and_remembered(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    page.press("Tab")
    assert page.evaluate("document.activeElement.id") == "zone"
    page.type("madr")
    field = page.node("#zone")
    assert (field["role"], field["name"], field["expanded"]) == ("combobox", "Time zone", True)
    active = page.evaluate("document.activeElement.getAttribute('aria-activedescendant')")
    assert page.text(f"#{active}") == "Europe/Madrid"
    page.wait_for("document.querySelector('#spoken').innerText === '1 zone'")
    page.press("Enter")
    assert page.text("#zone-name") == "Europe/Madrid"
    assert page.evaluate("location.search") == "?tz=Europe/Madrid"
    assert page.text("#command") == f'curl "{one_nowd.url}/now?tz=Europe/Madrid"'
    assert page.evaluate("document.querySelector('#json').getAttribute('href')") == "/now?tz=Europe/Madrid"
    assert page.node("#zone")["expanded"] is False
    page.wait_for("/^UTC.[12]$/.test(document.querySelector('#utc-offset').innerText)")
    page.wait_for("document.querySelector('#spoken').innerText.startsWith('The time in Europe/Madrid is')")

    page.open(one_nowd.url + "/?")
    assert page.text("#zone-name") == "Europe/Madrid", "it was remembered"
    page.open(f"{one_nowd.url}/?tz=Asia/Tokyo")
    assert page.text("#zone-name") == "Asia/Tokyo", "what was shared comes first"
    page.open(one_nowd.url + "/?")
    assert page.text("#zone-name") == "Europe/Madrid", "and is not remembered"


def test_the_arrow_keys_walk_through_the_zones_and_escape_changes_nothing(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    page.press("Tab", "ArrowDown")
    assert page.evaluate("document.querySelectorAll('#zones [role=option]').length") > 400
    active = "document.querySelector('#zones [aria-selected=true]').innerText"
    first = page.evaluate(active)
    page.press("ArrowDown", "ArrowDown")
    assert page.evaluate(active) != first
    page.press("ArrowUp", "ArrowUp")
    assert page.evaluate(active) == first
    page.press("ArrowDown", "Escape")
    assert page.evaluate("document.querySelector('#zones').hidden")
    assert page.evaluate("document.querySelector('#zone').value") == "UTC"
    page.type("atlantis")
    page.wait_for("document.querySelector('#spoken').innerText.startsWith('No zone has that')")
    # Who sees is told too.
    assert page.text("#zone-hint") == "No zone has that in its name."
    assert page.node("#zone")["invalid"] == "true"
    page.press("Enter")
    assert page.text("#zone-name") == "UTC"
    page.press("Escape")
    assert page.evaluate("document.querySelector('#zone').value") == "UTC"
    assert page.text("#zone-hint") == "Type a part of a name and choose."
    # Chromium's own list has the old name.
    page.type("kyiv")
    page.press("Enter")
    assert page.text("#zone-name") == "Europe/Kyiv"
    page.type("new yo")
    page.press("Enter")
    assert page.text("#zone-name") == "America/New York"
    assert page.evaluate("localStorage.getItem('tz')") == "America/New_York"


@pytest.mark.parametrize("is_closed", [False, True], ids=["list open", "list closed"])
def test_an_emptied_field_means_utc_as_it_does_in_the_address(visit, one_nowd, is_closed):
    page = visit()
    page.open(f"{one_nowd.url}/?tz=Europe/Madrid")
    page.press("Tab")
    page.evaluate("document.execCommand('delete')")
    assert page.evaluate("document.querySelector('#zone').value") == ""
    # Who looks at the list sees what Enter will do.
    assert page.text("#zones [aria-selected=true]").split()[0] == "UTC"
    if is_closed:
        page.evaluate("""document.querySelector("#zone").dispatchEvent(
            new KeyboardEvent("keydown", { key: "ArrowUp", altKey: true }))""")
        assert page.evaluate("document.querySelector('#zones').hidden")
    page.press("Enter")
    assert page.text("#zone-name") == "UTC"
    assert page.evaluate("document.querySelector('#zone').value") == "UTC"
    assert page.evaluate("location.search") == ""
    page.wait_for("document.querySelector('#spoken').innerText.startsWith('The time in UTC is')")
    # With a zone in the field it is that which the list begins at.
    page.type("madrid")
    page.press("Enter")
    page.click("#zone")
    assert page.text("#zones [aria-selected=true]") == "Europe/Madrid"


def test_a_zone_is_chosen_by_mouse_and_found_without_storage_or_a_list_of_zones(visit, one_nowd):
    page = visit()
    page.before_each_document("""
        delete Intl.supportedValuesOf;
        Object.defineProperty(globalThis, "localStorage", { get() { throw new DOMException("forbidden"); } });""")
    page.open(one_nowd.url)
    page.click("#zone")
    page.type("tok")
    page.click("#zones li")
    assert page.text("#zone-name") == "Asia/Tokyo"
    # One that the short list does not have.
    page.evaluate("document.querySelector('#zone').select()")
    page.type("europe/vilnius")
    page.press("Enter")
    page.wait_for("/vilnius/i.test(document.querySelector('#zone-name').innerText)")


def test_the_time_that_came_with_the_page_is_shown_in_the_remembered_zone_too(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    page.evaluate("localStorage.setItem('tz', 'Asia/Kathmandu')")
    page.before_each_document("fetch = () => Promise.reject(new TypeError('no network'));")
    page.open(f"{one_nowd.url}/?again")
    page.wait_for("document.querySelector('#state').innerText.includes('No answer since this page was opened')")
    assert page.text("#zone-name") == "Asia/Kathmandu"
    assert page.text("#utc-offset") == "UTC+5:45"
    assert abs(ahead_of(time.time() + 5.75 * 3600, page.text("#time"))) <= 10


# ------------------------------------------------------------------------------------------------- copying


def test_the_command_is_copied(visit, browser, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.send("Browser.grantPermissions", permissions=permissions, browserContextId=page.context)
    page.click("#copy")
    page.wait_for("document.querySelector('#copy').innerText === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()") == f"curl {one_nowd.url}/now"
    page.wait_for("document.querySelector('#spoken').innerText === 'Copied'")


def test_the_command_is_at_least_selected_where_there_is_no_clipboard(visit, one_nowd):
    page = visit()
    page.before_each_document("delete Navigator.prototype.clipboard; Document.prototype.execCommand = () => false;")
    page.open(one_nowd.url)
    page.click("#copy")
    page.wait_for("document.querySelector('#copy').innerText === 'Selected'")
    assert page.evaluate("getSelection().toString()") == f"curl {one_nowd.url}/now"


# ------------------------------------------------------------------------------------------------- how it is sent


def test_the_whole_page_is_small_compressed_and_its_own(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    poll(lambda: sum("/assets/" in url for url in page.sizes) == 3, "all three assets")
    sent = {url: size for url, size in page.sizes.items() if not url.endswith("/now")}
    assert all(url.startswith(f"{one_nowd.url}/") for url in page.requests), page.requests
    for url in sent:
        assert page.responses[url]["headers"]["content-encoding"] in ("gzip", "br"), url
    # With all headers.
    assert sum(sent.values()) < 14_000, sent


def test_a_second_visit_takes_the_assets_from_the_cache_and_asks_for_the_page_again(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    page.requests.clear()
    page.sizes.clear()
    page.open(one_nowd.url + "/?again")
    page.wait_for(MEASURED)
    fetched = {url for url, size in page.sizes.items() if size > 0 and not url.endswith("/now")}
    assert fetched == {one_nowd.url + "/?again"}


def test_the_policy_lets_nothing_else_run(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    page.evaluate("""
        globalThis.violated = [];
        addEventListener("securitypolicyviolation", (event) => violated.push(event.effectiveDirective));
        const style = document.createElement("style");
        style.textContent = "body { opacity: 0 }";
        document.body.append(style);
        fetch("http://localhost:1/").catch(() => {});
        const image = new Image();
        image.src = "data:image/gif;base64,R0lGODlhAQABAAAAACw=";
    """)
    page.wait_for("['style-src-elem', 'connect-src', 'img-src'].every((one) => violated.includes(one))")
    page.complaints.clear()


# ------------------------------------------------------------------------------------------------- how it looks


def test_a_screen_reader_finds_everything_by_role_and_name(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    roles = page.roles()
    for expected in [
        ("heading", "The time in UTC"),
        ("combobox", "Time zone"),
        ("heading", "Your clock"),
        ("heading", "This service’s clock"),
        ("heading", "Ask from a program"),
        ("button", "Copy"),
        ("link", "The time as JSON"),
        ("DisclosureTriangle", "What the figures mean"),
    ]:
        assert expected in roles, f"no {expected} in {roles}"
    assert page.node("[role=timer]")["role"] == "timer"
    assert page.node("main")["role"] == "main"
    assert page.node("#state")["live"] == "polite"
    # The seconds are not read out as they go by.
    assert page.node("[role=timer]").get("live", "off") == "off"
    assert page.evaluate("document.documentElement.lang") == "en"
    page.wait_for("document.querySelector('#spoken').innerText.startsWith('Your clock agrees')")


def test_what_is_said_twice_is_announced_twice(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    page.wait_for("document.querySelector('#spoken').innerText.startsWith('Your clock agrees')")
    # A screen reader reads out what is put into the region, and only that.
    page.evaluate("""
        globalThis.announced = [];
        new MutationObserver((changes) => {
            for (const { addedNodes } of changes) for (const { data } of addedNodes) announced.push(data);
        }).observe(document.querySelector("#spoken"), { childList: true });""")
    page.press("Tab")
    for times in (1, 2):
        page.type("@")
        said = ["No zone has that in its name."] * times
        page.wait_for(f"announced.join() === '{','.join(said)}'")


def test_every_control_is_reached_by_tab_and_shows_that_it_is(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    reached = []
    for _ in range(8):
        page.press("Tab")
        reached.append(
            page.evaluate("""(() => {
                const { id, tagName } = document.activeElement;
                return [id || tagName.toLowerCase(), getComputedStyle(document.activeElement).outlineStyle];
            })()""")
        )
    names = [name for name, _ in reached]
    for expected in ("zone", "pre", "copy", "json", "a", "summary"):
        assert expected in names, names
    assert all(outline != "none" for name, outline in reached if name != "body"), reached


CONTRASTS = r"""(() => {
    // The ratio of two colors by the Web Content Accessibility Guidelines, which ask for 4.5.
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    const numbers = (color) => color.match(/[\d.]+/g).map(Number);
    const behind = (element) => {
        for (; element; element = element.parentElement) {
            const color = numbers(getComputedStyle(element).backgroundColor);
            if (color.length < 4 || color[3] === 1) return color;
        }
        return [255, 255, 255];
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const low = [];
    for (const element of document.querySelectorAll("main *")) {
        if (!element.checkVisibility() || !hasText(element)) continue;
        const both = [light(numbers(getComputedStyle(element).color)), light(behind(element))];
        const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
        if (ratio < 4.5) low.push([element.id || element.tagName, element.textContent.slice(0, 30), ratio]);
    }
    return low;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(visit, one_nowd, scheme):
    page = visit()
    page.media(prefers_color_scheme=scheme)
    page.open(f"{one_nowd.url}/")
    page.wait_for(MEASURED)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    is_dark = max(map(int, re.findall(r"\d+", background))) < 64
    assert is_dark == (scheme == "dark"), background
    assert page.evaluate(CONTRASTS) == []
    page.evaluate("document.documentElement.dataset.state = 'trouble'")
    page.click("#zone")
    assert page.evaluate(CONTRASTS) == []


@pytest.mark.parametrize("zone", ["UTC", "America/Argentina/ComodRivadavia"])
def test_it_fits_a_narrow_phone_and_a_page_at_four_times_its_size(visit, one_nowd, zone):
    page = visit(width=320, height=568)
    page.open(f"{one_nowd.url}/?tz={zone}")
    page.wait_for(MEASURED)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    clock, width = page.evaluate("[document.querySelector('#time').getBoundingClientRect().right, innerWidth]")
    assert clock <= width
    small = page.evaluate("""[...document.querySelectorAll("main input, main button, summary")]
        .filter((each) => each.checkVisibility()).map((each) => each.getBoundingClientRect().height)
        .filter((height) => height < 24)""")
    assert small == [], "too small for a finger"


def test_a_long_figure_fits_a_narrow_phone(visit, one_nowd):
    page = visit(width=320, height=568)
    page.before_each_document("const now = Date.now; Date.now = () => now.call(Date) - 10_713_598_123;")
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    assert page.text("#offset").replace("\u00a0", " ").startswith("−123 d 23 h 59 min 58.1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert "time zone" not in page.text("#offset-words"), "no zone is that far from another"


def test_a_long_word_in_a_notice_fits_a_narrow_phone(visit, one_nowd):
    page = visit(width=320, height=568)
    page.open(f"{one_nowd.url}/?tz=Foo%3Cb%3E{'x' * 50}")
    assert "Foo<b>xxx" in page.text("#notice")
    page.wait_for(MEASURED)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    inner, outer = page.evaluate("[notice.scrollWidth, notice.clientWidth]")
    assert inner <= outer, "it runs out of its box"
    page.complaints.clear()  # that this was answered 400


def test_the_dot_beside_the_state_is_round_wherever_it_stands(visit, one_nowd):
    """A browser puts each edge on a whole pixel: only what is whole pixels long is then as wide as it is high."""
    page = visit()
    page.open(one_nowd.url)
    style = "getComputedStyle(document.querySelector('#state'), '::before')"
    width, height = page.evaluate(f"[parseFloat({style}.width), parseFloat({style}.height)]")
    assert width == height
    assert width == int(width)


def test_motion_and_colors_are_left_out_for_those_who_want_it_so(visit, one_nowd):
    page = visit()
    page.open(one_nowd.url)
    page.wait_for(MEASURED)
    style = "getComputedStyle(document.querySelector('#band'))"
    assert page.evaluate(f"{style}.transitionDuration") != "0s"
    page.media(prefers_reduced_motion="reduce")
    assert page.evaluate(f"{style}.transitionProperty") == "none"
    page.media(forced_colors="active")
    band, paper = page.evaluate(f"[{style}.backgroundColor, getComputedStyle(document.body).backgroundColor]")
    assert band != paper, "the band has to be seen"


@pytest.mark.parametrize(
    ("name", "size", "media"),
    [
        ("light", {}, {"prefers_color_scheme": "light"}),
        ("dark", {}, {"prefers_color_scheme": "dark"}),
        ("phone", {"width": 390, "height": 844}, {"prefers_color_scheme": "light"}),
    ],
)
def test_it_can_be_looked_at(visit, one_nowd, tmp_path, name, size, media):
    """For whoever changes the page: pytest keeps the pictures of its last runs."""
    page = visit(**size)
    page.media(**media)
    page.open(f"{one_nowd.url}/?tz=Europe/Madrid")
    page.wait_for(MEASURED)
    picture = tmp_path / f"{name}.png"
    page.screenshot(picture, full=True)
    assert Path(picture).stat().st_size > 10_000
