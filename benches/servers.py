"""The servers that are measured beside nowd, with answers of as many bytes."""

import contextlib
import os
import re
import shutil
import statistics
import subprocess
import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, field
from pathlib import Path

from footprint import memory_bytes
from harness import DEADLINE_SECONDS, CannotMeasure, announced_url, executable, fetch, free_port, headers, process
from nginx import Size
from nginx import start as start_nginx
from nginx import stop

FLOOR = "epoll loop"
"""The server that parses nothing, which ratios are given to."""

FLASK = "Flask"
GUNICORN = Path(__file__).parents[1] / "build/flask/bin/gunicorn"
GO = Path(__file__).parents[1] / "build/go/go-now"


@dataclass(frozen=True)
class Measurement:
    """One run of the load generator against one server."""

    total_us: float
    user_us: float


@dataclass
class Server:
    name: str
    url: str
    pids: list[int]
    """The processes that answer."""
    process: subprocess.Popen
    """What was started: of nginx, the master."""
    measurements: list[Measurement] = field(default_factory=list)

    def median(self, figure) -> float:
        return statistics.median(figure(measurement) for measurement in self.measurements)

    @property
    def total_us(self) -> float:
        return self.median(lambda m: m.total_us)

    def memory_bytes(self, field: str) -> int:
        """A field of /proc/PID/status, of all its processes together."""
        return sum(memory_bytes(pid, "status", field) for pid in self.pids)


@dataclass(frozen=True)
class Programs:
    """Those of this repository."""

    nowd: str
    epoll_loop: str
    peers: str

    @staticmethod
    def add_arguments(parser: ArgumentParser) -> None:
        parser.add_argument("--nowd", default="target/release/nowd", metavar="PATH")
        parser.add_argument("--epoll-loop", default="target/release/epoll-loop", metavar="PATH")
        parser.add_argument("--peers", default="target/peers/release", metavar="DIRECTORY", help="of benches/peers")

    @staticmethod
    def given(options: Namespace) -> "Programs":
        build = "run `make bench`, which builds it"
        return Programs(executable(options.nowd, build), executable(options.epoll_loop, build), options.peers)

    def peer(self, name: str) -> str:
        return executable(f"{self.peers}/{name}", "run `make bench`, which builds it")


def found(name: str) -> str | None:
    """The path of an installed program. Debian keeps servers outside of the search path of ordinary users."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")


def versions() -> str:
    """Of those servers that are not built here."""
    names = [(name, found(name.lower())) for name in ("nginx", "HAProxy")]
    said = [f"{name} {version([program, '-v'])}" for name, program in names if program]
    if go := found("go"):
        said.append(f"Go {version([go, 'version'])}")
    return ", ".join(said)


@dataclass
class Starter:
    """Starts servers that run until the stack is closed."""

    stack: contextlib.ExitStack
    core: int | None
    directory: Path
    programs: Programs
    size: Size = field(default_factory=Size)
    response: bytes = b""
    """nowd's, which the others send too. Start nowd first."""
    under: tuple[str, ...] = ()
    """What runs the servers, such as valgrind and its flags."""

    def all(self) -> list[Server]:
        """The installed ones, nowd first, without the slow one."""
        return [self.start(name) for name in names()]

    def slow(self) -> list[Server]:
        """Flask, if it is installed. What sends all servers the same rate leaves it out: it would have to be Flask's."""
        return [self.start(FLASK)] if GUNICORN.exists() else []

    def start(self, name: str) -> Server:
        match name:
            case "nowd":
                server = self.nowd()
            case "nginx":
                server = self.nginx(found(name))
            case "HAProxy":
                server = self.haproxy(found(name.lower()))
            case "Flask":
                server = self.flask()
            case "epoll loop":
                server = self.with_response(name, self.programs.epoll_loop)
            case "Go":
                server = self.with_response(name, str(GO))
            case _:
                server = self.with_response(name, self.programs.peer(f"{name.removesuffix('-web')}-now"))
        length = len(fetch(server.url))
        if name == "nowd":
            self.response = fetch(server.url)
        elif length != len(self.response):
            raise CannotMeasure(f"{name} does not send {len(self.response)} bytes as nowd does; run it again")
        return server

    def nowd(self) -> Server:
        flags = [f"--threads={self.size.threads}", f"--max-connections={self.size.connections}", "--drain-delay=0s"]
        command = [*self.under, self.programs.nowd, "--listen=127.0.0.1:0", *flags]
        server = self.stack.enter_context(process(command, self.core, stderr=subprocess.PIPE))
        url = announced_url(server, server.stderr)
        # nowd writes no line for a request, so the pipe cannot fill.
        return Server("nowd", f"{url}/now", [server.pid], server)

    def with_response(self, name: str, program: str) -> Server:
        """A program of this repository that answers with a file and says where it listens."""
        recorded = self.directory / "response"
        recorded.write_bytes(self.response)
        command = [*self.under, program, str(recorded)]
        server = self.stack.enter_context(process(command, self.core, stdout=subprocess.PIPE))
        return Server(name, f"{announced_url(server, server.stdout)}/now", [server.pid], server)

    def flask(self) -> Server:
        """Flask, with a body that makes its response as long as nowd's."""
        with contextlib.ExitStack() as trial:
            longer = len(fetch(self.flask_with(trial, self.response).url)) - len(self.response)
        return self.flask_with(self.stack, self.response[:-longer] if longer > 0 else self.response + b" " * -longer)

    def flask_with(self, stack: contextlib.ExitStack, response: bytes) -> Server:
        recorded = self.directory / "response-of-flask"
        recorded.write_bytes(response)
        port, log = free_port(), self.directory / "gunicorn.log"
        # One worker; with the default kind of it, each request would take a connection of its own.
        flags = ["--workers=1", "--worker-class=gthread", "--threads=1", "--keep-alive=60", f"--bind=127.0.0.1:{port}"]
        command = [str(GUNICORN), *flags, "--chdir", str(Path(__file__).with_name("flask")), "app:app"]
        environment = {**os.environ, "RESPONSE": str(recorded)}
        with log.open("wb") as output:
            master = stack.enter_context(process(command, self.core, stdout=output, stderr=output, env=environment))
        stack.callback(stop, master)
        url = f"http://127.0.0.1:{port}/now"
        wait_for_answer("Flask", master, url, log)
        return Server(FLASK, url, children(master), master)

    def haproxy(self, program: str) -> Server:
        """HAProxy, which answers by itself and asks no other server."""
        port, file = free_port(), self.directory / "haproxy.cfg"
        file.write_text(haproxy_configuration(self.response, port, self.size))
        log = self.directory / "haproxy.log"
        command = [*self.under, program, "-db", "-f", str(file)]
        with log.open("wb") as output:
            server = self.stack.enter_context(process(command, self.core, stdout=output, stderr=output))
        url = f"http://127.0.0.1:{port}/now"
        wait_for_answer("HAProxy", server, url, log)
        return Server("HAProxy", url, [server.pid], server)

    def nginx(self, program: str) -> Server:
        """nginx with the headers of nowd's response and a body that makes its response as long."""
        head, _, body = self.response.partition(b"\r\n\r\n")
        # nginx writes lines of its own (Server, Connection); the body is cut by as much as they are long.
        with contextlib.ExitStack() as trial:
            longer = len(fetch(self.nginx_with(trial, program, location(head, body.decode())).url)) - len(self.response)
        body = body[:-longer] if longer > 0 else body + b" " * -longer
        return self.nginx_with(self.stack, program, location(head, body.decode()))

    def nginx_with(self, stack: contextlib.ExitStack, program: str, location: str) -> Server:
        lines = "server_tokens off;\nkeepalive_requests 1000000000;"
        options = {"core": self.core, "size": self.size, "under": self.under}
        master, url = start_nginx(stack, program, self.directory, location, lines, **options)
        return Server("nginx", url, children(master), master)


def children(process: subprocess.Popen) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def wait_for_answer(name: str, server: subprocess.Popen, url: str, log: Path) -> None:
    """Until a server that cannot say so itself listens."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            fetch(url)
            return
        time.sleep(0.01)
    raise CannotMeasure(f"{name} did not start; it said: {log.read_text().strip()!r}")


def names() -> list[str]:
    """Of the servers that can be started here, without the one that would slow all others down (FLASK)."""
    present = ["nowd", FLOOR, "hyper", "axum", "actix-web", "ntex"]
    if GO.exists():
        present.append("Go")
    else:
        print("Go's net/http is not measured: there is no Go (Debian: golang-go).")
    for name in ("nginx", "HAProxy"):
        if found(name.lower()):
            present.append(name)
        else:
            print(f"{name} is not measured: it is not installed (`sudo scripts/setup-tests packages` does that).")
    return present


def haproxy_configuration(response: bytes, port: int, size: Size) -> str:
    head, _, body = response.partition(b"\r\n\r\n")

    def quoted(text: str) -> str:
        return "'" + text.replace("%", "%%") + "'"

    fields = {name.lower(): value for name, value in headers(head)}
    content_type = fields.pop("content-type")
    fields.pop("content-length")
    lines = " ".join(f"hdr {name} {quoted(value)}" for name, value in fields.items())
    return (
        # It asks no server, so it needs half of the files that it would look for.
        f"global\n  nbthread {size.threads}\n  maxconn {size.connections}\n  no strict-limits\n"
        "defaults\n  mode http\n  timeout client 300s\n  timeout server 300s\n  timeout connect 5s\n"
        f"frontend now\n  bind 127.0.0.1:{port}\n"
        f"  http-request return status 200 content-type {content_type} string '{body.decode().rstrip()} ' {lines}\n"
    )


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
