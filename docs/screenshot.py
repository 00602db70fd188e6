#!/usr/bin/env python3
"""Takes docs/page.png, the picture of the page in the README, of a nowd and in a Chromium that it starts.

docs/screenshot.py          # needs target/release/nowd, or $NOWD; and chromium, here with Debian's fonts-inter
docs/screenshot.py FILE     # puts it there

The kernel's word on this machine's clock is replaced by that of a machine with NTP.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support import servers  # noqa: E402
from support.browser import Browser  # noqa: E402
from support.tools import compiled  # noqa: E402

WIDTH = 960


def take(file: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        shim = compiled("kernel_word", Path(directory))
        server = servers.start_nowd(KERNEL_SAYS="1240", LD_PRELOAD=str(shim))
        picture_of(server, file)


def picture_of(server: servers.Server, file: Path) -> None:
    browser = Browser()
    try:
        page = browser.page()
        page.resize(WIDTH, 600, scale=1.5)
        page.send("Emulation.setTimezoneOverride", timezoneId="Europe/Madrid")
        page.open(f"{server.url}/?tz=Europe/Madrid")
        page.wait_for("Number(document.querySelector('#offset').dataset.count) >= 8")
        # The band of the ruler moves to its place within this; without motion it is there already.
        page.media(prefers_reduced_motion="reduce")
        height = page.evaluate("Math.ceil(document.querySelector('footer').getBoundingClientRect().bottom) + 40")
        page.resize(WIDTH, height, scale=1.5)
        page.screenshot(file)
    finally:
        browser.end()
        server.stop()


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "page.png")
