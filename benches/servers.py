"""The servers that are measured beside nowd, each with one thread and answers of as many bytes."""

import contextlib
import os
import re
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness import DEADLINE_SECONDS, CannotMeasure, announced_url, fetch, free_port, headers, process
from nginx import start as start_one


@dataclass(frozen=True)
class Measurement:
    """One run of the load generator against one server."""

    total_us: float
    user_us: float


@dataclass
class Server:
    name: str
    url: str
    pid: int
    measurements: list[Measurement] = field(default_factory=list)

    def median(self, figure) -> float:
        return statistics.median(figure(measurement) for measurement in self.measurements)

    @property
    def total_us(self) -> float:
        return self.median(lambda m: m.total_us)


def found(name: str) -> str | None:
    """The path of an installed program. Debian keeps servers where the search path of an ordinary user does not reach."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")


def start_nowd(stack: contextlib.ExitStack, program: str, core: int) -> Server:
    command = [program, "--listen", "127.0.0.1:0", "--threads", "1"]
    server = stack.enter_context(process(command, core, stderr=subprocess.PIPE))
    url = announced_url(server, server.stderr)
    # nowd writes no line for a request, so the pipe cannot fill.
    return Server("nowd", f"{url}/now", server.pid)


def start_with_response(stack: contextlib.ExitStack, name: str, program: str, core: int, response: Path) -> Server:
    """A program of this repository that answers with a file and says where it listens."""
    server = stack.enter_context(process([program, str(response)], core, stdout=subprocess.PIPE))
    return Server(name, f"{announced_url(server, server.stdout)}/now", server.pid)


def start_haproxy(stack: contextlib.ExitStack, program: str, core: int, response: bytes, directory: Path) -> Server:
    """HAProxy, which answers by itself and asks no other server."""
    head, _, body = response.partition(b"\r\n\r\n")
    port, file = free_port(), directory / "haproxy.cfg"

    def quoted(text: str) -> str:
        return "'" + text.replace("%", "%%") + "'"

    fields = {name.lower(): value for name, value in headers(head)}
    content_type = fields.pop("content-type")
    fields.pop("content-length")
    lines = " ".join(f"hdr {name} {quoted(value)}" for name, value in fields.items())
    file.write_text(
        "global\n  nbthread 1\n  maxconn 4096\n"
        "defaults\n  mode http\n  timeout client 300s\n  timeout server 300s\n  timeout connect 5s\n"
        f"frontend now\n  bind 127.0.0.1:{port}\n"
        f"  http-request return status 200 content-type {content_type} string '{body.decode().rstrip()} ' {lines}\n"
    )
    log = directory / "haproxy.log"
    with log.open("wb") as output:
        server = stack.enter_context(process([program, "-db", "-f", str(file)], core, stdout=output, stderr=output))
    url, deadline = f"http://127.0.0.1:{port}/now", time.monotonic() + DEADLINE_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            fetch(url)
            return Server("HAProxy", url, server.pid)
        time.sleep(0.01)
    raise CannotMeasure(f"HAProxy did not start; it said: {log.read_text().strip()!r}")


def start_nginx(stack: contextlib.ExitStack, program: str, core: int, response: bytes, directory: Path) -> Server:
    """nginx with the headers of `response` and a body that makes its response as long."""
    head, _, body = response.partition(b"\r\n\r\n")
    # nginx writes lines of its own (Server, Connection); the body is cut by as much as they are long.
    with contextlib.ExitStack() as trial:
        longer = len(fetch(nginx(trial, program, core, head, body, directory).url)) - len(response)
    body = body[:-longer] if longer > 0 else body + b" " * -longer
    return nginx(stack, program, core, head, body, directory)


def nginx(
    stack: contextlib.ExitStack, program: str, core: int, head: bytes, body: bytes, directory: Path
) -> Server:
    lines = "server_tokens off;\nkeepalive_requests 1000000000;"
    master, url = start_one(stack, program, directory, location(head, body.decode()), lines, core=core)
    worker = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
    return Server("nginx", url, int(worker[0]))


def location(head: bytes, body: str) -> str:
    """What answers /now with that body, and those of the headers that nginx does not write itself."""

    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"

    fields = {name.lower(): value for name, value in headers(head)}
    content_type = fields.pop("content-type", "text/plain")
    for written_by_nginx_itself in ("date", "content-length", "server", "connection"):
        fields.pop(written_by_nginx_itself, None)
    lines = "\n".join(f"add_header {name} {quoted(value)};" for name, value in fields.items())
    return f"location = /now {{\ndefault_type {quoted(content_type)};\n{lines}\nreturn 200 {quoted(body)};\n}}"


def version(command: list[str]) -> str:
    """The first version number that a program says."""
    said = subprocess.run(command, capture_output=True, text=True)
    number = re.search(r"\d+\.\d+(\.\d+)?", said.stdout + said.stderr)
    return number[0] if number else "of unknown version"
