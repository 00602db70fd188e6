"""A time server that speaks NTP (RFC 5905), right or wrong as asked for.

    python3 ntp.py [--offset SECONDS] [...]

The first line on stdout is `listening on HOST:PORT`. The server ends when its stdin is closed, so it cannot outlive
the test that started it, and its last line is `report {JSON}`: what it saw.
"""

import argparse
import heapq
import ipaddress
import selectors
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field

from telling import tell

NANOS = 1_000_000_000
ERA_TO_UNIX = 2_208_988_800
"""Seconds from 1900 to 1970."""


@dataclass
class Report:
    """What the server saw: how many requests, how many of them it answered, and the requests in hexadecimal."""

    requests: list[str] = field(default_factory=list)
    answers: int = 0


def long_format(nanos: int) -> bytes:
    """Nanoseconds since 1970 as seconds since 1900, modulo 2**32, with a binary fraction."""
    seconds, rest = divmod(nanos, NANOS)
    return struct.pack("!II", (seconds + ERA_TO_UNIX) % (1 << 32), (rest << 32) // NANOS)


def short_format(seconds: float) -> bytes:
    return struct.pack("!I", round(seconds * (1 << 16)))


def reference_id(text: str) -> bytes:
    """An address with dots, or up to four letters."""
    try:
        return ipaddress.IPv4Address(text).packed
    except ValueError:
        letters = text.encode("ascii")
        if len(letters) > 4:
            raise argparse.ArgumentTypeError(f"{text!r} is neither an IPv4 address nor at most four letters") from None
        return letters.ljust(4, b"\0")


class Server:
    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.report = Report()
        self.lock = threading.Lock()
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((options.host, 0))
        self.waiting: list[tuple[float, int, bytes, tuple]] = []
        """Answers that are held back: when they are due, how many came before, the packet, and for whom."""

    def now(self) -> int:
        """Nanoseconds since 1970 by the clock of this server."""
        return time.time_ns() + round(self.options.offset * NANOS)

    def answer(self, request: bytes, received: int, number: int) -> bytes:
        options = self.options
        version = request[0] >> 3 & 7
        if options.kod and number <= options.kod_first:
            # A refusal (RFC 5905, 7.4): not synchronized, stratum 0, and the code where the reference would stand.
            head = struct.pack("!BBbb", 3 << 6 | version << 3 | 4, 0, 0, options.precision)
            reference = options.kod
        else:
            head = struct.pack("!BBbb", options.leap << 6 | version << 3 | 4, options.stratum, 0, options.precision)
            reference = options.reference_id
        distance = short_format(options.root_delay) + short_format(options.root_dispersion)
        # When the clock was last set, what the client calls its own time, and the two readings.
        stamps = long_format(received) + request[40:48] + long_format(received) + long_format(self.now())
        return head + distance + reference + stamps

    def take(self) -> None:
        request, client = self.socket.recvfrom(2048)
        received = self.now()
        with self.lock:
            self.report.requests.append(request.hex())
            number = len(self.report.requests)
        is_request = len(request) >= 48 and request[0] & 7 == 3
        if is_request and not self.options.silent and number > self.options.lose:
            packet = self.answer(request, received, number)
            heapq.heappush(self.waiting, (time.monotonic() + self.options.delay, number, packet, client))

    def send_what_is_due(self) -> None:
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, _, packet, client = heapq.heappop(self.waiting)
            with self.lock:
                self.report.answers += 1
            self.socket.sendto(packet, client)

    def serve_for_ever(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            while True:
                until_due = max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else None
                try:
                    if selector.select(until_due):
                        self.take()
                    self.send_what_is_due()
                except OSError:
                    pass  # The client is gone: what a client does is the test's business.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--offset", type=float, default=0.0, help="seconds that the clock is ahead")
    parser.add_argument("--root-delay", type=float, default=0.0, help="seconds to the source of the time and back")
    parser.add_argument("--root-dispersion", type=float, default=0.0, help="seconds by which the clock may be off")
    parser.add_argument("--precision", type=int, default=-20, help="binary logarithm of seconds")
    parser.add_argument("--stratum", type=int, default=1, help="0 to 255")
    parser.add_argument("--leap", type=int, choices=range(4), default=0, help="3 is: not synchronized")
    parser.add_argument("--reference-id", type=reference_id, default=b"GPS\0", help="letters or an IPv4 address")
    parser.add_argument("--silent", action="store_true", help="never answer")
    parser.add_argument("--kod", type=reference_id, metavar="CODE", help="refuse requests with this kiss code")
    parser.add_argument("--kod-first", type=int, metavar="N", default=sys.maxsize, help="only the first N")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before an answer that is ready is sent")
    parser.add_argument("--lose", type=int, metavar="N", default=0, help="do not answer the first N requests")
    server = Server(parser.parse_args())
    threading.Thread(target=server.serve_for_ever, daemon=True).start()
    tell(server.socket, server.lock, server.report)


if __name__ == "__main__":
    main()
