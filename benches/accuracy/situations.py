"""The services, each with a truth that is known because it was made."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from harness import announced_url, fetch, process
from nginx import start
from stage import DAY, HOUR, ROOT, Situation, Stage, date_in, exactly, python_server, shifted, signed

FAULTY = ROOT / "tests" / "servers" / "faulty.py"
PATH = Path(__file__).resolve().parent / "path.py"

STALE_FOR = 3.0
"""Seconds that an answer has been in the cache before anybody asks for it: surely more than the limit."""


# ----------------------------------------------------------------------------------------------------------- programs


def nowd(stage: Stage, offset: float) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NOWD_")}
    environment = kept | shifted(stage.programs.faketime, offset)
    command = [stage.programs.nowd, "--listen", "127.0.0.1:0", "--threads", "1"]
    server = stage.stack.enter_context(process(command, env=environment, stderr=subprocess.PIPE))
    url = f"{announced_url(server, server.stderr)}/now"
    stage.is_ahead(url, offset, lambda head, body: exactly(json.loads(body)["unix_time"]))
    return url


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


# --------------------------------------------------------------------------------------------------- the situations


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
