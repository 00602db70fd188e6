"""`--every`: a line a round, on a schedule that keeps to its first beat, and a summary at the end."""

import array
import datetime
import fcntl
import itertools
import json
import re
import signal
import subprocess
import termios
import time

import pytest

from support.nowcheck import parse_outcome, trusting
from support.process import poll
from support.tools import binary

TOLERANCE = 0.06
"""Seconds that a round may begin late on a busy machine. A schedule that drifts does so by the length of a round each
time, and is out of this after a few."""


def outcomes(child, count: int) -> list[dict]:
    child.stdout.wait_for_count(count, 60)
    return [parse_outcome(line) for _, line in child.stdout.lines[:count]]


def begun(outcome: dict) -> float:
    return datetime.datetime.fromisoformat(outcome["checked_at"]).timestamp()


def off_the_beat(times: list[float], period: float) -> list[float]:
    """How far each time is from the nearest multiple of the period after the first."""
    past = [(time - times[0]) % period for time in times]
    return [min(off, period - off) for off in past]


def end_by_ctrl_c(child) -> int:
    child.signal(signal.SIGINT)
    return child.wait(10)


@pytest.mark.parametrize(
    ("period", "delay"),
    [(0.2, 0), (0.3, 0.005), (0.5, 0.01)],
    ids=["a-fast-server", "a-slow-server", "a-slower-server"],
)
def test_rounds_begin_on_a_schedule_that_does_not_drift(faulty, endless, period, delay):
    server = faulty("answers", "--delay", delay)
    child = endless(server.url, "--output", "json", "--every", f"{period * 1000:g}ms", "--samples", "2")
    times = [begun(outcome) for outcome in outcomes(child, 12)]
    off = off_the_beat(times, period)
    # One round may be late; the next ones are on the beat of the first again.
    assert sum(lateness > TOLERANCE for lateness in off) <= 2, f"off the beat by {off}"
    assert times[-1] - times[0] <= (len(times) + 2) * period, f"rounds were left out: {times}"


def test_rounds_that_last_longer_than_the_period_are_left_out_and_not_run_after_one_another(faulty, endless):
    period = 0.2
    child = endless(faulty("never-answers").url, "--output", "json", "--every", "200ms", "--timeout", "500ms")
    times = [begun(outcome) for outcome in outcomes(child, 5)]
    assert max(off_the_beat(times, period)) <= TOLERANCE, f"off the beat: {times}"
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) >= 0.5 - TOLERANCE, f"rounds on top of one another: {gaps}"


def test_a_line_comes_when_its_round_ends_even_into_a_pipe(faulty, endless):
    child = endless(faulty("answers").url, "--output", "json", "--every", "1s", "--samples", "2")
    child.stdout.wait_for_count(3)
    arrived = [instant for instant, _ in child.stdout.lines]
    assert arrived[2] - arrived[0] >= 1, "the lines were kept back and came together"


@pytest.mark.parametrize("output", ["human", "nagios"])
def test_one_line_a_round(faulty, endless, output):
    child = endless(faulty("answers").url, "--output", output, "--every", "200ms", "--samples", "2")
    child.stdout.wait_for_count(4)
    for _, line in child.stdout.lines[:4]:
        assert "OK" in line, child.stdout.text


@pytest.mark.parametrize("output", ["human", "json", "nagios"])
def test_ctrl_c_ends_with_a_summary_and_the_exit_code_of_all_rounds(faulty, endless, output):
    child = endless(faulty("answers").url, "--output", output, "--every", "200ms", "--samples", "2")
    child.stdout.wait_for_count(3)
    assert end_by_ctrl_c(child) == 0
    if output == "json":
        rounds = [parse_outcome(line) for _, line in child.stdout.lines]
        assert len(rounds) >= 3
        summary = child.stderr.text
    else:
        summary = f"{child.stderr.text}\n{child.stdout.text}"
    found = re.search(r"\b(\d+) (rounds|checks)\b", summary)
    assert found, f"no summary: {summary!r}"
    assert int(found[1]) >= 3
    assert re.search(r"OK", summary), summary


def test_the_exit_code_is_the_worst_of_all_rounds_even_when_the_last_was_right(faulty, endless):
    server = faulty("breaks-on-signal")
    child = endless(server.url, "--output", "json", "--every", "200ms", "--samples", "2")
    child.stdout.wait_for(r'"status": ?"OK"')
    server.child.signal(signal.SIGUSR1)
    child.stdout.wait_for(r'"reason": ?"down"')
    server.child.signal(signal.SIGUSR1)
    child.stdout.wait_until(lambda: last(child)["status"] == "OK", "right again", 20)
    assert end_by_ctrl_c(child) == 2
    statuses = [json.loads(line)["status"] for _, line in child.stdout.lines]
    assert statuses[0] == statuses[-1] == "OK"
    assert "CRITICAL" in statuses
    assert re.search(r"CRITICAL", child.stderr.text), f"the summary keeps quiet of it: {child.stderr.text!r}"


def test_a_time_of_day_that_stands_still_is_found_by_the_rounds_that_follow(faulty, endless):
    """The first round may meet it when it is right: then OK is the truth. A second later it is not."""
    child = endless(faulty("repeats-itself", "--says", "hms").url, "--output", "json", "--every", "500ms")
    child.stdout.wait_for(r'"reason": ?"stale_cache"')
    assert end_by_ctrl_c(child) == 2


def test_sigterm_ends_it_like_ctrl_c(faulty, endless):
    child = endless(faulty("answers", "--offset", 3).url, "--output", "json", "--every", "200ms", "--samples", "2")
    child.stdout.wait_for_count(2)
    child.signal(signal.SIGTERM)
    assert child.wait(10) == 2


def test_ctrl_c_does_not_wait_for_a_silent_server(faulty, endless):
    child = endless(faulty("never-answers").url, "--output", "json", "--every", "1m", "--timeout", "30s")
    with pytest.raises(AssertionError, match="not within"):
        child.stdout.wait_for_count(1, 0.5)
    child.signal(signal.SIGINT)
    assert child.wait(3) == 3, "nothing is known: UNKNOWN"


def last(child) -> dict:
    return json.loads(child.stdout.lines[-1][1])


def test_a_reader_that_does_not_read_holds_no_signal_up(faulty):
    """A pager at its first page, a pipe that is full: Ctrl-C still ends it."""
    server = faulty("answers")
    command = [binary("nowcheck"), *trusting(server.url, "--every", "5ms", "--output", "json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as check:
        # A pipe of one page takes a line or two. How many bytes that are depends on the lines.
        fcntl.fcntl(check.stdout, fcntl.F_SETPIPE_SZ, 4_096)
        poll(lambda: is_full(check.stdout), "a full pipe")
        check.send_signal(signal.SIGINT)
        assert check.wait(timeout=5) == 0


def is_full(pipe) -> bool:
    """Whether what is in it stays the same although a line is written every few milliseconds."""
    before = unread(pipe)
    time.sleep(0.3)
    return before > 0 and unread(pipe) == before


def unread(pipe) -> int:
    size = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return size[0]
