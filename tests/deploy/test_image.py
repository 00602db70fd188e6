"""The image: what is in it, that it is the same wherever it is built, how it runs with nothing but a port, and that the
registry never holds one of its name that is another.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from local_account import Account, Run, need_an_engine
from support.tools import ROOT

HARDENED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]


def docker(*arguments: str, given: str | None = None) -> str:
    ended = subprocess.run(
        ["docker", *arguments], input=given, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def build(where: Path = ROOT, **environment: str) -> str:
    ended = subprocess.run(
        ["scripts/image", "nowd"], cwd=where, env=os.environ | environment, stdout=subprocess.PIPE, text=True, timeout=900,
        check=True,
    )  # fmt: skip
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
    for name in ("revision", "created"):
        assert labels[f"org.opencontainers.image.{name}"]
    assert "org.opencontainers.image.source" not in labels, "an address, and there is none"


def test_made_again_it_has_the_same_layer(image: str) -> None:
    first = inspected(image)
    docker("rmi", "--force", image)
    assert build() == image
    again = inspected(image)
    assert again["RootFS"]["Layers"] == first["RootFS"]["Layers"]


def test_the_binary_knows_no_path_of_the_machine_that_built_it() -> None:
    [binary] = ROOT.glob("build/static/*/release/nowd")
    content = binary.read_bytes()
    home = os.environ.get("CARGO_HOME", f"{Path.home()}/.cargo")
    for path in (ROOT, ROOT.resolve(), home, Path.home() / ".rustup"):
        assert bytes(Path(path)) + b"/" not in content
    assert b"/cargo/registry/src/" in content, "it does name its sources, by other names"


def test_built_by_somebody_else_somewhere_else_it_has_the_same_layer(image: str, tmp_path: Path) -> None:
    """From the same files in another directory, without a history, with another home of cargo, and from nothing."""
    elsewhere = tmp_path / "another place"
    left = shutil.ignore_patterns("target", "build", ".git", ".venv", "__pycache__", ".pytest_cache")
    shutil.copytree(ROOT, elsewhere, ignore=left)
    # The crates need not be fetched again.
    home = tmp_path / "cargo"
    home.mkdir()
    mine = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    (home / "registry").symlink_to(mine / "registry")
    if (mine / "config.toml").exists():
        (home / "config.toml").symlink_to(mine / "config.toml")
    # The commit's time and name, which this one has from its history.
    created = inspected(image)["Config"]["Labels"]["org.opencontainers.image.created"]
    seconds = subprocess.run(
        ["date", f"--date={created}", "+%s"], capture_output=True, text=True, check=True
    ).stdout.strip()
    # As the program says it: `nowd 0.1.0 (1a2b3c4)`, without a history `nowd 0.1.0`.
    commit = docker("run", "--rm", image, "--version").partition("(")[2].rstrip(")")
    other = build(elsewhere, CARGO_HOME=str(home), SOURCE_DATE_EPOCH=seconds, BUILD_COMMIT=commit)
    try:
        assert other != image or not (ROOT / ".git").exists()
        assert inspected(other)["RootFS"]["Layers"] == inspected(image)["RootFS"]["Layers"]
    finally:
        if other != image:
            docker("rmi", other)


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


# The registry: a real one, with the emulator's ECR before it.


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    need_an_engine()
    subprocess.run(["scripts/python-packages", "build/deploy", "requirements-deploy.txt"], cwd=ROOT, timeout=600, check=True)
    account = Account(tmp_path_factory.mktemp("emulator"))
    try:
        account.emulator("start")
        account.ask("ecr", "create_repository", repositoryName="nowd")
        yield account
    finally:
        account.emulator("stop")


@pytest.fixture
def push(account: Account) -> Callable[..., Run]:
    """Runs the module by itself."""

    def run(image: str, *arguments: str) -> Run:
        parameters = {
            "region": "eu-central-1",
            "image": image,
            "repository_name": "nowd",
            "repository_uri": f"127.0.0.1:{account.registry_port}/nowd",
        }
        return account.playbook(
            "localhost", "--module-path", "library", "--module-name", "ecr_image",
            "--args", json.dumps(parameters), *arguments, script="build/deploy/bin/ansible",
        )  # fmt: skip

    return run


@pytest.fixture
def variant(image: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """Makes an image of the image, always under the same name."""
    made = []
    name = "nowd:" + re.sub(r"\W+", "-", request.node.name).strip("-")

    def make(*lines: str) -> str:
        told = [f"FROM {image}", "LABEL variant=yes", *lines]
        docker("build", "--quiet", "--no-cache", "--tag", name, "-", given="\n".join(told))
        made.append(inspected(name)["Id"])
        return name

    yield make
    # Also those that have lost the name to the next; not all of them are still there.
    subprocess.run(["docker", "rmi", "--force", *made], capture_output=True, timeout=120, check=False)


def result(run: Run) -> dict:
    assert "Traceback" not in run.text
    return yaml.safe_load(run.text.split("=>", 1)[1])


def test_an_image_is_pushed_once(push: Callable[..., Run], variant: Callable[..., str]) -> None:
    first = result(push(variant()))
    assert first["changed"]
    # Built again it has another digest here, as the time of that is in it, and yet is the same.
    before = inspected(variant())["Id"]
    assert inspected(variant())["Id"] != before
    for arguments in ([], ["--check"]):
        again = result(push(variant(), *arguments))
        assert (again["changed"], again["by_digest"]) == (False, first["by_digest"])


def test_another_image_of_the_same_name_is_not_passed_over(
    push: Callable[..., Run], variant: Callable[..., str], image: str
) -> None:
    there = result(push(variant()))
    for line, differing, *arguments in (
        ("ENV A=b", "Env"),
        ('ENTRYPOINT ["/nowd", "--version"]', "Entrypoint", "--check"),
        (f"COPY --from={image} /nowd /another", "layers"),
    ):
        name = variant(line)
        run = push(name, *arguments)
        assert run.code == 2, run.text
        message = result(run)["msg"]
        assert f"{name} is in the registry already, and the image of that name on this machine is another" in message
        assert f": {differing} differ." in message

    # Both ways out that it tells of.
    docker("tag", name, f"{name}-2")
    try:
        other = result(push(f"{name}-2"))
    finally:
        docker("rmi", f"{name}-2")
    assert other["changed"]
    assert other["digest"] != there["digest"]
    docker("rmi", name)
    again = result(push(name))
    assert (again["changed"], again["digest"]) == (False, there["digest"])
