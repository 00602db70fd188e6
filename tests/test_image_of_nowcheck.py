"""The image of nowcheck: a static binary and nothing else, with all that it needs inside."""

import json
import re
import shutil
import subprocess

import pytest

from support.tools import ROOT, lacking

HARDENED = ("--rm", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "host")


def docker(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout.strip()


def build() -> str:
    done = subprocess.run(["scripts/image", "nowcheck"], cwd=ROOT, capture_output=True, text=True, timeout=1_800)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


@pytest.fixture(scope="module")
def image() -> str:
    if shutil.which("docker") is None or subprocess.run(["docker", "version"], capture_output=True).returncode != 0:
        lacking("no Docker engine answers")
    return build()


def test_it_says_what_it_is_and_holds_one_file(image):
    [found] = json.loads(docker("inspect", image))
    labels = found["Config"]["Labels"]
    assert image.startswith(f"nowcheck:{labels['org.opencontainers.image.version']}-")
    assert labels["org.opencontainers.image.title"] == "nowcheck"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.revision"]
    assert found["Config"]["User"] == "65532:65532"
    assert len(found["RootFS"]["Layers"]) == 1


def test_made_again_it_has_the_same_layer(image):
    [first] = json.loads(docker("inspect", image))
    docker("rmi", "--force", image)
    assert build() == image
    [again] = json.loads(docker("inspect", image))
    assert again["RootFS"]["Layers"] == first["RootFS"]["Layers"]


def test_it_checks_a_service_with_nothing_but_a_network(image, one_nowd):
    told = docker("run", *HARDENED, image, one_nowd.url, "--trust-system-clock", "--max-offset", "10s")
    assert told.startswith("OK"), told


def test_it_knows_the_public_authorities_and_time_zones(image, faulty, authority):
    """A certificate of nobody is rejected as such: there are authorities that it could be of. With its own it is fine."""
    server = faulty("answers", tls=authority.certificate("127.0.0.1"))
    told = docker("run", *HARDENED, image, server.url, code=2)
    assert "authorit" in told, told
    mine = ("--volume", f"{authority.file}:/ca.pem:ro")
    told = docker("run", *HARDENED, *mine, image, server.url, "--ca-file", "/ca.pem", "--trust-system-clock")
    assert told.startswith("OK"), told
    # UTC, read as the time of Madrid, is off by what that zone is ahead.
    zoned = ("--field", "current_time", "--zone", "Europe/Madrid")
    told = docker("run", *HARDENED, *mine, image, server.url, "--ca-file", "/ca.pem", *zoned, code=2)
    assert re.search("like a time zone of -[12] h 0 min", told), told
