#!/usr/bin/env python3
"""Takes the pictures of the dashboard in docs/dashboard, of a monitor and in a Chromium that it starts.

docs/dashboard.py           # needs nowd and nowcheck in target/release, or $NOWD and $NOWCHECK; cargo; and chromium
docs/dashboard.py FOLDER    # puts them there

What is seen is real: services that work, one whose clock is wrong and one that is stopped, watched by the monitor. Their
past is written by crates/nowcheck-watch/examples/simulated_history.rs.
"""

import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support import servers  # noqa: E402
from support.browser import Browser, Page  # noqa: E402
from support.monitor import Monitor, configuration, simulated_history  # noqa: E402
from support.process import poll  # noqa: E402

NAMES = ["shop", "api", "search", "payment", "time", "mail"]


def picture(page: Page, url: str, file: Path, width: int = 1100, most: int = 1500, **media: str) -> None:
    page.media(prefers_reduced_motion="reduce", **media)
    page.resize(width, 800, scale=1)
    page.open(url)
    page.wait_for("!document.body.dataset.events || document.querySelector('#contact').className === 'live'")
    height = page.evaluate("Math.ceil(document.querySelector('footer').getBoundingClientRect().bottom) + 16")
    page.resize(width, min(most, height), scale=1)
    page.screenshot(file)


def published(watching: Monitor) -> str:
    """The status page, once it shows the past."""
    read = lambda: urllib.request.urlopen(watching.status_page, timeout=10).read()  # noqa: E731
    poll(lambda: b"<article" in read(), "incidents are on the status page")
    return watching.status_page


def take(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    browser = Browser()
    started = []
    try:
        with tempfile.TemporaryDirectory() as temporary:
            work = Path(temporary)
            services = [servers.start_nowd(+1.4 if name == "payment" else 0) for name in NAMES]
            started += services
            urls = [service.url for service in services]
            services[NAMES.index("mail")].stop()
            simulated_history(work / "history.db", 92, *NAMES)
            file = configuration(work, *zip(NAMES, urls, strict=True), every="10s")
            text = file.read_text().replace('name = "shop"', 'name = "shop"\nlabels = { team = "web", tier = "1" }')
            text = text.replace("[history]", 'status_page = "127.0.0.1:0"\n[history]')
            file.write_text(text.replace("[defaults]", "[defaults]\npublic = true"))
            watching = Monitor("--config", file)
            started.append(watching)
            watching.wait_for("payment", "wrong")
            watching.wait_for("mail", "down")
            watching.wait_for("shop", "ok")
            watching.wait_for_rounds("shop", 4, 60)
            page = browser.page()
            incident = watching.check("payment")["incident"]
            pages = {"overview": "/", "check": "/checks/shop?range=day",
                     "incident": f"/incidents/{urllib.parse.quote(incident)}"}
            for name, path in pages.items():
                for scheme in ("light", "dark"):
                    picture(page, watching.url + path, folder / f"{name}-{scheme}.png", prefers_color_scheme=scheme)
                picture(page, watching.url + path, folder / f"{name}-phone.png", 390, 1700, prefers_color_scheme="light")
            public = published(watching)
            for scheme in ("light", "dark"):
                picture(page, public, folder / f"status-page-{scheme}.png", prefers_color_scheme=scheme)
            picture(page, public, folder / "status-page-phone.png", 390, 1700, prefers_color_scheme="light")
            empty = Monitor("--listen", "127.0.0.1:0", "--history", "none")
            started.append(empty)
            picture(page, empty.url, folder / "empty-light.png", prefers_color_scheme="light")
            picture(page, empty.url, folder / "empty-phone.png", 390, prefers_color_scheme="light")
    finally:
        browser.end()
        for each in started:
            each.stop()


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "dashboard")
