"""What the benchmarks share: starting servers, asking them once, and printing tables."""

import contextlib
import os
import platform
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

# Longer than any of the servers takes to start or to stop on a slow machine; reached only when something is broken.
DEADLINE_SECONDS = 10.0


class CannotMeasure(Exception):
    """The one reason for which a benchmark fails. Its text says what to do."""


def run(main) -> None:
    """Runs a benchmark: 0 when it measured, whatever the result; 1 when it could not."""
    # The servers are stopped by `finally` clauses, which an unhandled SIGTERM would skip.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main()
    except CannotMeasure as reason:
        sys.exit(f"{Path(sys.argv[0]).name}: {reason}")
    except KeyboardInterrupt:
        sys.exit(130)


def executable(path: str, how_to_get_it: str) -> str:
    """The absolute path of a program that has to exist."""
    if not os.access(path, os.X_OK):
        raise CannotMeasure(f"there is no program {path}: {how_to_get_it}")
    return str(Path(path).resolve())


def raise_open_files(needed: int) -> None:
    """Raises the limit on open files of this process, which its children inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < needed:
        raise CannotMeasure(f"the limit on open files is {hard}: raise it to {needed} (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))


def pinned_to(core: int | None):
    """For `preexec_fn`: the program to be started runs on `core` only, or where it likes if that is None."""
    return None if core is None else lambda: os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def process(command: list[str], core: int | None = None, **options) -> Iterator[subprocess.Popen]:
    """Runs a server for the length of the `with` block, pinned to `core` if one is given."""
    server = subprocess.Popen(command, preexec_fn=pinned_to(core), stdin=subprocess.DEVNULL, **options)
    try:
        yield server
    finally:
        # Killed and not asked: a drain that waits for a load balancer is not what is measured here.
        server.kill()
        server.wait()
        for pipe in (server.stdout, server.stderr):
            if pipe:
                pipe.close()


def announced_url(server: subprocess.Popen, pipe) -> str:
    """Reads what a server says until it names its address, `http://HOST:PORT`."""
    return announced_urls(server, pipe, 1)[0]


def announced_urls(server: subprocess.Popen, pipe, count: int) -> list[str]:
    """The same of a server that listens at so many addresses."""
    said = b""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (remaining := deadline - time.monotonic()) > 0 and select.select([pipe], [], [], remaining)[0]:
        chunk = os.read(pipe.fileno(), 4096)
        if not chunk:
            break
        said += chunk
        lines = [line.decode(errors="replace") for line in said.split(b"\n")[:-1] if b"http://" in line]
        if len(lines) >= count:
            return ["http://" + line.partition("http://")[2].split()[0].rstrip('/",.') for line in lines[:count]]
    raise CannotMeasure(f"{server.args[0]} did not say what it listens on; it said: {said.decode(errors='replace')!r}")


def free_port() -> int:
    """A port that was free a moment ago, for servers that cannot choose and announce one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def fetch(url: str) -> bytes:
    """One request on a connection of its own: the bytes of the response, headers and body.

    Raises OSError when there is no whole 200 response. http.client is not used because the bytes matter here.
    """
    parts = urlsplit(url)
    # One write, and ready before the connection is: this is inside what footprint.py measures.
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    with socket.create_connection((parts.hostname, parts.port), timeout=DEADLINE_SECONDS) as connection:
        connection.sendall(request)
        received = response_from(connection)
    if not received.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(f"{url} answered {received.splitlines()[0].decode()!r}")
    return received


def response_from(connection: socket.socket) -> bytes:
    """One response to a request that was sent, headers and body."""
    received = b""
    while True:
        chunk = connection.recv(65536)
        received += chunk
        head, complete, body = received.partition(b"\r\n\r\n")
        if complete and len(body) >= int(header(head, "content-length") or 0):
            return received
        if not chunk:
            raise ConnectionError("the server closed the connection in the middle of its response")


def headers(response_head: bytes) -> list[tuple[str, str]]:
    """The header fields of a response, in order, with the names as they were sent."""
    lines = response_head.decode("latin-1").split("\r\n")[1:]
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def header(response_head: bytes, name: str) -> str | None:
    return next((value for field, value in headers(response_head) if field.lower() == name), None)


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table that is also aligned for the terminal: the first column to the left, figures to the right."""
    cells = [list(titles), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]

    def line(row: list[str]) -> str:
        first, *figures = (cell.rjust(width) for cell, width in zip(row, widths))
        return "| " + " | ".join([first.strip().ljust(widths[0]), *figures]) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])


def write_block(page: Path, name: str, text: str) -> None:
    """Replaces what stands between `<!-- name -->` and `<!-- /name -->` in a page."""
    before, begin, rest = page.read_text().partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not begin or not end:
        raise CannotMeasure(f"{page} has no place for the table: it lacks the marks of {name}")
    page.write_text(f"{before}{begin}{text.strip()}\n{end}{after}")


def read_block(page: Path, name: str) -> str:
    """What `write_block` has written there."""
    _, begin, rest = page.read_text().partition(f"<!-- {name} -->\n")
    text, end, _ = rest.partition(f"<!-- /{name} -->")
    if not begin or not end:
        raise CannotMeasure(f"{page} lacks the marks of {name}")
    return text


def read_table(text: str, title: str) -> dict[str, dict[str, str]]:
    """The first Markdown table with a column of that title: its rows by their first cell, and their cells by title."""
    titles: list[str] = []
    rows: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]] if line.startswith("|") else []
        if titles and not cells:
            break
        if not titles:
            titles = cells if title in cells else []
        elif set(line) - set("|-: "):
            rows[cells[0]] = dict(zip(titles, cells, strict=True))
    return rows


def machine() -> str:
    """The processor, the kernel and the date, for the head of a table."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), platform.machine())
    return f"{os.cpu_count()} cores ({model}), Linux {platform.release()}, {time.strftime('%Y-%m-%d')}"
