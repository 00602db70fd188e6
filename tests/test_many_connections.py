"""Thousands of connections that wait for their next request: what they cost in memory. How fast others are served
meanwhile is measured by benches/connections.py, not tested: a busy machine would decide it.
"""

import json
import resource
import socket
from collections.abc import Iterator

import pytest

from support import servers
from support.process import poll
from support.raw_http import ask

IDLE = 4_000
MOST_FOR_TEN_THOUSAND = 100_000_000
"""Bytes in which 10,000 idle connections have to fit; fewer have to fit into as many fewer."""

REQUEST = b"GET /now HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(autouse=True, scope="module")
def enough_files() -> Iterator[None]:
    """Each connection is an open file here, and another one in nowd, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this user may open only {hard} files (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def crowd() -> Iterator[list[socket.socket]]:
    sockets: list[socket.socket] = []
    yield sockets
    for each in sockets:
        each.close()


def memory(server: servers.Server) -> int:
    """Bytes that the process has in memory (RSS)."""
    with open(f"/proc/{server.child.process.pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def join(crowd: list[socket.socket], server: servers.Server, request: bytes | None) -> None:
    for _ in range(IDLE):
        client = socket.create_connection((server.host, server.port), timeout=20)
        crowd.append(client)
        if request is not None:
            client.sendall(request)
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


KINDS = {
    "before their first request": (None, 0),
    "after a request": (REQUEST, 0),
    "after as many others came and went, four times": (REQUEST, 4),
}


@pytest.mark.parametrize(("request_", "times"), KINDS.values(), ids=KINDS.keys())
def test_thousands_of_idle_connections_stay_within_their_share_of_100_mb(nowd, crowd, request_, times):
    server = nowd()
    before = memory(server)
    for _ in range(times):
        join(crowd, server, request_)
        for client in crowd:
            client.close()
        crowd.clear()
    join(crowd, server, request_)
    most = MOST_FOR_TEN_THOUSAND * IDLE // 10_000
    # A connection gives its buffers back when it has been idle for a while.
    poll(lambda: memory(server) < most, f"{IDLE} connections in {most / 1e6:.0f} MB", seconds=30)
    each = (memory(server) - before) / IDLE
    print(f"{IDLE} connections: {each:.0f} bytes each, {memory(server) / 1e6:.1f} MB in all")
    # They are still there, all of them, and so is everybody else.
    assert ask(server.port, REQUEST, quiet=0.3).statuses == [200]
    for client in crowd[:: IDLE // 50]:
        client.sendall(REQUEST)
        assert json.loads(client.recv(4096).partition(b"\r\n\r\n")[2])["timezone"] == "UTC"
