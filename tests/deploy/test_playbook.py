"""What the playbooks say before they touch anything, and what linters say of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.tools import ROOT, lacking

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "an-access-key-of-nobody", "AWS_SECRET_ACCESS_KEY": "a-secret-key-of-nobody"}

# Nobody answers there, so that no account is ever asked.
NO_ACCOUNT = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


def deploy(*arguments: str, **environment: str) -> str:
    """The words of a run that has to end in the preflight."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
    ended = subprocess.run(
        ["scripts/deploy", *arguments],
        env={**kept, **NO_ACCOUNT, "AWS_EC2_METADATA_DISABLED": "true", **environment},
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    text = ended.stdout + ended.stderr
    assert ended.returncode == 2, text
    assert "Traceback" not in text
    assert "TASK [Registry]" not in text
    return " ".join(text.split())


def test_without_credentials_one_sentence_says_how_to_configure_them() -> None:
    assert (
        "there are no credentials for AWS: configure them with `aws configure sso` and `export AWS_PROFILE=...`, or with "
        "`export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...`"
    ) in deploy()


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("aws_region=eu-central-9", 'there is no region "eu-central-9" (aws_region); there are: eu-central-1'),
        ("environment_name=a-name-that-is-too-long-for-a-load-balancer", "has 43 characters and may have 32"),
        ("environment_name=Nowd_1", "lower-case letters, digits and single hyphens"),
        ("environment_name=internal-time", "begins with a word that AWS keeps for itself"),
        ("public_subnet_2_cidr=10.180.12.0/21", "10.180.12.0/21 has host bits set"),
        ("public_subnet_2_cidr=10.180.8.0/22", "public_subnet_1_cidr 10.180.8.0/21 and public_subnet_2_cidr 10.180.8.0/22 overlap"),
        ("private_subnet_1_cidr=10.181.0.0/21", "private_subnet_1_cidr 10.181.0.0/21 is not inside of vpc_cidr 10.180.0.0/16"),
        ("vpc_cidr=10.0.0.0/8", "vpc_cidr 10.0.0.0/8 is out of size"),
        ("nat_gateways=both", 'nat_gateways is "both" and can be per-zone, single or none'),
        ("hosts_desired=3", "hosts_desired and hosts_max: at least 3 and at most 2"),
        ("certificate_arn=arn:aws:acm:eu-central-1:123456789012:certificate/x", "certificate_arn needs public_name"),
        ("tasks_min=7", "tasks: at least 7 and at most 6"),
        ("certificate_arn=arn:aws:acm:us-east-1:123456789012:certificate/x", "the certificate is in us-east-1"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_created(setting: str, sentence: str) -> None:
    assert sentence in deploy("-e", setting, **CREDENTIALS)


def test_without_a_docker_engine_a_sentence_says_so() -> None:
    assert "no Docker engine answers" in deploy(DOCKER_HOST="unix:///nonexistent", **CREDENTIALS)


def test_without_cargo_a_sentence_says_so_unless_the_image_is_named(tmp_path) -> None:
    tools = [path for path in os.environ["PATH"].split(":") if not (Path(path) / "cargo").exists()]
    # What else stands beside cargo is not hidden with it.
    for program in ("docker", "python3"):
        if found := shutil.which(program):
            (tmp_path / program).symlink_to(found)
    path = ":".join([str(tmp_path), *tools])
    assert "there is no cargo on this machine" in deploy(PATH=path, **CREDENTIALS)
    assert "there is no cargo" not in deploy("-e", "image=nowd:named", PATH=path, **CREDENTIALS)


def test_all_that_is_wrong_is_told_at_once() -> None:
    words = deploy("-e", "vpc_cidr=nonsense", "-e", "hosts_min=0", DOCKER_HOST="unix:///nonexistent")
    for sentence in ("vpc_cidr is no range", "hosts: at least 0", "no Docker engine", "no credentials"):
        assert sentence in words


@pytest.mark.parametrize("playbook", ["main.yml", "destroy.yml"])
def test_the_syntax_is_right(playbook: str) -> None:
    lint("build/deploy/bin/ansible-playbook", "--syntax-check", playbook)


def test_ansible_lint_has_nothing_to_say_at_its_production_profile() -> None:
    lint("build/lint/bin/ansible-lint", "--strict", "main.yml", "destroy.yml")


def test_yamllint_has_nothing_to_say() -> None:
    lint("build/lint/bin/yamllint", "--strict", "main.yml", "destroy.yml", "tasks", "group_vars", "tests/deploy/emulator")


def lint(*command: str) -> None:
    scripts = [("build/deploy", "requirements.txt"), ("build/lint", "tests/deploy/requirements-lint.txt")]
    for directory, requirements in scripts:
        made = subprocess.run(
            ["scripts/python-packages", directory, requirements], cwd=ROOT, capture_output=True, text=True, check=False
        )  # fmt: skip
        if made.returncode:
            lacking(f"the packages of {requirements} cannot be installed: {made.stderr}")
    (collections,) = ROOT.glob("build/deploy/lib/python3*/site-packages")
    ended = subprocess.run(
        command,
        env={**os.environ, "PATH": f"{ROOT}/build/lint/bin:{os.environ['PATH']}", "NO_COLOR": "1",
             "ANSIBLE_CONFIG": f"{ROOT}/ansible.cfg", "ANSIBLE_COLLECTIONS_PATH": str(collections)},
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
