"""The dashboard of `nowcheck watch` as people meet it: in a real browser, by keyboard, on a phone, without JavaScript."""

import contextlib
import json
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest
from support import servers
from support.accessibility import CONTRAST
from support.browser import Page
from support.monitor import Monitor, configuration, simulated_history
from support.process import poll, within

HOSTILE = '<img src=x onerror=alert(1)> "\'&amp;'
"""What a check may be called."""

READY = "document.querySelector('#contact').className === 'live'"

ROW = "document.querySelector('#check-{}')"


@pytest.fixture(scope="module")
def watching(tmp_path_factory) -> Iterator[Monitor]:
    """A monitor with a past of three days, of a service that works, one whose clock is wrong, one that is down, and one
    with a name that would do harm."""
    folder = tmp_path_factory.mktemp("dashboard")
    works, wrong = servers.start_nowd(), servers.start_nowd(+1.5)
    simulated_history(folder / "history.db", 3, "shop", "payment")
    checks = [("shop", works.url), ("payment", wrong.url), ("mail", "http://127.0.0.1:1"), ("api", works.url)]
    hostile = f'[[check]]\nname = {json.dumps(HOSTILE)}\nurl = "{works.url}"\nlabels = {{ team = {json.dumps(HOSTILE)} }}\n'
    monitor = Monitor("--config", configuration(folder, *checks, every="2s", more=hostile))
    try:
        for name, status in {"shop": "ok", "payment": "wrong", "mail": "down", HOSTILE: "ok"}.items():
            monitor.wait_for(name, status)
        yield monitor
    finally:
        for each in (monitor, works, wrong):
            each.stop()


def paths(watching: Monitor) -> dict[str, str]:
    """A page of each kind."""
    incident = watching.check("payment")["incident"]
    return {
        "overview": "/",
        "check": "/checks/shop?range=day",
        "check that is down": "/checks/mail",
        "hostile name": f"/checks/{urllib.parse.quote(HOSTILE, safe='')}",
        "incidents": "/incidents",
        "incident": f"/incidents/{incident}",
        "nothing found": "/?q=nothing",
        "no such check": "/checks/nobody",
    }


def each_page(page: Page, watching: Monitor) -> Iterator[str]:
    """Opens one page after the other, and says which it is."""
    for name, path in paths(watching).items():
        page.open(watching.url + path)
        if page.evaluate("document.body.dataset.events"):
            page.wait_for(READY)
        yield name
        if "no such" in name:
            # The browser reports the status 404 itself.
            page.complaints.clear()


# ------------------------------------------------------------------------------------------------- live


def test_a_check_whose_service_is_stopped_turns_red_without_a_reload_within_a_period_and_a_second(
    nowd, monitor, tmp_path, visit
):
    service = nowd()
    watching = monitor("--config", configuration(tmp_path, ("shop", service.url), ("other", nowd().url), every="1s"))
    watching.wait_for("shop", "ok")
    watching.wait_for("other", "ok")
    page = visit()
    page.open(watching.url)
    page.wait_for(READY)
    assert page.text("h1") == "All 2 checks are ok"
    page.evaluate("window.mark = 1")
    with within(2, "a period and a second"):
        service.child.process.kill()
        page.wait_for(f"{ROW.format('shop')}.classList.contains('down')")
    assert page.evaluate("window.mark") == 1, "it was not loaded anew"
    assert page.text("h1") == "1 of 2 checks is not ok"
    assert page.evaluate("document.title").startswith("1 of 2 checks is not ok")
    assert page.evaluate("document.querySelector('#checks').firstElementChild.id") == "check-shop", "the worst first"
    assert "listens" in page.text("#check-shop .found")
    page.wait_for("document.querySelector('#news').textContent === 'shop is down'", 3)


def test_the_page_of_a_check_follows_it(nowd, monitor, tmp_path, visit):
    service = nowd()
    watching = monitor("--config", configuration(tmp_path, ("shop", service.url), every="1s"))
    watching.wait_for("shop", "ok")
    page = visit()
    page.open(f"{watching.url}/checks/shop?range=hour")
    page.wait_for(READY)
    page.wait_for("document.querySelector('#course svg') !== null")
    service.child.process.kill()
    page.wait_for("document.querySelector('#now').classList.contains('down')", 5)
    page.wait_for("document.querySelector('#incidents article') !== null", 5)


def test_a_page_that_has_lost_the_monitor_says_so_and_catches_up_when_it_is_back(nowd, monitor, tmp_path, visit):
    service = nowd()
    file = configuration(tmp_path, ("shop", service.url), every="1s")
    first = monitor("--config", file)
    first.wait_for("shop", "ok")
    page = visit()
    page.open(first.url)
    page.wait_for(READY)
    first.stop()
    page.wait_for("document.querySelector('#contact').textContent.startsWith('no contact since ')")
    page.complaints.clear()
    address = first.url.removeprefix("http://")
    file.write_text(file.read_text().replace("127.0.0.1:0", address))
    service.child.process.kill()
    second = monitor("--config", file)
    second.wait_for("shop", "down")
    page.wait_for(READY)
    page.wait_for(f"{ROW.format('shop')}.classList.contains('down')")
    page.complaints.clear()


def test_the_first_result_is_shown_within_a_second(nowd, monitor, tmp_path, visit):
    page = visit()
    service = nowd()
    watching = monitor("--config", configuration(tmp_path, ("shop", service.url), every="30s"))
    with within(1, "the first result"):
        page.open(watching.url)
        page.wait_for(f"{ROW.format('shop')}?.classList.contains('ok')")


def test_events_are_told_to_programs_as_json(watching):
    with urllib.request.urlopen(f"{watching.url}/events?check=payment", timeout=10) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert poll(lambda: (line := stream.readline()).startswith(b"event: ") and line, "an event") == b"event: ping\n"
        event = poll(lambda: (line := stream.readline()).startswith(b"event: ") and line, "another event")
        data = json.loads(stream.readline().removeprefix(b"data: "))
    assert event == b"event: round\n"
    assert data["check"] == "payment" and data["status"] == "wrong" and 1.4 < data["offset"]["lower"] < 1.6


def test_a_stream_on_which_nothing_happens_still_sends_a_ping(nowd, monitor, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), every="60s"))
    watching.wait_for("shop", "ok")
    with urllib.request.urlopen(f"{watching.url}/events", timeout=15) as stream:
        for _ in range(2):
            poll(lambda: stream.readline() == b"event: ping\n", "a ping")
            assert stream.readline() == b"data: {}\n", "an event without data is none"


def test_a_dashboard_in_seven_tabs_is_live_in_each_that_is_looked_at(nowd, monitor, tmp_path, visit):
    # Browsers open six connections to a server.
    service = nowd()
    watching = monitor("--config", configuration(tmp_path, ("shop", service.url), every="1s"))
    watching.wait_for("shop", "ok")
    tabs = [visit()]
    for _ in range(6):
        tabs.append(tabs[0].another_tab())
    for tab in tabs:
        tab.to_the_front()
        tab.open(watching.url)
        tab.wait_for(READY)
    service.child.process.kill()
    for tab in tabs:
        tab.to_the_front()
        tab.wait_for(f"{ROW.format('shop')}.classList.contains('down') && {READY}")
        assert tab.text("h1") == "The check is not ok"


REFUSED = "window.fetch = () => Promise.reject(new TypeError('refused'))"
SILENT = "window.fetch = (_, { signal }) => new Promise((_, no) => signal.addEventListener('abort', () => no(signal.reason)))"


@pytest.mark.parametrize("fetch", [REFUSED, SILENT], ids=["refused", "never answered"])
def test_a_page_that_cannot_be_had_again_is_not_called_live_although_events_come(nowd, monitor, tmp_path, visit, fetch):
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), every="1s"))
    watching.wait_for("shop", "ok")
    page = visit()
    page.open(watching.url)
    page.wait_for(READY)
    page.evaluate(f"window.real = window.fetch; {fetch}; null")
    page.wait_for("document.querySelector('#contact').textContent.startsWith('no contact since ')")
    page.evaluate("window.fetch = window.real; null")
    page.wait_for(READY)


def test_who_gets_no_stream_sees_the_page_of_ten_seconds_ago_and_when_that_was(nowd, monitor, tmp_path, visit):
    service = nowd()
    watching = monitor("--config", configuration(tmp_path, ("shop", service.url), every="1s"))
    watching.wait_for("shop", "ok")
    with contextlib.ExitStack() as streams:
        for _ in range(128):
            streams.enter_context(urllib.request.urlopen(f"{watching.url}/events", timeout=15))
        page = visit()
        page.open(watching.url)
        service.child.process.kill()
        page.wait_for(f"{ROW.format('shop')}.classList.contains('down')")
        assert page.text("#contact").startswith("as of "), "it is not live"
    page.wait_for(READY)
    # The browser reports the status 503 itself.
    assert all("503" in complaint for complaint in page.complaints)
    page.complaints.clear()


# ------------------------------------------------------------------------------------------------- filter


def test_the_filter_works_as_one_types_and_keeps_the_place(visit, watching):
    page = visit()
    page.open(watching.url)
    page.wait_for(READY)
    page.click("#q")
    page.type("pay")
    shown = "[...document.querySelectorAll('#checks > li')].map((row) => row.id).join()"
    page.wait_for(f"{shown} === 'check-payment'", 3)
    assert page.evaluate("document.activeElement.id") == "q"
    assert page.evaluate("location.search") == "?q=pay", "it can be shared"
    page.type("x")
    page.wait_for("document.querySelector('#none')?.innerText.includes('No check matches')", 3)
    page.click("#none a")
    page.wait_for("document.querySelectorAll('#checks > li').length === 5", 3)
    page.click(".counts a.down")
    page.wait_for(f"{shown} === 'check-mail'", 3)


# ------------------------------------------------------------------------------------------------- plots


def opened(page: Page, watching: Monitor, query: str = "range=day") -> None:
    page.open(f"{watching.url}/checks/shop?{query}")
    page.wait_for(READY)
    page.wait_for("document.querySelector('#reader') !== null")


READ = "document.querySelector('#reader').getAttribute('aria-valuetext')"


def test_plots_are_read_out_and_zoomed_by_the_keyboard(visit, watching):
    page = visit()
    opened(page, watching)
    page.evaluate("document.querySelector('#reader').focus()")
    last = page.evaluate(READ)
    assert " UTC: " in last and "offset" in last and "round trip" in last
    page.press("ArrowLeft")
    before = page.evaluate(READ)
    assert before < last, "the time before it"
    assert page.text("#reader output") == before
    assert page.evaluate("document.querySelectorAll('svg .cursor').length") == 6, "in each plot, wide and narrow"
    page.press("Home")
    assert page.evaluate(READ) < before
    node = page.node("#reader")
    assert node["role"] == "slider" and node["name"] == "Read out the plots"
    for _ in range(9):
        page.press("PageUp")
    page.type("+")
    page.wait_for("location.search.startsWith('?from=')")
    page.wait_for("document.querySelector('#ranges [aria-current]') === null", 5)
    page.wait_for("document.querySelector('#reader') !== null")
    hours = "Number(new URL(location).searchParams.get('to')) - Number(new URL(location).searchParams.get('from'))"
    assert abs(page.evaluate(hours) - 12 * 3600) < 60
    page.evaluate("history.back()")
    page.wait_for("document.querySelector('#ranges [aria-current]')?.textContent === 'day'", 5)


def test_plots_are_zoomed_by_dragging_and_read_by_touching(visit, watching):
    page = visit()
    opened(page, watching)
    page.evaluate("document.querySelector('figure').scrollIntoView()")
    x, y, width = page.evaluate("""(() => {
        const box = document.querySelector("svg.wide").getBoundingClientRect();
        return [box.x, box.y + box.height / 2, box.width];
    })()""")
    for kind, share in (("mousePressed", 0.4), ("mouseMoved", 0.5), ("mouseMoved", 0.6), ("mouseReleased", 0.6)):
        place = {"x": x + width * share, "y": y}
        page.send("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **place)
    page.wait_for("location.search.startsWith('?from=')", 3)

    phone = visit(width=390)
    phone.resize(390, 800, mobile=True)
    phone.send("Emulation.setTouchEmulationEnabled", enabled=True)
    opened(phone, watching)
    last = phone.evaluate(READ)
    phone.evaluate("document.querySelector('figure').scrollIntoView()")
    x, y, width = phone.evaluate("""(() => {
        const box = document.querySelector("svg.narrow").getBoundingClientRect();
        return [box.x, box.y + box.height / 2, box.width];
    })()""")
    phone.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x + width / 2, "y": y}])
    phone.wait_for(f"{READ} !== {json.dumps(last)}", 3)
    phone.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])


def test_time_of_which_nothing_is_known_is_a_gap_and_jumps_are_named(visit, watching):
    page = visit()
    opened(page, watching)
    assert page.evaluate("document.querySelectorAll('#course svg.wide .gap').length") >= 1
    assert page.evaluate("document.querySelectorAll('#course svg.wide .band').length") >= 2, "not drawn through it"
    assert "the clock of shop-7d4f9 was stepped by +1.41" in page.text("#course")
    rows = "[...document.querySelectorAll('#figures tbody tr')].map((row) => row.textContent)"
    assert any("unknown" in row and "not known" in row for row in page.evaluate(rows))


# ------------------------------------------------------------------------------------------------- without JavaScript


def test_pages_are_complete_without_javascript_and_reload_by_themselves(nowd, monitor, tmp_path, visit):
    service = nowd()
    watching = monitor("--config", configuration(tmp_path, ("shop", service.url), every="1s"))
    watching.wait_for("shop", "ok")
    page = visit()
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    poll(lambda: "<svg" in watching.get("/checks/shop")[2], "a round is stored")
    page.open(f"{watching.url}/checks/shop?range=hour")
    assert page.evaluate("document.querySelectorAll('#course svg').length") == 6
    assert page.text("#contact").startswith("as of ")
    page.open(f"{watching.url}/?q=nobody")
    assert "No check matches" in page.text("#none")
    assert page.evaluate("document.querySelector('#filter button').checkVisibility()"), "it can be sent"
    page.open(watching.url)
    assert page.text("h1") == "The check is ok"
    service.child.process.kill()
    page.wait_for("document.querySelector('h1')?.innerText === 'The check is not ok'", 15)


# ------------------------------------------------------------------------------------------------- everybody


def test_nothing_is_requested_from_elsewhere_and_the_policy_allows_nothing_else(visit, watching):
    page = visit()
    for name in each_page(page, watching):
        elsewhere = [url for url in page.requests if not url.startswith((watching.url, "data:image/svg+xml,"))]
        assert not elsewhere, (name, elsewhere)
    answer = next(answer for url, answer in page.responses.items() if url == f"{watching.url}/")
    policy = answer["headers"]["content-security-policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "*" not in policy


def test_a_name_that_would_do_harm_is_text(visit, watching):
    page = visit()
    page.open(watching.url)
    page.wait_for(READY)
    assert HOSTILE in page.text("#checks")
    assert page.evaluate("document.querySelectorAll('main img').length") == 0
    page.evaluate("[...document.querySelectorAll('#checks h2 a')].find((a) => a.textContent.includes('onerror')).click()")
    page.wait_for("document.querySelector('#now') !== null")
    assert page.text("h1") == HOSTILE


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_page_scrolls_sideways(visit, watching, width):
    page = visit(width=width)
    for name in each_page(page, watching):
        wide = page.evaluate("document.scrollingElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} px wide"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_enough_contrast(visit, watching, scheme):
    page = visit()
    page.media(prefers_color_scheme=scheme)
    for name in each_page(page, watching):
        red = int(page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"))
        assert (red < 64) == (scheme == "dark")
        assert page.evaluate(CONTRAST) == [], name


NAMED = {"link", "button", "searchbox", "textbox", "slider", "img", "image", "region", "navigation", "summary", "table"}
"""Roles that mean nothing without a name."""


def test_a_screen_reader_finds_landmarks_names_and_headings_in_order(visit, watching):
    page = visit()
    for name in each_page(page, watching):
        roles = page.roles()
        found = {role for role, _ in roles}
        nodes = page.send("Accessibility.getFullAXTree")["nodes"]
        of = [(node["role"]["value"], node.get("name", {}).get("value")) for node in nodes if not node.get("ignored")]
        nameless = [role for role, words in of if role in NAMED and not words]
        assert not nameless, (name, nameless)
        assert {"main", "banner", "contentinfo", "navigation"} <= {role for role, _ in of}, (name, found)
        levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((h) => Number(h.tagName[1]))")
        assert levels.count(1) == 1 and levels[0] == 1, (name, levels)
        assert all(later <= before + 1 for before, later in zip(levels, levels[1:], strict=False)), (name, levels)
        twice = page.evaluate("""[...document.querySelectorAll("[id]")].map((one) => one.id)
            .filter((id, nth, all) => all.indexOf(id) !== nth)""")
        assert not twice, (name, twice)
        assert page.evaluate("""[...document.querySelectorAll("table")]
            .every((table) => table.caption && [...table.querySelectorAll("th")].every((th) => th.scope))"""), name
    assert page.evaluate("document.documentElement.lang") == "en"




def test_everything_is_reached_by_the_keyboard_and_the_content_can_be_skipped_to(visit, watching):
    page = visit()
    page.open(watching.url)
    page.wait_for(READY)
    page.press("Tab")
    assert page.text("a.skip") == "Skip to the content"
    assert page.evaluate("document.activeElement.className") == "skip"
    page.press("Enter")
    page.wait_for("document.activeElement.id === 'content'")
    reached = set()
    for _ in range(40):
        page.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('href') ?? document.activeElement.id"))
    assert {"q", "./checks/shop", "./checks/mail", "./?status=down"} <= reached, reached


def test_nothing_moves_for_people_who_want_that_and_the_focus_is_seen(visit, watching):
    page = visit()
    page.media(prefers_reduced_motion="reduce")
    page.open(watching.url)
    page.wait_for(READY)
    moving = """[...document.querySelectorAll("body *")].filter((one) => {
        const style = getComputedStyle(one);
        return style.transitionDuration !== "0s" || style.animationName !== "none";
    }).length"""
    assert page.evaluate(moving) == 0
    for _ in range(3):
        page.press("Tab")
    assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2


def test_on_paper_there_is_what_was_found_and_nothing_to_press(visit, watching):
    page = visit()
    page.media(prefers_color_scheme="dark")
    page.open(f"{watching.url}/checks/shop")
    page.wait_for(READY)
    page.send("Emulation.setEmulatedMedia", media="print")
    hidden = "[...document.querySelectorAll('.top nav, #ranges, #reader')].some((one) => one.checkVisibility())"
    assert page.evaluate(hidden) is False
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert page.evaluate("document.querySelector('#course svg.wide').checkVisibility()")
    assert page.evaluate(CONTRAST) == []


def test_an_incident_is_told_with_its_evidence(visit, watching):
    page = visit()
    page.open(watching.url)
    page.wait_for(READY)
    page.follow("#check-payment .found a", until="document.querySelector('#story') !== null")
    assert "clock is 1.50 s ahead" in page.text(".verdict")
    assert "desynchronized" in page.text(".story")
    evidence = json.loads(page.evaluate("document.querySelector('.story pre').textContent"))
    assert evidence["targets"][0]["backends"], "the outcome of the round"
    assert page.evaluate("document.querySelectorAll('#course svg.wide').length") == 2


def test_without_any_check_the_page_teaches(monitor, visit):
    watching = monitor("--listen", "127.0.0.1:0", "--history", "none")
    page = visit(width=390)
    page.open(watching.url)
    page.wait_for(READY)
    assert page.text("h1") == "Nothing is watched yet"
    assert "[[check]]" in page.text("pre") and "nowcheck config check" in page.text("main")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    assert page.evaluate(CONTRAST) == []
