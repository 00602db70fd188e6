"""A server whose every byte is the test's, over plain TCP or TLS."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


def right_time() -> bytes:
    """The document of a clock that is right."""
    nanos = time.time_ns()
    clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanos // 10**9))
    return json.dumps({"datetime": f"{clock}.{nanos % 10**9:09}Z", "instance": "raw"}).encode()


def answer(*headers: str, status: str = "200 OK", body: bytes | None = None) -> bytes:
    """A whole answer with the headers as they are given, and a Content-Length."""
    body = right_time() if body is None else body
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@dataclass
class RawAnswers:
    """Writes what `answers` makes of the head of a request; closes the connection afterwards if `closes`."""

    answers: Callable[[bytes], bytes]
    closes: bool = False
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    """Of the requests that came."""

    def __post_init__(self) -> None:
        self.socket = socket.create_server((self.host, self.port), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def stop(self) -> None:
        # A thread that waits in accept() is woken by this, and not by close().
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with self.tls.wrap_socket(connection, server_side=True) if self.tls else connection as stream:
                stream.settimeout(20)
                received = b""
                while True:
                    while b"\r\n\r\n" not in received:
                        more = stream.recv(65536)
                        if not more:
                            return
                        received += more
                    head, _, received = received.partition(b"\r\n\r\n")
                    self.heads.append(head)
                    stream.sendall(self.answers(head))
                    if self.closes:
                        return
        except OSError:
            pass  # What a client does, and a handshake that it breaks off, is the test's business.
