"""The services, each with a truth that is known because it was made, and was measured before anybody else asks."""

import contextlib
import email.utils
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness import CannotMeasure, announced_url, fetch, header, process
from nginx import start
from tools import LIMIT

ROOT = Path(__file__).resolve().parents[2]
FAULTY = ROOT / "tests" / "servers" / "faulty.py"
PATH = Path(__file__).resolve().parent / "path.py"

HOUR, DAY = 3600.0, 86400.0
Reader = Callable[[bytes, bytes], tuple[float, float]]
"""The head and the body of an answer -> the instants between which its time lies."""
STALE_FOR = 3.0
"""Seconds that an answer has been in the cache before anybody asks for it: surely more than the limit."""


@dataclass(frozen=True)
class Programs:
    nowd: str
    faketime: str
    nginx: str | None


@dataclass
class Stage:
    """Where the services of one situation are started, and ended with it."""

    programs: Programs
    stack: contextlib.ExitStack
    truths: list[Callable[[], None]] = field(default_factory=list)

    def is_ahead(self, url: str, offset: float, read: Reader) -> None:
        """Makes sure of it, now and whenever `make_sure` is called."""
        self.truths.append(lambda: make_sure(url, offset, read))
        self.truths[-1]()

    def make_sure(self) -> None:
        """That the truth is still what it was."""
        for truth in self.truths:
            truth()


@dataclass(frozen=True)
class Situation:
    group: str
    name: str
    truth: tuple[float, ...]
    """Seconds that the clocks behind the service are ahead."""
    start: Callable[[Stage], str]
    """Starts it, makes sure of the truth, and gives the URL to ask."""
    options: tuple[str, ...] = ()
    """That nowcheck needs here."""
    stale: bool = False
    needs_nginx: bool = False
    date_only: bool = False
    direct: bool = False

    @property
    def within(self) -> bool:
        """Whether everybody who asks this service is told a time that is within the limit."""
        return not self.stale and all(abs(offset) <= LIMIT for offset in self.truth)


# ----------------------------------------------------------------------------------------------------------- programs


def shifted(faketime: str, offset: float) -> dict[str, str]:
    """The environment that gives a program a wall clock that is `offset` seconds ahead. The monotonic clock stays.

    The command `faketime` would stand between this program and the server, and a signal would end it alone; so it is
    only asked what it puts into the environment. `FAKETIME_SHARED` is memory that it takes away again when it ends.
    """
    if not offset:
        return {}
    command = [faketime, "-m", "--exclude-monotonic", "-f", f"{offset:+.9g}s", "env", "-0"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    pairs = (line.split("=", 1) for line in told.split("\0") if "=" in line)
    wanted = re.compile("LD_PRELOAD|DYLD_.*|FAKETIME|(FAKETIME_)?DONT_FAKE_MONOTONIC|FAKETIME_DONT_FAKE_MONOTONIC")
    # It would read its settings again every ten seconds, and nginx writes its own name over them.
    kept = {"FAKETIME_CACHE_DURATION": str(int(DAY))}
    return kept | {name: value for name, value in pairs if wanted.fullmatch(name)}


def nowd(stage: Stage, offset: float) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NOWD_")}
    environment = kept | shifted(stage.programs.faketime, offset)
    command = [stage.programs.nowd, "--listen", "127.0.0.1:0", "--threads", "1"]
    server = stage.stack.enter_context(process(command, env=environment, stderr=subprocess.PIPE))
    url = f"{announced_url(server, server.stderr)}/now"
    stage.is_ahead(url, offset, lambda head, body: exactly(json.loads(body)["unix_time"]))
    return url


def python_server(stage: Stage, program: Path, *arguments: str) -> str:
    """A server of ours, which ends when its stdin does."""
    command = [sys.executable, "-B", str(program), *arguments]
    server = stage.stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    stage.stack.callback(server.kill)
    line = server.stdout.readline().decode().strip()
    if not line.startswith("listening on "):
        raise CannotMeasure(f"{program} did not say what it listens on; it said: {line!r}")
    return line.removeprefix("listening on ")


def whole_seconds(stage: Stage, offset: float) -> str:
    where = python_server(stage, FAULTY, "answers", "--says", "hms", "--offset", str(offset))
    url = f"http://{where}/now"
    stage.is_ahead(url, offset, lambda head, body: date_in(head))
    return url


def way(stage: Stage, urls: Sequence[str], out: float = 0, back: float = 0, jitter: float = 0) -> str:
    """The path in milliseconds; with more than one server, each connection goes to the next of them."""
    servers = [url.removeprefix("http://").removesuffix("/now") for url in urls]
    delays = ["--out", str(out), "--back", str(back), "--jitter", str(jitter)]
    return f"{python_server(stage, PATH, *servers, *delays)}/now"


def nginx(stage: Stage, server: str, http: str = "", offset: float = 0.0, path: str = "/now") -> str:
    """nginx with one `server` block; `{directory}` in either text is a directory of its own."""
    directory = Path(stage.stack.enter_context(tempfile.TemporaryDirectory()))
    server, http = (text.replace("{directory}", str(directory)) for text in (server, http))
    environment = os.environ | shifted(stage.programs.faketime, offset)
    return start(stage.stack, stage.programs.nginx, directory, server, http, path, env=environment)[1]


def date_only(stage: Stage, offset: float) -> str:
    """A page of nginx: its only time is in the header Date, which nginx renews with every event."""
    url = nginx(stage, "location = /now { return 200 'hello'; }", offset=offset)
    stage.is_ahead(url, offset, lambda head, body: date_in(head))
    return url


def before(stage: Stage, urls: Sequence[str]) -> str:
    """nginx in front of services; it hands their bodies on, and says the Date itself."""
    servers = " ".join(f"server {url.removeprefix('http://').removesuffix('/now')};" for url in urls)
    return nginx(stage, "location / { proxy_pass http://services; }", f"upstream services {{ {servers} }}")


def cache(stage: Stage) -> str:
    """nginx that keeps every answer for an hour, although nowd forbids it."""
    behind = nowd(stage, 0).removesuffix("/now")
    url = nginx(
        stage,
        f"location / {{ proxy_pass {behind}; proxy_cache answers; proxy_cache_valid 200 1h; "
        "proxy_ignore_headers Cache-Control Expires; }",
        "proxy_cache_path {directory}/cache keys_zone=answers:1m;",
    )
    fetch(url)
    time.sleep(STALE_FOR)
    return url


def page_just_written(stage: Stage, offset: float) -> str:
    """A file that was written this second, for `check_http -M`."""
    url = nginx(stage, "location / { root {directory}; }", offset=offset, path="/nginx.conf")
    return url


# ------------------------------------------------------------------------------------------------------- the truth


def exactly(instant: float) -> tuple[float, float]:
    return instant, instant


def date_in(head: bytes) -> tuple[float, float]:
    """What a Date of whole seconds can mean."""
    begin = email.utils.parsedate_to_datetime(header(head, "date")).timestamp()
    return begin, begin + 1.0


def make_sure(url: str, offset: float, read: Reader) -> None:
    """That the service is `offset` seconds ahead: its answers, bracketed by this machine's clock, must allow that and
    little else. A second of asking meets the second's edge, so that also a Date leaves little else."""
    low, high = -math.inf, math.inf
    end = time.monotonic() + 1.2
    while (low + 0.03 < high) and time.monotonic() < end:
        began = time.time()
        head, _, body = fetch(url).partition(b"\r\n\r\n")
        ended = time.time()
        earliest, latest = read(head, body)
        low, high = max(low, earliest - ended), min(high, latest - began)
        time.sleep(0.005)
    # A microsecond for figures that went through floats.
    if not low - 1e-6 <= offset <= high + 1e-6:
        raise CannotMeasure(
            f"{url} was to be {offset:+g} s ahead and is between {low:+.6f} and {high:+.6f} s: "
            "can faketime shift this program, or is it linked statically?"
        )


# --------------------------------------------------------------------------------------------------- the situations


def signed(offset: float) -> str:
    if not offset:
        return "right"
    amount = {HOUR: "1 h", DAY: "a day"}.get(abs(offset), f"{abs(offset):g} s")
    return f"{amount} {'ahead' if offset > 0 else 'behind'}"


def directly(offset: float) -> Situation:
    group = "nowd, asked directly"
    return Situation(group, signed(offset), (offset,), lambda stage: nowd(stage, offset), direct=True)


def in_whole_seconds(offset: float) -> Situation:
    group = '`{"current_time": "20:11:51"}` and no more'
    return Situation(group, signed(offset), (offset,), lambda stage: whole_seconds(stage, offset))


def by_date(offset: float) -> Situation:
    return Situation(
        "A page of nginx: only the header `Date`",
        signed(offset),
        (offset,),
        lambda stage: date_only(stage, offset),
        options=("--field", "header:date"),
        needs_nginx=True,
        date_only=True,
    )


def along(words: str, offset: float, **delays: float) -> Situation:
    def start(stage: Stage) -> str:
        return way(stage, [nowd(stage, offset)], **delays)

    return Situation("nowd at the end of a slow path", f"{words}; {signed(offset)}", (offset,), start)


def all_situations() -> list[Situation]:
    direct = [0, 0.3, -0.3, 0.9, -0.9, 0.999, -0.999, 1.05, -1.05, 1.5, -1.5, 3, -3, HOUR, -DAY]
    one_behind = (0.0, 0.0, 0.0, -3.0)
    several = "More than one clock"
    return [
        *map(directly, map(float, direct)),
        *map(in_whole_seconds, (0.0, 0.9, -0.9, 1.05, -1.05)),
        *map(by_date, (0.0, -0.9, 1.5, -3.0)),
        along("40 ms each way", 0.9, out=40, back=40),
        along("40 ms each way", 1.05, out=40, back=40),
        along("0–300 ms each way, at random", 0.8, jitter=300),
        along("0–300 ms each way, at random", 1.2, jitter=300),
        along("400 ms back", 0.0, back=400),
        along("400 ms back", -0.9, back=400),
        along("400 ms back", 1.1, back=400),
        along("400 ms out", 0.9, out=400),
        along("400 ms out", -1.1, out=400),
        Situation(
            several,
            "four behind a TCP balancer, all right",
            (0.0,) * 4,
            lambda stage: way(stage, [nowd(stage, 0.0) for _ in range(4)]),
        ),
        Situation(
            several,
            "four behind a TCP balancer, one 3 s behind",
            one_behind,
            lambda stage: way(stage, [nowd(stage, offset) for offset in one_behind]),
        ),
        Situation(
            several,
            "four behind nginx, one 3 s behind",
            one_behind,
            lambda stage: before(stage, [nowd(stage, offset) for offset in one_behind]),
            needs_nginx=True,
        ),
        Situation(
            several,
            "nginx right, the only nowd behind it 3 s behind",
            (-3.0,),
            lambda stage: before(stage, [nowd(stage, -3.0)]),
            needs_nginx=True,
        ),
        Situation(
            several,
            "nginx and nowd right, the answers from a cache",
            (0.0,),
            cache,
            stale=True,
            needs_nginx=True,
        ),
    ]
