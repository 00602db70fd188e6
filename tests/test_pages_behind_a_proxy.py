"""The pages of `nowcheck watch` behind nginx as Debian configures it: it buffers, and may serve them below a path."""

import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.monitor import Monitor, configuration
from support.nginx import Nginx
from support.process import poll

LIVE = "document.querySelector('#contact').className === 'live'"

NOT_OK = "document.querySelector('h1').textContent === 'The check is not ok'"

HOME = "Our home page"
"""What the site shows at its root when the monitor is below a path."""


def address(url: str) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(url)
    return parts.hostname, parts.port


@pytest.fixture
def behind(tmp_path) -> Iterator[Callable[..., str]]:
    """Starts nginx in front of a URL: `behind(url, below="/nowcheck")`. Returns the URL to go to."""
    started = []

    def start(url: str, below: str = "", **more: str) -> str:
        nginx = Nginx(tmp_path, [address(url)], below=below, http_version="1.0", **more)
        started.append(nginx)
        return f"http://{nginx.host}:{nginx.port}{below}"

    yield start
    for each in started:
        each.stop()


def watched(monitor: Callable[..., Monitor], folder: Path, url: str) -> Monitor:
    file = configuration(folder, ("shop", url), more="public = true\n")
    file.write_text(file.read_text().replace("[history]", 'status_page = "127.0.0.1:0"\n[history]', 1))
    watching = monitor("--config", file)
    watching.wait_for("shop", "ok")
    poll(lambda: b"The service works" in urllib.request.urlopen(watching.status_page, timeout=10).read(), "it is published")
    return watching


def test_a_page_behind_a_proxy_that_buffers_is_live(nowd, monitor, tmp_path, behind, visit):
    service = nowd()
    watching = watched(monitor, tmp_path, service.url)
    page = visit()
    page.open(behind(watching.url))
    page.wait_for(LIVE, 3)
    service.child.process.kill()
    page.wait_for(NOT_OK, 4)


def test_a_page_behind_a_proxy_that_keeps_the_stream_back_follows_all_the_same(nowd, monitor, tmp_path, behind, visit):
    service = nowd()
    watching = watched(monitor, tmp_path, service.url)
    page = visit()
    page.open(behind(watching.url, location="proxy_ignore_headers X-Accel-Buffering;"))
    service.child.process.kill()
    page.wait_for(NOT_OK)
    assert page.text("#contact").startswith("as of "), "it is not live"


def links(page) -> set[str]:
    """All links of a page, with the addresses to which they lead."""
    return set(page.evaluate("[...document.querySelectorAll('a[href]')].map((link) => link.href.split('#')[0])"))


def test_every_link_of_a_dashboard_below_a_path_leads_to_a_page_of_it(nowd, monitor, tmp_path, behind, visit):
    service = nowd()
    watching = watched(monitor, tmp_path, service.url)
    service.child.process.kill()
    incident = watching.wait_for("shop", "down")["incident"]
    poll(lambda: watching.get(f"/incidents/{incident}")[0] == 200, "the incident is written")
    site = behind(watching.url, below="/nowcheck")
    page = visit()
    seen, left = set(), {f"{site}/", f"{site}/checks/nobody", f"{site}/incidents/none"}
    while left:
        url = left.pop()
        seen.add(url)
        page.open(url)
        assert HOME not in page.text("h1"), url
        if page.evaluate("document.body.dataset.events"):
            page.wait_for(LIVE)
        assert page.evaluate("document.querySelector('#content') !== null"), url
        # Stretches of time lead to further stretches without an end.
        left |= {link for link in links(page) if "from=" not in link} - seen
    found = {urllib.parse.unquote(url.split("?")[0]) for url in seen}
    assert {f"{site}/incidents", f"{site}/checks/shop", f"{site}/incidents/{incident}"} <= found
    assert all(url.startswith(f"{site}/") for url in seen), seen
    page.open(f"{site}/")
    page.click("#q")
    page.type("zq")
    page.wait_for("document.querySelector('#none') !== null", 3)
    page.evaluate("document.querySelector('#filter').submit()")
    page.wait_for("document.querySelector('#none') !== null && location.search === '?q=zq'", 3)
    assert page.evaluate("location.pathname") == "/nowcheck/"
    # The browser reports the status 404 of the two pages that are none.
    assert all("404" in complaint for complaint in page.complaints), page.complaints
    page.complaints.clear()


def test_a_status_page_below_a_path_follows_itself_and_not_the_home_page_of_the_site(
    nowd, monitor, tmp_path, behind, visit
):
    service = nowd()
    watching = watched(monitor, tmp_path, service.url)
    site = behind(watching.status_page, below="/status")
    page = visit()
    page.open(f"{site}/")
    assert page.text("h1") == "The service works"
    service.child.process.kill()
    page.wait_for("document.querySelector('h1').textContent !== 'The service works'", 35)
    assert page.text("h1") == "The service does not work"
    poll(lambda: b"<entry>" in urllib.request.urlopen(f"{site}/feed.atom", timeout=10).read(), "the incident is in the feed")
    feed = page.evaluate("document.querySelector('link[type=\"application/atom+xml\"]').href")
    assert {feed} == set(page.evaluate("[...document.querySelectorAll('footer a')].map((link) => link.href)"))
    with urllib.request.urlopen(feed, timeout=10) as answer:
        root = ElementTree.fromstring(answer.read())
    found = [urllib.parse.urljoin(feed, link.get("href")) for link in root.iter("{http://www.w3.org/2005/Atom}link")]
    assert found[:2] == [f"{site}/feed.atom", f"{site}/"] and found[2].startswith(f"{site}/#incident-"), found
    for path in ("nothing", "checks/shop", "a/b/c"):
        page.open(f"{site}/{path}")
        assert links(page) == {f"{site}/", feed}, path
    page.complaints.clear()


def test_a_status_page_does_not_show_what_is_no_status_page(nowd, monitor, tmp_path, behind, visit):
    watching = watched(monitor, tmp_path, nowd().url)
    page = visit()
    page.open(watching.status_page)
    home = f"{behind(watching.status_page, below='/status').removesuffix('/status')}/"
    with urllib.request.urlopen(home, timeout=10) as answer:
        other = answer.read().decode()
    page.evaluate(f"window.fetch = async () => new Response({other!r}); document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for("document.querySelector('#contact')?.className === 'lost'")
    assert page.text("h1") == "The service works"
