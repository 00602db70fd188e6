"""An AWS on this machine for the tests of a file, the image of these sources, and what the playbook is told."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest
from local_account import Account, Run, docker, need_an_engine
from support.tools import ROOT, binary


def image_of(program: str) -> str:
    need_an_engine()
    ended = subprocess.run(["scripts/image", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    return ended.stdout.split()[-1]


@pytest.fixture(scope="module")
def image() -> str:
    """The image of these sources."""
    return image_of("nowd")


@pytest.fixture(scope="module")
def variant(image: str) -> Iterator:
    """Makes an image of the image: `variant("next", "LABEL a=b")`."""
    made = []

    def make(tag: str, *lines: str) -> str:
        name = f"{image}-{tag}"
        docker("build", "--quiet", "--tag", name, "-", given="\n".join([f"FROM {image}", *lines]))
        made.append(name)
        return name

    yield make
    if made:
        docker("rmi", *made)


@pytest.fixture(scope="module")
def account(tmp_path_factory) -> Iterator[Account]:
    need_an_engine()
    # The first playbook would make it. Some tests ask AWS before that.
    subprocess.run(["scripts/python-packages", "build/deploy", "requirements-deploy.txt"], cwd=ROOT, check=True)
    account = Account(tmp_path_factory.mktemp("emulator"))
    try:
        account.emulator("start")
        yield account
    finally:
        left = [container["Id"] for container in account.containers()]
        account.emulator("stop")
        if left:
            docker("rm", "--force", *left)


@pytest.fixture(scope="module")
def settings() -> list[str]:
    # With everything that makes it harder to destroy.
    more = ["deletion_protection=true", "access_logs=true", "trust_checker_clock=true"]
    return ["-e", f"nowcheck={binary('nowcheck')}", *(part for one in more for part in ("-e", one))]


@pytest.fixture(scope="module")
def monitored(settings: list[str], image: str) -> Callable[..., list[str]]:
    """The settings of an environment with a monitor: `monitored("watched")`."""
    of_monitor = f"monitor_image={image_of('nowcheck')}"
    plain = [one.replace("deletion_protection=true", "deletion_protection=false") for one in settings]

    def make(environment: str, *, monitor: bool = True) -> list[str]:
        ours = [*plain, "-e", f"image={image}", "-e", f"environment_name={environment}", "-e", "egress=public"]
        return [*ours, "-e", "monitor=true", "-e", of_monitor] if monitor else ours

    return make


@pytest.fixture
def alone(account: Account, tmp_path) -> Callable[..., Run]:
    """Performs a file of tasks without the rest of the playbook: `alone("stack.yml", "narrow", stack="vpc", ...)`."""

    def perform(file: str, environment: str, **variables) -> Run:
        task = {"ansible.builtin.include_tasks": str(ROOT / "tasks" / file), "vars": variables}
        play = {
            "hosts": "localhost", "gather_facts": False, "module_defaults": {"group/aws": {"region": "eu-central-1"}},
            "vars_files": [str(ROOT / "group_vars/all.yml")], "vars": {"outputs": {}}, "tasks": [task],
        }  # fmt: skip
        playbook = tmp_path / "alone.yml"
        playbook.write_text(json.dumps([play]))
        settings = ["-e", f"environment_name={environment}"]
        return account.playbook(str(playbook), *settings, script="build/deploy/bin/ansible-playbook")

    return perform
