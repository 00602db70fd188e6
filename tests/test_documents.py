"""What the documents say is there, and what is there is in the documents."""

import importlib.util
import os
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest

from support.tools import ROOT, binary

# Directories whose content is nobody's source: built, installed, or a tool's own.
NOT_SOURCE = {".git", "target", "build", "node_modules", "__pycache__", ".venv", ".pytest_cache", ".ruff_cache"}
CODE = {".rs", ".py", ".js", ".ts", ".css", ".html", ".yaml", ".yml", ".sh", ".json", ".toml"}


def read(name: str) -> str:
    path = ROOT / name
    assert path.exists(), f"there is no {name}"
    return path.read_text()


def files() -> list[Path]:
    """Every file of the tree, without what git would not take either."""
    found = []
    for place, directories, names in os.walk(ROOT):
        directory = Path(place)
        directories[:] = [d for d in directories if d not in NOT_SOURCE and not ignored(directory / d)]
        found += [directory / name for name in names if not ignored(directory / name)]
    return found


@cache
def ignored_patterns() -> tuple[str, ...]:
    return tuple(line.strip() for line in read(".gitignore").splitlines() if line.strip() and line[0] != "#")


def ignored(path: Path) -> bool:
    name = path.relative_to(ROOT).as_posix()
    for pattern in ignored_patterns():
        bare = pattern.strip("/")
        if pattern.startswith("/") and name == bare:
            return True
        if not pattern.startswith("/") and path.match(bare):
            return True
    return False


PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("**/*.md"))]
"""What users read."""

ALL = [*PAGES, "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "contrib/README.md"]
"""And what those read who work on it, or look for a recipe."""


@cache
def commands_of(page: str) -> list[list[str]]:
    """The command lines in a page's blocks, as words. In a console they follow a `$`; the rest is output."""
    commands = []
    for kind, block in re.findall(r"```(sh|shell|bash|console)\n(.*?)```", read(page), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if kind == "console" and not line.startswith("$ "):
                continue
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words:
                commands.append(words)
    return commands


def test_the_readme_shows_commands():
    assert commands_of("README.md"), "no block of shell in README.md"


def test_the_readme_is_read_in_five_minutes():
    words = len(read("README.md").split())
    assert words <= 1_300, f"{words} words: move what not everybody needs to docs/"


def test_every_page_is_in_the_index_of_the_readme():
    """By a link of the README, or of a page of the same topic."""
    linked = set()
    for page in PAGES:
        for link in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", read(page)):
            linked.add((ROOT / page).parent.joinpath(link).resolve())
    lost = [page for page in PAGES if page != "README.md" and (ROOT / page).resolve() not in linked]
    assert not lost, f"nothing links to {lost}"


def test_the_index_lists_every_page_and_each_page_says_who_it_is_for():
    listed = {(ROOT / "docs" / link).resolve() for link in re.findall(r"\]\(([^)#]+)\)", read("docs/README.md"))}
    pages = [page for page in PAGES if page.startswith("docs/")]
    assert {(ROOT / page).resolve() for page in pages} - listed == {ROOT / "docs" / "README.md"}
    silent = [page for page in pages if not re.search(r"^This page is for (?:the first person|people|maintainers|users)", read(page), re.MULTILINE)]
    assert not silent


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([A-Za-z0-9_.-]+)(?: [A-Za-z0-9_. -]+)?:(?!=)", read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("page", ALL)
def test_every_make_target_of_a_page_exists(page):
    inline = set(re.findall(r"`make ([a-z][a-z0-9-]*)", read(page)))
    commands = [words[1:] for words in commands_of(page) if words[0] == "make"]
    in_blocks = {word for words in commands for word in words if word[0].isalpha() and "=" not in word}
    missing = (inline | in_blocks) - makefile_targets()
    assert not missing, f"{page} says `make {sorted(missing)}`; the Makefile has {sorted(makefile_targets())}"


@pytest.mark.parametrize("target", ["run", "test", "bench"])
def test_the_makefile_has_the_agreed_targets(target):
    assert target in makefile_targets()


@pytest.mark.parametrize("page", ALL)
@pytest.mark.parametrize("program", ["nowd", "nowcheck"])
def test_every_flag_of_a_page_is_in_the_help(program, page):
    text = help_of(program)
    used = {
        word.split("=")[0]
        for words in commands_of(page)
        for word in arguments_of(words, program)
        if re.match(r"--[a-z]", word)
    }
    # In running text: `nowcheck --flag`.
    in_text = " ".join(re.findall(rf"`{program} [^`]+`", read(page)))
    used |= set(re.findall(r"--[a-z][a-z-]*", in_text))
    missing = sorted(flag for flag in used if not re.search(rf"{re.escape(flag)}\b(?!-)", text))
    assert not missing, f"{page} uses {missing}, and `{program} --help` does not know them"


def test_every_flag_that_is_mentioned_where_programs_are_explained_is_one():
    known = help_of("nowd") + help_of("nowcheck")
    for page in ["README.md", "docs/operating-nowd.md", "docs/checking.md"]:
        mentioned = set(re.findall(r"`(--[a-z][a-z-]*)", read(page)))
        missing = sorted(flag for flag in mentioned if not re.search(rf"{re.escape(flag)}\b(?!-)", known))
        assert not missing, f"{page} mentions {missing}, and neither program's --help knows them"


def arguments_of(words: list[str], program: str) -> list[str]:
    """What stands after the program's name, up to a pipe or another command."""
    for index, word in enumerate(words):
        is_command = index == 0 or words[index - 1] in {"|", "&&", ";", "||", "sudo", "exec", "--"}
        if is_command and word.rsplit("/", 1)[-1] == program:
            rest = words[index + 1 :]
            ends = [i for i, w in enumerate(rest) if w in {"|", "&&", ";", "||", ">", "&"}]
            return rest[: ends[0]] if ends else rest
    return []


COMMANDS = {"nowd": [[], ["healthcheck"]], "nowcheck": [[], ["watch"], ["report"], ["config"], ["alert"]]}
"""What each program has a --help for: itself, and its commands."""


@cache
def help_of(program: str) -> str:
    commands = [[binary(program), *command, "--help"] for command in COMMANDS[program]]
    return "".join(subprocess.run(c, capture_output=True, text=True, timeout=20, check=True).stdout for c in commands)


@pytest.mark.parametrize("document", ALL)
def test_links_to_files_and_their_sections_lead_somewhere(document):
    missing = []
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)", read(document)):
        path, _, section = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        if not target.exists() or (section and section not in sections(target)):
            missing.append(link)
    assert not missing, f"{document} links to {missing}"


def sections(page: Path) -> set[str]:
    """The names of a page's headings in links: small letters, hyphens for spaces, nothing else."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def transcripts():
    spec = importlib.util.spec_from_file_location("transcripts", ROOT / "docs" / "transcripts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(transcripts().SCENES))
def test_a_transcript_is_what_the_programs_print(name):
    """But for numbers, instants and names of instances. A busy machine may print a note more, so it may try again."""
    program = transcripts()
    shown = program.likeness(program.shown()[name])
    printed = (program.likeness(program.transcript(name)) for _ in range(3))
    assert any(lines == shown for lines in printed), "run docs/transcripts.py --write"


def test_the_accuracy_in_the_readme_is_that_of_its_page():
    measured = re.findall(r"(?m)^\| ([^|]+) \| (\d+) \| \d+ \| (\d+) \| (\d+ %) \|", read("docs/accuracy.md"))
    shown = re.findall(r"(?m)^\| ([^|]+) \| (\d+) \| (\d+) \| (\d+ %) \|", read("README.md"))
    assert len(shown) >= 4, shown
    assert set(shown) <= set(measured), "copy the rows of docs/accuracy.md"


def test_the_cost_of_a_request_in_the_readme_is_that_of_its_page():
    said = r"([\d.]+) times as much processor time as a loop that parses nothing\s+\(([\d.]+)[^)]*\).*?nginx takes ([\d.]+) times as much as nowd\s+\(([\d.]+)\)"
    (shown,) = re.findall(said, read("README.md"), re.DOTALL)
    # The first table is that of the smallest head, and the second that of a balancer's. Their first figures are the ratios
    # to the loop and to nowd.
    tables = read("docs/performance.md").split("<!-- bench-request -->")[1].split("\n\nGoal:")[:2]
    row = r"(?m)^\| ([^|]+)\| +([\d.]+) \| +([\d.]+) \|"
    small, balancer = ({name.strip(): (loop, nowd) for name, loop, nowd in re.findall(row, table)} for table in tables)
    measured = (small["nowd"][0], balancer["nowd"][0], small["nginx"][1], balancer["nginx"][1])
    assert shown == measured, "copy them from docs/performance.md"


def test_no_table_of_a_measurement_is_empty():
    blocks = [
        (page, name, text.strip())
        for page in PAGES
        for name, text in re.findall(r"<!-- (bench-[\w-]+) -->\n(.*?)<!-- /\1 -->", read(page), re.DOTALL)
    ]
    assert len(blocks) >= 12
    assert not [f"{name} of {page}" for page, name, text in blocks if "|" not in text]


def test_the_wrong_verdicts_beside_a_round_are_those_of_the_page_on_accuracy():
    measured = dict(re.findall(r"(?m)^\| ([^|]+?) +\| \d+ \| \d+ \| \d+ \| (\d+ %) \|", read("docs/accuracy.md")))
    block = read("docs/performance.md").split("<!-- bench-rounds -->")[1].split("<!-- /bench-rounds -->")[0]
    shown = dict(re.findall(r"(?m)^\| ([^|]+?) +\| +(\d+ %) \|", block))
    assert len(shown) >= 3
    assert {name: measured.get(name) for name in shown} == shown, "run `make bench ARGS=--write`"


def test_the_bytes_of_a_round_are_those_that_were_measured():
    (said,) = re.findall(r"A round takes about (\d+) bytes", read("docs/monitoring.md"))
    table = read("docs/performance.md").split("<!-- bench-history -->")[1].split("<!-- /bench-history -->")[0]
    (measured,) = re.findall(r"(?m)^\|[^|]+a round \| \d+ \| (\d+) \|", table)
    assert abs(int(said) - int(measured)) <= 5


def test_the_map_of_the_code_names_only_what_exists():
    """Paths from the root; and names of source files, with or without a directory, wherever in the tree they are."""
    text = re.sub(r"https?://\S+", "", read("ARCHITECTURE.md"))
    tops = "|".join(sorted(re.escape(path.name) for path in ROOT.iterdir() if path.is_dir()))
    paths = set(re.findall(rf"(?<![\w./-])(?:{tops})(?:/[\w.-]*[\w-])+", text))
    missing = {path for path in paths if not (ROOT / path).exists()}
    tree = [f"/{path.relative_to(ROOT).as_posix()}" for path in files()]
    names = set(re.findall(r"(?<![\w.*/-])(?:[\w-]+/)*[\w-]+\.(?:rs|py|ya?ml|js|css|html|json|toml)\b", text))
    missing |= {name for name in names if not any(path.endswith(f"/{name}") for path in tree)}
    assert not missing, f"ARCHITECTURE.md names {sorted(missing)}"


def test_the_map_of_the_code_names_every_directory_with_source():
    """By its path from the root, or as `probe/` or `probe/http.rs` where its crate is named."""
    text = read("ARCHITECTURE.md")
    # The tests of x.rs are in x/tests.rs, and need no word of their own.
    code = [path for path in files() if path.suffix in CODE and path.name != "tests.rs"]
    with_source = {path.parent.relative_to(ROOT) for path in code if path.parent != ROOT}
    crates = {path.parent.relative_to(ROOT) for path in files() if path.name == "Cargo.toml"} - {Path(".")}

    def named(directory: Path) -> bool:
        if re.search(rf"`{re.escape(directory.as_posix())}\b", text):
            return True
        crate = next((crate for crate in crates if crate in [directory, *directory.parents]), None)
        if crate is None or crate == directory or not named(crate):
            return False
        inner = directory.relative_to(crate).as_posix().removeprefix("src").strip("/")
        return inner in ("", "bin") or f"`{inner}/" in text

    # The recipes have an index of their own, and a test of it.
    others = {d for d in with_source if d.parts[0].startswith(".") or d.parts[0] == "contrib"}
    missing = sorted(d.as_posix() for d in with_source - others if not named(d))
    assert not missing, f"ARCHITECTURE.md does not know {missing}"


@pytest.mark.parametrize("document", ALL)
def test_no_document_waits_to_be_filled_in(document):
    waiting = re.findall(r"(?m)^[A-Z]+(?:_[A-Z]+)+$|\bTODO\b|\bTBD\b|\bFIXME\b", read(document))
    assert not waiting, f"{document} still says {waiting}"


def test_no_path_of_a_machine_is_in_the_tree():
    """The tree is the same on every machine: no home directory, no temporary place of whoever wrote it."""
    here = re.escape(f"{ROOT}/").encode()
    places = re.compile(rb"/home/[a-z][a-z0-9_-]*/|/Users/[A-Za-z]|[A-Z]:\\\\?Users|/tmp/\w|/root/\.|" + here)
    found = []
    for path in files():
        if path == Path(__file__).resolve() or path.suffix in {".png", ".ico", ".woff2"}:
            continue
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if places.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120].decode(errors='replace')}")
    assert not found, "\n".join(found)
