"""The status page of `nowcheck watch` in a real browser: by keyboard, on a phone, on paper, without JavaScript."""

import urllib.request
from collections.abc import Iterator

import pytest
from support import servers
from support.accessibility import CONTRAST
from support.monitor import Monitor, configuration, simulated_history
from support.process import poll

HOSTILE = "<img src=x onerror=alert(1)> a name that is as long as a name may be, and some more of it"


def public(folder, *checks: tuple[str, str], every: str = "1s"):
    file = configuration(folder, *checks, every=every)
    text = file.read_text().replace("[history]", 'status_page = "127.0.0.1:0"\n[history]', 1)
    file.write_text(text.replace("[defaults]", "[defaults]\npublic = true", 1))
    return file


@pytest.fixture(scope="module")
def watching(tmp_path_factory) -> Iterator[Monitor]:
    """A monitor with a past of a month, of a service that works, one whose clock is wrong, one that is down."""
    folder = tmp_path_factory.mktemp("status")
    works, wrong = servers.start_nowd(), servers.start_nowd(+1.5)
    simulated_history(folder / "history.db", 30, "shop", "payment")
    checks = [("shop", works.url), ("payment", wrong.url), ("mail", "http://127.0.0.1:1"), (HOSTILE, works.url)]
    monitor = Monitor("--config", public(folder, *checks, every="2s"))
    try:
        monitor.wait_for("payment", "wrong")
        monitor.wait_for("mail", "down")
        shown = lambda: urllib.request.urlopen(monitor.status_page, timeout=10).read()  # noqa: E731
        poll(lambda: shown().count(b'class="open"') == 2, "the page shows the incidents")
        yield monitor
    finally:
        for each in (monitor, works, wrong):
            each.stop()


def test_it_follows_without_a_reload_and_says_when_it_has_lost_contact(nowd, monitor, tmp_path, visit):
    service = nowd()
    watching = monitor("--config", public(tmp_path, ("shop", service.url)))
    watching.wait_for("shop", "ok")
    page = visit()
    page.open(watching.status_page)
    poll(lambda: page.evaluate("document.visibilityState") == "visible", "the page is seen")
    page.evaluate("window.mark = 1")
    service.stop()
    watching.wait_for("shop", "down")
    page.wait_for("document.querySelector('h1').textContent === 'The service does not work'", 35)
    assert page.evaluate("window.mark") == 1, "it was not loaded anew"
    assert page.evaluate("document.title") == "The service does not work"
    assert page.text("#news") == "The service does not work"
    watching.stop()
    page.wait_for("document.querySelector('#contact').textContent.startsWith('no contact since ')", 35)
    page.complaints.clear()


def test_it_is_complete_without_javascript(visit, watching):
    page = visit()
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    page.open(watching.status_page)
    assert page.text("h1") == "2 of 4 services do not work"
    assert page.evaluate("document.querySelectorAll('svg.strip').length") == 4
    assert page.evaluate("document.querySelectorAll('article').length") > 2
    assert page.evaluate("document.querySelector('meta[http-equiv=refresh]').content") == "60"


def test_nothing_is_requested_from_elsewhere_and_a_name_is_text(visit, watching):
    page = visit()
    page.open(watching.status_page)
    elsewhere = [url for url in page.requests if not url.startswith((watching.status_page, "data:image/svg+xml,"))]
    assert not elsewhere
    assert "onerror" in page.text("#services") and page.evaluate("document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_does_not_scroll_sideways(visit, watching, width):
    page = visit(width=width)
    page.open(watching.status_page)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


@pytest.mark.parametrize("looks", ["light", "dark", "print"])
def test_all_text_has_enough_contrast(visit, watching, looks):
    page = visit()
    if looks == "print":
        page.send("Emulation.setEmulatedMedia", media="print")
    else:
        page.media(prefers_color_scheme=looks)
    page.open(watching.status_page)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate(CONTRAST) == []


def test_a_screen_reader_finds_landmarks_names_and_headings_in_order(visit, watching):
    page = visit()
    page.open(watching.status_page)
    nodes = page.send("Accessibility.getFullAXTree")["nodes"]
    of = [(node["role"]["value"], node.get("name", {}).get("value")) for node in nodes if not node.get("ignored")]
    assert {"main", "contentinfo"} <= {role for role, _ in of}
    pictures = [words for role, words in of if role in ("img", "image")]
    assert len(pictures) == 4
    assert all(words.startswith("The last 90 days of ") and "available" in words for words in pictures), pictures
    assert not [role for role, words in of if role in ("link", "heading", "image", "img") and not words]
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((h) => Number(h.tagName[1]))")
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(later <= before + 1 for before, later in zip(levels, levels[1:], strict=False)), levels
    assert page.evaluate("document.documentElement.lang") == "en"
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(set(ids)) == len(ids)


def test_what_is_open_and_in_focus_stays_so_when_the_page_is_made_anew(visit, watching):
    page = visit()
    page.open(watching.status_page)
    page.evaluate("document.querySelector('summary').focus()")
    page.press("Enter")
    assert page.evaluate("document.querySelector('details').open")
    before = page.text("#contact")
    page.wait_for(f"document.querySelector('#contact').innerText !== {before!r}", 35)
    assert page.evaluate("document.querySelector('details').open")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
