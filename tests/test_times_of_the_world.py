"""Times as the standard libraries of the common languages print them, and what cannot be read is named in one line."""

import email.utils
import http.server
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from support.nowcheck import check, nowcheck

Body = Callable[[datetime], str | bytes]
MADRID = ZoneInfo("Europe/Madrid")
INDIA = timezone(timedelta(hours=5, minutes=30))


def where_it_is(hour: int, minute: int) -> timezone:
    """A zone in which it is that time now, or up to 15 minutes later: digits look different at each time of day."""
    now = datetime.now(UTC)
    shift = timedelta(hours=hour - now.hour, minutes=minute - now.minute // 15 * 15)
    return timezone((shift + timedelta(hours=12)) % timedelta(days=1) - timedelta(hours=12))


NOON, MORNING, MIDNIGHT = where_it_is(12, 0), where_it_is(7, 0), where_it_is(0, 30)


@contextmanager
def serving(body: Body, offset: float = 0.0) -> Iterator[tuple[str, list[str]]]:
    """A server whose answers are made from its clock; its URL, and the requests that it got."""
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            requests.append(self.path)
            said = body(datetime.fromtimestamp(time.time() + offset, UTC))
            said = said.encode() if isinstance(said, str) else said
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/now", requests
    finally:
        server.shutdown()
        server.server_close()


def ticks(t: datetime) -> int:
    return int(t.timestamp() * 10**7)


# A form, how it is made, and what the check is told.
FORMS: dict[str, tuple[Callable[[datetime], str], str]] = {
    "strftime %z in UTC": (lambda t: f"{t:%Y-%m-%dT%H:%M:%S}+0000", ""),
    "strftime %z in India": (lambda t: f"{t.astimezone(INDIA):%Y-%m-%dT%H:%M:%S.%f%z}", ""),
    "Ruby, Time#to_s": (lambda t: f"{t:%Y-%m-%d %H:%M:%S +0000}", ""),
    "Go, Time.String": (lambda t: f"{t:%Y-%m-%d %H:%M:%S.%f +0000 UTC m=+0.000012}", ""),
    "Java, ZonedDateTime": (lambda t: f"{t.astimezone(MADRID).isoformat()}[Europe/Madrid]", ""),
    "ISO 8601 basic": (lambda t: f"{t:%Y%m%dT%H%M%SZ}", ""),
    "LDAP": (lambda t: f"{t:%Y%m%d%H%M%S.0Z}", ""),
    "JavaScript, Date.toString": (
        lambda t: f"{t:%a %b %d %Y %H:%M:%S} GMT+0000 (Coordinated Universal Time)",
        "",
    ),
    "date": (lambda t: f"{t:%a %b %e %H:%M:%S} UTC {t:%Y}", ""),
    "Python, formatdate": (lambda t: email.utils.formatdate(t.timestamp()), ""),
    "RFC 850": (lambda t: f"{t:%A, %d-%b-%y %H:%M:%S} GMT", ""),
    "ASP.NET": (lambda t: f"/Date({int(t.timestamp() * 1000)}+0530)/", ""),
    "PHP, microtime": (lambda t: f"{t.timestamp() % 1:.8f} {int(t.timestamp())}", ""),
    "AM and PM": (lambda t: f"{t:%I:%M:%S %p}", ""),
    "no zone": (lambda t: f"{t.astimezone(MADRID):%Y-%m-%d %H:%M:%S.%f}", "--zone Europe/Madrid"),
    "digits without a zone": (lambda t: f"{t.astimezone(MADRID):%Y%m%d%H%M%S}", "--zone Europe/Madrid"),
    "ctime in a zone": (lambda t: f"{t.astimezone(MADRID):%a %b %e %H:%M:%S %Y}", "--zone Europe/Madrid"),
    "systemd": (lambda t: f"{t:%a %Y-%m-%d %H:%M:%S} UTC", ""),
    "common log format": (lambda t: f"[{t:%d/%b/%Y:%H:%M:%S} +0000]", ""),
    "Oracle": (lambda t: f"{t:%d-%b-%y %I.%M.%S.%f %p} +00:00".upper(), ""),
    "SQL Server, style 109": (lambda t: f"{t:%b %d %Y %I:%M:%S}:{t.microsecond // 1000:03}{t:%p}", "--zone UTC"),
    "DB2": (lambda t: f"{t:%Y-%m-%d-%H.%M.%S.%f}", "--zone UTC"),
    "Elixir": (lambda t: f"~U[{t:%Y-%m-%d %H:%M:%S.%f}Z]", ""),
    "syslog": (lambda t: f"{t:%b %e %H:%M:%S}", "--zone UTC"),
    "ISO 8601, ordinal, basic": (lambda t: f"{t:%Y%jT%H%M%SZ}", ""),
    "ISO 8601, week, basic": (lambda t: f"{t:%GW%V%uT%H%M%SZ}", ""),
    "C++, an exponent": (lambda t: f"{t.timestamp():.12e}", ""),
    "Java, FULL": (lambda t: f"{t:%A, %B %e, %Y at %I:%M:%S %p} Coordinated Universal Time", ""),
    "a pattern": (lambda t: f"{t:%d/%b/%Y:%H:%M:%S +0000}", "--format %d/%b/%Y:%H:%M:%S{space}%z"),
}


@pytest.mark.parametrize("offset", [0.25, -3.0])
@pytest.mark.parametrize("form", FORMS)
def test_a_time_is_read_as_the_world_writes_it(sharp_reference, form, offset):
    said, arguments = FORMS[form]
    arguments = [part.replace("{space}", " ") for part in arguments.split()]
    with serving(lambda t: json.dumps({"now": said(t)}), offset) as (url, _):
        run = check(url, "--field", "now", *arguments)
    interval = run.backend["offset"]
    assert interval["earliest"] <= offset <= interval["latest"], str(run)
    assert run.verdict == (("OK", "in_sync") if offset > -1 else ("CRITICAL", "desynchronized")), str(run)


# Times in parts, which JSON has as an array or an object.
IN_PARTS: dict[str, tuple[Callable[[datetime], object], str]] = {
    "protocol buffers": (lambda t: {"seconds": str(int(t.timestamp())), "nanos": t.microsecond * 1000}, ""),
    "Rust, SystemTime": (
        lambda t: {"secs_since_epoch": int(t.timestamp()), "nanos_since_epoch": t.microsecond * 1000},
        "",
    ),
    "Rust, time": (lambda t: [t.year, t.timetuple().tm_yday, *t.timetuple()[3:6], t.microsecond * 1000, 0, 0, 0], ""),
    "Erlang": (lambda t: [[t.year, t.month, t.day], [t.hour, t.minute, t.second]], "--zone UTC"),
    "MongoDB": (lambda t: {"$date": f"{t:%Y-%m-%dT%H:%M:%S}.{t.microsecond // 1000:03}Z"}, ""),
    "PHP, DateTime": (lambda t: {"date": f"{t:%Y-%m-%d %H:%M:%S.%f}", "timezone_type": 3, "timezone": "UTC"}, ""),
}


@pytest.mark.parametrize("form", IN_PARTS)
def test_a_time_in_parts_is_put_together(sharp_reference, form):
    said, arguments = IN_PARTS[form]
    with serving(lambda t: json.dumps({"now": said(t)}), -3.0) as (url, _):
        run = check(url, "--field", "now", *arguments.split())
    interval = run.backend["offset"]
    assert interval["earliest"] <= -3.0 <= interval["latest"], str(run)
    assert run.verdict == ("CRITICAL", "desynchronized"), str(run)


WHOLE: dict[str, tuple[Body, list[str]]] = {
    "a JSON string is the body": (lambda t: json.dumps(t.isoformat()), ["--field", "body"]),
    "a JSON string is the document": (lambda t: json.dumps(t.isoformat()), ["--field", ""]),
    "a byte order mark": (lambda t: b"\xef\xbb\xbf" + json.dumps({"now": t.isoformat()}).encode(), ["--field", "now"]),
    "both fields are timestamps": (
        lambda t: json.dumps({"datetime": t.isoformat(), "current_time": t.isoformat()}),
        [],
    ),
    "two readings around the edge of a second": (
        lambda t: json.dumps(
            {"datetime": t.isoformat(), "current_time": f"{t - timedelta(microseconds=t.microsecond + 20):%H:%M:%S}"}
        )
        if t.microsecond < 200_000
        else json.dumps({"datetime": t.isoformat(), "current_time": f"{t:%H:%M:%S}"}),
        [],
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_a_right_answer_is_right_whatever_is_around_it(case):
    body, arguments = WHOLE[case]
    with serving(body) as (url, _):
        run = check(url, *arguments)
    assert run.verdict[0] in ("OK", "WARNING"), str(run)


NAMED: dict[str, tuple[Body, list[str], str]] = {
    "FILETIME": (lambda t: f'{{"now": {ticks(t) + 116444736000000000}}}', [], "FILETIME"),
    ".NET ticks": (lambda t: f'{{"now": {ticks(t) + 621355968000000000}}}', [], ".NET ticks"),
    "NTP": (lambda t: f'{{"now": {int(t.timestamp()) + 2208988800}}}', [], "since 1900"),
    "Cocoa": (lambda t: f'{{"now": {t.timestamp() - 978307200:.6f}}}', [], "since 2001"),
    "digits": (lambda t: f'{{"now": {t:%Y%m%d%H%M%S}}}', [], "--zone"),
    "digits in a unit": (lambda t: f'{{"now": {t:%Y%m%d%H%M%S}}}', ["--format", "unix-ms"], "YYYYMMDDHHMMSS"),
    "no zone": (lambda t: f'{{"now": "{t:%Y-%m-%dT%H:%M:%S}"}}', [], "--zone"),
    "for people": (lambda t: f'{{"now": "{t:%b %e, %Y, %I:%M:%S %p}"}}', [], "--zone"),
    "an offset that is not its zone's": (
        lambda t: f'{{"now": "{t:%Y-%m-%dT%H:%M:%S}+02:00[America/New_York]"}}',
        [],
        "contradicts itself: its offset is +02:00, and that of America/New_York is -0",
    ),
    "a critical suffix": (
        lambda t: f'{{"now": "{t:%Y-%m-%dT%H:%M:%SZ}[!x-key=1]"}}',
        [],
        "`[!x-key=1]` must not be passed over",
    ),
    "day and month": (lambda t: f'{{"now": "{t:%m/%d/%Y %I:%M:%S %p}"}}', [], "--format"),
    "a member twice": (lambda t: '{"now": 1795464711, "now": 1795464712}', [], "`now` occurs twice"),
    "UTF-16": (lambda t: json.dumps({"now": t.isoformat()}).encode("utf-16"), [], "UTF-16"),
}


@pytest.mark.parametrize("case", NAMED)
def test_what_cannot_be_read_is_named_after_a_handful_of_requests(case):
    body, arguments, words = NAMED[case]
    with serving(body) as (url, requests):
        run = check(url, "--field", "now", *arguments)
    assert run.failure["kind"] == "not_a_time", str(run)
    assert words in run.words, run.words
    assert len(requests) <= 5, f"{len(requests)} requests"


def uptime(per_second: int) -> Body:
    return lambda _: f'{{"now": {int((time.monotonic() + 3600) * per_second)}}}'


COUNTER = iter(range(10**9))

NO_TIMES: dict[str, tuple[Body, str]] = {
    "uptime in ms": (uptime(10**3), "1,000 times as fast as time, as an uptime"),
    "uptime in us": (uptime(10**6), "1,000,000 times as fast as time, as an uptime"),
    "uptime in ns": (uptime(10**9), "1,000,000 times as fast as time, as an uptime"),
    "a counter of requests": (lambda _: f'{{"now": {next(COUNTER)}}}', "as a counter does"),
    "a snowflake id": (lambda t: f'{{"now": {(int(t.timestamp() * 1000) - 1288834974657) << 22}}}', "a snowflake id"),
    "HHMMSS": (lambda t: f'{{"now": {int(f"{t.astimezone(NOON):%H%M%S}")}}}', "HHMMSS"),
    "HHMMSS without a leading zero": (lambda t: f'{{"now": {int(f"{t.astimezone(MORNING):%H%M%S}")}}}', "HHMMSS"),
    "HHMMSS after midnight": (lambda t: f'{{"now": {int(f"{t.astimezone(MIDNIGHT):%H%M%S}")}}}', "HHMMSS"),
}


@pytest.mark.parametrize("case", NO_TIMES)
def test_a_number_that_is_no_time_is_named_after_a_handful_of_requests(case):
    body, words = NO_TIMES[case]
    with serving(body) as (url, requests):
        run = check(url, "--field", "now")
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert run.failure["kind"] == "not_a_time", str(run)
    assert words in run.words, run.words
    assert "--field" in run.words, run.words
    assert len(requests) <= 8, f"{len(requests)} requests"


def test_random_numbers_cost_few_requests():
    with serving(lambda _: f'{{"now": {random.randrange(10**9)}}}') as (url, requests):
        run = check(url, "--field", "now")
    assert run.outcome["status"] == "CRITICAL", str(run)
    assert len(requests) <= 16, f"{len(requests)} requests"


BESIDE: dict[str, tuple[Body, list[str], str]] = {
    "uptime": (
        lambda t: json.dumps({"uptime": int((time.monotonic() + 3600) * 1000), "datetime": t.isoformat()}),
        ["--field", "uptime"],
        "leave out --field",
    ),
    "a field that is not there": (
        lambda t: json.dumps({"uptime": 5, "data": {"at": t.isoformat()}}),
        ["--field", "now"],
        "try --field data.at",
    ),
    "another format": (
        lambda t: json.dumps({"now": t.timestamp()}),
        ["--field", "now", "--format", "rfc3339"],
        "leave out --format",
    ),
    "another pattern": (
        lambda t: json.dumps({"now": t.isoformat()}),
        ["--field", "now", "--format", "%d.%m.%Y %H:%M:%S", "--zone", "UTC"],
        "leave out --format",
    ),
    "another unit": (
        lambda t: json.dumps({"now": int(t.timestamp())}),
        ["--field", "now", "--format", "unix-ms"],
        "leave out --format",
    ),
}


@pytest.mark.parametrize("case", BESIDE)
def test_settings_that_do_not_fit_an_answer_that_holds_a_time_are_the_checks_fault(case):
    body, arguments, words = BESIDE[case]
    with serving(body) as (url, requests):
        run = check(url, *arguments)
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert run.failure["kind"] == "not_a_time", str(run)
    assert "the service answers" in run.words, run.words
    assert words in run.words, run.words
    assert len(requests) <= 8, f"{len(requests)} requests"


def test_a_setting_that_fitted_an_earlier_answer_is_right_and_the_service_is_not():
    answers = iter(range(10**9))

    def body(t: datetime) -> str:
        return json.dumps({"now" if next(answers) < 3 else "later": t.isoformat()})

    with serving(body) as (url, _):
        run = check(url, "--field", "now")
    assert run.verdict == ("CRITICAL", "down"), str(run)


@pytest.mark.parametrize("apart", [0.1, 0.3, 0.6])
def test_a_slow_program_may_read_its_clock_twice(sharp_reference, apart):
    def body(t: datetime) -> str:
        time.sleep(apart)
        later = t + timedelta(seconds=apart)
        return json.dumps({"current_time": f"{t:%Y-%m-%dT%H:%M:%S.%fZ}", "datetime": f"{later:%Y-%m-%dT%H:%M:%S.%fZ}"})

    with serving(body) as (url, _):
        run = check(url)
    assert run.verdict == ("OK", "in_sync"), str(run)
    interval = run.backend["offset"]
    assert interval["earliest"] <= 0 <= interval["latest"], str(run)


def test_a_local_time_beside_its_zone_is_no_contradiction(sharp_reference):
    def body(t: datetime) -> str:
        local = t.astimezone(MADRID)
        return json.dumps(
            {"current_time": f"{local:%H:%M:%S}", "timezone": "Europe/Madrid", "datetime": f"{t:%Y-%m-%dT%H:%M:%S.%fZ}"}
        )

    with serving(body) as (url, _):
        assert check(url).verdict == ("OK", "in_sync")


@pytest.mark.parametrize("form", ["%d.%m.%Y %H:%M:%S", "%d.%m.%y %H:%M:%S", "%d.%m.%Y, %H:%M:%S"])
def test_the_pattern_that_is_suggested_for_a_date_with_dots_reads_it(sharp_reference, form):
    with serving(lambda t: json.dumps({"now": t.strftime(form)})) as (url, _):
        named = check(url, "--field", "now")
        assert f"--format '{form}' and --zone NAME" in named.words, named.words
        run = check(url, "--field", "now", "--format", form, "--zone", "UTC")
    assert run.verdict == ("OK", "in_sync"), str(run)


@pytest.mark.parametrize("tick", [0.010, 0.015625])
@pytest.mark.parametrize("instance", [None, "one"])
def test_a_clock_that_ticks_coarsely_is_one_clock(sharp_reference, tick, instance):
    """dotnet/docs#2623: Windows' clock ticks every 15.6 ms, and its microseconds are printed all the same."""

    def body(t: datetime) -> str:
        ticked = datetime.fromtimestamp(t.timestamp() // tick * tick, UTC)
        return json.dumps({"datetime": f"{ticked:%Y-%m-%dT%H:%M:%S.%fZ}"} | ({"instance": instance} if instance else {}))

    with serving(body) as (url, requests):
        run = check(url)
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert len(run.target["backends"]) == 1, str(run)
    interval = run.backend["offset"]
    assert interval["earliest"] <= 0 <= interval["latest"], str(run)
    assert len(requests) <= 30, f"{len(requests)} requests"


@pytest.mark.parametrize(
    "arguments", [["--zone", "Europe/Atlantis"], ["--format", "%J"], ["--format", "iso"]], ids=" ".join
)
def test_a_zone_or_a_format_that_is_none_is_wrong_usage(arguments):
    run = nowcheck("http://127.0.0.1:9", *arguments)
    assert run.exit == 3, str(run)
    assert arguments[0] in run.stderr, str(run)
    assert arguments[1] in run.stderr, str(run)


def test_a_nameless_clock_that_prints_rounded_seconds_is_decided(sharp_reference):
    """C++ and `%.9e` print `1.795406461e+09`, which is rounded to whole seconds: an answer means a second and a half."""
    with serving(lambda t: f'{{"now": {t.timestamp():.9e}}}') as (url, requests):
        run = check(url, "--field", "now")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert len(requests) <= 64, f"{len(requests)} requests"


@pytest.mark.parametrize("wrong", [-1.4, 1.4, 2.5])
def test_a_wrong_one_of_two_nameless_clocks_that_round_is_never_ok(sharp_reference, wrong):
    answers = iter(range(10**9))

    def body(t: datetime) -> str:
        return f'{{"now": {t.timestamp() + (wrong if next(answers) % 3 == 1 else 0):.9e}}}'

    with serving(body) as (url, _):
        run = check(url, "--field", "now")
    assert run.outcome["status"] != "OK", str(run)
