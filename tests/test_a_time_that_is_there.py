"""A service that answers with a time is not down because the settings miss it: the result is UNKNOWN, with what to set."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from zoneinfo import ZoneInfo

import pytest

from support.nowcheck import check, nowcheck
from support.raw_answers import answer

MADRID = ZoneInfo("Europe/Madrid")


def now() -> datetime:
    return datetime.now(UTC)


def rfc3339() -> str:
    return f"{now():%Y-%m-%dT%H:%M:%S.%fZ}"


def local(pattern: str) -> str:
    return now().astimezone(MADRID).strftime(pattern)


def document(**members: Callable[[], object]) -> Callable[[], bytes]:
    return lambda: answer(body=json.dumps({name: value() for name, value in members.items()}).encode())


def text(said: Callable[[], str]) -> Callable[[], bytes]:
    return lambda: answer(body=said().encode())


def ticks(epoch: int) -> Callable[[], int]:
    return lambda: time.time_ns() // 100 + epoch


# An answer, and what is advised. The advice is taken, unless it is open (a zone, a form that is not read).
THERE: dict[str, tuple[Callable[[], bytes], list[str]]] = {
    "another member": (document(now=rfc3339), ["--field", "now"]),
    "a member within": (document(data=lambda: {"times": [{"utc": rfc3339()}]}), ["--field", "data.times.0.utc"]),
    "a number in another member": (document(epoch=time.time), ["--field", "epoch"]),
    "a time of day in another member": (document(clock=lambda: f"{now():%H:%M:%S}"), ["--field", "clock"]),
    "plain text": (text(rfc3339), ["--field", "body"]),
    "a number as text": (text(lambda: f"{time.time():.6f}\n"), ["--field", "body"]),
    "a JSON string": (text(lambda: json.dumps(rfc3339())), ["--field", "body"]),
    "no zone": (document(datetime=lambda: rfc3339()[:-1]), ["--zone", "UTC"]),
    "no zone in another member": (document(now=lambda: rfc3339()[:-1]), ["--field", "now", "--zone", "UTC"]),
    "an abbreviation": (document(datetime=lambda: local("%Y-%m-%d %H:%M:%S CET")), ["--zone", "CET"]),
    "text around the time": (
        text(lambda: f"The time is {rfc3339()}."),
        ["--field", "body", "--format", "'The time is %Y-%m-%dT%H:%M:%S%.fZ.'", "--zone", "UTC"],
    ),
    "text around the time in a member": (
        document(datetime=lambda: f"now {now():%Y-%m-%d %H:%M:%S+00:00}"),
        ["--format", "'now %Y-%m-%d %H:%M:%S%:z'"],
    ),
    "XML": (
        text(lambda: f"<time>{now():%Y-%m-%dT%H:%M:%S+00:00}</time>"),
        ["--field", "body", "--format", "'<time>%Y-%m-%dT%H:%M:%S%:z</time>'"],
    ),
    "a header of its own": (
        lambda: answer(f"X-Time: {rfc3339()}", body=b"{}"),
        ["--field", "header:x-time"],
    ),
}

LIMITS = ["--max-offset", "2s"]


@pytest.mark.parametrize("case", THERE)
def test_a_time_that_is_there_is_unknown_and_the_advice_reads_it(raw, case, sharp_reference):
    answers, advice = THERE[case]
    server = raw(lambda _: answers())
    run = check(server.url)
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert run.failure["kind"] == "not_a_time", str(run)
    pairs = [" ".join(pair) for pair in zip(advice[::2], advice[1::2], strict=True)]
    said = f"try {' and '.join(pairs)}"
    assert said in run.words, run.words
    assert f"next: {said}" in nowcheck(server.url).stdout
    if "header:x-time" not in advice:
        taken = check(server.url, *(part.strip("'") for part in advice), *LIMITS)
        assert taken.verdict == ("OK", "in_sync"), str(taken)


# What nobody can advise to the letter.
NAMED: dict[str, tuple[Callable[[], bytes], str]] = {
    "FILETIME": (document(datetime=ticks(116444736000000000)), "FILETIME"),
    "FILETIME in another member": (document(now=ticks(116444736000000000)), "(now), which no flag reads"),
    ".NET ticks": (document(ticks=ticks(621355968000000000)), ".NET ticks"),
    "NTP": (document(time=lambda: int(time.time()) + 2208988800), "since 1900"),
    "Cocoa": (document(time=lambda: time.time() - 978307200), "since 2001"),
    "local time without a zone": (document(datetime=lambda: local("%Y-%m-%d %H:%M:%S")), "try --zone NAME"),
    "local time as text": (text(lambda: local("%Y-%m-%d %H:%M:%S")), "try --field body and --zone NAME"),
    "day and month": (document(now=lambda: f"{now():%d.%m.%Y %H:%M:%S}"), "'%d.%m.%Y %H:%M:%S' and --zone NAME"),
    "UTF-16": (lambda: answer(body=json.dumps({"datetime": rfc3339()}).encode("utf-16")), "UTF-16"),
    "the header Date, and all is well": (
        lambda: answer(f"Date: {format_datetime(now(), usegmt=True)}", body=b"OK\n"),
        "try --field header:date",
    ),
    "the header Date of an answer without a body": (
        lambda: f"HTTP/1.1 204 No Content\r\nDate: {format_datetime(now(), usegmt=True)}\r\n\r\n".encode(),
        "try --field header:date",
    ),
}


@pytest.mark.parametrize("case", NAMED)
def test_a_time_that_no_setting_reads_to_the_letter_is_unknown_and_named(raw, case):
    answers, words = NAMED[case]
    server = raw(lambda _: answers())
    run = check(server.url)
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert words in run.words, run.words
    assert len(server.heads) <= 5, f"{len(server.heads)} requests"


def failing(status: str) -> Callable[[], bytes]:
    return lambda: answer(status=status, body=json.dumps({"type": "about:blank", "timestamp": rfc3339()}).encode())


DATE = {"Date": lambda: format_datetime(now(), usegmt=True)}

NOT_THERE: dict[str, tuple[Callable[[], bytes], list[str]]] = {
    "an error page": (
        lambda: answer(f"Date: {DATE['Date']()}", body=b"<html><h1>Something went wrong</h1></html>"),
        [],
    ),
    "an error page with its date": (
        lambda: answer(body=f"<!doctype html><p>Whitelabel Error Page, {rfc3339()}".encode()),
        [],
    ),
    "an error document": (lambda: answer(f"Date: {DATE['Date']()}", body=b'{"error": "no database"}'), []),
    "an error as text": (lambda: answer(f"Date: {DATE['Date']()}", body=b"no database"), []),
    "an empty body": (lambda: answer(f"Date: {DATE['Date']()}", body=b""), []),
    "an old time": (document(started=lambda: f"{now() - timedelta(days=9):%Y-%m-%dT%H:%M:%SZ}"), []),
    "a problem with status 500": (failing("500 Internal Server Error"), []),
    "a problem with status 500, and a field": (failing("500 Internal Server Error"), ["--field", "now"]),
    "a problem with status 502, and its own field": (failing("502 Bad Gateway"), ["--field", "timestamp"]),
    "a problem with status 404": (failing("404 Not Found"), ["--field", "now"]),
    "a member twice": (lambda: answer(body=b'{"datetime": 1, "datetime": 2}'), []),
    "a member twice, and its field": (
        lambda: answer(body=f'{{"now": "{rfc3339()}", "now": "2026-01-01T00:00:00Z"}}'.encode()),
        ["--field", "now"],
    ),
    "two fields that contradict each other": (
        document(datetime=rfc3339, current_time=lambda: f"{now() + timedelta(hours=2, minutes=7):%H:%M:%S}"),
        [],
    ),
}


@pytest.mark.parametrize("case", NOT_THERE)
def test_a_service_that_tells_no_time_is_down(raw, case):
    answers, arguments = NOT_THERE[case]
    run = check(raw(lambda _: answers()).url, *arguments, "--timeout", "4s")
    assert run.verdict == ("CRITICAL", "down"), str(run)


def test_an_error_document_with_success_follows_the_rule_too(raw):
    problem = document(type=lambda: "about:blank", status=lambda: 500, timestamp=rfc3339)
    run = check(raw(lambda _: problem()).url, "--field", "now")
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert "try --field timestamp" in run.words, run.words


# ------------------------------------------------------------------------------------------------- zones beside times

ZONES: dict[str, tuple[Callable[[], bytes], list[str]]] = {
    "a time of day and its zone": (
        document(current_time=lambda: local("%H:%M:%S"), timezone=lambda: "Europe/Madrid"),
        [],
    ),
    "a date and its zone": (document(datetime=lambda: local("%Y-%m-%dT%H:%M:%S.%f"), tz=lambda: "Europe/Madrid"), []),
    "a time in another field": (
        document(now=lambda: local("%H:%M:%S"), timezone=lambda: "Europe/Madrid"),
        ["--field", "now"],
    ),
    "a zone within": (
        document(place=lambda: {"now": local("%H:%M:%S"), "time_zone": "Europe/Madrid"}),
        ["--field", "/place/now"],
    ),
    "an offset beside a time": (
        document(now=lambda: f"{now() + timedelta(hours=5, minutes=45):%H:%M:%S}", utc_offset=lambda: 20700),
        ["--field", "now"],
    ),
    "an offset that is written": (
        document(now=lambda: f"{now() - timedelta(hours=3, minutes=30):%H:%M:%S}", utc_offset=lambda: "-03:30"),
        ["--field", "now"],
    ),
    "a time that says its own zone": (document(now=rfc3339, timezone=lambda: "Asia/Tokyo"), ["--field", "now"]),
    "the zone of the user": (
        document(now=lambda: local("%H:%M:%S"), timezone=lambda: "Asia/Tokyo"),
        ["--field", "now", "--zone", "Europe/Madrid"],
    ),
    "UTC beside a zone without a name that is known": (
        document(now=lambda: f"{now():%H:%M:%S}", timezone=lambda: "GMT Standard Time"),
        ["--field", "now"],
    ),
}


@pytest.mark.parametrize("case", ZONES)
def test_a_time_without_an_offset_is_in_the_zone_that_the_document_names(raw, case, sharp_reference):
    answers, arguments = ZONES[case]
    run = check(raw(lambda _: answers()).url, *arguments)
    assert run.verdict == ("OK", "in_sync"), str(run)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "UTC"])
@pytest.mark.parametrize("field", ["current_time", "datetime", "unix_time"])
def test_every_field_of_nowd_is_right_in_every_zone(one_nowd, field, zone, sharp_reference):
    run = check(f"{one_nowd.url}/now?tz={zone}", "--field", field)
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert run.backend["instance"], "the instance is read beside any field"


OPEN: dict[str, Callable[[], bytes]] = {
    "a zone of unknown name": document(
        now=lambda: local("%H:%M:%S"), timezone=lambda: "W. Europe Standard Time"
    ),
    "UTC beside the name of another zone": document(
        now=lambda: f"{now():%H:%M:%S}", timezone=lambda: "Asia/Tokyo"
    ),
}


@pytest.mark.parametrize("case", OPEN)
def test_a_zone_that_nobody_can_tell_is_asked_for(raw, case):
    run = check(raw(lambda _: OPEN[case]()).url, "--field", "now")
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert "--zone" in run.words, run.words


def test_a_wrong_clock_in_a_named_zone_stays_wrong(raw):
    said = document(
        now=lambda: f"{now().astimezone(MADRID) - timedelta(seconds=30):%H:%M:%S}", timezone=lambda: "Europe/Madrid"
    )
    run = check(raw(lambda _: said()).url, "--field", "now")
    assert run.verdict == ("CRITICAL", "desynchronized"), str(run)
    assert run.backend["offset"]["earliest"] > -32, str(run)


# ------------------------------------------------------------------------------------------------- numbers


def test_an_uptime_in_seconds_gets_a_hint(raw):
    server = raw(lambda _: document(now=lambda: int(time.monotonic()))())
    run = nowcheck(server.url, "--field", "now")
    assert run.exit == 2, str(run)
    assert "an uptime in seconds" in run.stdout and "--field" in run.stdout, run.stdout
