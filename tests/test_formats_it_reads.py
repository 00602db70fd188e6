"""Other people say the time in other ways. Whatever the form, the proven interval holds the server's true offset."""

import ssl
from dataclasses import dataclass

import pytest

from support.nowcheck import Run, check, nowcheck

OFFSETS = [0.0, 0.25, -0.25, 3.0, -3.0]


@dataclass
class Form:
    """A way to say the time, how the check is told where it stands, and how sharp it is (seconds)."""

    says: str
    arguments: str
    resolution: float = 0.0

    def __str__(self) -> str:
        return f"{self.says}: {self.arguments or 'no flag'}"


FORMS = [
    # What is found without being told.
    Form("nowd", ""),
    Form("hms", "", 1),
    # The same document by each of its fields.
    Form("nowd", "--field unix_time"),
    Form("nowd", "--field datetime"),
    Form("nowd", "--field /datetime"),
    Form("nowd", "--field current_time", 1),
    Form("nowd", "--field current_time --format hms", 1),
    Form("nowd", "--field header:Date --date-cache 0s", 1),
    Form("nowd", "--field header:date --format http-date --date-cache 0s", 1),
    # RFC 3339: any number of digits, any zone, either case.
    Form("rfc3339", "--field datetime"),
    Form("rfc3339", "--field datetime --format rfc3339"),
    Form("rfc3339-micro", "--field datetime", 1e-6),
    Form("rfc3339-milli", "--field datetime", 1e-3),
    # A `.0` may be a clock of whole seconds that writes a fraction all the same.
    Form("rfc3339-one-digit", "--field datetime", 1),
    Form("rfc3339-seconds", "--field datetime", 1),
    Form("rfc3339-ahead", "--field datetime"),
    Form("rfc3339-behind", "--field datetime"),
    Form("rfc3339-lower-case", "--field datetime"),
    # Unix time in any unit, somewhere inside; `auto` tells the unit by its size.
    Form("unix-s", "--field /data/times/0/epoch --format unix-s", 1),
    Form("unix-s", "--field data.times.0.epoch", 1),
    Form("unix-ms", "--field /data/times/0/epoch --format unix-ms", 1e-3),
    Form("unix-ms", "--field data.times.0.epoch", 1e-3),
    Form("unix-us", "--field /data/times/0/epoch --format unix-us", 1e-6),
    Form("unix-us", "--field data.times.0.epoch", 1e-6),
    Form("unix-ns", "--field /data/times/0/epoch --format unix-ns"),
    Form("unix-ns", "--field data.times.0.epoch"),
    Form("unix-s-in-a-string", "--field data.times.0.epoch"),
    # A body that is the time and nothing else.
    Form("unix-s-text", "--field body"),
    Form("unix-s-text", "--field body --format unix-s"),
    Form("rfc3339-text", "--field body"),
    Form("hms-text", "--field body", 1),
    Form("hms-text", "--field body --format hms", 1),
    # The header that every server has.
    Form("date-header", "--field header:Date --date-cache 0s", 1),
    # JSON pointers escape what is special in them (RFC 6901).
    Form("odd-names", "--field /a~1b/c~0d/1"),
]


def assert_holds(run: Run, offset: float, resolution: float) -> None:
    (target,) = run.outcome["targets"]
    (backend,) = target["backends"]
    earliest, latest = backend["offset"]["earliest"], backend["offset"]["latest"]
    assert earliest <= offset <= latest, f"the truth, {offset:+g} s, is not in the interval:\n{run}"
    # A source of whole seconds may be sharpened at its edge; it is never worse than what one answer gives, with a
    # `Date` that may have been cached for a second.
    assert latest - earliest <= 2 * resolution + 0.1, f"too wide:\n{run}"
    if abs(offset) > 1:
        assert run.verdict == ("CRITICAL", "desynchronized"), str(run)
    else:
        assert run.verdict == ("OK", "in_sync"), str(run)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_interval_holds_the_true_offset_in_every_form(faulty, sharp_reference, form):
    offset = OFFSETS[FORMS.index(form) % len(OFFSETS)]
    server = faulty("answers", "--says", form.says, "--offset", offset)
    assert_holds(check(server.url, *form.arguments.split()), offset, form.resolution)


@pytest.mark.parametrize("offset", OFFSETS, ids=lambda offset: f"{offset:+g}s")
@pytest.mark.parametrize(
    "form",
    [
        Form("nowd", ""),
        Form("rfc3339-ahead", "--field datetime"),
        Form("unix-ms", "--field data.times.0.epoch", 1e-3),
        Form("hms", "", 1),
        Form("date-header", "--field header:Date --date-cache 0s", 1),
    ],
    ids=str,
)
def test_the_interval_holds_every_offset(faulty, sharp_reference, form, offset):
    server = faulty("answers", "--says", form.says, "--offset", offset)
    assert_holds(check(server.url, *form.arguments.split()), offset, form.resolution)


@pytest.mark.parametrize("offset", [*OFFSETS, 0.9, -0.9], ids=lambda offset: f"{offset:+g}s")
def test_a_date_that_may_be_a_second_old_is_never_called_wrong_when_it_is_right(faulty, sharp_reference, offset):
    """Servers renew `Date` once a second, some by a timer of their own. With that second the truth may be out of reach:
    then UNKNOWN is the honest answer, and the true offset is in its interval."""
    run = check(faulty("answers", "--says", "date-header", "--offset", offset).url, "--field", "header:Date")
    interval = run.backend["offset"]
    assert interval["earliest"] <= offset <= interval["latest"], str(run)
    assert interval["latest"] - interval["earliest"] <= 2.1, str(run)
    if abs(offset) > 2:
        assert run.verdict == ("CRITICAL", "desynchronized"), str(run)
    else:
        assert run.outcome["status"] in ("OK", "UNKNOWN"), str(run)
        assert "--date-cache" in run.words, f"no word of what would prove more: {run.words}"


def test_any_web_server_can_be_held_to_two_seconds(faulty, sharp_reference):
    run = check(faulty("answers", "--says", "date-header").url, "--field", "header:Date", "--max-offset", "2s")
    assert run.verdict == ("OK", "in_sync"), str(run)


WAYS = {
    "in chunks": ["answers", "--chunked"],
    "in chunks, the time in the header": ["answers", "--chunked", "--says", "date-header"],
    "with Connection: close": ["closes-each-time"],
    "closing without saying so": ["closes-without-a-word-each-time"],
    "by HTTP/1.0": ["speaks-http-1-0"],
    "a byte at a time": ["sends-a-byte-at-a-time"],
    "after an informational answer": ["says-continue-first"],
    "late": ["answers", "--delay", "0.1"],
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_the_way_it_is_sent_does_not_matter(faulty, way):
    field = ["--field", "header:Date", "--date-cache", "0s"] if "date-header" in way else []
    run = check(faulty(*way, "--offset", "0.1").url, *field)
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert run.backend["offset"]["earliest"] <= 0.1 <= run.backend["offset"]["latest"], str(run)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "nonsense"])
@pytest.mark.parametrize("says", ["hms", "date-header", "nowd"])
def test_the_zone_of_the_machine_that_checks_changes_nothing(faulty, says, zone):
    field = ["--field", "header:Date", "--date-cache", "0s"] if says == "date-header" else []
    run = check(faulty("answers", "--says", says).url, *field, environment={"TZ": zone})
    assert run.verdict == ("OK", "in_sync"), str(run)


NOT_IN_THE_ANSWER = {
    "a field that is not there": ("nowd", "--field nonsense", "nonsense"),
    "a pointer to nowhere": ("nowd", "--field /data/times/7", "/data/times/7"),
    "an index that is too large": ("unix-s", "--field data.times.9.epoch", "data.times.9.epoch"),
    "a header that is not there": ("nowd", "--field header:X-Time", "x-time"),
    "an object": ("nowd", "--field clock", "clock"),
    "another format than was said": ("nowd", "--field datetime --format unix-s", "unix-s"),
    "a body that is more than the time": ("nowd", "--field body --format rfc3339", "rfc 3339"),
}


@pytest.mark.parametrize(("says", "arguments", "named"), NOT_IN_THE_ANSWER.values(), ids=NOT_IN_THE_ANSWER.keys())
def test_what_is_not_where_it_should_be_is_named(faulty, says, arguments, named):
    run = check(faulty("answers", "--says", says).url, *arguments.split(), "--timeout", "3s")
    # A body that holds a time shows that it is the setting that does not fit. An answer to HEAD has no body.
    expected = ("CRITICAL", "down") if "header:" in arguments else ("UNKNOWN", "checker_fault")
    assert run.verdict == expected, str(run)
    assert run.failure["kind"] == "not_a_time", str(run)
    assert run.failure["phase"] == "content", str(run)
    assert named in run.words.lower(), run.words


# ------------------------------------------------------------------------------------------------- the request


@pytest.mark.parametrize(
    ("path", "requested"),
    [
        ("", "/now"),
        ("/", "/now"),
        ("?tz=UTC", "/now?tz=UTC"),
        ("/time?tz=UTC", "/time?tz=UTC"),
        ("/a%20b/", "/a%20b/"),
    ],
)
def test_a_url_without_a_path_means_now(faulty, path, requested):
    # `http://host/` is how people write a site, and the old check took it for one.
    server = faulty("answers")
    assert check(server.url + path).outcome["status"] == "OK"
    assert set(server.stop()["requests"]) == {f"GET {requested} HTTP/1.1"}, path


def test_a_request_is_one_that_any_server_understands(faulty):
    server = faulty("answers")
    check(server.url)
    for head in server.stop()["heads"]:
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
        assert fields["host"] == f"127.0.0.1:{server.port}"
        assert fields["user-agent"].startswith("nowcheck/")
        assert "accept-encoding" not in fields or fields["accept-encoding"] == "identity"


def test_the_name_in_the_url_is_the_host_that_is_asked_for(faulty):
    server = faulty("answers", name="time.localhost")
    assert check(server.url).outcome["status"] == "OK"
    assert all(f"host: time.localhost:{server.port}" in head.lower() for head in server.stop()["heads"])


def test_every_request_is_counted(faulty):
    server = faulty("answers")
    target = check(server.url).target
    seen = server.stop()
    assert target["requests"] == len(seen["requests"])
    assert target["connections"] == seen["connections"]


def test_samples_bounds_the_number_of_answers(faulty):
    few, many = (check(faulty("answers").url, "--samples", n).backend["samples"] for n in ("2", "20"))
    assert few < many


# ------------------------------------------------------------------------------------------------- https


def test_https_is_read_with_an_authority_from_the_command_line(faulty, authority):
    server = faulty("answers", "--offset", "0.1", tls=authority.certificate("127.0.0.1"))
    run = check(server.url, "--ca-file", str(authority.file))
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert run.backend["offset"]["earliest"] <= 0.1 <= run.backend["offset"]["latest"]
    assert run.target["phases"]["tls"] > 0


def test_https_is_read_with_an_authority_from_the_environment(faulty, authority):
    server = faulty("answers", tls=authority.certificate("localhost"), name="localhost")
    run = check(server.url, environment={"SSL_CERT_FILE": str(authority.file)})
    assert run.verdict == ("OK", "in_sync"), str(run)


def test_a_redirect_to_https_is_followed_when_told_to(faulty, authority):
    good = faulty("answers", tls=authority.certificate("127.0.0.1"))
    away = faulty("redirects", "--status", "301 Moved Permanently", "--location", f"{good.url}/now")
    assert check(away.url, "--follow", "--ca-file", str(authority.file)).verdict == ("OK", "in_sync")


def test_the_time_for_name_connection_and_tls_is_no_part_of_the_offset(faulty, authority, sharp_reference):
    """A check that counts a slow handshake as travel cannot tell 0.9 s from 1.1 s."""
    server = faulty("answers", "--tls-delay", "0.4", "--offset", "0.9", tls=authority.certificate("127.0.0.1"))
    run = check(server.url, "--ca-file", str(authority.file))
    assert run.target["phases"]["tls"] >= 0.4
    assert run.target["phases"]["wait"] < 0.3
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert abs(run.backend["offset"]["estimate"] - 0.9) < 0.1, str(run)


def test_http_in_plain_has_no_phase_tls(faulty):
    phases = check(faulty("answers").url).target["phases"]
    assert phases["tls"] is None
    assert phases["connect"] > 0
    assert phases["wait"] > 0


def test_a_file_that_holds_no_certificate_is_named(tmp_path):
    file = tmp_path / "empty.pem"
    file.write_text("nothing here\n")
    run = nowcheck("https://127.0.0.1:9", "--ca-file", str(file))
    assert run.exit == 3, str(run)
    assert "empty.pem" in run.stderr, str(run)


def test_python_itself_would_accept_that_certificate(authority):
    """The certificates of these tests are good ones: what is refused elsewhere is refused for the reason tested."""
    certificate, key = authority.certificate("127.0.0.1")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=str(authority.file))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    theirs = server.wrap_bio(outgoing, incoming, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ours.getpeercert()["subjectAltName"] == (("IP Address", "127.0.0.1"),)
