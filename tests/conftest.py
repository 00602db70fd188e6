"""Fixtures: servers that end with their test, certificates, and a reference that is sharp enough.

pytest tests              # needs target/release/{nowd,nowcheck}, or $NOWD and $NOWCHECK
pytest tests -n 4         # side by side
"""

import datetime
import ipaddress
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

for module in ("nowcheck", "servers", "process", "network", "balancer", "time_server", "load", "nginx", "raw_http", "monitor"):
    pytest.register_assert_rewrite(f"support.{module}")

# A round on a machine that is busy with other things may honestly end without a verdict; how often, depends on the
# machine. So a test that expected a verdict and got UNKNOWN is run twice more, and the summary counts that. A verdict
# that is wrong, and one where UNKNOWN is right, is never asked for again. In the same way, what came too late on a busy
# machine (`within`) gets two more chances; what is slow by itself is slow each time.
NO_VERDICT = r"'UNKNOWN'.* == \(?'(OK|CRITICAL|WARNING)'"


# They begin first, the longest at the front, so that at the end of a run nobody waits for a single one of them.
LONGEST = ("test_status_py.py", "test_local_", "test_playbook.py", "test_image.py")


def pytest_configure(config: pytest.Config) -> None:
    config.option.reruns, config.option.only_rerun = 2, [NO_VERDICT, TOO_LATE]


HAS_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    report = yield
    if call.when == "call":
        item.stash[HAS_FAILED] = report.failed
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((place for place, name in enumerate(LONGEST) if item.path.name.startswith(name)), len(LONGEST)))


from support import nowcheck as program  # noqa: E402
from support import servers, time_server  # noqa: E402
from support.browser import Browser, Page  # noqa: E402
from support.monitor import Monitor  # noqa: E402
from support.process import TOO_LATE  # noqa: E402
from support.raw_answers import RawAnswers  # noqa: E402
from support.scripted import Scripted  # noqa: E402
from support.tools import ROOT, lacking  # noqa: E402


@pytest.fixture
def faulty() -> Iterator[Callable[..., servers.FaultyServer]]:
    """Starts servers with a fault: `faulty("redirects", "--location", url)`."""
    yield from stopped_at_the_end(servers.start_faulty)


@pytest.fixture(scope="session")
def schemas() -> Path:
    """Where the programs are that know the schemas of other people's files."""
    command = ["scripts/python-packages", "build/schemas", "tests/requirements-schemas.txt"]
    subprocess.run(command, cwd=ROOT, timeout=600, check=True)
    return ROOT / "build" / "schemas" / "bin"


@pytest.fixture
def nowd() -> Iterator[Callable[..., servers.Server]]:
    """Starts nowd: `nowd()`, `nowd(+3)`."""
    yield from stopped_at_the_end(servers.start_nowd)


@pytest.fixture(scope="module")
def one_nowd() -> Iterator[servers.Server]:
    """A nowd with the right time that the tests of a file share."""
    server = servers.start_nowd()
    yield server
    server.stop()


def stopped_at_the_end(start: Callable) -> Iterator[Callable]:
    started = []

    def start_one(*arguments, **options):
        started.append(start(*arguments, **options))
        return started[-1]

    try:
        yield start_one
    finally:
        for server in started:
            server.stop()


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    """Starts servers that do something before one of their answers: `scripted(before={3: action})`."""
    yield from stopped_at_the_end(Scripted)


@pytest.fixture
def raw() -> Iterator[Callable[..., RawAnswers]]:
    """Starts servers on raw sockets: `raw(lambda head: answer)`."""
    yield from stopped_at_the_end(RawAnswers)


@pytest.fixture
def ntp() -> Iterator[Callable[..., time_server.ScriptedTimeServer]]:
    """Starts time servers with a fault: `ntp("--offset", 5)`."""
    yield from stopped_at_the_end(time_server.start_ntp)


@pytest.fixture
def chronyd(tmp_path) -> Iterator[Callable[..., time_server.TimeServer]]:
    """Starts real time servers: `chronyd()`, `chronyd(+5)`."""
    yield from stopped_at_the_end(partial(time_server.start_chronyd, tmp_path))


@pytest.fixture
def monitor() -> Iterator[Callable[..., Monitor]]:
    """Starts monitors: `monitor("--config", file)`."""
    yield from stopped_at_the_end(Monitor)


@pytest.fixture
def endless() -> Iterator[Callable[..., servers.Child]]:
    """Starts `nowcheck … --every …`."""
    started = []

    def start(*arguments):
        started.append(program.start(*arguments))
        return started[-1]

    try:
        yield start
    finally:
        for child in started:
            child.end()


@pytest.fixture(scope="session")
def sharp_reference(tmp_path_factory) -> None:
    """The error that the kernel admits of this machine's clock is part of every interval. When it is large, an offset
    of 0.9 s cannot be told from one of 1 s, and UNKNOWN is the right answer: such a test needs a better clock."""
    server = servers.start_faulty("answers")
    try:
        error = program.check(server.url).outcome["reference"]["max_error"]
    finally:
        server.stop()
    if error is not None and error > 0.08:
        lacking(f"the kernel vouches for this machine's clock only to {error:g} s")


@dataclass
class Authority:
    """A certificate authority of our own, and a place for the files."""

    ca: trustme.CA
    directory: Path
    file: Path
    """What `--ca-file` and SSL_CERT_FILE are given."""

    def certificate(self, *names: str, starts_in_days: float = -2, ends_in_days: float = 30) -> tuple[Path, Path]:
        now = datetime.datetime.now(datetime.UTC)
        return self.files_of(
            self.ca.issue_cert(
                *names,
                not_before=now + datetime.timedelta(days=starts_in_days),
                not_after=now + datetime.timedelta(days=ends_in_days),
            )
        )

    def self_signed(self, address: str) -> tuple[Path, Path]:
        """A certificate that is its own authority, as one makes it by hand for an IP address."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.write(certificate.public_bytes(pem), key.private_bytes(pem, *plain))

    def files_of(self, leaf: trustme.LeafCert) -> tuple[Path, Path]:
        return self.write(b"".join(blob.bytes() for blob in leaf.cert_chain_pems), leaf.private_key_pem.bytes())

    def write(self, certificate: bytes, private_key: bytes) -> tuple[Path, Path]:
        number = len(list(self.directory.iterdir()))
        paths = self.directory / f"{number}.pem", self.directory / f"{number}.key"
        paths[0].write_bytes(certificate)
        paths[1].write_bytes(private_key)
        return paths


@pytest.fixture
def authority(tmp_path) -> Authority:
    ca = trustme.CA()
    directory = tmp_path / "certificates"
    directory.mkdir()
    file = tmp_path / "authority.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, directory, file)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.end()


@pytest.fixture
def visit(browser, request) -> Iterator[Callable[..., Page]]:
    """A fresh page, as if nobody had been there before: `visit(width=320)`. Its console has to stay silent; a test that
    breaks something on purpose empties `complaints`."""
    pages = []

    def one(**size) -> Page:
        pages.append(browser.page(**size))
        return pages[-1]

    yield one
    complaints = [complaint for page in pages for complaint in page.complaints]
    for page in pages:
        page.close()
    # What a test that failed has left there is not a second failure, which would take its further chances away.
    assert request.node.stash.get(HAS_FAILED, True) or not complaints, complaints
