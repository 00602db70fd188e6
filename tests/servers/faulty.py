"""A server with one fault (or one foreign way to say the time), chosen by name.

It is a process of its own on a raw socket, so that it can do what no HTTP library allows: send half an answer,
one byte a second, a status line that is none, or nothing at all.

    python3 faulty.py BEHAVIOR [--offset SECONDS] [...]

The first line on stdout is `listening on HOST:PORT`. The server ends when its stdin is closed, so it cannot outlive
the test that started it, and its last line is `report {JSON}`: what it saw and how much it could send.
SIGUSR1 turns the behavior `breaks-on-signal` bad, and good again.
"""

import argparse
import email.utils
import json
import signal
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from telling import tell

NANOS = 1_000_000_000
ENDLESS = 1 << 30


# ---------------------------------------------------------------------------------------------- ways to say the time


def hms(nanos: int) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(nanos // NANOS))


def rfc3339(nanos: int, digits: int = 9, zone_minutes: int = 0, t: str = "T", z: str = "Z") -> str:
    """RFC 3339 with `digits` of a fraction (truncated), in a zone `zone_minutes` ahead of UTC."""
    seconds, rest = divmod(nanos + zone_minutes * 60 * NANOS, NANOS)
    fraction = f".{rest:09}"[: digits + 1] if digits else ""
    sign, minutes = ("-" if zone_minutes < 0 else "+"), abs(zone_minutes)
    zone = z if zone_minutes == 0 else f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    return time.strftime(f"%Y-%m-%d{t}%H:%M:%S", time.gmtime(seconds)) + fraction + zone


def nowd_document(nanos: int, instance: str = "00c0ffee") -> str:
    """What nowd says; written by hand here, because the fraction of `unix_time` does not fit into a float."""
    return (
        f'{{"current_time":"{hms(nanos)}","datetime":"{rfc3339(nanos)}","timezone":"UTC",'
        f'"unix_time":{nanos // NANOS}.{nanos % NANOS:09},'
        f'"clock":{{"status":"unknown","max_error":null}},"instance":"{instance}"}}\n'
    )


def hms_document(nanos: int) -> str:
    return json.dumps({"current_time": hms(nanos)})


def nested(name: str, value: object) -> str:
    """The time where other people put it: somewhere inside."""
    return json.dumps({"status": "ok", "data": {"times": [{"zone": "UTC", name: value}]}})


BODIES: dict[str, tuple[str, Callable[[int], str]]] = {
    # What the server says -> content type, and the body at an instant.
    "nowd": ("application/json", nowd_document),
    "hms": ("application/json", hms_document),
    # A clock that rounds instead of truncating: half a second ahead of what it knows, for half of the time.
    "hms-rounded": ("application/json", lambda ns: hms_document(ns + NANOS // 2)),
    "hms-text": ("text/plain", lambda ns: hms(ns) + "\n"),
    "rfc3339": ("application/json", lambda ns: json.dumps({"datetime": rfc3339(ns)})),
    "rfc3339-seconds": ("application/json", lambda ns: json.dumps({"datetime": rfc3339(ns, 0)})),
    "rfc3339-milli": ("application/json", lambda ns: json.dumps({"datetime": rfc3339(ns, 3)})),
    "rfc3339-micro": ("application/json", lambda ns: json.dumps({"datetime": rfc3339(ns, 6)})),
    "rfc3339-one-digit": ("application/json", lambda ns: json.dumps({"datetime": rfc3339(ns, 1)})),
    "rfc3339-lower-case": ("application/json", lambda ns: json.dumps({"datetime": rfc3339(ns, 9, 0, "t", "z")})),
    "rfc3339-ahead": ("application/json", lambda ns: json.dumps({"datetime": rfc3339(ns, 9, 345)})),
    "rfc3339-behind": ("application/json", lambda ns: json.dumps({"datetime": rfc3339(ns, 9, -210)})),
    "rfc3339-text": ("text/plain", lambda ns: f"  {rfc3339(ns)}\r\n"),
    "unix-s": ("application/json", lambda ns: nested("epoch", ns // NANOS)),
    "unix-s-text": ("text/plain", lambda ns: f"{ns // NANOS}.{ns % NANOS:09}\n"),
    "unix-s-in-a-string": ("application/json", lambda ns: nested("epoch", f"{ns // NANOS}.{ns % NANOS:09}")),
    "unix-ms": ("application/json", lambda ns: nested("epoch", ns // 1_000_000)),
    "unix-us": ("application/json", lambda ns: nested("epoch", ns // 1_000)),
    "unix-ns": ("application/json", lambda ns: nested("epoch", ns)),
    # Right time in the header `Date` alone.
    "date-header": ("text/plain", lambda _: "hello\n"),
    # A field whose name holds what is special in a JSON pointer (RFC 6901: `~1` is `/`, `~0` is `~`).
    "odd-names": ("application/json", lambda ns: json.dumps({"a/b": {"c~d": [None, rfc3339(ns)]}})),
    # Not a time.
    "html": (
        "text/html",
        lambda _: "<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>It works</body>" * 9,
    ),
    "empty": ("application/json", lambda _: ""),
    "not-json": ("application/json", lambda _: '{"current_time": "12:0'),
    "no-field": ("application/json", lambda _: '{"weather":"fine","temperature":21}'),
    "null-field": ("application/json", lambda _: '{"current_time":null,"datetime":null,"unix_time":null}'),
    "a-list-of-nothing": ("application/json", lambda _: "[]"),
    "unparsable": ("application/json", lambda _: '{"current_time":"half past ten"}'),
    "impossible": ("application/json", lambda _: '{"current_time":"25:61:00"}'),
    "impossible-date": ("application/json", lambda _: '{"datetime":"2026-02-30T10:00:00Z"}'),
    # Would color, ring, clear and retitle the terminal of whoever prints it as it is.
    "terminal-escapes": ("text/plain", lambda _: "\x1b[2J\x1b[31m\x1b]0;owned\x07\x00\x9b31m\u202edoog\r\noops" * 4),
    # A body that is a time and as long as asked for (`--size`); filled in by `sized`.
}


# ---------------------------------------------------------------------------------------------------- the connection


@dataclass
class Report:
    """What the server saw. `requests` holds the request lines, and `heads` the whole of each request."""

    connections: int = 0
    requests: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    most_bytes_on_one_connection: int = 0


class Connection:
    def __init__(self, server: "Server", sock: socket.socket, number: int):
        self.server, self.sock, self.number = server, sock, number
        self.options = server.options
        self.sent = 0
        self.method = ""
        self._rest = b""

    def now(self) -> int:
        """Nanoseconds since the epoch by the clock of the backend that this connection reached."""
        offset = self.options.offset
        if self.options.other_offset is not None and self.number % 2 == 1:
            offset = self.options.other_offset
        return time.time_ns() + round(offset * NANOS)

    def request(self) -> bool:
        """Reads the head of one request; false when the client is gone."""
        while b"\r\n\r\n" not in self._rest:
            more = self.sock.recv(65536)
            if not more:
                return False
            self._rest += more
        head, self._rest = self._rest.split(b"\r\n\r\n", 1)
        text = head.decode("latin-1")
        self.method = text.split(" ", 1)[0]
        with self.server.lock:
            self.server.report.heads.append(text)
            self.server.report.requests.append(text.split("\r\n", 1)[0])
        return True

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            count = self.sock.send(view)
            self.sent += count
            view = view[count:]
            with self.server.lock:
                report = self.server.report
                report.most_bytes_on_one_connection = max(report.most_bytes_on_one_connection, self.sent)

    def drip(self, data: bytes, seconds: float) -> None:
        for byte in data:
            self.send(bytes([byte]))
            time.sleep(seconds)

    def wait_for_the_end(self) -> None:
        while self.sock.recv(65536):
            pass


def answer(
    body: bytes | str = b"",
    status: str = "200 OK",
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
    nanos: int | None = None,
    chunked: bool = False,
    version: str = "HTTP/1.1",
) -> bytes:
    """One whole answer. `nanos` is the time for the header `Date`."""
    body = body.encode("utf-8", "surrogateescape") if isinstance(body, str) else body
    fields = {"Content-Type": content_type}
    if nanos is not None:
        fields["Date"] = email.utils.formatdate(nanos // NANOS, usegmt=True)
    if chunked:
        fields["Transfer-Encoding"] = "chunked"
        # Small chunks, so that a value is spread over several of them.
        parts = [body[i : i + 7] for i in range(0, len(body), 7)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    elif version == "HTTP/1.1":
        fields["Content-Length"] = str(len(body))
    fields |= headers or {}
    head = f"{version} {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return head.encode("latin-1") + b"\r\n" + body


def right_answer(connection: Connection, **more) -> bytes:
    """The time as `--says` has it, by the clock of this connection's backend."""
    options, nanos = connection.options, connection.now()
    content_type, body_at = BODIES[options.says]
    body = body_at(nanos)
    if options.says == "nowd" and options.other_offset is not None:
        body = nowd_document(nanos, "bbbbbbbb" if connection.number % 2 else "aaaaaaaa")
    whole = answer(body, content_type=content_type, nanos=nanos, **more)
    return whole.split(b"\r\n\r\n")[0] + b"\r\n\r\n" if connection.method == "HEAD" else whole


# -------------------------------------------------------------------------------------------------------- behaviors

Behavior = Callable[[Connection], None]
BEHAVIORS: dict[str, Behavior] = {}


def behavior(function: Behavior) -> Behavior:
    BEHAVIORS[function.__name__.replace("_", "-")] = function
    return function


@behavior
def answers(c: Connection) -> None:
    """Well; `--says` chooses the words, `--delay` how late they come, `--age` what a cache would add."""
    headers = {"Age": str(c.options.age)} if c.options.age is not None else {}
    while c.request():
        if c.options.delay:
            time.sleep(c.options.delay)
        c.send(right_answer(c, headers=headers, chunked=c.options.chunked))


@behavior
def answers_and_then_dawdles(c: Connection) -> None:
    """The time is read at once, but sent `--delay` later: the answer is old when it comes."""
    while c.request():
        reply = right_answer(c)
        time.sleep(c.options.delay)
        c.send(reply)


@behavior
def closes_each_time(c: Connection) -> None:
    if c.request():
        c.send(right_answer(c, headers={"Connection": "close"}))


@behavior
def closes_without_a_word_each_time(c: Connection) -> None:
    """Looks like keep-alive, but is none."""
    if c.request():
        c.send(right_answer(c))


@behavior
def speaks_http_1_0(c: Connection) -> None:
    if c.request():
        c.send(right_answer(c, version="HTTP/1.0"))


@behavior
def sends_a_byte_at_a_time(c: Connection) -> None:
    """Every byte of a right answer on its own, but soon."""
    c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while c.request():
        c.drip(right_answer(c), 0.0005)


@behavior
def says_continue_first(c: Connection) -> None:
    """An informational answer (103) before the real one (RFC 9110, 15.2)."""
    while c.request():
        c.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        c.send(right_answer(c))


@behavior
def never_answers(c: Connection) -> None:
    c.wait_for_the_end()


@behavior
def sends_one_byte_a_second(c: Connection) -> None:
    c.request()
    c.drip(right_answer(c), 1)


@behavior
def sends_one_byte_of_the_body_a_second(c: Connection) -> None:
    c.request()
    head, body = right_answer(c).split(b"\r\n\r\n", 1)
    c.send(head + b"\r\n\r\n")
    c.drip(body, 1)


@behavior
def sends_headers_for_ever(c: Connection) -> None:
    c.request()
    c.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        c.send(b"X-More: to come\r\n")
        time.sleep(0.1)


@behavior
def sends_a_huge_header(c: Connection) -> None:
    c.request()
    c.send(b"HTTP/1.1 200 OK\r\nX-Huge: ")
    while c.sent < ENDLESS:
        c.send(b"x" * 65536)


@behavior
def closes_half_way(c: Connection) -> None:
    c.request()
    whole = right_answer(c)
    c.send(whole[: len(whole) - 20])


@behavior
def closes_in_the_header(c: Connection) -> None:
    c.request()
    c.send(b"HTTP/1.1 200 OK\r\nContent-Ty")


@behavior
def closes_at_once(c: Connection) -> None:
    # The request is read first: closing with unread data would be a reset, which is another behavior.
    c.request()


@behavior
def resets(c: Connection) -> None:
    c.request()
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@behavior
def says_garbage(c: Connection) -> None:
    c.request()
    c.send(b"SSH-2.0-OpenSSH_9.9\r\nwhatever\r\n\r\n")


@behavior
def refuses_with_a_status(c: Connection) -> None:
    while c.request():
        c.send(answer("<h1>No</h1>", status=c.options.status, content_type="text/html", nanos=c.now()))


@behavior
def redirects(c: Connection) -> None:
    """To `--location`."""
    while c.request():
        c.send(answer(status=c.options.status, headers={"Location": c.options.location}, nanos=c.now()))


@behavior
def streams_for_ever(c: Connection) -> None:
    """A body of 1 GB; `--chunked` does not even say how long it will be."""
    c.request()
    if c.options.chunked:
        c.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        part = b"1000\r\n" + b" " * 4096 + b"\r\n"
    else:
        c.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % ENDLESS)
        part = b" " * 4096
    while c.sent < ENDLESS:
        c.send(part)


@behavior
def sized(c: Connection) -> None:
    """A right time in a body of exactly `--size` bytes."""
    while c.request():
        nanos = c.now()
        start, end = f'{{"current_time":"{hms(nanos)}","padding":"', '"}'
        body = start + "x" * (c.options.size - len(start) - len(end)) + end
        c.send(answer(body, nanos=nanos))


@behavior
def repeats_itself(c: Connection) -> None:
    """The same body for ever, right when it was made: with the first request that came, and from then on wrong.
    `--headers-move` gives it a `Date` that goes on, as a cache does that is in front of a server."""
    while c.request():
        with c.server.lock:
            c.server.frozen = c.server.frozen or c.now()
        _, body_at = BODIES[c.options.says]
        date = c.now() if c.options.headers_move else c.server.frozen
        headers = {"Age": str(c.options.age)} if c.options.age is not None else {}
        c.send(answer(body_at(c.server.frozen), nanos=date, headers=headers))


@behavior
def breaks_on_signal(c: Connection) -> None:
    while c.request():
        if c.server.broken:
            c.send(answer("out of order", status="503 Service Unavailable", content_type="text/plain"))
        else:
            c.send(right_answer(c))


@behavior
def never_accepts(c: Connection) -> None:
    """Nothing to do: `Server.fill_the_backlog` sees to it that no connection comes here."""


# ------------------------------------------------------------------------------------------------------------ server


class Server:
    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.lock = threading.Lock()
        self.report = Report()
        self.frozen: int | None = None
        self.broken = False
        self.tls: ssl.SSLContext | None = None
        if options.tls_cert:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(options.tls_cert, options.tls_key)
            self.tls.set_alpn_protocols(["http/1.1"])
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        if options.behavior == "streams-for-ever":
            # Keep what the server's own kernel holds small: then what was sent is what the client took, and its buffer.
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.listener.bind((options.host, 0))
        self.listener.listen(0 if options.behavior == "never-accepts" else 512)
        self.fillers: list[socket.socket] = []

    def fill_the_backlog(self) -> None:
        """Connects to itself until the kernel lets nobody in any more."""
        while True:
            filler = socket.socket(self.listener.family)
            filler.settimeout(0.3)
            self.fillers.append(filler)
            try:
                filler.connect(self.listener.getsockname())
            except TimeoutError:
                return

    def accept_for_ever(self) -> None:
        while True:
            sock, _ = self.listener.accept()
            with self.lock:
                number = self.report.connections
                self.report.connections += 1
            threading.Thread(target=self.serve, args=(sock, number), daemon=True).start()

    def serve(self, sock: socket.socket, number: int) -> None:
        try:
            if self.tls:
                time.sleep(self.options.tls_delay)
            with self.tls.wrap_socket(sock, server_side=True) if self.tls else sock as stream:
                BEHAVIORS[self.options.behavior](Connection(self, stream, number))
        except OSError:
            pass  # The client is gone or did not like the certificate: what a client does is the test's business.

    def toggle(self, *_: object) -> None:
        self.broken = not self.broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("behavior", choices=sorted(BEHAVIORS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--says", choices=sorted(BODIES), default="nowd")
    parser.add_argument("--offset", type=float, default=0.0, help="seconds that the clock is ahead")
    parser.add_argument("--other-offset", type=float, help="a second clock, for every other connection")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--age", type=int, help="value of the header Age")
    parser.add_argument("--status", default="500 Internal Server Error")
    parser.add_argument("--location", default="/now")
    parser.add_argument("--size", type=int, default=65536)
    parser.add_argument("--chunked", action="store_true")
    parser.add_argument("--headers-move", action="store_true")
    parser.add_argument("--tls-delay", type=float, default=0.0, help="seconds before each handshake")
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    server = Server(parser.parse_args())
    signal.signal(signal.SIGUSR1, server.toggle)
    if server.options.behavior == "never-accepts":
        server.fill_the_backlog()
    else:
        threading.Thread(target=server.accept_for_ever, daemon=True).start()
    tell(server.listener, server.lock, server.report)


if __name__ == "__main__":
    main()
