"""As a plugin of Nagios, Icinga and their relatives, through NRPE, and from cron.

The flags and the output follow the Monitoring Plugins Development Guidelines, sections 2 (output) and 6 (options).
"""

import json
import re
import signal
import socket

import pytest

from support import perfdata
from support.nowcheck import nowcheck
from support.process import poll
from support.tools import ROOT

# NRPE before version 3: a buffer of 1,024 bytes, with a final zero.
NRPE = 1023


def of(server, *flags: str) -> list[str]:
    """A server by the flags of plugins."""
    return ["-H", "127.0.0.1", "-p", str(server.port), *flags]


# ------------------------------------------------------------------------------------------------- flags


@pytest.mark.parametrize(
    "flags",
    [
        ["-t", "5"],
        ["-t5", "-w0.5", "-c1"],
        ["-w", "0.5", "-c", "1", "-v"],
        ["-w", "500ms", "-c", "1s", "-vvv"],
        ["--warning", "0:0.5", "--critical", "-1:1"],
        ["-u", "/now", "-4"],
    ],
    ids=" ".join,
)
def test_the_flags_of_plugins_are_understood(faulty, sharp_reference, flags):
    run = nowcheck(*of(faulty("answers"), *flags), "--output", "nagios")
    assert run.exit == 0, str(run)
    assert perfdata.parse(run.stdout).status == "OK"


@pytest.mark.parametrize(
    ("offset", "exit_code"), [("0.2", 0), ("-0.2", 0), ("0.7", 1), ("-0.7", 1), ("1.5", 2), ("-1.5", 2)]
)
def test_warn_and_critical_are_seconds_in_both_directions(faulty, sharp_reference, offset, exit_code):
    server = faulty("answers", "--offset", offset)
    run = nowcheck(*of(server, "-w", "0.5", "-c", "1"), "--output", "nagios")
    assert run.exit == exit_code, str(run)


def test_a_path_and_tls_are_asked_for(faulty, authority):
    server = faulty("answers", tls=authority.certificate("127.0.0.1"))
    run = nowcheck(*of(server, "-S", "-u", "v1/time?a=b"), "--ca-file", str(authority.file), "--output", "json")
    assert json.loads(run.stdout)["targets"][0]["url"] == f"https://127.0.0.1:{server.port}/v1/time?a=b", str(run)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["http://time.example", "-H", "time.example"], "-H time.example and a URL are both given; leave one out"),
        (["http://time.example", "-S"], "-S goes with -H HOST"),
        (["-p", "80"], "not provided"),
        (["-H", "http://time.example"], "give a URL without -H"),
        (["-H", "time.example", "-u", "http://time.example/"], "write the path alone"),
        (["-H", "time.example", "-p", "99999"], "65535"),
        (["-H", "time.example", "-w", "2", "-c", "1"], "--warn-offset must be less than --max-offset"),
        (["-H", "time.example", "-t", "soon"], "0.5, 500ms or 2m"),
        *((["-H", "a", "-w", text], "0:0.5 and -0.5:0.5") for text in ("@0.5", "10:20", "~:1", "1:", "@1:2")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("output", ["human", "nagios"])
def test_wrong_usage_is_unknown_with_one_sentence(flags, words, output):
    run = nowcheck(*flags, "--output", output)
    said = run.stdout if output == "nagios" else run.stderr
    assert run.exit == 3, str(run)
    assert words in said, str(run)
    assert len((run.stdout + run.stderr).splitlines()) == 1, str(run)
    assert len(said.encode()) <= NRPE, str(run)


def test_help_and_version_have_their_usual_flags():
    assert nowcheck("-V").stdout.startswith("nowcheck ")
    assert "--hostname" in nowcheck("-h").stdout


@pytest.mark.parametrize(("output", "least", "most"), [("nagios", 7, 9.5), ("json", 9, 11.5)])
def test_the_round_of_a_plugin_ends_before_nrpe_gives_up(output, least, most):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run = nowcheck(f"http://127.0.0.1:{silent.getsockname()[1]}", "--output", output)
    assert run.exit == 2, str(run)
    assert least <= run.seconds <= most, str(run)


# ------------------------------------------------------------------------------------------------- output


def many(count: int, *more: str) -> list[str]:
    return [part for n in range(1, count + 1) for part in ("--resolve", f"time.example:127.0.1.{n}")] + list(more)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 40])
@pytest.mark.parametrize("bad", [False, True])
def test_status_counts_and_the_worst_fit_through_nrpe(faulty, count, bad):
    server = faulty("answers", "--host", "0.0.0.0", *(["--offset", "3"] if bad else []))
    run = nowcheck(f"http://time.example:{server.port}/now", *many(count), "--output", "nagios")
    first = run.stdout.splitlines()[0]
    output = perfdata.parse(run.stdout)
    assert len(first.encode()) + 1 <= NRPE, str(run)
    assert output.status == ("CRITICAL" if bad else "OK"), str(run)
    assert "time" in output.first
    worst = [label for label in output.first if re.fullmatch(r"offset(_127\.0\.1\.\d+:\d+)?", label)]
    assert worst, f"the offset that matters most: {first}"
    assert sum(label.startswith("offset_bound") for label in output.items) == count, "no series is lost"
    if count > 1:
        assert re.search(rf"{count} of {count} addresses|all {count} addresses", first), first
    if count > 4 and bad:
        assert len([line for line in output.more if line.startswith("CRITICAL ")]) == count
    if count > 1 and bad:
        assert "clock is 3.00 s ahead" in first


def test_a_long_url_does_not_push_the_verdict_off_the_line(faulty):
    server = faulty("answers", "--host", "0.0.0.0", "--offset", "3")
    run = nowcheck(f"http://time.example:{server.port}/{'x' * 3000}", *many(3), "--output", "nagios")
    first = run.stdout.splitlines()[0]
    assert len(first.encode()) + 1 <= NRPE
    assert "3 of 3 addresses" in first
    assert "clock is 3.00 s ahead" in first


def test_a_message_of_any_length_fits(faulty):
    server = faulty("redirects", "--status", "302 Found", "--location", "http://x/" + "é|=" * 900)
    run = nowcheck(server.url, "--output", "nagios")
    assert len(run.stdout.splitlines()[0].encode()) + 1 <= NRPE
    assert perfdata.parse(run.stdout).status == "CRITICAL"


def test_verbose_prints_the_details_below_the_line(faulty):
    url = faulty("answers").url
    assert len(nowcheck(url, "--output", "nagios").stdout.splitlines()) == 1
    output = perfdata.parse(nowcheck(url, "--output", "nagios", "-v").stdout)
    assert any("round trip" in line for line in output.more), output.more
    assert any("reference:" in line for line in output.more), output.more


# ------------------------------------------------------------------------------------------------- characters

ASCII_LOCALES = [
    {"LC_ALL": "C"},
    {"LC_ALL": "", "LC_CTYPE": "", "LANG": ""},
    {"LC_ALL": "", "LC_CTYPE": "POSIX", "LANG": "en_US.UTF-8"},
    {"LC_ALL": "de_DE.ISO-8859-1", "LANG": "en_US.UTF-8"},
    {"LC_ALL": "", "LC_CTYPE": "", "LANG": "en_US"},
]
UTF8_LOCALES = [
    {"LC_ALL": "C.UTF-8"},
    {"LC_ALL": "", "LC_CTYPE": "de_DE.utf8", "LANG": "C"},
    {"LC_ALL": "", "LC_CTYPE": "", "LANG": "en_US.UTF-8"},
]


@pytest.mark.parametrize("output", ["human", "nagios"])
@pytest.mark.parametrize("locale", ASCII_LOCALES, ids=str)
def test_a_locale_that_is_not_utf_8_gets_ascii(faulty, locale, output):
    run = nowcheck(faulty("answers").url, "--output", output, environment=locale)
    assert run.stdout.isascii(), run.stdout
    assert re.search(r"\+/- \d+(\.\d+)? [um]s", run.stdout), run.stdout


@pytest.mark.parametrize("output", ["human", "nagios"])
@pytest.mark.parametrize("locale", UTF8_LOCALES, ids=str)
def test_a_utf_8_locale_gets_the_signs(faulty, locale, output):
    url = faulty("answers").url
    assert "±" in nowcheck(url, "--output", output, environment=locale).stdout
    assert nowcheck(url, "--output", output, "--ascii", environment=locale).stdout.isascii()


@pytest.mark.parametrize("output", ["human", "nagios", "json"])
def test_what_the_server_says_is_ascii_too(faulty, output):
    server = faulty("redirects", "--status", "302 Found", "--location", "http://example/é→時")
    run = nowcheck(server.url, "--output", output, "--ascii")
    assert run.stdout.isascii(), run.stdout
    assert run.exit == 2


def test_an_error_in_ascii_is_ascii():
    run = nowcheck("http://x", "--field", "header:±µ é", "--ascii")
    assert run.exit == 3
    assert run.stderr.isascii(), run.stderr


def test_json_is_utf_8_in_every_locale_and_the_same_document_in_ascii(faulty):
    server = faulty("answers", "--offset", "3")
    as_it_is = nowcheck(server.url, "--output", "json", environment={"LC_ALL": "C"}).stdout
    in_ascii = nowcheck(server.url, "--output", "json", "--ascii").stdout
    assert "±" in as_it_is
    assert in_ascii.isascii()
    assert "±" in json.loads(in_ascii)["summary"]


# ------------------------------------------------------------------------------------------------- cron


@pytest.mark.parametrize("output", ["human", "nagios", "json"])
def test_quiet_says_nothing_when_all_is_well(faulty, output):
    run = nowcheck(faulty("answers").url, "--quiet", "--output", output)
    assert (run.exit, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize("output", ["human", "nagios", "json"])
@pytest.mark.parametrize(
    ("offset", "flags", "exit_code"), [("3", [], 2), ("0.7", ["-w", "0.5"], 1), ("0", ["--resolve", "x:::1"], 3)]
)
def test_quiet_says_what_is_not_ok_as_without_it(faulty, sharp_reference, output, offset, flags, exit_code):
    run = nowcheck(faulty("answers", "--offset", offset).url, "-q", "--output", output, *flags)
    assert run.exit == exit_code, str(run)
    assert (run.stdout + run.stderr).strip(), "whatever is not OK is said"


@pytest.mark.parametrize("output", ["human", "nagios", "json"])
def test_of_quiet_rounds_only_those_are_printed_that_are_not_ok(endless, scripted, output):
    server = scripted()
    child = endless(server.url, "--quiet", "--every", "50ms", "--output", output)
    poll(lambda: server.requests > 48, "three rounds")
    server.offset = 3
    child.stdout.wait_for("CRITICAL")
    server.offset = 0
    child.signal(signal.SIGINT)
    assert child.wait() == 2, "the worst status of all rounds"
    *rounds, last = [line for _, line in child.stdout.lines]
    if output == "human":
        assert re.search(r"\d+ rounds in .*OK.*CRITICAL", last), child.stdout.text
    else:
        rounds.append(last)
        assert re.search(r"\d+ rounds in .*OK.*CRITICAL", child.stderr.text), child.stderr.text
    assert rounds
    assert all("CRITICAL" in line or "UNKNOWN" in line for line in rounds), child.stdout.text


def test_quiet_rounds_that_were_all_ok_end_without_a_word(endless, scripted):
    server = scripted()
    child = endless(server.url, "--quiet", "--every", "50ms")
    poll(lambda: server.requests > 48, "three rounds")
    child.signal(signal.SIGINT)
    assert child.wait() == 0
    assert (child.stdout.text, child.stderr.text) == ("", "")


def test_the_documents_lead_to_the_definitions_for_monitoring_systems():
    """They are run in test_recipes.py."""
    page = (ROOT / "docs" / "checking.md").read_text()
    linked = {file.name for file in (ROOT / "contrib" / "nagios").iterdir() if f"(../contrib/nagios/{file.name})" in page}
    assert linked == {"nagios.cfg", "icinga2.conf", "nrpe.cfg"}
