"""A service that tells the time as many do: it names no instance, and may have a coarse clock or take one connection only.

    python3 plain_server.py [--offset SECONDS] [--tick MS] [--digits N] [--one-at-a-time MS]

The first line on stdout is `listening on HOST:PORT`. The server ends when its stdin is closed.
"""

import argparse
import contextlib
import email.utils
import json
import socket
import struct
import sys
import threading
import time

NANOS = 1_000_000_000
SECONDS_OF_SILENCE = 10.0


class Clock:
    def __init__(self, offset: float, tick_milliseconds: float, digits: int):
        self.offset = round(offset * NANOS)
        self.tick = max(1, round(tick_milliseconds * 1_000_000))
        self.digits = digits

    def now(self) -> tuple[int, int]:
        """Seconds and nanoseconds; always a multiple of the tick."""
        nanos = time.time_ns() + self.offset
        return divmod(nanos - nanos % self.tick, NANOS)

    def answer(self, is_head: bool, last: bool) -> bytes:
        seconds, rest = self.now()
        civil = time.gmtime(seconds)
        fraction = f".{rest:09}"[: self.digits + 1] if self.digits else ""
        document = {
            "datetime": time.strftime("%Y-%m-%dT%H:%M:%S", civil) + fraction + "Z",
            "current_time": time.strftime("%H:%M:%S", civil),
        }
        body = json.dumps(document).encode()
        head = [
            "HTTP/1.1 200 OK",
            f"Date: {email.utils.formatdate(seconds, usegmt=True)}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(["Connection: close"] if last else []),
        ]
        return "\r\n".join([*head, "", ""]).encode() + (b"" if is_head else body)


def head_of(connection: socket.socket) -> bytes:
    """A whole request without a body; nothing when the client is gone or silent."""
    data = b""
    with contextlib.suppress(OSError):
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return b""
            data += part
    return data


class Plain:
    """Takes all connections, and keeps them open."""

    def __init__(self, clock: Clock):
        self.clock = clock

    def take(self, connection: socket.socket) -> None:
        threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while request := head_of(connection):
                connection.sendall(self.clock.answer(request.startswith(b"HEAD "), last=False))


class Device(Plain):
    """Takes one connection at a time, for one answer. All further ones are reset."""

    def __init__(self, clock: Clock, took: float):
        super().__init__(clock)
        self.took = took
        self.is_free = threading.Semaphore(1)

    def take(self, connection: socket.socket) -> None:
        if self.is_free.acquire(blocking=False):
            super().take(connection)
        else:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    def serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            request = head_of(connection)
            time.sleep(self.took if request else 0)
            # Free before the answer is sent: a client that connects on receiving it would otherwise find it busy.
            self.is_free.release()
            if request:
                connection.sendall(self.clock.answer(request.startswith(b"HEAD "), last=True))
                connection.shutdown(socket.SHUT_WR)
                # Read until the client closes, so that the close does not become a reset.
                head_of(connection)


def accept(listener: socket.socket, service: Plain) -> None:
    while True:
        connection, _ = listener.accept()
        connection.settimeout(SECONDS_OF_SILENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        service.take(connection)


def main(options: argparse.Namespace) -> None:
    clock = Clock(options.offset, options.tick, options.digits)
    service = Device(clock, options.one_at_a_time / 1000) if options.one_at_a_time else Plain(clock)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=accept, args=(listener, service), daemon=True).start()
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--offset", type=float, default=0.0, metavar="SECONDS", help="how far its clock is ahead")
    arguments.add_argument("--tick", type=float, default=0.0, metavar="MS", help="its clock shows multiples of this")
    arguments.add_argument("--digits", type=int, default=6, metavar="N", help="of the fraction of a second")
    arguments.add_argument("--one-at-a-time", type=float, default=0.0, metavar="MS", help="and how long it takes for each")
    main(arguments.parse_args())
