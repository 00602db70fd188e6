"""The image: what is in it, that it is the same when built again, and how it runs with nothing but a port."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest
from local_account import need_an_engine
from support.tools import ROOT

HARDENED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]


def docker(*arguments: str) -> str:
    ended = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def build() -> str:
    ended = subprocess.run(["scripts/image"], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=900, check=True)
    return ended.stdout.split()[-1]


@pytest.fixture(scope="module")
def image() -> str:
    need_an_engine()
    return build()


@pytest.fixture
def container(image: str) -> Iterator[str]:
    # The drain delay is for load balancers; nobody has to wait for it here.
    name = docker("run", "--detach", *HARDENED, "--env", "NOWD_DRAIN_DELAY=0s", "--publish", "127.0.0.1::8080", image)
    try:
        yield name
    finally:
        docker("rm", "--force", name)


def inspected(what: str) -> dict:
    return json.loads(docker("inspect", what))[0]


def test_it_is_small_and_says_what_it_is(image: str) -> None:
    found = inspected(image)
    labels = found["Config"]["Labels"]
    assert found["Size"] < 4_000_000
    assert len(found["RootFS"]["Layers"]) == 1
    assert found["Config"]["User"] == "65532:65532"
    assert found["Config"]["Entrypoint"] == ["/nowd"]
    assert found["Config"]["ExposedPorts"] == {"8080/tcp": {}}
    assert found["Config"]["Healthcheck"]["Test"] == ["CMD", "/nowd", "healthcheck"]
    assert image.startswith(f"nowd:{labels['org.opencontainers.image.version']}-")
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    for name in ("revision", "source", "created"):
        assert labels[f"org.opencontainers.image.{name}"]


def test_built_again_it_has_the_same_layer(image: str) -> None:
    first = inspected(image)
    docker("rmi", "--force", image)
    assert build() == image
    again = inspected(image)
    assert again["RootFS"]["Layers"] == first["RootFS"]["Layers"]


def test_it_runs_with_nothing_but_a_port(container: str) -> None:
    deadline = time.monotonic() + 30
    while inspected(container)["State"]["Health"]["Status"] != "healthy":
        assert time.monotonic() < deadline, docker("logs", container)
        time.sleep(0.2)
    state = inspected(container)
    port = state["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/now", timeout=10) as answer:
        assert json.load(answer)["timezone"] == "UTC"

    # What the kernel says of the process.
    with open(f"/proc/{state['State']['Pid']}/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    assert status["Uid"].split() == ["65532"] * 4
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0000000000000000"}
    assert status["NoNewPrivs"] == "1"

    docker("stop", "--time", "20", container)
    assert inspected(container)["State"]["ExitCode"] == 0
