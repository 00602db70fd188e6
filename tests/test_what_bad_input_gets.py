"""Whatever a server does, the check ends in time and says what is wrong: the table of faults, row by row.

A server here is a real process (`servers/faulty.py`), or nowd itself with a shifted clock.
"""

import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass

import pytest

from support.nowcheck import START_UP, TIMEOUT_SLACK, Run, check, messages, nowcheck
from support.process import TOO_LATE, poll, within
from support.tools import binary, faketime, lacking

TIMEOUT = 1.0


def check_in_time(url: str, *more: str, timeout: float = TIMEOUT, **how) -> Run:
    """One round that keeps to its timeout, whatever happens."""
    run = check(url, "--timeout", f"{timeout:g}s", *more, **how)
    assert run.outcome["duration"] <= timeout + TIMEOUT_SLACK, f"{TOO_LATE}: the round took longer than its timeout:\n{run}"
    assert run.seconds <= timeout + TIMEOUT_SLACK + START_UP, f"{TOO_LATE}: the process took longer than its timeout:\n{run}"
    return run


def assert_down(run: Run, phase: str, *kinds: str) -> None:
    assert run.exit == 2, str(run)
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert (run.target["status"], run.target["reason"]) == ("CRITICAL", "down"), str(run)
    assert run.failure["phase"] == phase, str(run)
    assert run.failure["kind"] in kinds, str(run)


def assert_settings_do_not_fit(run: Run) -> None:
    """The service answers with a time; it is the settings that miss it."""
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert (run.failure["phase"], run.failure["kind"]) == ("content", "not_a_time"), str(run)
    assert "the settings do not fit" in run.words, str(run)


def unused_port() -> int:
    """A port that nobody listens on: bound and let go. Nobody else gets it so soon, the kernel goes round."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


# ------------------------------------------------------------------------------------------------- nothing comes back


def test_a_port_that_refuses_is_down_in_the_phase_connect():
    run = check_in_time(f"http://127.0.0.1:{unused_port()}")
    assert_down(run, "connect", "refused")
    assert "refused" in run.failure["message"].lower()
    assert run.seconds < TIMEOUT, "a refusal is an answer: nothing to wait for"
    assert run.target["phases"]["wait"] is None, "nothing was asked"
    assert run.target["miss_probability"] is None
    assert run.target["backends"] == []


def test_a_name_that_does_not_resolve_is_down_in_the_phase_resolve():
    # `.invalid` never exists (RFC 6761, 6.4).
    run = check_in_time("http://time.nowhere.invalid")
    assert_down(run, "resolve", "no_such_name")
    assert "time.nowhere.invalid" in run.failure["message"]
    assert run.target["address"] is None
    assert run.target["requests"] == run.target["connections"] == 0


@dataclass
class Silence:
    """A server that leaves the client waiting until its time is over."""

    behavior: str
    phase: str


SILENCES = [
    Silence("never-accepts", "connect"),
    Silence("never-answers", "wait"),
    Silence("sends-one-byte-a-second", "transfer"),
    Silence("sends-one-byte-of-the-body-a-second", "transfer"),
    Silence("sends-headers-for-ever", "transfer"),
]


@pytest.mark.parametrize("timeout", [0.5, 2.0], ids=lambda t: f"timeout-{t:g}s")
@pytest.mark.parametrize("case", SILENCES, ids=lambda case: case.behavior)
def test_a_server_that_keeps_the_client_waiting_is_down_when_the_time_is_over(faulty, case, timeout):
    server = faulty(case.behavior)
    run = check_in_time(server.url, timeout=timeout)
    assert_down(run, case.phase, "timeout")
    assert run.seconds >= timeout * 0.8, "it was given up before its time"
    assert timeout * 0.7 <= run.failure["elapsed"] <= timeout + TIMEOUT_SLACK, str(run)


@pytest.mark.parametrize(
    ("behavior", "words"),
    [
        ("never-accepts", r"connect"),
        ("never-answers", r"wait|answer"),
        ("sends-one-byte-of-the-body-a-second", r"transfer|body|answer|read"),
    ],
)
def test_a_human_reads_which_phase_took_how_long(faulty, behavior, words):
    run = nowcheck(faulty(behavior).url, "--timeout", "1s")
    assert run.exit == 2, str(run)
    assert re.search(words, run.stdout, re.IGNORECASE), str(run)
    assert re.search(r"\b1(\.0\d*)? s\b|\b(9\d\d|10\d\d)(\.\d+)? ms\b|\b0\.9\d* s\b", run.stdout), str(run)


def test_tls_that_never_comes_is_down_in_the_phase_tls(faulty):
    server = faulty("never-answers")
    run = check_in_time(f"https://127.0.0.1:{server.port}")
    assert_down(run, "tls", "timeout")


def test_tls_to_a_server_that_speaks_plain_http_is_down_in_the_phase_tls(faulty):
    server = faulty("says-garbage")
    run = check_in_time(f"https://127.0.0.1:{server.port}")
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert run.failure["phase"] == "tls", str(run)


BROKEN_OFF = [
    # behavior, phase, kinds
    ("closes-at-once", "wait", {"closed"}),
    ("resets", "wait", {"closed"}),
    ("closes-in-the-header", "transfer", {"closed"}),
    ("closes-half-way", "transfer", {"closed"}),
]


@pytest.mark.parametrize(("behavior", "phase", "kinds"), BROKEN_OFF, ids=lambda value: str(value))
def test_a_server_that_breaks_off_is_down_at_once(faulty, behavior, phase, kinds):
    run = check_in_time(faulty(behavior).url, timeout=3)
    assert_down(run, phase, *kinds)
    assert run.seconds < 1.5, "what is closed is closed: nothing to wait for"


@pytest.mark.parametrize("behavior", ["says-garbage", "sends-a-huge-header"])
def test_a_server_that_does_not_speak_http_is_down_by_protocol(faulty, behavior):
    run = check_in_time(faulty(behavior).url, timeout=3)
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert run.failure["phase"] in ("wait", "transfer"), str(run)
    assert run.failure["kind"] in ("protocol", "too_large"), str(run)
    assert run.seconds < 2, str(run)


# ------------------------------------------------------------------------------------------------- another status


@pytest.mark.parametrize(
    "status",
    ["500 Internal Server Error", "404 Not Found", "503 Service Unavailable", "401 Unauthorized", "418 I'm a teapot"],
)
def test_another_status_is_down_and_says_which(faulty, status):
    run = check_in_time(faulty("refuses-with-a-status", "--status", status).url)
    assert_down(run, "content", "status")
    assert run.failure["http_status"] == int(status[:3])
    assert status[:3] in run.failure["message"]
    assert run.target["backends"] == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_down_and_says_where_it_points(faulty, status):
    good = faulty("answers")
    away = faulty("redirects", "--status", f"{status} Over there", "--location", f"{good.url}/elsewhere")
    run = check_in_time(away.url)
    assert_down(run, "content", "redirect")
    assert run.failure["http_status"] == status
    assert run.failure["location"] == f"{good.url}/elsewhere"
    assert f"{good.url}/elsewhere" in run.failure["message"]
    assert good.stop()["connections"] == 0, "it was followed, and nobody had said --follow"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_when_told_to(faulty, status):
    good = faulty("answers")
    away = faulty("redirects", "--status", f"{status} Over there", "--location", f"{good.url}/elsewhere")
    run = check_in_time(away.url, "--follow", timeout=3)
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert "GET /elsewhere HTTP/1.1" in good.stop()["requests"]


def test_what_is_to_be_known_of_a_server_that_redirects_is_not_lost(faulty, authority):
    good = faulty("answers")
    certificate = authority.certificate("localhost", "127.0.0.1", ends_in_days=3)
    where_to = ["--status", "302 Found", "--location", f"{good.url}/elsewhere"]
    away = faulty("redirects", *where_to, tls=certificate, name="127.0.0.1")
    run = check_in_time(away.url, "--follow", "--ca-file", str(authority.file), timeout=3)
    assert run.verdict == ("OK", "in_sync"), str(run)
    (note,) = (note for note in messages(run.target["notes"]) if "certificate" in note)
    assert re.search(rf"{re.escape(away.url)}/now: the certificate expires in", note), str(run)
    assert f"reached by a redirect from {away.url}/now" in messages(run.target["notes"]), str(run)


def test_a_redirect_to_a_path_of_the_same_server_is_followed_when_told_to(faulty):
    # The location is relative to the URL that was asked for (RFC 9110, 10.2.2); this one leads to itself.
    server = faulty("redirects", "--status", "302 Found", "--location", "elsewhere?x=1")
    run = check_in_time(f"{server.url}/some/now", "--follow")
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert "GET /some/elsewhere?x=1 HTTP/1.1" in server.stop()["requests"]


def test_a_redirect_that_leads_to_itself_is_down_even_when_followed(faulty):
    server = faulty("redirects", "--status", "302 Found", "--location", "/now")
    run = check_in_time(server.url, "--follow", timeout=3)
    assert_down(run, "content", "redirect")
    assert run.seconds < 2.5, "it went round until its time was over"
    assert len(server.stop()["requests"]) <= 100, "it went round and round"


def test_a_redirect_to_something_else_than_http_is_not_followed(faulty):
    server = faulty("redirects", "--status", "302 Found", "--location", "file:///etc/hostname")
    run = check_in_time(server.url, "--follow")
    assert_down(run, "content", "redirect")
    assert run.failure["location"] == "file:///etc/hostname"


# ------------------------------------------------------------------------------------------------- not a time


@dataclass
class NotATime:
    says: str
    shows: str
    """Part of what the outcome shows of it."""


NOT_A_TIME = [
    NotATime("html", "<!DOCTYPE html>"),
    NotATime("empty", ""),
    NotATime("not-json", '{"current_time": "12:0'),
    NotATime("no-field", '{"weather":"fine"'),
    NotATime("null-field", '{"current_time":null'),
    NotATime("a-list-of-nothing", "[]"),
    NotATime("unparsable", "half past ten"),
    NotATime("impossible", "25:61:00"),
    NotATime("impossible-date", "2026-02-30T10:00:00Z"),
]


@pytest.mark.parametrize("chunked", [False, True], ids=["with-a-length", "in-chunks"])
@pytest.mark.parametrize("case", NOT_A_TIME, ids=lambda case: case.says)
def test_what_is_not_a_time_is_down_and_shown(faulty, case, chunked):
    server = faulty("answers", "--says", case.says, *(["--chunked"] if chunked else []))
    run = check_in_time(server.url)
    assert_down(run, "content", "not_a_time")
    assert case.shows in run.failure["body_start"], str(run)
    assert len(run.failure["body_start"]) <= 80 * 4, "80 bytes were asked for (an escaped one may take four)"
    if case.says == "empty":
        assert "empty" in run.failure["message"].lower(), str(run)


def test_the_status_of_an_answer_that_is_no_time_is_in_the_outcome(faulty):
    assert check_in_time(faulty("answers", "--says", "html").url).failure["http_status"] == 200


UNITS = ["unix-s", "unix-ms", "unix-us", "unix-ns"]


@pytest.mark.parametrize("meant", UNITS)
def test_a_unit_that_is_not_that_of_the_answers_is_named_with_the_right_one(faulty, meant):
    """As a clock that runs a thousand times too fast it would be taken for a backend more with each answer."""
    server = faulty("answers", "--says", meant)
    for said in UNITS:
        source = ["--field", "data.times.0.epoch", "--format", said]
        if said == meant:
            # Whole seconds are decided where they change, and that may be later than a round of one second may ask.
            run = check(server.url, *source)
            assert run.verdict == ("OK", "in_sync"), str(run)
            continue
        run = check_in_time(server.url, *source)
        assert_settings_do_not_fit(run)
        assert said in run.failure["message"], str(run)
        assert "leave out --format" in run.words, str(run)
        assert run.target["backends"] == [], str(run)


def test_a_format_that_is_not_that_of_the_answers_is_named_with_the_right_one(faulty):
    run = check_in_time(faulty("answers", "--says", "rfc3339").url, "--format", "hms")
    assert_settings_do_not_fit(run)
    assert "--format hms" in run.failure["message"] and "leave out --format" in run.words, str(run)


def test_only_the_first_80_bytes_of_what_came_are_shown(faulty):
    body_start = check_in_time(faulty("answers", "--says", "html").url).failure["body_start"]
    assert body_start.startswith("<!DOCTYPE html>")
    assert "<html><head><title>Welcome</title></head><body>It works" in body_start
    assert body_start.count("</body>") <= 1


@pytest.mark.parametrize("output", ["human", "json", "nagios"])
def test_what_came_cannot_play_tricks_on_the_terminal(faulty, output):
    run = nowcheck(faulty("answers", "--says", "terminal-escapes").url, "--timeout", "1s", "--output", output)
    assert run.exit == 2, str(run)
    seen = run.stdout + run.stderr
    # Control characters (also those above 0x7f), and the ones that turn the direction of writing.
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", seen), repr(seen)


def test_a_location_cannot_play_tricks_on_the_terminal(faulty):
    server = faulty("redirects", "--status", "302 Found", "--location", "http://x/\x1b]0;owned\x07\x9b31m")
    run = nowcheck(server.url, "--timeout", "1s")
    assert run.exit == 2, str(run)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", run.stdout), repr(run.stdout)


@pytest.mark.parametrize("chunked", [False, True], ids=["with-a-length", "in-chunks"])
def test_a_body_of_a_gigabyte_is_down_and_hardly_read(faulty, chunked):
    server = faulty("streams-for-ever", *(["--chunked"] if chunked else []))
    run = check_in_time(server.url, timeout=3)
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert run.failure["kind"] == "too_large", str(run)
    assert run.failure["phase"] in ("transfer", "content"), str(run)
    assert run.seconds < 1.5, "it read on"
    assert re.search(r"64 ?KiB|65536|65,536", run.failure["message"]), str(run)
    # 64 KiB by the check; the rest is what the kernels on both sides hold for a connection.
    assert server.stop()["most_bytes_on_one_connection"] < 1 << 20


@pytest.mark.parametrize(("size", "verdict"), [(65536, "OK"), (65537, "CRITICAL")])
def test_64_kib_are_read_and_not_a_byte_more(faulty, size, verdict):
    run = check(faulty("sized", "--size", size).url, "--timeout", "8s")
    assert run.outcome["status"] == verdict, str(run)
    if verdict == "CRITICAL":
        assert run.failure["kind"] == "too_large", str(run)


# ------------------------------------------------------------------------------------------------- an old answer


def assert_stale(run: Run) -> None:
    assert run.exit == 2, str(run)
    assert run.verdict == ("CRITICAL", "stale_cache"), str(run)
    assert run.target["reason"] == "stale_cache", str(run)
    assert re.search(r"cache", run.words, re.IGNORECASE), run.words


@pytest.mark.parametrize("says", ["nowd", "hms"])
@pytest.mark.parametrize("age", [1, 30])
def test_an_age_of_answers_whose_time_is_younger_is_no_stale_cache(faulty, says, age):
    """A cache whose clock is ahead of the service's takes the difference for age (RFC 9111 section 4.2.3)."""
    run = check(faulty("answers", "--says", says, "--age", age).url)
    assert run.verdict == ("OK", "in_sync"), str(run)


@pytest.mark.parametrize("says", ["nowd", "hms"])
@pytest.mark.parametrize("age", [2, 30])
def test_an_answer_that_is_as_old_as_its_age_is_a_stale_cache(faulty, says, age):
    server = faulty("answers", "--says", says, "--age", age, "--offset", -age)
    run = check(server.url, "--timeout", "5s")
    assert_stale(run)
    assert re.search(rf"\b{age}\b", run.words), f"the age is not said: {run.words}"


def test_an_answer_that_comes_again_with_an_age_is_a_stale_cache(faulty):
    assert_stale(check(faulty("repeats-itself", "--age", 1).url, "--timeout", "5s"))


def test_an_age_of_an_answer_without_a_time_is_a_stale_cache(faulty):
    assert_stale(check(faulty("answers", "--says", "no-field", "--age", 1).url, "--timeout", "5s"))


def test_an_age_of_zero_is_fresh(faulty):
    run = check(faulty("answers", "--age", 0).url)
    assert run.verdict == ("OK", "in_sync"), str(run)


@pytest.mark.parametrize("headers_move", [False, True], ids=["with-its-headers", "behind-a-living-server"])
@pytest.mark.parametrize("offset", [0, -3600, 3])
@pytest.mark.parametrize("says", ["nowd", "hms", "rfc3339-micro", "unix-s-text"])
def test_a_body_that_does_not_move_while_time_passes_is_a_stale_cache(faulty, says, offset, headers_move):
    options = ["--says", says, "--offset", offset, *(["--headers-move"] if headers_move else [])]
    field = ["--field", "datetime"] if says == "rfc3339-micro" else []
    field = ["--field", "body"] if says == "unix-s-text" else field
    server = faulty("repeats-itself", *options)
    if says == "hms" and offset == 0:
        # Seconds stand still for up to a second in any clock. So that time has passed, this one stopped before that.
        server.get("/now")
        stopped = time.monotonic()
        poll(lambda: time.monotonic() > stopped + 2, "two seconds")
    assert_stale(check(server.url, *field, "--timeout", "8s"))


# ------------------------------------------------------------------------------------------------- a wrong clock


WRONG = [3, -3, 1.2, -1.2]
RIGHT = [0, 0.9, -0.9]


def assert_verdict_on_offset(run: Run, offset: float) -> None:
    backend = run.backend
    assert backend["offset"]["earliest"] <= offset <= backend["offset"]["latest"], str(run)
    assert backend["offset"]["latest"] - backend["offset"]["earliest"] < 0.1, f"on the loopback?\n{run}"
    if abs(offset) > 1:
        assert run.exit == 2, str(run)
        assert run.verdict == ("CRITICAL", "desynchronized"), str(run)
        side = r"ahead|fast" if offset > 0 else r"behind|slow"
        assert re.search(rf"{'[+]' if offset > 0 else '[-−]'}{abs(offset)}|{side}", run.outcome["summary"]), str(run)
    else:
        assert run.exit == 0, str(run)
        assert run.verdict == ("OK", "in_sync"), str(run)


@pytest.mark.parametrize("offset", WRONG + RIGHT, ids=lambda offset: f"{offset:+g}s")
def test_nowd_is_judged_by_its_clock(nowd, sharp_reference, offset):
    # faketime takes a moment's reading of the real clock: its shift is right to some microseconds only.
    run = check(nowd(offset).url, "--max-offset", "1s")
    assert abs(run.backend["offset"]["estimate"] - offset) < 0.1
    assert run.verdict == (("CRITICAL", "desynchronized") if abs(offset) > 1 else ("OK", "in_sync")), str(run)
    assert run.backend["instance"] is not None


@pytest.mark.parametrize("offset", WRONG + RIGHT, ids=lambda offset: f"{offset:+g}s")
def test_the_proven_interval_holds_the_true_offset(faulty, sharp_reference, offset):
    assert_verdict_on_offset(check(faulty("answers", "--offset", offset).url), offset)


@pytest.mark.parametrize("offset", [86400, -86400, 3.2e9, -1.7e9], ids=["a-day", "minus-a-day", "in-2127", "in-1972"])
def test_a_clock_that_is_days_or_decades_off_is_desynchronized(faulty, offset):
    run = check(faulty("answers", "--offset", offset).url)
    assert run.verdict == ("CRITICAL", "desynchronized"), str(run)
    assert run.backend["offset"]["earliest"] <= offset + 0.001
    assert run.backend["offset"]["latest"] >= offset - 0.001


@pytest.mark.parametrize("offset", [3600, -5 * 3600, 5.75 * 3600], ids=lambda offset: f"{offset / 3600:+g}h")
def test_an_error_of_whole_quarters_of_an_hour_looks_like_a_time_zone(faulty, offset):
    run = check(faulty("answers", "--says", "hms", "--offset", offset).url)
    assert run.verdict == ("CRITICAL", "desynchronized"), str(run)
    assert re.search(r"time ?zone", run.words), run.words


def test_a_time_of_day_says_that_whole_days_cannot_be_seen(faulty):
    run = check(faulty("answers", "--says", "hms").url)
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert re.search(r"\bdays?\b", run.words), run.words


@pytest.mark.parametrize("offset", [0.5, -0.5], ids=lambda offset: f"{offset:+g}s")
def test_whole_seconds_half_a_second_off_are_never_called_wrong(faulty, offset):
    run = check(faulty("answers", "--says", "hms", "--offset", offset).url)
    assert run.outcome["status"] in ("OK", "UNKNOWN"), str(run)
    assert run.backend["offset"]["earliest"] <= offset <= run.backend["offset"]["latest"], str(run)


@pytest.mark.parametrize("offset", [0, 0.5, 0.9, -0.9], ids=lambda offset: f"{offset:+g}s")
def test_whole_seconds_are_measured_at_their_edge(faulty, sharp_reference, offset):
    """Requests that land where the second changes make one second of resolution into a sharp interval."""
    run = check(faulty("answers", "--says", "hms", "--offset", offset).url)
    assert run.verdict == ("OK", "in_sync"), str(run)


@pytest.mark.parametrize("offset", [3, -3, 1.2, -1.2], ids=lambda offset: f"{offset:+g}s")
def test_whole_seconds_that_are_wrong_are_proven_wrong(faulty, sharp_reference, offset):
    run = check(faulty("answers", "--says", "hms", "--offset", offset).url)
    assert run.verdict == ("CRITICAL", "desynchronized"), str(run)
    assert run.backend["offset"]["earliest"] <= offset <= run.backend["offset"]["latest"], str(run)


def test_a_service_that_rounds_is_not_called_wrong(faulty):
    run = check(faulty("answers", "--says", "hms-rounded").url)
    assert run.outcome["status"] in ("OK", "UNKNOWN"), str(run)


def test_an_answer_that_is_slow_on_its_way_widens_the_interval_and_proves_nothing_wrong(faulty):
    """The time was read at once, but arrived 0.7 s later: a check that halves the round trip would be 0.35 s off."""
    run = check(faulty("answers-and-then-dawdles", "--delay", "0.7", "--offset", "0.5").url, "--timeout", "5s")
    assert run.outcome["status"] in ("OK", "UNKNOWN"), str(run)
    assert run.backend["offset"]["earliest"] <= 0.5 <= run.backend["offset"]["latest"], str(run)
    assert run.backend["offset"]["latest"] - run.backend["offset"]["earliest"] >= 0.65, "sharper than can be known"


def test_the_warning_limit_is_a_warning(faulty, sharp_reference):
    run = check(faulty("answers", "--offset", "0.7").url, "--max-offset", "1s", "--warn-offset", "500ms")
    assert run.exit == 1, str(run)
    assert run.verdict == ("WARNING", "desynchronized"), str(run)
    assert run.outcome["limits"] == {"max_offset": 1, "warn_offset": 0.5}


@pytest.mark.parametrize(("limit", "status"), [("2s", "CRITICAL"), ("4s", "OK"), ("2900ms", "CRITICAL"), ("1m", "OK")])
def test_the_limit_is_the_one_that_was_asked_for(faulty, sharp_reference, limit, status):
    assert check(faulty("answers", "--offset", 3).url, "--max-offset", limit).outcome["status"] == status


# ------------------------------------------------------------------------------------------------- two clocks


def test_two_clocks_behind_one_address_are_told_apart_by_their_names(faulty):
    run = check(faulty("answers", "--offset", 0, "--other-offset", 3).url)
    assert run.verdict == ("CRITICAL", "desynchronized"), str(run)
    backends = {backend["instance"]: backend for backend in run.target["backends"]}
    assert set(backends) == {"aaaaaaaa", "bbbbbbbb"}, str(run)
    assert backends["aaaaaaaa"]["status"] == "OK"
    assert backends["bbbbbbbb"]["status"] == "CRITICAL"
    assert abs(backends["aaaaaaaa"]["offset"]["estimate"]) < 0.2
    assert abs(backends["bbbbbbbb"]["offset"]["estimate"] - 3) < 0.2
    assert "bbbbbbbb" in run.words, f"the one that is wrong is not named: {run.words}"


@pytest.mark.parametrize("other", [3, -3, 0.4], ids=lambda offset: f"{offset:+g}s")
def test_two_clocks_without_names_are_told_apart_by_what_they_say(faulty, sharp_reference, other):
    server = faulty("answers", "--says", "rfc3339-micro", "--other-offset", other)
    run = check(server.url, "--field", "datetime")
    estimates = sorted(backend["offset"]["estimate"] for backend in run.target["backends"])
    assert len(estimates) == 2, f"two clocks were expected:\n{run}"
    for estimate, truth in zip(estimates, sorted([0, other]), strict=True):
        assert abs(estimate - truth) < 0.2, f"neither clock says {estimate}:\n{run}"
    assert re.search(r"\b(two|2)\b", run.words), f"it does not say that there are two: {run.words}"
    assert run.outcome["status"] == ("CRITICAL" if abs(other) > 1 else "OK"), str(run)


def test_two_right_clocks_with_names_are_both_listed(faulty):
    run = check(faulty("answers", "--other-offset", 0).url)
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert {backend["instance"] for backend in run.target["backends"]} == {"aaaaaaaa", "bbbbbbbb"}


def test_a_check_says_how_likely_it_missed_a_backend(faulty):
    target = check(faulty("answers").url).target
    assert target["connections"] >= 2, "one connection sees one backend"
    assert 0 < target["miss_probability"] < 1


# ------------------------------------------------------------------------------------------------- certificates


def https(faulty, authority, *names, url_name="localhost", **validity):
    certificate = authority.certificate(*(names or ("localhost", "127.0.0.1")), **validity)
    return faulty("answers", tls=certificate, name=url_name)


def assert_certificate_refused(run: Run) -> str:
    assert_down(run, "tls", "certificate")
    return run.words.lower()


def test_a_certificate_that_has_expired_is_down_in_words(faulty, authority):
    server = https(faulty, authority, starts_in_days=-30, ends_in_days=-1, url_name="127.0.0.1")
    run = check_in_time(server.url, "--ca-file", str(authority.file), timeout=3)
    words = assert_certificate_refused(run)
    assert "expired" in words
    assert re.search(r"certificate (itself )?is the (likelier )?culprit", words), words


def test_a_certificate_for_another_name_is_down_in_words(faulty, authority):
    server = https(faulty, authority, "time.example.org", url_name="127.0.0.1")
    run = check_in_time(server.url, "--ca-file", str(authority.file), timeout=3)
    words = assert_certificate_refused(run)
    assert "name" in words or "not valid for" in words or "127.0.0.1" in words, words
    assert "time.example.org" in words, f"it does not say for whom the certificate is: {words}"


@pytest.mark.parametrize("by", ["itself", "an authority that nobody knows"])
def test_a_certificate_that_nobody_vouches_for_is_down_in_words(faulty, authority, by):
    certificate = authority.self_signed("127.0.0.1") if by == "itself" else authority.certificate("127.0.0.1")
    run = check_in_time(faulty("answers", tls=certificate).url, timeout=3)
    words = assert_certificate_refused(run)
    assert re.search(r"trust|self-signed|issuer|authority", words), words
    assert "--ca-file" in words, f"no word of what can be done: {words}"


@pytest.mark.parametrize("shift", ["-1y", "+1y"])
def test_a_wrong_clock_here_is_suspected_before_the_certificate(faulty, authority, shift):
    server = https(faulty, authority, url_name="127.0.0.1")
    flags = ["--ca-file", str(authority.file), "--timeout", "5s"]
    run = check(server.url, *flags, environment=faketime(shift), trust=False)
    words = assert_certificate_refused(run)
    # The one that nobody could open, and what it asked to find out whose clock it is.
    assert run.target["requests"] == 1, str(run)
    ours = r"this machine|local|here|checker|own"
    assert re.search(rf"({ours})\b.*\bclock|\bclock\b.*\b({ours})\b", words), words
    assert re.search(r"likel|culprit|probabl|suspect", words), f"it does not say which clock it is rather: {words}"
    # The kernel knows nothing of faketime. Where it vouches for the clock, that clock is rightly believed.
    if run.outcome["reference"]["status"] != "synchronized":
        assert re.search(r"this machine's clock( \([^)]*\))? is the likelier culprit", words), words


@pytest.mark.parametrize("shift", ["-1y", "+1y"])
def test_a_clock_that_the_user_trusts_leaves_the_certificate_as_the_culprit(faulty, authority, shift):
    server = https(faulty, authority, url_name="127.0.0.1")
    flags = ["--ca-file", str(authority.file), "--timeout", "5s", "--trust-system-clock"]
    run = check(server.url, *flags, environment=faketime(shift))
    words = assert_certificate_refused(run)
    assert "trusted by the user: the certificate" in words, words
    assert "this machine's clock is the likelier culprit" not in words, words


# ------------------------------------------------------------------------------------------------- wrong usage


WRONG_USAGE = {
    "an unknown flag": ["http://127.0.0.1:9", "--frobnicate"],
    "a negative limit": ["http://127.0.0.1:9", "--max-offset=-1"],
    "a negative limit with a unit": ["http://127.0.0.1:9", "--max-offset=-1s"],
    "a limit in words": ["http://127.0.0.1:9", "--max-offset", "soon"],
    "a warning limit above the limit": ["http://127.0.0.1:9", "--max-offset", "1s", "--warn-offset", "2s"],
    "no time at all": ["http://127.0.0.1:9", "--timeout", "0s"],
    "no samples": ["http://127.0.0.1:9", "--samples", "0"],
    "a period of nothing": ["http://127.0.0.1:9", "--every", "0s"],
    "an unknown output": ["http://127.0.0.1:9", "--output", "yaml"],
    "an unknown format": ["http://127.0.0.1:9", "--format", "sundial"],
    "words": ["what time is it"],
    "a number, which is no host": ["http://127.0.0.1:9", "5"],
    "another scheme": ["ftp://127.0.0.1/now"],
    "a scheme and nothing more": ["http://"],
    "a port that is none": ["http://127.0.0.1:99999/now"],
    "no URL": [],
    "a file of authorities that is not there": ["https://127.0.0.1:9", "--ca-file", "/nowhere/authority.pem"],
}


@pytest.mark.parametrize("arguments", WRONG_USAGE.values(), ids=WRONG_USAGE.keys())
def test_wrong_usage_is_one_line_and_exit_code_3(arguments):
    run = nowcheck(*arguments)
    assert run.exit == 3, str(run)
    assert run.stdout == "", str(run)
    lines = run.stderr.splitlines()
    assert len(lines) == 1, f"one line was expected:\n{run}"
    assert "--help" in lines[0], str(run)
    assert run.seconds < 2, str(run)


@pytest.mark.parametrize(
    "arguments",
    [
        ["https://127.0.0.1:9", "--ca-file"],
        ["http://127.0.0.1:9", "--user-file"],
        ["config", "check"],
        ["watch", "--config"],
    ],
    ids=lambda arguments: arguments[-1],
)
def test_a_pipe_that_nobody_writes_to_is_not_waited_for_for_ever(arguments, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with within(8, "five seconds of waiting"):
        told = subprocess.run(
            [binary("nowcheck"), *arguments, pipe], capture_output=True, text=True, timeout=20, check=False
        )  # fmt: skip
    assert told.returncode == 3, told
    assert "it is a named pipe, and nobody has written to it for 5 s" in told.stderr, told


def test_what_another_program_writes_is_read_as_a_file_is(faulty, authority):
    server = https(faulty, authority, url_name="127.0.0.1")
    script = '"$1" "$2" --ca-file <(sleep 0.2; cat "$3") --trust-system-clock'
    told = subprocess.run(
        ["bash", "-c", script, "bash", binary("nowcheck"), server.url, authority.file],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["http://127.0.0.1:9", "--frobnicate"], "--frobnicate"),
        (["http://127.0.0.1:9", "--max-offset=-1"], "--max-offset"),
        (["what time is it"], "what time is it"),
        (["mailto:me"], "mailto:me"),
    ],
)
def test_wrong_usage_names_what_is_wrong(arguments, named):
    assert named in nowcheck(*arguments).stderr


@pytest.mark.parametrize(("flag", "word"), [("--help", "--max-offset"), ("--version", "nowcheck")])
def test_a_question_about_the_program_is_answered_on_stdout(flag, word):
    run = nowcheck(flag)
    assert run.exit == 0, str(run)
    assert word in run.stdout
    assert run.stderr == ""


# ------------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize("name", ["localhost", "time.localhost"])
def test_one_loopback_address_that_answers_is_enough_for_localhost(faulty, name):
    """`localhost` is the machine, not a set of servers: who listens on 127.0.0.1 alone is up."""
    run = check(faulty("answers", name=name).url)
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert any(target["address"].startswith("127.0.0.1:") for target in run.outcome["targets"]), str(run)


def test_localhost_where_nobody_listens_is_down():
    run = check(f"http://localhost:{unused_port()}", "--timeout", "2s")
    assert run.verdict == ("CRITICAL", "down"), str(run)


def test_an_ipv6_address_is_checked_like_any_other(faulty):
    try:
        server = faulty("answers", "--host", "::1")
    except AssertionError:
        lacking("there is no IPv6 on this machine's loopback")
    run = check(server.url)
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert run.target["address"] == f"[::1]:{server.port}"


def test_the_worst_of_several_urls_is_the_verdict(faulty):
    good, bad = faulty("answers"), faulty("answers", "--offset", 3)
    for urls in ([good.url, bad.url], [bad.url, good.url]):
        run = check(*urls)
        assert run.verdict == ("CRITICAL", "desynchronized"), str(run)
        assert [target["status"] for target in run.outcome["targets"]] == [
            "OK" if url == good.url else "CRITICAL" for url in urls
        ]


def test_several_slow_urls_share_one_timeout(faulty):
    urls = [faulty("never-answers").url for _ in range(4)]
    run = check(*urls, "--timeout", "1s")
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert run.seconds <= 1 + TIMEOUT_SLACK + START_UP, "they waited for one another"
