"""HTTP as bytes over a socket: for requests that no library would send, and for how a connection ends."""

import contextlib
import socket
import struct
import time
from dataclasses import dataclass, field

from support.process import WAIT


@dataclass
class Answer:
    status: int
    version: str
    headers: list[tuple[str, str]]
    """Names in lower case."""
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass
class Exchange:
    """What came back over one connection."""

    answers: list[Answer] = field(default_factory=list)
    rest: bytes = b""
    """Bytes behind the last answer that are no whole answer."""
    end: str = "open"
    """How it ended: `closed` in order, `reset`, or still `open`."""

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]


class Connection:
    """One connection whose every byte is the test's business."""

    def __init__(self, port: int, host: str = "127.0.0.1", receive_buffer: int | None = None):
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(WAIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect((host, port))
        self._received = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_in_pieces(self, data: bytes, size: int) -> None:
        """Each piece in a packet of its own."""
        for start in range(0, len(data), size):
            self.socket.sendall(data[start : start + size])

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Breaks off: the other side gets a reset instead of an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def answer(self, method: str = "GET", seconds: float = WAIT) -> Answer:
        """The next answer; an error when the connection ends before it is complete."""
        deadline = time.monotonic() + seconds
        while (taken := take(self._received, method)) is None:
            chunk = self._receive(deadline)
            assert chunk, f"the connection ended before there was an answer; it said {self._received!r}"
            self._received += chunk
        found, self._received = taken
        return found

    def everything(self, methods: list[str] | None = None, seconds: float = WAIT, quiet: float = 0.0) -> Exchange:
        """All that comes until the end of the connection; or, when `quiet` is not zero, until nothing has come for so
        long, if there was an answer. `methods` are those of the requests, in order."""
        exchange = Exchange()
        deadline = time.monotonic() + seconds
        while True:
            left = list(methods or [])[len(exchange.answers) :]
            while (taken := take(self._received, left[0] if left else "GET")) is not None:
                found, self._received = taken
                exchange.answers.append(found)
                left = left[1:]
            until = min(deadline, time.monotonic() + quiet) if quiet and exchange.answers else deadline
            try:
                chunk = self._receive(until)
            except TimeoutError:
                break
            except ConnectionError:
                exchange.end = "reset"
                break
            if not chunk:
                exchange.end = "closed"
                break
            self._received += chunk
        exchange.rest, self._received = self._received, b""
        return exchange

    def _receive(self, deadline: float) -> bytes:
        self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            return self.socket.recv(1 << 16)
        finally:
            with contextlib.suppress(OSError):
                self.socket.settimeout(WAIT)


def take(received: bytes, method: str) -> tuple[Answer, bytes] | None:
    """The first answer and what is behind it; nothing when it is not complete."""
    head, found, rest = received.partition(b"\r\n\r\n")
    if not found:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status = first.split(" ", 2)[:2]
    assert version.startswith("HTTP/"), f"not an answer: {received!r}"
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    answer = Answer(int(status), version, headers, b"")
    has_no_body = method == "HEAD" or answer.status < 200 or answer.status in (204, 304)
    length = 0 if has_no_body else int(answer.header("content-length") or 0)
    if len(rest) < length:
        return None
    answer.body = rest[:length]
    return answer, rest[length:]


def ask(port: int, request: bytes, host: str = "127.0.0.1", **options) -> Exchange:
    """Sends these bytes over a connection of their own; all that comes back."""
    with Connection(port, host) as connection:
        with contextlib.suppress(ConnectionError):
            connection.send(request)
        return connection.everything(**options)
