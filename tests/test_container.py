"""nowd in its container, with nothing but what it needs: a root file system that cannot be written to, no capability, a
user that owns nothing. What is in the image is the business of tests/deploy/test_image.py.
"""

import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from support.process import poll
from support.raw_http import Connection
from support.tools import ROOT, lacking

HARDENED = (
    "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "64", "--memory", "64m",
)  # fmt: skip


def docker(*arguments: str, code: int = 0) -> str:
    ended = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == code, ended.stderr
    return ended.stdout.strip()


@pytest.fixture(scope="module")
def image() -> str:
    if shutil.which("docker") is None or subprocess.run(["docker", "version"], capture_output=True).returncode != 0:
        lacking("no Docker engine answers")
    ended = subprocess.run(["scripts/image", "nowd"], cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()[-1]


@dataclass
class Container:
    name: str

    @property
    def state(self) -> dict:
        return json.loads(docker("inspect", self.name))[0]

    @property
    def port(self) -> int:
        return int(self.state["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"])

    @property
    def pid(self) -> int:
        return self.state["State"]["Pid"]

    @property
    def logs(self) -> str:
        ended = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, timeout=30, check=True)
        return ended.stdout + ended.stderr

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def wait_until_it_answers(self) -> None:
        def answers() -> bool:
            try:
                return self.get("/healthz")[0] == 200
            except (OSError, http.client.HTTPException):
                return False

        poll(answers, f"an answer; the container says: {self.logs}")

    def becomes(self, health: str) -> None:
        poll(lambda: self.state["State"]["Health"]["Status"] == health, f"{self.name} becomes {health}", seconds=40)


@pytest.fixture
def run(image) -> Iterator[Callable[..., Container]]:
    """Starts containers: `run("--env", "NOWD_LOG=json")`."""
    started: list[str] = []

    def start(*options: str, flags: tuple[str, ...] = HARDENED) -> Container:
        started.append(docker("run", "--detach", "--publish", "127.0.0.1::8080", *flags, *options, image))
        container = Container(started[-1])
        container.wait_until_it_answers()
        return container

    yield start
    for name in started:
        docker("rm", "--force", "--volumes", name)


def test_hardened_it_becomes_healthy_and_serves_everything(run):
    container = run("--health-interval", "1s")
    container.becomes("healthy")
    for path in ("/now?tz=Europe/Madrid", "/", "/openapi.json", "/readyz"):
        assert container.get(path)[0] == 200, path
    settings = container.state["HostConfig"]
    assert settings["ReadonlyRootfs"]
    assert settings["CapDrop"] == ["ALL"]
    status = process_status(container)
    assert status["Uid"].split() == ["65532"] * 4
    assert status["CapEff"].strip("0") == ""
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2", "the engine's own filter of system calls is on, and it works within that"


def process_status(container: Container) -> dict[str, str]:
    with open(f"/proc/{container.pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def test_it_writes_to_nothing_even_where_it_could(run):
    """Without --read-only, and with a user to whom everything belongs: the file system is as it was."""
    container = run("--user", "0", flags=())
    for _ in range(50):
        assert container.get("/now")[0] == 200
    assert docker("diff", container.name) == ""
    assert files_open_for_writing(container.pid) == []
    with open(f"/proc/{container.pid}/io") as file:
        written = dict(line.split(": ") for line in file)
    assert int(written["write_bytes"]) == 0, "bytes that went to a disk"


def files_open_for_writing(pid: int) -> list[str]:
    """Pipes, sockets and devices are none."""
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        with open(f"/proc/{pid}/fdinfo/{number}") as file:
            flags = int(dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)["flags"], 8)
        path = os.readlink(f"/proc/{pid}/fd/{number}")
        if flags & os.O_ACCMODE != os.O_RDONLY and path.startswith("/") and not path.startswith("/dev/"):
            found.append(path)
    return found


def test_any_user_will_do(run):
    """As some clusters choose one themselves."""
    container = run("--user", "1234567:7654321")
    assert process_status(container)["Uid"].split() == ["1234567"] * 4
    assert container.get("/now")[0] == 200


def test_without_a_network_beyond_its_own_it_still_finds_itself_healthy(image):
    name = docker("run", "--detach", *HARDENED, "--network", "none", "--health-interval", "1s", image)
    try:
        Container(name).becomes("healthy")
    finally:
        docker("rm", "--force", name)


QUICK = ("--health-interval", "1s", "--health-retries", "1", "--env", "NOWD_MAX_CLOCK_ERROR=0s")
"""Asked often; and not ready, because no kernel vouches for an error of zero."""


def test_it_stays_healthy_when_it_is_not_ready(run):
    """Or the whole fleet would be ended when the time service of a site fails."""
    container = run(*QUICK)
    container.becomes("healthy")
    assert container.get("/readyz")[0] == 503
    poll(lambda: len(container.state["State"]["Health"]["Log"]) >= 3, "it was asked some times more")
    assert container.state["State"]["Health"]["Status"] == "healthy"
    assert "alive: http://" in container.state["State"]["Health"]["Log"][-1]["Output"]


def test_it_can_be_asked_whether_it_is_ready(run):
    container = run(*QUICK)
    container.becomes("healthy")
    assert docker("exec", container.name, "/nowd", "healthcheck", "--ready", code=1).startswith("not ready: http://")
    assert container.get("/now")[0] == 200, "it still says what time it is"


def test_stopped_it_drains_and_then_exits_with_0(run):
    container = run("--env", "NOWD_DRAIN_DELAY=3s")
    port = container.port
    with Connection(port) as kept:
        kept.send(b"GET /now HTTP/1.1\r\nHost: a\r\n\r\n")
        assert kept.answer().status == 200
        began = time.monotonic()
        # What `docker stop` and an orchestrator send, to the first process of the container.
        docker("kill", "--signal", "TERM", container.name)
        poll(lambda: container.get("/readyz")[0] == 503, "/readyz turns clients away")
        # Until the balancer has seen that, everybody is served; and asked to go elsewhere.
        kept.send(b"GET /now HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = kept.answer()
        assert (answer.status, answer.header("connection")) == (200, "close")
        status, headers, _ = container.get("/now")
        assert (status, headers["connection"]) == (200, "close")
    assert int(docker("wait", container.name)) == 0
    assert 2.5 < time.monotonic() - began < 15
    assert not container.state["State"]["OOMKilled"]
    assert "draining" in container.logs
