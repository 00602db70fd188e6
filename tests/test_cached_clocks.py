"""Services that renew the time now and then and print microseconds of it, as a server does that caches the text. What they
say is late by up to the period, and that is no fault while it is within the limit."""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.nowcheck import check

NANOS = 1_000_000_000
ROUNDS = 4


def document(nanos: int, instance: str | None) -> bytes:
    seconds, rest = divmod(nanos, NANOS)
    said = {"datetime": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1000:06}Z"}
    return json.dumps(said | ({"instance": instance} if instance else {})).encode()


class Cache:
    """The time as it was when it was renewed last. The phase is the time of its first renewal. Unless that is zero, what it
    says does not end in zeros, which are taken for less resolution."""

    def __init__(self, period: float, phase: float = 0.0123457, offset: float = 0.0):
        self.period, self.phase, self.offset = (round(value * NANOS) for value in (period, phase, offset))

    def read(self) -> int:
        now = time.time_ns()
        return now - (now - self.phase) % self.period + self.offset


class Jittery:
    """A clock that jumps back and forth."""

    def __init__(self, by: float):
        self.by = by

    def read(self) -> int:
        return time.time_ns() + round(random.uniform(-self.by, self.by) * NANOS)


@contextmanager
def serving(caches: list[Cache | Jittery], instance: str | None = None) -> Iterator[str]:
    """Each connection is that of the next worker."""
    lock, turn = threading.Lock(), 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            nonlocal turn
            with lock:
                self.cache = caches[turn % len(caches)]
                turn += 1
            super().setup()

        def do_GET(self) -> None:
            body = document(self.cache.read(), instance)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def rounds(url: str, *options: str) -> list:
    """Rounds at different times of the period."""
    runs = []
    for _ in range(ROUNDS):
        runs.append(check(url, *options))
        time.sleep(0.07)
    return runs


@pytest.mark.parametrize("instance", [None, "cached"])
@pytest.mark.parametrize("period", [0.15, 0.3, 0.5])
def test_a_clock_that_is_renewed_by_a_timer_is_in_sync_while_that_is_within_the_limit(period, instance):
    with serving([Cache(period)], instance) as url:
        runs = rounds(url)
    for run in runs:
        assert run.verdict == ("OK", "in_sync"), str(run)
        offset = run.backend["offset"]
        assert offset["earliest"] <= 0 <= offset["latest"], offset
        assert run.target["requests"] <= 40, str(run)


@pytest.mark.parametrize("instance", [None, "cached"])
@pytest.mark.parametrize("offset", [3, -3])
def test_a_clock_that_is_renewed_by_a_timer_and_is_wrong_is_said_to_be_wrong(offset, instance):
    with serving([Cache(0.4, offset=offset)], instance) as url:
        run = check(url)
    assert run.verdict == ("CRITICAL", "desynchronized"), str(run)


@pytest.mark.parametrize("instance", [None, "cached"])
@pytest.mark.parametrize(("period", "offset"), [(0.5, 1.2), (5, 0), (2.5, 0.4)])
def test_what_is_late_or_early_by_more_than_the_limit_for_a_part_of_the_time_is_never_ok(period, offset, instance):
    with serving([Cache(period, offset=offset)], instance) as url:
        runs = rounds(url)
    for run in runs:
        assert run.verdict[0] != "OK", str(run)


class Ticking(Cache):
    """A clock that ticks, and whose ticks are whole parts of a second: what it prints ends in zeros."""

    def __init__(self, tick: float, offset: float = 0.0):
        super().__init__(tick, phase=0, offset=offset)

    def read(self) -> int:
        now = time.time_ns() + self.offset
        return now - now % self.period


@pytest.mark.parametrize("instance", [None, "ticking"])
@pytest.mark.parametrize("tick", [0.05, 0.1, 0.2, 0.25, 0.5])
def test_zeros_at_the_end_hide_no_tick(tick, instance):
    """How coarse it is, is not known where its readings may be rounded, so a tick of 200 ms may be too much to decide."""
    with serving([Ticking(tick, offset=1.05)], instance) as url:
        wrong = rounds(url)
    with serving([Ticking(tick)], instance) as url:
        right = rounds(url)
    for runs, offset in [(wrong, 1.05), (right, 0.0)]:
        for run in runs:
            assert run.verdict[0] != ("CRITICAL" if offset == 0 else "OK"), str(run)
            assert run.verdict[0] == "OK" or offset or tick > 0.1, str(run)
            bounds = run.backend["offset"]
            assert bounds["earliest"] <= offset <= bounds["latest"], str(run)
            assert run.target["requests"] <= 160, str(run)


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_that_each_cache_for_a_second_are_not_called_stopped(workers):
    caches = [Cache(1, phase=0.0123457 + worker / workers) for worker in range(workers)]
    with serving(caches) as url:
        runs = rounds(url)
    for run in runs:
        assert run.verdict in (("OK", "in_sync"), ("UNKNOWN", "undetermined")), str(run)


@pytest.mark.parametrize("workers", [2, 4])
def test_a_wrong_clock_does_not_hide_behind_workers_that_cache(workers):
    """It is ahead by more than the limit for the first part of each second only."""
    caches = [Cache(1, phase=0.0123457 + worker / workers, offset=1.4 if worker == 0 else 0) for worker in range(workers)]
    with serving(caches) as url:
        runs = rounds(url)
    for run in runs:
        assert run.verdict[0] != "OK", str(run)


@pytest.mark.parametrize("instance", [None, "stopped"])
@pytest.mark.parametrize("offset", [0, 0.8, -0.8])
def test_a_clock_that_stands_still_is_found_however_right_it_is_now(offset, instance):
    stopped = Cache(1)
    said = time.time_ns() + round(offset * NANOS)
    stopped.read = lambda: said
    with serving([stopped], instance) as url:
        run = check(url)
    assert run.verdict == ("CRITICAL", "stale_cache"), str(run)


@pytest.mark.parametrize("limit", ["1s", "100ms"])
def test_a_clock_that_jitters_is_asked_no_more_often_than_eight_backends_and_said_to_jitter(limit):
    with serving([Jittery(0.2)]) as url:
        run = check(url, "--max-offset", limit)
    assert run.verdict == (("OK", "in_sync") if limit == "1s" else ("CRITICAL", "desynchronized")), str(run)
    # As many connections as meet eight backends but for 1 %, and two requests over each.
    assert run.target["requests"] <= 2 * 52, str(run)
    assert "one clock jumps back and forth" in run.words, run.words
