"""What widely used tools say of the templates: nothing, or what a comment beside it justifies."""

import functools
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from cloudformation import FILES, ROOT

from support.tools import lacking

DEPLOYER = ROOT / "infrastructure/deployer.yaml"
ALL_FILES = [*FILES.values(), DEPLOYER]
TEMPLATES = [str(path.relative_to(ROOT)) for path in ALL_FILES]


@functools.cache
def tools() -> Path:
    """The scanners, in an environment of their own: what they bring along would not fit beside anything else."""
    directory, requirements = "build/scan", "tests/deploy/requirements-scan.txt"
    made = subprocess.run(
        ["scripts/python-packages", directory, requirements], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if made.returncode:
        lacking(f"the packages of {requirements} cannot be installed: {made.stderr}")
    return ROOT / directory / "bin"


def tool(name: str) -> str:
    return str(tools() / name)


def run(*command: str, where: Path = ROOT) -> subprocess.CompletedProcess:
    # Nothing is asked of anybody's servers.
    environment = {**os.environ, "CKV_NO_GUIDE": "1", "NO_COLOR": "1"}
    environment.pop("BC_API_KEY", None)
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=300)


def test_cfn_lint_says_nothing():
    result = run(tool("cfn-lint"))
    assert (result.returncode, result.stdout.strip()) == (0, ""), result.stdout + result.stderr


def test_yamllint_says_nothing():
    files = [*TEMPLATES, ".cfnlintrc", ".yamllint", ".checkov.yaml"]
    result = run(tool("yamllint"), "--strict", *files)
    assert (result.returncode, result.stdout.strip()) == (0, ""), result.stdout + result.stderr


@pytest.fixture(scope="module")
def checkov() -> dict:
    command = [tool("checkov"), "--config-file", ".checkov.yaml", "--output", "json", "--file", *TEMPLATES]
    result = run(*command)
    try:
        return json.loads(result.stdout)
    except ValueError:
        pytest.fail(result.stdout + result.stderr)


def test_checkov_finds_nothing(checkov):
    failed = [f"{c['check_id']} {c['resource']}: {c['check_name']}" for c in checkov["results"]["failed_checks"]]
    assert not failed
    assert checkov["summary"]["parsing_errors"] == 0
    assert checkov["summary"]["passed"] >= 50, "it looked at the templates"


def suppressed() -> dict[str, str]:
    """Check → reason, of every suppression in templates and settings."""
    reasons = {}
    for file in ALL_FILES:
        reasons |= dict(re.findall(r"checkov:skip=(\w+):? ?(.*)", file.read_text()))
    text = (ROOT / ".checkov.yaml").read_text()
    for check in yaml.safe_load(text)["skip-check"]:
        above = text.split(f"  - {check}\n")[0].splitlines()[-1].strip()
        reasons[check] = above.removeprefix("#") if above.startswith("#") else ""
    return reasons


def test_every_suppression_of_checkov_has_a_reason():
    for check, reason in suppressed().items():
        assert len(reason.split()) >= 2, f"{check} is passed over without a reason"


def test_nothing_is_suppressed_that_checkov_would_not_say(tmp_path):
    files = []
    for file in ALL_FILES:
        files.append(str(tmp_path / file.name))
        Path(files[-1]).write_text(file.read_text().replace("checkov:skip", "checked"))
    command = [
        tool("checkov"),
        "--framework",
        "cloudformation",
        "--skip-download",
        "--output",
        "json",
        "--file",
        *files,
    ]
    found = {
        check["check_id"] for check in json.loads(run(*command, where=tmp_path).stdout)["results"]["failed_checks"]
    }
    assert set(suppressed()) == found


def test_every_suppression_of_cfn_lint_has_a_reason():
    for file in ALL_FILES:
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines):
            if "ignore_checks" in line:
                assert any("cfn-lint" in line and line.strip().startswith("#") for line in lines[number - 8 : number])
