"""Nothing in the documents names a flag, a file, a setting, a route or a figure that does not exist."""

import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from support.tools import ROOT, binary

PAGES = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "contrib/README.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("**/*.md")),
]

OTHERS = {"scrape_timeout", "metric_relabel_configs"}
"""Settings of Prometheus."""


@cache
def read(page: str) -> str:
    return (ROOT / page).read_text()


@cache
def spans(page: str) -> list[str]:
    """What stands in backticks in the running text. The table of a profile has functions of other people's libraries."""
    others = r"```.*?```|<!-- profile -->.*?<!-- /profile -->"
    return re.findall(r"`([^`\n]+)`", re.sub(others, "", read(page), flags=re.DOTALL))


def tracked() -> list[str]:
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


@cache
def words_of_the_programs() -> frozenset[str]:
    """Every word in the sources, contracts, templates and settings, but not of the documents."""
    words: set[str] = set()
    for name in tracked():
        path = ROOT / name
        if path.suffix in {".rs", ".json", ".toml", ".yml", ".yaml", ".py", ".cfg", ""} and path.is_file():
            words.update(re.findall(r"\w+", path.read_text(errors="ignore")))
    return frozenset(words)


COMMANDS = {"nowd": [[], ["healthcheck"]], "nowcheck": [[], ["watch"], ["report"], ["config"], ["alert"]]}


@cache
def flags_of(program: str) -> frozenset[str]:
    helps = [[binary(program), *command, "--help"] for command in COMMANDS[program]]
    text = "".join(subprocess.run(c, capture_output=True, text=True, timeout=20, check=True).stdout for c in helps)
    return frozenset(re.findall(r"--[a-z][a-z0-9-]*", text))


@pytest.mark.parametrize("page", PAGES)
def test_every_flag_in_the_text_is_one_of_a_program(page):
    """`--flag` alone, or behind the name of a program. Those of other programs follow their name."""
    unknown = []
    for span in spans(page):
        first = span.split()[0] if span.split() else ""
        if first in COMMANDS:
            known = flags_of(first)
        elif first.startswith("--"):
            known = flags_of("nowd") | flags_of("nowcheck")
        else:
            continue
        unknown += [flag for flag in re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", span) if flag not in known]
    assert not unknown, f"{page} names {unknown}"


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_field_and_metric_in_the_text_is_known_to_a_program(page):
    """Whatever is written like_this: keys of configurations, members of JSON, reasons, metrics, variables of the playbook."""
    named = {word for span in spans(page) for word in re.findall(r"(?<![\w./-])[a-z]+(?:_[a-z0-9]+)+(?![\w/])", span)}
    assert not named - OTHERS - words_of_the_programs(), page


@pytest.mark.parametrize("page", PAGES)
def test_every_variable_in_the_text_is_known_to_a_program(page):
    named = set(re.findall(r"\b(?:NOWD|NOWCHECK)_[A-Z][A-Z_]*[A-Z]\b", read(page)))
    assert named <= words_of_the_programs(), page


@pytest.mark.parametrize("page", PAGES)
def test_every_file_in_the_text_is_in_the_tree(page):
    """A path that begins with a directory of the tree, or of the page."""
    tops = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name not in {"build", "target"}}
    missing = []
    for span in spans(page):
        for word in span.split():
            path = word.strip(",;:()")
            if path.split("/")[0] in tops and "/" in path and not re.search(r"[*{}$<>]|://", path):
                if not (ROOT / path).exists() and not (ROOT / page).parent.joinpath(path).exists():
                    missing.append(path)
    assert not missing, f"{page} names {missing}"


def toml_blocks() -> list[tuple[str, str]]:
    blocks = [(page, block) for page in PAGES for block in re.findall(r"```toml\n(.*?)```", read(page), re.DOTALL)]
    assert blocks
    return blocks


@pytest.mark.parametrize(("page", "block"), toml_blocks())
def test_every_configuration_in_a_page_follows_the_schema(page, block):
    schema = json.loads(read("contract/nowcheck-config.schema.json"))
    # A section that a page explains is added to a file, and the file has a check.
    file = {"check": [{"name": "shop", "url": "http://shop.example"}]} | tomllib.loads(block)
    errors = [error.message for error in Draft202012Validator(schema).iter_errors(file)]
    assert not errors, page


@pytest.mark.parametrize(
    ("page", "description"),
    [("docs/operating-nowd.md", "contract/openapi.json"), ("docs/monitoring.md", "contract/nowcheck-watch.openapi.json")],
)
def test_every_route_in_a_page_is_in_the_description_of_the_api(page, description):
    known = {re.sub(r"\{\w+\}", "NAME", path) for path in json.loads(read(description))["paths"]}
    # The first column of the table of routes. A query selects what is answered, but no other route.
    rows = re.findall(r"(?m)^\| (`(?:GET |HEAD )?/[^|]*) \|", read(page))
    named = {span.split()[-1].split("?")[0] for row in rows for span in re.findall(r"`([^`]+)`", row)}
    assert len(named) >= 6
    missing = {path.replace("/ID", "/NAME") for path in named} - known
    # The pages of the monitor are no part of its API.
    code = "".join(file.read_text() for file in (ROOT / "crates/nowcheck-watch/src").glob("web/**/*.rs"))
    pages = {path for path in missing if page == "docs/monitoring.md" and f'"/{path.split("/")[1]}' in code}
    assert missing - pages == set()


# Figures


def test_the_figures_of_nowd_in_the_readme_are_those_of_their_page():
    shown = re.findall(r"\| ([^|]+) \| ([\d.]+ (?:MB|ms)) \|", read("README.md").split("<!-- footprint -->")[1])
    table = read("docs/performance.md").split("<!-- bench-footprint -->")[1].split("<!--")[0]
    measured = dict(re.findall(r"(?m)^\| ([^|]+?) +\| +([\d.]+ (?:MB|ms)) \|", table))
    assert len(shown) == 4, shown
    assert {name: measured.get(name) for name, _ in shown} == dict(shown), "copy them from docs/performance.md"


def test_the_size_of_the_page_is_what_its_document_says(one_nowd):
    """The page with its script and its style, as a browser gets them."""
    [said] = re.findall(r"The page is (\d+) kB compressed", read("docs/operating-nowd.md"))

    def got(path: str, *flags: str) -> bytes:
        headers = ["--header", "Accept: text/html", "--header", "Accept-Encoding: gzip"]
        command = ["curl", "--silent", "--fail", *headers, *flags, one_nowd.url.removesuffix("/now") + path]
        return subprocess.run(command, capture_output=True, timeout=20, check=True).stdout

    assets = set(re.findall(r'(?:href|src)="(/[^"]+\.(?:js|css))"', got("/", "--compressed").decode()))
    assert assets
    assert round(sum(len(got(path)) for path in ["/", *assets]) / 1000) == int(said)
