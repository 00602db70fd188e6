"""Which crates of others become part of a program."""

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = {"nowd": "nowd", "nowcheck": "nowcheck-cli"}
"""The programs, and the packages that they are built from."""


def cargo(*arguments: str) -> str:
    return subprocess.run(["cargo", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def version() -> str:
    """That of the workspace."""
    packages = json.loads(cargo("metadata", "--locked", "--no-deps", "--format-version", "1"))["packages"]
    return next(package["version"] for package in packages if package["name"] == "nowd")


def this_platform() -> str:
    told = subprocess.run(["rustc", "-vV"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return next(line.removeprefix("host: ") for line in told.splitlines() if line.startswith("host: "))


def crates(program: str) -> list[dict]:
    """The crates, by name: what `cargo metadata` says of each that cargo compiles into the program for this machine."""
    tree = cargo("tree", "--locked", "--package", PROGRAMS[program], "--edges", "normal", "--prefix", "none", "--format", "{p}")
    compiled = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", this_platform()))
    members = set(metadata["workspace_members"])
    others = [p for p in metadata["packages"] if p["id"] not in members and (p["name"], f"v{p['version']}") in compiled]
    return sorted(others, key=lambda p: (p["name"], p["version"]))
