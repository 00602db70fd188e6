"""What those who carry the project on rely on: the set-up's announcements, the summary of `make test`, the check of a release."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.process import WAIT
from support.summary import summary
from support.tools import ROOT


def run(*command: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("GIT_")}
    return subprocess.run(
        command, cwd=cwd, env=kept | environment, capture_output=True, text=True, timeout=WAIT, check=False
    )


# make test


def some_commands(folder: Path, *left_out: str) -> str:
    """A search path with what this machine has, but for some programs."""
    folder.mkdir()
    for directory in ("/usr/sbin", "/usr/bin", "/bin", "/sbin"):
        for path in Path(directory).iterdir():
            if path.name not in left_out and not (folder / path.name).exists():
                (folder / path.name).symlink_to(path)
    return str(folder)


def copy_of_scripts(folder: Path) -> Path:
    """The set-up somewhere else, where it may write."""
    place = folder / "project"
    shutil.copytree(ROOT / "scripts", place / "scripts")
    # It puts the directories of root into the search path by itself.
    script = place / "scripts" / "setup-tests"
    script.write_text(script.read_text().replace("PATH=$PATH:/usr/sbin:/sbin", "PATH=$PATH"))
    return place


@pytest.fixture
def recorded_apt(tmp_path) -> tuple[Path, str]:
    """A machine without wrk and nginx, whose apt-get only writes down what it is asked."""
    path = some_commands(tmp_path / "bin", "wrk", "nginx", "apt-get", "apt-cache", "systemctl", "id")
    calls = tmp_path / "calls"
    for name, script in {
        "apt-get": f'echo "$@" >>"{calls}"',
        "apt-cache": "echo '  Candidate: 1'",
        "systemctl": "exit 0",
        "id": "echo ${USER_ID:-0}",
    }.items():
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    return calls, path


def test_the_first_lines_name_what_is_installed_as_root_and_how_to_avoid_it(tmp_path, recorded_apt):
    calls, path = recorded_apt
    told = run("scripts/setup-tests", "packages", cwd=copy_of_scripts(tmp_path), PATH=path)
    first, packages, _, avoid = told.stdout.splitlines()[:4]
    assert first == "These Debian packages are installed on this machine, as root:"
    assert {"nginx-light", "wrk"} <= set(packages.split())
    assert "make test SETUP=0" in avoid
    installs = [line for line in calls.read_text().splitlines() if line.startswith("install")]
    assert len(installs) == 1
    assert installs[0].split()[-2:] == packages.split()[-2:], "what was announced, and nothing else"


def test_an_ordinary_user_gets_the_one_command(tmp_path, recorded_apt):
    calls, path = recorded_apt
    told = run("scripts/setup-tests", "packages", cwd=copy_of_scripts(tmp_path), PATH=path, USER_ID="1000")
    assert "install them with: sudo scripts/setup-tests packages" in told.stderr
    assert not calls.exists()


def test_a_package_that_the_machine_does_not_know_keeps_no_other_out(tmp_path, recorded_apt):
    """Ubuntu has Chromium only as a snap."""
    calls, path = recorded_apt
    for name, script in {
        "apt-cache": 'if [ "$2" = wrk ]; then echo "  Candidate: (none)"; else echo "  Candidate: 1"; fi',
        "systemctl": "exit 1",
    }.items():
        (Path(path) / name).write_text(f"#!/bin/sh\n{script}\n")
    told = run("scripts/setup-tests", "packages", cwd=copy_of_scripts(tmp_path), PATH=path)
    assert told.returncode == 0, told.stderr
    assert "there is no package wrk here" in told.stderr
    installed = [line for line in calls.read_text().splitlines() if line.startswith("install")]
    assert len(installed) == 1 and installed[0].endswith(" nginx-light"), installed


def test_a_browser_of_another_name_is_enough(tmp_path, recorded_apt):
    _, path = recorded_apt
    place = copy_of_scripts(tmp_path)
    (Path(path) / "chromium").unlink(missing_ok=True)
    assert " chromium" in run("scripts/setup-tests", "packages", cwd=place, PATH=path).stdout
    (Path(path) / "google-chrome").symlink_to("/bin/true")
    told = run("scripts/setup-tests", "packages", cwd=place, PATH=path)
    assert "wrk" in told.stdout and " chromium" not in told.stdout


def test_without_set_up_nothing_is_installed(tmp_path, recorded_apt):
    """The run ends with the first stage, because this directory is no project."""
    calls, path = recorded_apt
    place = copy_of_scripts(tmp_path)
    cargo = place / "build" / "tools" / "bin" / "cargo"
    cargo.parent.mkdir(parents=True)
    cargo.write_text('#!/bin/sh\n[ "$2" = --version ]\n')
    cargo.chmod(0o755)
    told = run("scripts/test", cwd=place, PATH=path, SETUP="0")
    assert told.stdout.startswith("make test: nothing is installed (SETUP=0)")
    assert re.search(r'FAILED in stage "formatting", after 0 stages and 0 min \d+ s', told.stderr), told
    assert not calls.exists()


CARGO = """
test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
test a ... ok
test result: ok. 1030 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.01s
"""

PYTEST = """<testsuites><testsuite>
<testcase name="a"/><testcase name="b"><skipped message="there is no wrk"/></testcase>
<testcase name="c"><skipped message="there is no wrk"/></testcase><testcase name="d"/>
</testsuite></testsuites>"""


def test_the_summary_counts_tests_and_names_why_some_were_skipped(tmp_path):
    (tmp_path / "Rust-tests.txt").write_text(CARGO)
    (tmp_path / "system-tests.xml").write_text(PYTEST)
    assert summary(tmp_path).splitlines() == [
        ", 1,044 tests (1,042 in Rust, 2 of the system)",
        "1 tests in Rust are ignored",
        "2 tests of the system were SKIPPED:",
        "     2  there is no wrk",
    ]


# Releases

COMPOSE = "contrib/docker-compose/compose.yaml"


@pytest.fixture
def release(tmp_path) -> Path:
    """A clone that could be released."""
    files = ["Cargo.toml", "CHANGELOG.md", "contract/openapi.json", "docs/man/nowd.1", "docs/man/nowcheck.1", COMPOSE]
    for name in [*files, "Cargo.lock", "fuzz/Cargo.lock", "scripts/check-release"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text("# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-11-28\n\n### Added\n\n* The first.\n")
    replace(tmp_path / "Cargo.toml", r'(?m)^version = ".*"', 'version = "0.1.0"')
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(place: Path, *arguments: str) -> None:
    author = ["-c", "user.name=a", "-c", "user.email=a@example"]
    done = run("git", *author, *arguments, cwd=place)
    assert done.returncode == 0, done.stderr


def commit(place: Path) -> None:
    git(place, "add", ".")
    git(place, "commit", "--quiet", "--allow-empty", "--message=all")


def replace(path: Path, pattern: str, text: str) -> None:
    path.write_text(re.sub(pattern, text, path.read_text(), count=1))


def test_a_release_is_ready_when_version_changelog_and_tags_agree(release):
    told = run("scripts/check-release", cwd=release)
    assert told.stdout.startswith("ready: git tag --annotate v0.1.0"), told
    git(release, "tag", "v0.1.0")
    told = run("scripts/check-release", "v0.1.0", "--notes", cwd=release)
    assert told.stdout.strip() == "### Added\n\n* The first.", told


@pytest.mark.parametrize(
    ("file", "pattern", "text", "complaint"),
    [
        ("Cargo.toml", r'(?m)^version = ".*"', 'version = "0.2.0"', 'CHANGELOG.md has no section "## [0.2.0]'),
        ("Cargo.toml", r'(?m)^version = ".*"', 'version = "0.2"', "which is not X.Y.Z"),
        ("CHANGELOG.md", r" - 2026-11-28", "", "does not date 0.1.0"),
        ("CHANGELOG.md", r"2026-11-28", "2026-02-30", "on a day that is none"),
        ("CHANGELOG.md", r"2026-11-28", "2999-01-01", "in the future"),
        ("CHANGELOG.md", r"## \[Unreleased\]", "", "has no section"),
        ("CHANGELOG.md", r"### Added\n\n\* The first.\n", "", "says nothing of 0.1.0"),
        ("contract/openapi.json", r'"version": "0.1.0"', '"version": "0.0.9"', "contract/openapi.json has the version 0.0.9"),
        ("docs/man/nowd.1", r"nowd 0.1.0", "nowd 0.0.9", "docs/man/nowd.1 is not of 0.1.0"),
        (COMPOSE, r"image: nowd:0.1.0", "image: nowd:0.0.9", "contrib names nowd:0.0.9, and the version is 0.1.0"),
        ("fuzz/Cargo.lock", r'name = "nowcheck"\nversion = "0.1.0"', 'name = "nowcheck"\nversion = "0.0.9"', "fuzz/Cargo.lock is not of 0.1.0"),
    ],
)
def test_a_release_is_not_ready_when_they_disagree(release, file, pattern, text, complaint):
    replace(release / file, pattern, text)
    commit(release)
    told = run("scripts/check-release", cwd=release)
    assert told.returncode == 1
    assert complaint in told.stderr


def test_a_release_is_of_a_clean_tree_and_of_the_tagged_commit(release):
    (release / "new").write_text("")
    assert "the work tree has changes" in run("scripts/check-release", cwd=release).stderr
    git(release, "tag", "v0.1.0")
    assert "tagged already" in run("scripts/check-release", cwd=release).stderr
    assert "the tag is v0.1.1" in run("scripts/check-release", "v0.1.1", cwd=release).stderr
    commit(release)
    assert "is not of the commit" in run("scripts/check-release", "v0.1.0", cwd=release).stderr


def test_the_changelog_of_this_tree_has_the_form_that_a_release_needs():
    text = (ROOT / "CHANGELOG.md").read_text()
    sections = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert sections[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", section) for section in sections[1:])
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
