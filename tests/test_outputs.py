"""What people, monitoring systems and programs get to read."""

import json
import os
import pty
import re
import subprocess

import pytest

from support import perfdata
from support.nowcheck import EXIT, check, clean_environment, nowcheck, trusting
from support.process import WAIT
from support.tools import ROOT, binary

ANSI = re.compile(r"\x1b\[")
SERVERS = {
    # name -> behavior, options of the check, status
    "in sync": (["answers"], [], "OK"),
    "ahead": (["answers", "--offset", 3], [], "CRITICAL"),
    "behind": (["answers", "--offset", -3], [], "CRITICAL"),
    "a warning": (["answers", "--offset", "-0.7"], ["--warn-offset", "500ms"], "WARNING"),
    "whole seconds": (["answers", "--says", "hms"], [], "OK"),
    "two clocks": (["answers", "--other-offset", "3"], [], "CRITICAL"),
    "out of order": (["refuses-with-a-status"], [], "CRITICAL"),
    "not a time": (["answers", "--says", "html"], [], "CRITICAL"),
    "silent": (["never-answers"], ["--timeout", "500ms"], "CRITICAL"),
    "a stale cache": (["repeats-itself"], [], "CRITICAL"),
    "undecidable": (["answers-and-then-dawdles", "--delay", "1.5"], ["--timeout", "4s"], "UNKNOWN"),
}


@pytest.fixture(params=SERVERS.items(), ids=lambda item: item[0])
def case(request, faulty):
    """A server, the options to check it with, and the status that is right."""
    _, (behavior, options, status) = request.param
    return faulty(*behavior), options, status


def on_a_terminal(*arguments: str, **environment: str) -> tuple[int, str]:
    """Runs it with a terminal for its output; the exit code and what the terminal was sent."""
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm-256color"} | environment
    process = subprocess.Popen(
        [binary("nowcheck"), *trusting(*arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=clean_environment(**environment),
    )
    os.close(theirs)
    seen = b""
    try:
        while more := os.read(ours, 4096):
            seen += more
    except OSError:
        pass  # Linux says EIO when the other side of a terminal is closed.
    finally:
        os.close(ours)
    return process.wait(WAIT), seen.decode()


# ------------------------------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("output", ["human", "json", "nagios"])
def test_every_output_has_the_same_verdict_and_exit_code(case, sharp_reference, output):
    server, options, status = case
    run = nowcheck(server.url, *options, "--output", output)
    assert run.exit == EXIT[status], str(run)
    assert status in run.stdout, str(run)
    assert run.stderr == "", "a verdict is the output, not an error"
    assert not ANSI.search(run.stdout)


def test_the_output_for_people_is_the_usual_one(faulty):
    url = faulty("answers").url
    usual, human = nowcheck(url).stdout, nowcheck(url, "--output", "human").stdout
    assert [line.split()[:1] for line in usual.splitlines()] == [line.split()[:1] for line in human.splitlines()]


# ------------------------------------------------------------------------------------------------- people


def test_people_read_verdict_offset_bound_round_trip_address_and_instance(faulty, sharp_reference):
    server = faulty("answers", "--offset", "0.25")
    text = nowcheck(server.url).stdout
    assert re.search(r"^\W*OK\b", text, re.MULTILINE), text
    offset = re.search(r"([+-])(\d+(?:\.\d+)?) ?(s|ms) ?± ?(\d+(?:\.\d+)?) ?(s|ms|µs|us)", text)
    assert offset, f"no `+250 ms ± 0.2 ms`: {text}"
    assert offset[1] == "+"
    assert abs(float(offset[2]) * {"s": 1, "ms": 1e-3}[offset[3]] - 0.25) < 0.1
    assert re.search(r"round.?trip", text, re.IGNORECASE), text
    assert f"127.0.0.1:{server.port}" in text
    assert "00c0ffee" in text


@pytest.mark.parametrize(("offset", "sign"), [(3, "+"), (-3, "-")])
def test_people_read_on_which_side_a_clock_is_wrong_and_what_to_do(faulty, offset, sign):
    text = nowcheck(faulty("answers", "--offset", offset).url).stdout.replace("−", "-")
    assert re.search(r"^\W*CRITICAL\b", text, re.MULTILINE), text
    assert re.search(rf"{re.escape(sign)}(3\.0\d*|2\.99\d*) ?s", text), text
    assert re.search("ahead|fast" if offset > 0 else "behind|slow", text), text
    assert re.search(r"ntp|chrony|timesync|synchroni[sz]", text, re.IGNORECASE), f"no next step: {text}"


def test_people_read_what_to_do_when_nobody_listens(faulty):
    server = faulty("answers")
    server.stop()
    text = nowcheck(server.url).stdout
    assert re.search(r"running|started|listen|firewall|port", text), f"no next step: {text}"


def test_people_read_of_both_backends(faulty):
    text = nowcheck(faulty("answers", "--other-offset", 3).url).stdout
    assert "aaaaaaaa" in text
    assert "bbbbbbbb" in text


def test_a_terminal_gets_color(faulty):
    code, text = on_a_terminal(faulty("answers", "--offset", 3).url)
    assert code == 2
    assert ANSI.search(text), repr(text)


def test_no_color_is_respected_on_a_terminal(faulty):
    # Any value that is not empty counts (no-color.org).
    code, text = on_a_terminal(faulty("answers", "--offset", 3).url, NO_COLOR="1")
    assert code == 2
    assert "CRITICAL" in text
    assert not ANSI.search(text), repr(text)


def test_an_empty_no_color_counts_as_none(faulty):
    _, text = on_a_terminal(faulty("answers", "--offset", 3).url, NO_COLOR="")
    assert ANSI.search(text), repr(text)


def test_a_dumb_terminal_gets_no_color(faulty):
    _, text = on_a_terminal(faulty("answers", "--offset", 3).url, TERM="dumb")
    assert not ANSI.search(text), repr(text)


@pytest.mark.parametrize("output", ["json", "nagios"])
def test_what_programs_read_has_no_color_even_on_a_terminal(faulty, output):
    _, text = on_a_terminal(faulty("answers", "--offset", 3).url, "--output", output)
    assert not ANSI.search(text), repr(text)


def test_color_changes_no_word(faulty):
    server = faulty("refuses-with-a-status")
    _, colored = on_a_terminal(server.url)
    _, plain = on_a_terminal(server.url, NO_COLOR="1")
    figures = re.compile(r"\d+(\.\d+)?( ?(s|ms|µs|us)\b)?")
    bare = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert figures.sub("N", bare) == figures.sub("N", plain)


# ------------------------------------------------------------------------------------------------- monitoring systems


def test_nagios_reads_status_text_and_strict_performance_data(case, sharp_reference):
    server, options, status = case
    run = nowcheck(server.url, *options, "--output", "nagios")
    output = perfdata.parse(run.stdout)
    assert output.service == "NOWCHECK"
    assert output.status == status
    assert output.text
    for item in output.items.values():
        assert item.unit in ("s", ""), f"base units only: {item}"


@pytest.mark.parametrize("offset", [3, -3, 0.25, -0.25, 86400])
def test_nagios_gets_the_signed_offset_in_seconds(faulty, offset):
    run = nowcheck(faulty("answers", "--offset", offset).url, "--output", "nagios")
    item = perfdata.parse(run.stdout).items["offset"]
    assert item.unit == "s"
    assert abs(item.value - offset) < 0.1, str(run)


@pytest.mark.parametrize("offset", [0, 0.7, -0.7, 3, -3])
def test_nagios_thresholds_are_those_of_the_verdict(faulty, sharp_reference, offset):
    """A negative offset is as wrong as a positive one: a bare `1` would mean 0..1 and call -0.1 s an alarm."""
    server = faulty("answers", "--offset", offset)
    run = nowcheck(server.url, "--output", "nagios", "--max-offset", "1s", "--warn-offset", "500ms")
    output = perfdata.parse(run.stdout)
    item = output.items["offset"]
    assert item.warn, str(run)
    assert item.crit, str(run)
    quiet_warn, quiet_crit = perfdata.in_range(item.warn, item.value), perfdata.in_range(item.crit, item.value)
    assert output.status == ("OK" if quiet_warn else "WARNING" if quiet_crit else "CRITICAL"), str(run)


def test_tiny_figures_have_no_exponent(faulty):
    run = nowcheck(faulty("answers").url, "--output", "nagios")
    data = run.stdout.splitlines()[0].split("|")[1]
    assert not re.search(r"\d[eE][+-]?\d", data), data


def test_an_outage_is_critical_and_not_unknown_for_nagios(faulty):
    run = nowcheck(faulty("never-answers").url, "--timeout", "300ms", "--output", "nagios")
    assert run.exit == 2
    assert run.stdout.startswith("NOWCHECK CRITICAL - "), str(run)


def test_what_a_server_says_cannot_forge_performance_data(faulty):
    """A bar begins the data: one that comes from the server must not reach the line as it is."""
    server = faulty("redirects", "--status", "302 Found", "--location", "http://x/|offset=0s")
    output = perfdata.parse(nowcheck(server.url, "--output", "nagios").stdout)
    assert output.items.get("offset") is None or output.items["offset"].value is None


def test_labels_of_several_targets_do_not_collide(faulty):
    urls = [faulty("answers").url, faulty("answers").url]
    output = perfdata.parse(nowcheck(*urls, "--output", "nagios").stdout)
    assert sum("offset" in label for label in output.items) >= 2, output.items


# ------------------------------------------------------------------------------------------------- programs


def test_programs_read_one_object_on_one_line_by_the_schema(case, sharp_reference):
    server, options, status = case
    run = check(server.url, *options)  # Holds it against the schema.
    assert run.outcome["status"] == status
    assert run.stderr == ""
    assert run.target["url"].startswith(server.url)


def test_figures_in_json_are_seconds(faulty):
    run = check(faulty("answers", "--delay", "0.2").url)
    assert 0.2 <= run.backend["round_trip"]["min"] < 0.5
    assert 0.2 <= run.target["phases"]["wait"] < 0.5
    assert run.outcome["limits"] == {"max_offset": 1, "warn_offset": None}
    assert 0.2 <= run.outcome["duration"] <= run.seconds


def test_json_hands_on_what_the_backend_says_of_its_own_clock(one_nowd):
    said = json.loads(one_nowd.get("/now")[2])
    backend = check(one_nowd.url).backend
    assert backend["instance"] == said["instance"]
    assert backend["clock"]["status"] == said["clock"]["status"]


def test_a_server_that_says_nothing_of_its_clock_has_none_in_json(faulty):
    backend = check(faulty("answers", "--says", "hms").url).backend
    assert backend["clock"] is None
    assert backend["instance"] is None


def test_the_schema_itself_is_one():
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(json.loads((ROOT / "contract" / "nowcheck.schema.json").read_text()))


def test_a_closed_pipe_is_no_crash(faulty):
    """`nowcheck … | head -0`: who reads no more is not told of a panic."""
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [binary("nowcheck"), faulty("answers").url],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        timeout=WAIT,
        env=clean_environment(),
    )
    os.close(theirs)
    assert "panicked" not in done.stderr, done.stderr
