"""The pages of `nowcheck watch` behind nginx as Debian configures it: it buffers."""

import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.monitor import Monitor, configuration
from support.nginx import Nginx
from support.process import poll

LIVE = "document.querySelector('#contact').className === 'live'"

NOT_OK = "document.querySelector('h1').textContent === 'The check is not ok'"


def address(url: str) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(url)
    return parts.hostname, parts.port


@pytest.fixture
def behind(tmp_path) -> Iterator[Callable[..., str]]:
    """Starts nginx in front of a URL: `behind(url)`. Returns the URL to go to."""
    started = []

    def start(url: str, **more: str) -> str:
        nginx = Nginx(tmp_path, [address(url)], http_version="1.0", **more)
        started.append(nginx)
        return f"http://{nginx.host}:{nginx.port}"

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
