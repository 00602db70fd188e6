"""Services as many are: small, limited, coarse, nameless; and a checker whose own clock is not known well."""

import contextlib
import json
from datetime import datetime
from pathlib import Path

from harness import CannotMeasure, fetch
from situations import nginx
from stage import Reader, Situation, Stage, date_in, python_server, signed

PLAIN = Path(__file__).resolve().parent / "plain_server.py"
GROUP = "Services as they are"

OFFSETS = (0.0, -0.9, 1.5)
TICK = 15.625
"""Milliseconds: the clock of older Windows."""
TOOK = 40.0
"""Milliseconds that the small device takes for an answer."""
IMPRECISE, VERY_IMPRECISE = 0.45, 0.82
"""Seconds that the checker's kernel admits: between a third of the limit and the limit."""

MICROSECOND, SECOND = 1e-6, 1.0

BURST = 5
LIMITED = """
    location = /clock {{ return 200 'hello'; }}
    location = /now {{ limit_req zone=all burst={more} nodelay; proxy_pass http://{server}; }}
"""
"""`BURST` requests at once, then one in 200 ms; nginx answers all others 503."""


def datetime_of(resolution: float) -> Reader:
    """The member `datetime`, of a clock that shows multiples of that many seconds."""

    def read(_: bytes, body: bytes) -> tuple[float, float]:
        earliest = datetime.fromisoformat(json.loads(body)["datetime"]).timestamp()
        return earliest, earliest + resolution

    return read


def plain(stage: Stage, offset: float, *arguments: str, resolution: float = MICROSECOND) -> str:
    """The URL of a service that names no instance."""
    url = f"http://{python_server(stage, PLAIN, '--offset', str(offset), *arguments)}/now"
    stage.is_ahead(url, offset, datetime_of(resolution))
    return url


def limited(stage: Stage, offset: float) -> str:
    """The same behind nginx, which limits the requests. Both clocks are measured where no limit is used up."""
    server = plain(stage, offset).removeprefix("http://").removesuffix("/now")
    zone = "limit_req_zone $binary_remote_addr zone=all:1m rate=5r/s;"
    clock = nginx(stage, LIMITED.format(server=server, more=BURST - 1), zone, offset, path="/clock")
    stage.is_ahead(clock, offset, lambda head, body: date_in(head))
    url = clock.removesuffix("/clock") + "/now"
    make_sure_of_the_limit(url)
    return url


def make_sure_of_the_limit(url: str) -> None:
    """A limit that limits nothing would look like a success of every tool."""
    answered = 0
    with contextlib.suppress(ConnectionError):
        for answered in range(2 * BURST):
            fetch(url)
    if not BURST <= answered < 2 * BURST - 1:
        raise CannotMeasure(f"{url} was to answer {BURST} requests at once, and answered {answered}")


def small_device(offset: float) -> Situation:
    def start(stage: Stage) -> str:
        return plain(stage, offset, "--one-at-a-time", str(TOOK))

    return Situation(GROUP, f"one connection at a time; {signed(offset)}", (offset,), start, gently=True)


def rate_limit(offset: float) -> Situation:
    return Situation(
        GROUP,
        f"{BURST} requests at once, then one in 200 ms; {signed(offset)}",
        (offset,),
        lambda stage: limited(stage, offset),
        needs_nginx=True,
        gently=True,
    )


def coarse_tick(offset: float) -> Situation:
    def start(stage: Stage) -> str:
        return plain(stage, offset, "--tick", str(TICK), resolution=TICK / 1000)

    return Situation(GROUP, f"ticks every 15.6 ms, prints microseconds; {signed(offset)}", (offset,), start)


def whole_seconds(offset: float) -> Situation:
    def start(stage: Stage) -> str:
        return plain(stage, offset, "--digits", "0", resolution=SECOND)

    return Situation(GROUP, f"whole seconds; {signed(offset)}", (offset,), start)


def imprecise_reference(offset: float, error: float = IMPRECISE) -> Situation:
    name = f"own clock known to ± {1000 * error:.0f} ms; {signed(offset)}"
    return Situation(GROUP, name, (offset,), lambda stage: plain(stage, offset), kernel_error=error)


def situations_as_they_are() -> list[Situation]:
    kinds = (small_device, rate_limit, coarse_tick, whole_seconds, imprecise_reference)
    return [*(kind(offset) for kind in kinds for offset in OFFSETS), imprecise_reference(0.0, VERY_IMPRECISE)]
