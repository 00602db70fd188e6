"""Servers echo what they are sent. What the user keeps secret is in no output, wherever the server writes it."""

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest

from support.nowcheck import check, nowcheck
from support.raw_answers import answer, right_time

USER = "operator"
PASSWORD = "p4ss w/rd"
KEY = "k3y/of+the&service"
TOKEN = "b34rer-token-0123456789"
IN_URL = f"{USER}:{quote(PASSWORD, safe='')}"
PAIR = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
OTHERS = "hunter22hunter22"
SECRETS = [OTHERS, USER, PASSWORD, KEY, TOKEN, PAIR, PAIR.rstrip("="), base64.b64encode(KEY.encode()).decode()]
"""All of them are longer than what may be shown of a secret that was cut."""


def sent(head: bytes) -> str:
    """What the server knows: the headers of the request, and what they mean."""
    values = re.findall(r"^(?:x-key|x-token|authorization): (.*?)\r?$", head.decode(), re.IGNORECASE | re.MULTILINE)
    return " ".join([*values, USER, PASSWORD, base64.b64encode(KEY.encode()).decode()])


def in_the_body(text: str) -> bytes:
    return answer(body=text.encode())


def as_json(text: str) -> bytes:
    return answer(body=json.dumps({"now": text}).encode())


def as_members(text: str) -> bytes:
    return answer(body=json.dumps(dict.fromkeys(text.split(), 1)).encode())


def as_time(text: str) -> bytes:
    return answer(body=json.dumps({"datetime": text}).encode())


def as_instance(text: str) -> bytes:
    time = json.loads(right_time())
    return answer(body=json.dumps({**time, "instance": text, "clock": {"status": text}}).encode())


def as_detail(text: str) -> bytes:
    return answer(status="403 Forbidden", body=json.dumps({"detail": text}).encode())


def in_the_status_line(text: str) -> bytes:
    return answer(status=f"403 {text}", body=text.encode())


def instead_of_http(text: str) -> bytes:
    return text.encode()


def in_a_coding(text: str) -> bytes:
    return answer(f"Content-Encoding: {text}")


def in_a_location(text: str) -> bytes:
    return answer(f"Location: /login?a={text}", status="302 Found", body=b"")


def in_an_escaped_location(text: str) -> bytes:
    return answer(f"Location: /login?a={quote(quote(text, safe=''), safe='')}", status="302 Found", body=b"")


def as_a_url_in_a_location(_: str) -> bytes:
    location = f"http:/{IN_URL}@time.invalid/?next=http://{IN_URL}@h/"
    return answer(f"Location: {location}", status="302 Found", body=b"")


def to_credentials_that_nobody_knows(_: str) -> bytes:
    location = f"/login?next=https%3A%2F%2Fsomebody%3A{OTHERS}%40time.invalid%2F&or=http://somebody:{OTHERS}@h/"
    return answer(f"Location: {location}", status="302 Found", body=b"")


PLACES = [
    in_the_body,
    as_json,
    as_members,
    as_time,
    as_instance,
    as_detail,
    in_the_status_line,
    instead_of_http,
    in_a_coding,
    in_a_location,
    in_an_escaped_location,
    as_a_url_in_a_location,
    to_credentials_that_nobody_knows,
]


@pytest.mark.parametrize("credentials", ["in a file", "in the URL"])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_no_secret_is_shown_wherever_a_server_echoes_it(raw, tmp_path, place: Callable[[str], bytes], credentials: str):
    server = raw(lambda head: place(sent(head)))
    file = tmp_path / "user"
    file.write_text(f"{USER}:{PASSWORD}\n")
    in_url = credentials == "in the URL"
    url = f"http://{IN_URL}@127.0.0.1:{server.port}" if in_url else server.url
    arguments = [url, "--header", f"X-Key: {KEY}", "--header", f"X-Token: Bearer {TOKEN}", "--timeout", "2s"]
    arguments += [] if in_url else ["--user-file", str(file)]
    for further in ([], ["--follow"], ["--field", "header:x-none"]):
        for output in ("human", "json", "nagios"):
            run = nowcheck(*arguments, *further, "--output", output)
            said = (run.stdout + run.stderr).lower()
            for secret in SECRETS:
                spellings = [secret, quote(secret, safe=""), quote(quote(secret, safe=""), safe=""), secret[:10]]
                shown = [one for one in spellings if one.lower() in said]
                assert not shown, f"{shown} in {run}"
    assert any(PAIR.encode() in head for head in server.heads), "the secrets were sent"


def test_another_server_that_got_a_secret_by_a_redirect_does_not_get_it_shown(raw):
    other = raw(lambda head: answer(body=head))
    first = raw(lambda _: answer(f"Location: {other.url}/?key={quote(KEY, safe='')}", status="302 Found", body=b""))
    run = check(first.url, "--follow", "--header", f"X-Key: {KEY}")
    assert quote(KEY, safe="").encode() in other.heads[0]
    assert quote(KEY, safe="") not in run.stdout, str(run)
    assert run.target["url"] == f"{other.url}/?key=***", str(run)


@pytest.mark.parametrize("place", [in_the_body, as_json, as_members, in_the_status_line, in_a_location], ids=lambda place: place.__name__)
def test_credentials_of_a_redirect_are_not_shown_when_its_destination_echoes_them(raw, place: Callable[[str], bytes]):
    """What the first server knows is nobody else's business, whether the destination takes it for a secret or not."""
    pair = f"somebody:{OTHERS}"
    other = raw(lambda head: place(f"{base64.b64encode(pair.encode()).decode()} {pair} {OTHERS}"))
    location = other.url.replace("//", f"//{pair}@") + "/now?token=0DD-T0K3N-0F-0THERS"
    first = raw(lambda _: answer(f"Location: {location}", status="302 Found", body=b""))
    for output in ("human", "json", "nagios"):
        run = nowcheck(first.url, "--follow", "--timeout", "2s", "--output", output)
        said = run.stdout + run.stderr
        shown = [one for one in (OTHERS, base64.b64encode(pair.encode()).decode(), "0DD-T0K3N-0F-0THERS") if one in said]
        assert not shown, f"{shown} in {run}"
    assert other.heads, "it was followed"


def test_a_time_that_has_a_secret_in_it_is_still_read(raw, sharp_reference):
    """Only what is shown is masked."""
    server = raw(lambda _: answer())
    run = check(server.url, "--header", "X-Part: datetime", "--header", "X-Year: 2026-")
    assert run.verdict == ("OK", "in_sync"), str(run)
