"""Clients that take their time, by the hundred (slowhttptest, a Debian package): they get their connections and nothing
else, and everybody else is served as if they were not there.
"""

import json
import re
import time

import pytest

from support import servers
from support.load import Load
from support.process import Child, poll
from support.raw_http import Connection, ask
from support.tools import need

CONNECTIONS = 300
SECONDS = 8

# The flags, the path, and whether the connections last.
MODES = {
    # A header line every second, and never the last one.
    "headers": (["-H", "-i", "1", "-t", "GET"], "/now", True),
    # A body of which 16 bytes come every second. Nobody waits for it: the answer is a refusal, and the end.
    "body": (["-B", "-i", "1", "-s", "65536", "-x", "16", "-t", "POST"], "/now", False),
    # Ten requests at once, and of their answers one byte is read every second through a window of 10 bytes.
    "reading": (["-X", "-w", "5", "-y", "10", "-n", "1", "-z", "1", "-k", "10"], "/openapi.json", True),
}

REQUEST = b"GET /now HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(("flags", "path", "lasts"), MODES.values(), ids=MODES.keys())
def test_hundreds_of_slow_clients_deny_nothing_to_others(nowd, flags, path, lasts):
    slow = need("slowhttptest")
    server = nowd()
    # Half of them every second; it gives up hope for the service when that does not answer within 3 s.
    command = f"{slow} -c {CONNECTIONS} -r {CONNECTIONS // 2} -l {SECONDS} -p 3 -u {server.url}{path}".split()
    with (
        Load(server.port, rate=50, keep_alive=True, clients=2) as kept,
        Load(server.port, rate=25, keep_alive=False, clients=2) as fresh,
    ):
        child = Child([*command, *flags])
        try:
            most = 0
            while child.process.poll() is None:
                most = max(most, open_connections(server))
                time.sleep(0.1)
        finally:
            child.end()
    # It asks for itself every now and then whether it has brought the server down.
    said = re.sub(r"\x1b\[[0-9;]*m", "", child.stdout.text)
    assert re.search(r"service available:\s+YES", said), said
    assert not re.search(r"service available:\s+NO", said), said
    for load in (kept, fresh):
        print(load.in_words())
        # A service that answers late is asked seldom.
        assert len(load.requests) >= 100 or not lasts, load.in_words()
        assert not load.failed, load.in_words()
    # They did come, and stay; otherwise nothing is proven.
    if lasts:
        assert most >= CONNECTIONS * 0.8, f"only {most} connections at a time:\n{said}"
    poll(lambda: open_connections(server) == 0, "no connection of theirs is left behind")
    server.stop()
    answered = int(re.search(r"/now .*4xx=(\d+)", server.child.stderr.text)[1]) if not lasts else 0
    assert lasts or answered >= 100, server.child.stderr.text


def open_connections(server: servers.Server) -> int:
    """Connections that the service holds, by the kernel."""
    port = f":{server.port:04X}"
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    # 0A is a listener; socket 0 is one that no process has any more.
    return sum(row[1].endswith(port) and row[3] != "0A" and row[9] != "0" for row in rows)


def test_a_client_that_sends_its_head_letter_by_letter_is_answered_if_it_ends_in_time(nowd):
    with Connection(nowd().port) as connection:
        for start in range(len(REQUEST)):
            connection.send(REQUEST[start : start + 1])
            time.sleep(0.02)
        assert json.loads(connection.answer().body)["timezone"] == "UTC"


def test_a_head_that_never_ends_costs_its_sender_the_connection_however_busy_it_is(nowd):
    """A line a second is no sign of life: the head as a whole has its time."""
    server = nowd()
    began = time.monotonic()
    with Connection(server.port) as connection:
        connection.send(REQUEST[:-2])

        def send_a_line() -> bool:
            try:
                connection.send(b"X: y\r\n")
            except ConnectionError:
                return True
            time.sleep(0.25)
            return False

        poll(send_a_line, "the connection is closed", seconds=40)
    assert time.monotonic() - began > 3, "an honest client on a bad network needs more time than that"
    assert ask(server.port, REQUEST, quiet=0.3).statuses == [200]


def test_a_client_that_does_not_read_is_not_written_to_without_end(nowd):
    """It asks for megabytes and takes nothing: they are not made, or the memory would be its to fill."""
    server = nowd()
    before = memory(server)
    clients = []
    try:
        for _ in range(20):
            client = Connection(server.port, receive_buffer=4096)
            client.socket.setblocking(False)
            clients.append(client)
            sent = 0
            try:
                while sent < 2_000_000:
                    sent += client.socket.send(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
            except BlockingIOError:
                pass
        assert ask(server.port, REQUEST, quiet=0.3).statuses == [200]
        most = max(sample_for(lambda: memory(server), seconds=2))
    finally:
        for client in clients:
            client.socket.close()
    # 2 MB of requests each would be answered with 600 MB of answers.
    assert most - before < 20 * 300_000, f"{(most - before) / 1e6:.1f} MB for 20 clients"


def sample_for(figure, seconds: float) -> list[int]:
    end = time.monotonic() + seconds
    figures = [figure()]
    while time.monotonic() < end:
        time.sleep(0.1)
        figures.append(figure())
    return figures


def memory(server: servers.Server) -> int:
    """Bytes that the process has in memory (RSS)."""
    with open(f"/proc/{server.child.process.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096
