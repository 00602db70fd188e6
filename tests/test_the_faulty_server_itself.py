"""A test is worth as much as the fault that it makes: behaviors of `servers/faulty.py`, seen by a plain socket."""

import json
import re
import socket
import time

import pytest

ONE_REQUEST = b"GET /now HTTP/1.1\r\nHost: x\r\n\r\n"


def raw(server, seconds: float = 0.5) -> tuple[bytes, str]:
    """What comes within `seconds` of a request, and how it ended: `closed`, `reset` or `open`."""
    seen, end = b"", time.monotonic() + seconds
    with socket.create_connection((server.host, server.port), timeout=5) as connection:
        connection.sendall(ONE_REQUEST)
        while (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            try:
                more = connection.recv(65536)
            except TimeoutError:
                break
            except ConnectionResetError:
                return seen, "reset"
            if not more:
                return seen, "closed"
            seen += more
    return seen, "open"


@pytest.mark.parametrize(
    ("behavior", "begins", "ended"),
    [
        ("answers", rb"HTTP/1\.1 200 OK\r\n", "open"),
        ("closes-each-time", rb"HTTP/1\.1 200 OK\r\n(.*\r\n)*Connection: close\r\n", "closed"),
        ("closes-without-a-word-each-time", rb"HTTP/1\.1 200 OK\r\n(?!.*Connection)", "closed"),
        ("speaks-http-1-0", rb"HTTP/1\.0 200 OK\r\n", "closed"),
        ("sends-a-byte-at-a-time", rb"HTTP/1\.1 200 OK\r\n", "open"),
        ("says-continue-first", rb"HTTP/1\.1 103 .*\r\n(.*\r\n)*\r\nHTTP/1\.1 200 OK", "open"),
        ("never-answers", rb"$", "open"),
        ("sends-one-byte-a-second", rb"H$", "open"),
        ("sends-one-byte-of-the-body-a-second", rb"HTTP/1\.1 200 OK\r\n(.*\r\n)+\r\n\{$", "open"),
        ("sends-headers-for-ever", rb"HTTP/1\.1 200 OK\r\n(X-More: to come\r\n){2,}$", "open"),
        ("closes-half-way", rb"HTTP/1\.1 200 OK\r\n(.*\r\n)+\r\n\{.+[^}]$", "closed"),
        ("closes-in-the-header", rb"HTTP/1\.1 200 OK\r\nContent-Ty$", "closed"),
        ("closes-at-once", rb"$", "closed"),
        ("resets", rb"$", "reset"),
        ("says-garbage", rb"SSH-2\.0", "closed"),
        ("refuses-with-a-status", rb"HTTP/1\.1 500 ", "open"),
    ],
)
def test_it_does_what_its_name_says(faulty, behavior, begins, ended):
    seen, how = raw(faulty(behavior))
    assert re.match(begins, seen), seen
    assert how == ended


def test_a_full_backlog_lets_nobody_in(faulty):
    server = faulty("never-accepts")
    with pytest.raises(TimeoutError):
        socket.create_connection((server.host, server.port), timeout=0.5)


def test_it_counts_what_it_could_send(faulty):
    server = faulty("streams-for-ever")
    with socket.create_connection((server.host, server.port)) as connection:
        connection.sendall(ONE_REQUEST)
        taken = 0
        while taken < 65536:
            taken += len(connection.recv(65536))
    # It counts a piece after it has sent it.
    assert 65536 // 2 <= server.stop()["most_bytes_on_one_connection"] < 1 << 20, (
        "the kernel holds more than the test allows"
    )


def test_chunks_put_together_are_the_body(faulty):
    _, headers, body = faulty("answers", "--chunked").get("/now")
    assert headers["transfer-encoding"] == "chunked"
    assert "current_time" in json.loads(body)


@pytest.mark.parametrize("offset", [0, 3, -0.9])
def test_its_clock_is_shifted_by_what_was_asked(faulty, offset):
    server = faulty("answers", "--offset", offset)
    before, said, after = time.time(), json.loads(server.get("/now")[2])["unix_time"], time.time()
    assert before + offset - 1e-6 <= said <= after + offset + 1e-6


def test_two_clocks_take_turns(faulty):
    server = faulty("answers", "--other-offset", 100)
    said = [json.loads(server.get("/now")[2]) for _ in range(4)]
    assert [document["instance"][0] for document in said] == ["a", "b", "a", "b"]
    assert all(b["unix_time"] - a["unix_time"] > 99 for a, b in zip(said[::2], said[1::2], strict=True))


def test_what_repeats_itself_does_not_move(faulty):
    server = faulty("repeats-itself", "--headers-move")
    first = server.get("/now")
    second = server.get("/now")
    assert first[2] == second[2]


def test_it_ends_with_the_one_who_started_it(faulty):
    server = faulty("never-answers")
    server.child.process.stdin.close()
    assert server.child.wait() == 0
