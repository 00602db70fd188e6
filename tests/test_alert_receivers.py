"""Alerts to real receivers: Debian's Alertmanager, an SMTP server that speaks TLS and rejects, a webhook over TLS."""

import hmac
import json
import os
import ssl
import subprocess
import threading
import time
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from support.process import free_port, poll
from support.tools import ROOT, need

GOLDEN = [json.loads(line) for line in (ROOT / "contract" / "golden" / "alerts.jsonl").read_text().splitlines()]
PASSWORD = "T0P-53CR3T"


def message(event: str, **changes) -> dict:
    # Alertmanager goes by the times: an incident of this minute.
    now = datetime.now(UTC)
    changes = {"since": (now - timedelta(seconds=30)).isoformat(), "at": now.isoformat()} | changes
    return next(one for one in GOLDEN if one["event"] == event and (one["check"] or event == "test")) | changes


@pytest.fixture(scope="module")
def deliver() -> Path:
    command = ["cargo", "build", "--quiet", "--locked", "--package", "nowcheck-watch", "--example", "deliver"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=600)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "examples" / "deliver"


@pytest.fixture
def send(deliver, tmp_path):
    """Sends a message to an alert with these lines, and returns why it was not delivered, or nothing."""

    def sent(lines: str, notice: dict) -> str:
        config = tmp_path / "nowcheck.toml"
        check = '[[check]]\nname = "shop"\nurl = "http://shop.example"\n'
        config.write_text(f'{check}[[alert]]\nname = "night"\n{lines}\n')
        command = [deliver, config, "night"]
        secret = {"SMTP_PASSWORD": PASSWORD}
        done = subprocess.run(
            command, input=json.dumps(notice), capture_output=True, text=True, timeout=60, env=os.environ | secret
        )
        assert done.returncode == (1 if done.stderr else 0)
        assert PASSWORD not in done.stderr
        return done.stderr.strip()

    return sent


# Alertmanager


@pytest.fixture
def alertmanager(tmp_path):
    port = free_port()
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    command = [
        need("prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return urllib.request.urlopen(f"{url}/-/ready", timeout=1).status == 200
        except OSError:
            return False

    try:
        poll(ready, "Alertmanager is ready")
        yield url
    finally:
        process.kill()
        process.wait()


def alerts(url: str) -> list[dict]:
    return json.load(urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5))


def test_alertmanager_shows_an_alert_while_the_incident_is_open(alertmanager, send):
    lines = f'type = "alertmanager"\nurl = "{alertmanager}"'
    assert send(lines, message("opened")) == ""
    [alert] = poll(lambda: alerts(alertmanager), "the alert")
    labels = {"alertname": "NowcheckIncident", "check": "shop", "monitor": "frankfurt", "team": "web"}
    assert alert["labels"] == labels
    assert alert["annotations"]["summary"] == message("opened")["summary"]
    assert alert["generatorURL"] == message("opened")["link"]
    assert send(lines, message("changed", status="down")) == ""
    poll(lambda: [one["annotations"]["status"] for one in alerts(alertmanager)] == ["down"], "the same alert, changed")
    assert send(lines, message("closed")) == ""
    poll(lambda: not alerts(alertmanager), "no alert any more")


def test_alertmanager_is_known_by_its_url_below_a_path_only(alertmanager, send):
    refused = send(f'type = "alertmanager"\nurl = "{alertmanager}/elsewhere"', message("opened"))
    assert "it answered 404 Not Found" in refused and "does this URL still exist" in refused


# E-mail


class Mailbox:
    def __init__(self, reject: str = ""):
        self.messages, self.recipients, self.reject = [], [], reject

    async def handle_MAIL(self, server, session, envelope, address, options):
        if self.reject == "sender":
            return "550 5.7.1 this sender is not wanted"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.reject == "recipient":
            return "550 5.1.1 no such user"
        if self.reject == "later":
            return "451 4.7.1 greylisted, come back later"
        if self.reject == address:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@contextmanager
def smtp_server(mailbox: Mailbox, **settings):
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **settings)
    controller.start()
    try:
        yield (
            f'type = "email"\nserver = "127.0.0.1:{controller.port}"\n'
            'from = "nowcheck@shop.example"\nto = ["on-call@shop.example"]\n'
        )
    finally:
        controller.stop()


def tls_of(authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def trusting(authority, directory: Path) -> str:
    authority.cert_pem.write_to_path(directory / "ca.pem")
    return f'ca_file = "{directory / "ca.pem"}"\n'


def authenticator(server, session, envelope, mechanism, given):
    return AuthResult(success=(given.login, given.password) == (b"nowcheck", PASSWORD.encode()))


LOGIN = 'user = "nowcheck"\npassword_env = "SMTP_PASSWORD"\n'


def test_mail_of_one_incident_is_one_conversation(send):
    mailbox = Mailbox()
    with smtp_server(mailbox) as lines:
        for event in ("opened", "closed", "test"):
            assert send(lines + 'tls = "none"', message(event)) == ""
    opened, closed, test = mailbox.messages
    assert opened["References"] == closed["References"] and test["References"] is None
    assert opened["Subject"].startswith("shop: wrong: ") and closed["Subject"].startswith("shop: resolved: ")
    text = opened.get_content()
    assert opened.get_content_type() == "text/plain"
    assert "What to do: on the server" in text and message("opened")["link"] in text


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_mail_is_sent_over_tls_with_a_login(send, authority, tmp_path, tls):
    context = tls_of(authority)
    # The server knows of STARTTLS only when it asks whether a login is encrypted.
    encryption = {
        "starttls": {"tls_context": context, "require_starttls": True},
        "tls": {"ssl_context": context, "auth_require_tls": False},
    }
    mailbox = Mailbox()
    with smtp_server(mailbox, **encryption[tls], authenticator=authenticator, auth_required=True) as lines:
        trusted = lines + f'tls = "{tls}"\n' + LOGIN
        refused = send(trusted, message("opened"))
        assert "TLS with the SMTP server failed" in refused and "check tls, server and ca_file" in refused
        assert send(trusted + trusting(authority, tmp_path), message("opened")) == ""
    assert len(mailbox.messages) == 1


def test_a_wrong_login_says_so(send, authority, tmp_path):
    def nobody(server, session, envelope, mechanism, given):
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 {given.password.decode()} is wrong")

    settings = {"tls_context": tls_of(authority), "authenticator": nobody, "auth_required": True}
    with smtp_server(Mailbox(), **settings) as lines:
        refused = send(lines + LOGIN + trusting(authority, tmp_path), message("opened"))
    assert "rejected the login" in refused and "check user and password" in refused


def test_without_starttls_nothing_is_sent(send):
    mailbox = Mailbox()
    with smtp_server(mailbox) as lines:
        refused = send(lines, message("opened"))
    assert "offers no STARTTLS, so nothing was sent" in refused and not mailbox.messages


@pytest.mark.parametrize(
    ("reject", "words"),
    [
        ("sender", ["rejected the message", "this sender is not wanted", "check from"]),
        ("recipient", ["rejected the message", "no such user", "check from, to"]),
        ("later", ["is not ready", "greylisted"]),
    ],
)
def test_what_the_server_says_is_quoted(send, reject, words):
    mailbox = Mailbox(reject)
    with smtp_server(mailbox) as lines:
        refused = send(lines + 'tls = "none"', message("opened"))
    assert all(word in refused for word in words), refused
    assert not mailbox.messages


@pytest.mark.parametrize("gone", ["first@shop.example", "second@shop.example"])
def test_a_rejected_recipient_takes_the_mail_from_nobody_else(send, gone):
    mailbox = Mailbox(gone)
    with smtp_server(mailbox) as lines:
        two = lines.replace('["on-call@shop.example"]', '["first@shop.example", "Second <second@shop.example>"]')
        told = send(two + 'tls = "none"', message("opened"))
    assert mailbox.recipients == [[{"first@shop.example", "second@shop.example"}.difference({gone}).pop()]]
    assert f"did not accept the message for {gone} (" in told and "no such user" in told and "check to" in told


# Webhook over TLS


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, self.headers["x-nowcheck-signature"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def webhook_server(authority, name: str):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.got = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def hook_at(server, directory: Path) -> str:
    (directory / "url").write_text(f"https://127.0.0.1:{server.server_port}/{PASSWORD}\n")
    (directory / "key").write_text("k3y\n")
    return f'type = "webhook"\nurl_file = "{directory / "url"}"\nsecret_file = "{directory / "key"}"\n'


def test_a_webhook_over_tls_can_verify_who_sent_it(send, authority, tmp_path):
    with webhook_server(authority, "127.0.0.1") as server:
        lines = hook_at(server, tmp_path)
        refused = send(lines, message("opened"))
        assert "does not know its authority" in refused and "name the authority with ca_file" in refused
        assert send(lines + trusting(authority, tmp_path), message("opened", id="1-night-1")) == ""
        [(path, signature, body)] = server.got
    assert path == f"/{PASSWORD}" and json.loads(body)["id"] == "1-night-1"
    sent_at, digest = (part.partition("=")[2] for part in signature.split(","))
    assert hmac.compare_digest(digest, hmac.new(b"k3y", f"{sent_at}.".encode() + body, "sha256").hexdigest())
    assert abs(time.time() - int(sent_at)) < 60


def test_a_certificate_for_another_name_is_not_accepted(send, authority, tmp_path):
    with webhook_server(authority, "other.example") as server:
        refused = send(hook_at(server, tmp_path) + trusting(authority, tmp_path), message("opened"))
        assert "it is for another name; correct the host in the URL" in refused and not server.got
