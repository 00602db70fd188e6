"""Servers that are healthy, and smaller than most: one connection at a time, or a clock that ticks coarsely. None of them
may be called down, or stopped."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

import pytest

from support.nowcheck import check

NANOS = 1_000_000_000


def document(nanos: int, instance: str | None = "small") -> bytes:
    seconds, rest = divmod(nanos, NANOS)
    said = {"datetime": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09}Z"}
    return json.dumps(said | ({"instance": instance} if instance else {})).encode()


@contextmanager
def serving(kind: type[HTTPServer], tick: int = 1) -> Iterator[str]:
    """A server whose clock shows multiples of `tick` nanoseconds."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = document(time.time_ns() // tick * tick)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with kind(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("samples", ["2", "5"])
def test_a_server_of_one_connection_at_a_time_is_not_down(samples):
    """The next connection is served when the one before it is closed, so that none may be kept for nothing."""
    with serving(HTTPServer) as url:
        run = check(url, "--samples", samples)
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert run.target["connections"] == 8, str(run)


@pytest.mark.parametrize("tick", [4_000_000, 15_625_000])
def test_a_clock_that_ticks_coarsely_but_prints_all_digits_does_not_stand_still(tick):
    with serving(ThreadingHTTPServer, tick=tick) as url:
        run = check(url)
    assert run.verdict == ("OK", "in_sync"), str(run)


def test_a_clock_that_really_stands_still_is_still_found(faulty):
    run = check(faulty("repeats-itself").url)
    assert run.verdict == ("CRITICAL", "stale_cache"), str(run)


def test_answers_that_name_nobody_promise_nothing_about_backends_that_were_missed(faulty):
    server = faulty("answers", "--says", "rfc3339-text")
    run = check(server.url, "--field", "body")
    nameless = all(backend["instance"] is None for backend in run.target["backends"])
    assert nameless and run.target["miss_probability"] is None, str(run)
    assert "name no instance" in run.words, run.words
    # Whoever knows how many there are gets the promise back, and as many connections as it takes: 4 · (3/4)ⁿ ≤ 1 %.
    run = check(server.url, "--field", "body", "--expect-backends", "4")
    assert run.target["connections"] == 21 and run.target["miss_probability"] <= 0.01, str(run)
    assert run.verdict == ("UNKNOWN", "undetermined"), str(run)


def test_backends_are_said_to_be_missing_only_when_hardly_any_doubt_is_left():
    with serving(ThreadingHTTPServer) as url:
        run = check(url, "--expect-backends", "4")
    assert run.verdict == ("CRITICAL", "backends_missing"), str(run)
    assert run.target["miss_probability"] <= 0.000_001, str(run)


def test_a_server_that_is_given_twice_has_one_vote(ntp):
    honest, liar = ntp(), ntp("--offset", "5")
    twice = [f"ntp:127.0.0.1:{liar.port}", f"ntp:localhost:{liar.port}"]
    flags = [flag for name in (f"ntp:127.0.0.1:{honest.port}", *twice) for flag in ("--reference", name)]
    with serving(ThreadingHTTPServer) as url:
        run = check(url, *flags)
    assert run.verdict == ("UNKNOWN", "references_disagree"), str(run)
    assert [source["status"] for source in run.outcome["reference"]["sources"]].count("duplicate") == 1, str(run)
