"""Certificates and handshakes as people have them: what curl accepts is accepted, and the rest has its true cause.

What the TLS library cannot speak is UNKNOWN, never "down": the service may be well.
"""

import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.nowcheck import Run, check, messages, nowcheck
from support.process import WAIT
from support.raw_answers import RawAnswers, answer, right_time

FALSE = "basicConstraints=critical,CA:FALSE"


@dataclass
class Certificates:
    """Made by openssl, as people make them."""

    directory: Path

    def openssl(self, *arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments], cwd=self.directory, check=True, capture_output=True, text=True, timeout=WAIT
        )

    def path(self, name: str) -> str:
        return str(self.directory / name)

    def self_signed(self, name: str, *extensions: str, key: str = "rsa:2048", subject: str = "/CN=localhost") -> None:
        """`openssl req -x509` marks it as an authority's (CA:TRUE) unless an extension says otherwise."""
        added = [word for extension in extensions for word in ("-addext", extension)]
        made = ["-newkey", key, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "30"]
        if key == "p521":
            made[1:2] = ["ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"]
        self.openssl("req", "-x509", *made, "-subj", subject, *added)

    def signed(
        self,
        name: str,
        *extensions: str,
        by: str = "ca",
        key: tuple[str, ...] = ("rsa:2048",),
        subject: str = "/CN=x",
        how: tuple[str, ...] = (),
    ) -> None:
        request = ["-newkey", *key, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject]
        self.openssl("req", *request)
        (self.directory / f"{name}.ext").write_text("\n".join(extensions))
        signer = ["-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial", "-days", "30", *how]
        self.openssl("x509", "-req", "-in", f"{name}.csr", *signer, "-extfile", f"{name}.ext", "-out", f"{name}.pem")

    def context(self, name: str, **how) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(how.pop("ciphers", "DEFAULT:@SECLEVEL=0"))
        context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        for attribute, value in how.items():
            setattr(context, attribute, value)
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Certificates:
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.self_signed("ca", "keyUsage=critical,keyCertSign", subject="/CN=Test CA")
    made.signed("good", "subjectAltName=DNS:localhost", FALSE)
    return made


@pytest.fixture
def serve(certificates) -> Iterator[Callable[..., RawAnswers]]:
    servers = []

    def start(name: str, *, answers=lambda _: answer(), closes: bool = False, **how) -> RawAnswers:
        servers.append(RawAnswers(answers, closes=closes, tls=certificates.context(name, **how)))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def url(server: RawAnswers, host: str = "localhost") -> str:
    return f"https://{host}:{server.port}"


def curl_accepts(certificates: Certificates, server: RawAnswers, trusted: str, host: str = "localhost") -> bool:
    command = ["curl", "-s", "-o", "/dev/null", "--cacert", certificates.path(trusted), "--max-time", "5"]
    command += ["--resolve", f"{host}:{server.port}:127.0.0.1", url(server, host)]
    return subprocess.run(command, timeout=WAIT).returncode == 0


def asked(certificates: Certificates, server: RawAnswers, *arguments: str, trusted: str = "ca.pem") -> Run:
    return check(url(server), "--ca-file", certificates.path(trusted), *arguments)


# Each with where it was met: the name of the certificate, how it is made, and what is given as --ca-file.
ACCEPTED = {
    "a P-521 key (rustls/rustls#933)": (
        "p521",
        lambda c: c.signed(
            "p521",
            "subjectAltName=DNS:localhost",
            FALSE,
            key=("ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"),
        ),
        "ca.pem",
    ),
    "P-521 all the way up": (
        "p521ca",
        lambda c: c.self_signed("p521ca", "subjectAltName=DNS:localhost", key="p521"),
        "p521ca.pem",
    ),
    "signed with SHA-512": (
        "sha512",
        lambda c: c.signed("sha512", "subjectAltName=DNS:localhost", FALSE, how=("-sha512",)),
        "ca.pem",
    ),
    "self-signed as in every tutorial, CA:TRUE (rustls/webpki#205)": (
        "own",
        lambda c: c.self_signed("own", "subjectAltName=DNS:localhost"),
        "own.pem",
    ),
    "self-signed, CA:FALSE": ("leaf", lambda c: c.self_signed("leaf", "subjectAltName=DNS:localhost", FALSE), "leaf.pem"),
    "a leaf that is given itself, without its authority (curl 7.68)": (
        "pinned",
        lambda c: c.signed("pinned", "subjectAltName=DNS:localhost", FALSE),
        "pinned.pem",
    ),
    "a common name alone (RFC 6125 section 6.4.4)": (
        "cn",
        lambda c: c.signed("cn", FALSE, subject="/CN=localhost"),
        "ca.pem",
    ),
}


@pytest.mark.parametrize(("name", "make", "trusted"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_certificate_that_curl_accepts_is_accepted(certificates, serve, sharp_reference, name, make, trusted):
    make(certificates)
    server = serve(name)
    assert curl_accepts(certificates, server, trusted)
    run = asked(certificates, server, trusted=trusted)
    assert run.verdict == ("OK", "in_sync"), str(run)


def test_a_server_that_closes_without_saying_so_is_read(certificates, serve, sharp_reference):
    server = serve("good", answers=lambda _: b"HTTP/1.0 200 OK\r\n\r\n" + right_time(), closes=True)
    run = asked(certificates, server)
    assert run.verdict == ("OK", "in_sync"), str(run)


REFUSED = {
    "self-signed, and not given": ("alone", lambda c: c.self_signed("alone", "subjectAltName=DNS:localhost"), "ca.pem", "is self-signed"),
    "self-signed, given, for another name": (
        "elsewhere",
        lambda c: c.self_signed("elsewhere", "subjectAltName=DNS:time.example"),
        "elsewhere.pem",
        "it is for time.example, not for localhost",
    ),
    "no name at all": ("noname", lambda c: c.signed("noname", FALSE), "ca.pem", "no name at all"),
    "a common name beside a subjectAltName": (
        "both",
        lambda c: c.signed("both", "subjectAltName=DNS:time.example", FALSE, subject="/CN=localhost"),
        "ca.pem",
        "it is for time.example",
    ),
}


@pytest.mark.parametrize(("name", "make", "trusted", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_certificate_that_curl_refuses_is_refused_with_its_cause(certificates, serve, name, make, trusted, words):
    make(certificates)
    server = serve(name)
    assert not curl_accepts(certificates, server, trusted)
    run = asked(certificates, server, trusted=trusted)
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert run.failure["kind"] == "certificate", str(run)
    assert words in run.failure["message"], str(run)


def test_an_intermediate_that_is_missing_is_named(certificates, serve):
    """louislam/uptime-kuma#5748."""
    certificates.signed("between", "basicConstraints=critical,CA:TRUE", subject="/CN=Between CA")
    certificates.signed("below", "subjectAltName=DNS:localhost", FALSE, by="between")
    run = asked(certificates, serve("below"))
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert "signed by Between CA" in run.failure["message"], str(run)
    assert "an intermediate certificate is missing" in run.failure["message"], str(run)


def test_an_address_as_a_dns_name_is_named(certificates, serve):
    """briansmith/webpki#257."""
    certificates.signed("address", "subjectAltName=DNS:127.0.0.1", FALSE)
    server = serve("address")
    run = check(url(server, "127.0.0.1"), "--ca-file", certificates.path("ca.pem"))
    assert "as a DNS name" in run.failure["message"], str(run)
    assert "subjectAltName=IP:127.0.0.1" in run.failure["message"], str(run)


OLD = ssl.TLSVersion.TLSv1_1
FOREIGN = {
    "RSA key exchange only": {"ciphers": "AES128-GCM-SHA256:@SECLEVEL=0", "maximum_version": ssl.TLSVersion.TLSv1_2},
    "CBC only": {"ciphers": "ECDHE-RSA-AES128-SHA:@SECLEVEL=0", "maximum_version": ssl.TLSVersion.TLSv1_2},
    "finite-field Diffie-Hellman only": {
        "ciphers": "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0",
        "maximum_version": ssl.TLSVersion.TLSv1_2,
    },
    "TLS 1.1": {"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": OLD},
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("how", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_cannot_be_spoken_is_unknown_and_says_so(certificates, serve, how):
    run = asked(certificates, serve("good", **how))
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert run.failure["kind"] == "unsupported", str(run)
    assert "nowcheck cannot speak what this server offers" in run.outcome["summary"], str(run)


def test_a_key_that_no_library_takes_any_more_is_unknown(certificates, serve):
    certificates.signed("short", "subjectAltName=DNS:localhost", FALSE, key=("rsa:1024",))
    run = asked(certificates, serve("short"))
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert "1024 bits" in run.failure["message"], str(run)
    run = check(url(serve("short")), "--insecure")
    assert run.verdict == ("OK", "in_sync"), str(run)


def test_an_authority_as_a_server_is_unknown(certificates, serve):
    """curl accepts it, the TLS library does not: nobody can say that the service is down."""
    certificates.signed("marked", "subjectAltName=DNS:localhost", "basicConstraints=CA:TRUE")
    run = asked(certificates, serve("marked"))
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert "marked as an authority's" in run.failure["message"], str(run)


# ------------------------------------------------------------------------------------------------- who asks


@pytest.fixture
def asks_back(certificates, serve) -> Callable[..., RawAnswers]:
    """A server that wants a client certificate of our authority."""
    certificates.signed("client", "basicConstraints=CA:FALSE", subject="/CN=client")

    def start(**how) -> RawAnswers:
        server = serve("good", verify_mode=ssl.CERT_REQUIRED, **how)
        server.tls.load_verify_locations(certificates.path("ca.pem"))
        return server

    return start


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_wants_a_client_certificate_gets_it(certificates, asks_back, sharp_reference, version):
    pair = ["--cert", certificates.path("client.pem"), "--key", certificates.path("client.key")]
    run = asked(certificates, asks_back(maximum_version=version), *pair)
    assert run.verdict == ("OK", "in_sync"), str(run)


@pytest.mark.parametrize("version", VERSIONS)
def test_that_a_client_certificate_is_wanted_has_its_own_sentence(certificates, asks_back, version):
    run = asked(certificates, asks_back(maximum_version=version))
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert run.failure["kind"] == "client_certificate", str(run)
    assert "requires a client certificate" in run.failure["message"], str(run)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_certificate_that_is_refused_has_its_own_sentence(certificates, asks_back, version):
    certificates.self_signed("stranger", subject="/CN=stranger")
    pair = ["--cert", certificates.path("stranger.pem"), "--key", certificates.path("stranger.key")]
    run = asked(certificates, asks_back(maximum_version=version), *pair)
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert "does not accept the client certificate" in run.failure["message"], str(run)


def test_files_that_are_no_identity_are_named(certificates):
    certificates.openssl("pkey", "-in", "good.key", "-aes128", "-passout", "pass:s3cret", "-out", "locked.key")
    good = certificates.path("good.pem")
    for arguments, words in [
        (["--cert", good], "--cert and --key go together"),
        (["--cert", good, "--key", certificates.path("locked.key")], "the key is encrypted"),
        (["--cert", good, "--key", certificates.path("ca.key")], "not that of the certificate"),
        (["--cert", good, "--key", good], "holds no private key"),
        (["--cert", certificates.path("good.key"), "--key", good], "holds no certificate"),
    ]:
        run = nowcheck("https://localhost:1", *arguments)
        assert run.exit == 3, str(run)
        assert words in run.stderr, str(run)


def test_insecure_verifies_nothing_and_says_so(certificates, serve, sharp_reference):
    run = check(url(serve("good")), "--insecure")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert "not_verified" in [note["code"] for note in run.target["notes"]], str(run)
    assert any("was not verified" in message for message in messages(run.target["notes"])), str(run)


def test_files_of_authorities_are_read_as_people_have_them(certificates, serve, sharp_reference):
    server = serve("good")
    text = (certificates.directory / "ca.pem").read_text()
    certificates.openssl("x509", "-in", "ca.pem", "-outform", "der", "-out", "ca.der")
    (certificates.directory / "bom.pem").write_text(text, encoding="utf-8-sig")
    (certificates.directory / "crlf.pem").write_bytes(text.replace("\n", "\r\n").encode())
    for file in ("ca.der", "bom.pem", "crlf.pem"):
        run = asked(certificates, server, trusted=file)
        assert run.verdict == ("OK", "in_sync"), f"{file}: {run}"
