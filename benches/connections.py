#!/usr/bin/env python3
"""What idle connections cost nowd, and how quickly it answers others beside them.

Each idle connection has asked once, as those that a load balancer keeps. The clients that ask are one process that
sends at a steady rate, whatever comes back, so that an answer that is late delays nobody's question. What they measure
holds their own delays too; what nowd measures of itself (/metrics) does not.
"""

import argparse
import select
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from footprint import BYTES_A_MEGABYTE, STATIC_NOWD, memory_bytes
from harness import (
    CannotMeasure,
    announced_url,
    executable,
    free_port,
    process,
    raise_open_files,
    run,
    table,
    write_block,
)

GOAL_MEMORY_MB = 100.0
GOAL_P99_MS = 10.0

REQUEST = b"GET /now HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

# nowd takes the buffers of a connection back after 2 s without a request, in a sweep once a second.
SECONDS_UNTIL_AT_REST = 5.0


def open_connections(address: tuple[str, int], count: int) -> list[socket.socket]:
    """Connections on each of which one request was answered."""
    connections = []
    for _ in range(count):
        connection = socket.create_connection(address, timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(REQUEST)
        if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
            raise CannotMeasure(f"connection {len(connections) + 1} was not answered 200")
        connections.append(connection)
    return connections


def latencies(connections: list[socket.socket], rate: float, seconds: float) -> list[float]:
    """Sends `rate` requests a second, on one connection after the other; the seconds until each answer."""
    poller = select.epoll()
    for connection in connections:
        connection.setblocking(False)
        poller.register(connection, select.EPOLLIN)
    by_number = {connection.fileno(): connection for connection in connections}
    sent_at: dict[int, float] = {}
    taken: list[float] = []
    begun, sent = time.perf_counter(), 0
    while (now := time.perf_counter()) - begun < seconds or sent_at:
        if now - begun > seconds + 10:
            raise CannotMeasure(f"{len(sent_at)} requests were not answered within 10 s")
        while sent < rate * min(now - begun, seconds):
            connection = connections[sent % len(connections)]
            if connection.fileno() in sent_at:
                raise CannotMeasure("an answer took longer than a whole round of all connections: lower --rate")
            # When it should have been sent: a late client makes the figure worse, not better.
            sent_at[connection.fileno()] = begun + sent / rate
            connection.send(REQUEST)
            sent += 1
        for number, _ in poller.poll(0.001):
            by_number[number].recv(4096)
            taken.append(time.perf_counter() - sent_at.pop(number))
    return sorted(taken)


def buckets(url: str) -> list[tuple[float, float]]:
    """nowd's own histogram: upper limits in seconds, and how many answers took at most so long."""
    text = urllib.request.urlopen(url, timeout=10).read().decode()
    found = []
    for line in text.splitlines():
        if line.startswith("nowd_http_request_duration_seconds_bucket"):
            limit, count = line.split('"')[1], line.rsplit(" ", 1)[1]
            found.append((float(limit.replace("+Inf", "inf")), float(count)))
    return found


def quantile(before: list[tuple[float, float]], after: list[tuple[float, float]], share: float) -> float:
    """The upper limit of the bucket that holds it."""
    total = after[-1][1] - before[-1][1]
    for (limit, count), (_, earlier) in zip(after, before):
        if count - earlier >= share * total:
            return limit
    raise CannotMeasure("nowd counted no requests")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nowd", default=STATIC_NOWD, help="the program (default: %(default)s)")
    parser.add_argument("--idle", type=int, default=10_000, help="connections that are idle (default: %(default)s)")
    parser.add_argument("--active", type=int, default=1_000, help="connections that ask (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=2_000, help="requests a second, together (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=15, help="how long they ask (default: %(default)s)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the table into")
    options = parser.parse_args()
    nowd = executable(options.nowd, "run `make bench`, which builds it")

    raise_open_files(options.idle + options.active + 100)

    private = f"127.0.0.1:{free_port()}"
    flags = [f"--max-connections={options.idle + options.active}", f"--admin-listen={private}"]
    with process([nowd, "--listen=127.0.0.1:0", *flags], stderr=subprocess.PIPE) as server:
        host, _, port = announced_url(server, server.stderr).removeprefix("http://").partition(":")
        metrics = f"http://{private}/metrics"
        before = memory_bytes(server.pid, "status", "VmRSS")
        idle = open_connections((host, int(port)), options.idle)
        fresh = memory_bytes(server.pid, "status", "VmRSS")
        time.sleep(SECONDS_UNTIL_AT_REST)
        rested = memory_bytes(server.pid, "status", "VmRSS")
        active = open_connections((host, int(port)), options.active)
        counted = buckets(metrics)
        taken = latencies(active, options.rate, options.seconds)
        own_p99 = quantile(counted, buckets(metrics), 0.99)
        both = memory_bytes(server.pid, "status", "VmRSS")
        for connection in idle[:: max(1, options.idle // 100)]:
            connection.sendall(REQUEST)
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                raise CannotMeasure("an idle connection was closed meanwhile")

    def p(share: float) -> float:
        return taken[min(len(taken) - 1, int(len(taken) * share))] * 1_000

    def megabytes(count: int) -> str:
        return f"{count / BYTES_A_MEGABYTE:.1f} MB"

    rows = [
        ["memory before (RSS)", megabytes(before)],
        [f"{options.idle:,} connections that just asked", megabytes(fresh)],
        [f"{options.idle:,} idle connections (goal {GOAL_MEMORY_MB:.0f} MB)", megabytes(rested)],
        [f"and {options.active:,} that ask, {options.rate:,.0f} requests/s", megabytes(both)],
        ["answers", f"{len(taken):,}"],
        ["p50, as a client sees it", f"{p(0.5):.2f} ms"],
        [f"p99, as a client sees it (goal {GOAL_P99_MS:.0f} ms)", f"{p(0.99):.2f} ms"],
        ["longest", f"{taken[-1] * 1_000:.2f} ms"],
        ["p99 by nowd's own histogram, at most", f"{own_p99 * 1_000:.3f} ms"],
    ]
    figures = table(["", "measured"], rows)
    print(figures)
    if options.write:
        write_block(options.write, "bench-connections", figures)


if __name__ == "__main__":
    run(main)
