"""Rust source as far as tests of the project have to understand it: what is code, and which modules it names."""

import re
from collections.abc import Iterator
from pathlib import Path

LITERALS = re.compile(
    r"""(?P<line>//[^\n]*)
      | (?P<block>/\*)
      | (?P<raw>\b[bc]?r(?P<hashes>\#*)".*?"(?P=hashes))
      | (?P<text>(?:\b[bc])?"(?:\\.|[^"\\])*")
      | (?P<char>(?:\bb)?'(?:\\[^\n][^'\n]*|[^'\\\n])')""",
    re.VERBOSE | re.DOTALL,
)
"""What may contain words that are no code. A lifetime has no second quote, so it is not taken for a character."""

TEST_ONLY = re.compile(r"#\[cfg\((?:test|all\(\s*test\b[^\]]*)\)\]")
ATTRIBUTE = re.compile(r"\s*#\[[^\]]*\]")


def code(text: str) -> str:
    """The text with each comment and literal replaced by a space; line feeds are kept."""
    parts, start = [], 0
    while match := LITERALS.search(text, start):
        end = end_of_comment(text, match.start()) if match["block"] else match.end()
        parts += [text[start : match.start()], " ", "\n" * text.count("\n", match.start(), end)]
        start = end
    return "".join([*parts, text[start:]])


def end_of_comment(text: str, start: int) -> int:
    """The end of a block comment, in which others may be nested."""
    depth = 0
    for mark in re.finditer(r"/\*|\*/", text[start:]):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return start + mark.end()
    return len(text)


def matching_brace(text: str, start: int) -> int:
    """The place after the brace that closes the one at `start`."""
    depth = 0
    for mark in re.finditer(r"[{}]", text[start:]):
        depth += 1 if mark[0] == "{" else -1
        if depth == 0:
            return start + mark.end()
    return len(text)


def without_tests(text: str) -> str:
    """Code without the items that are compiled for tests only."""
    while match := TEST_ONLY.search(text):
        start = match.end()
        while attribute := ATTRIBUTE.match(text, start):
            start = attribute.end()
        end = re.compile(r"[{;]").search(text, start)
        if end is None:
            stop = len(text)
        elif end[0] == ";" or re.match(r"\s*(?:pub(?:\([^)]*\))?\s+)?use\b", text[start:]):
            stop = text.index(";", start) + 1
        else:
            stop = matching_brace(text, end.start())
        text = text[: match.start()] + text[stop:]
    return text


# Which modules use which.

ROOT = "(root)"
"""What is written in lib.rs or main.rs itself."""

VISIBILITY = r"(?:pub(?:\s*\([^)]*\))?\s+)?"
TEST_FILE = re.compile(TEST_ONLY.pattern + rf"(?:\s*#\[[^\]]*\])*\s*{VISIBILITY}mod\s+(\w+)\s*;")
STEP = re.compile(
    r"""\bmod\s+(?P<module>\w+)\s*\{
      | (?P<open>\{)
      | (?P<close>\})
      | (?<!\bin\ )(?<![\w:])(?P<start>crate|super|self)\s*::""",
    re.VERBOSE,
)
SEGMENT = re.compile(r"\s*(?:(?P<group>\{)|(?P<name>\w+)|\*)")
SEPARATOR = re.compile(r"\s*::(?!\s*<)")


def module_of(path: Path, source: Path) -> list[str]:
    """The module that is in this file; that of lib.rs and of main.rs has no name."""
    parts = list(path.relative_to(source).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "mod" or parts in (["lib"], ["main"]) else parts


def members(text: str, start: int) -> tuple[list[list[str]], int]:
    """The paths of a tree such as `a::{b, c::d}`, and the place after it."""
    step = SEGMENT.match(text, start)
    if step is None:
        return [[]], start
    if step["group"]:
        found, place = [], step.end()
        while not (end := re.compile(r"\s*\}").match(text, place)):
            inner, place = members(text, place)
            found += inner
            # A name may be followed by `as`, and a member by a comma.
            place = re.compile(r"(?:\s+as\s+\w+)?\s*(?:,|(?=\}))").match(text, place).end()
        return found, end.end()
    name = [step["name"]] if step["name"] else []
    if not (separator := SEPARATOR.match(text, step.end())):
        return [name], step.end()
    rest, place = members(text, separator.end())
    return [name + other for other in rest], place


def resolved(module: list[str], path: list[str]) -> list[str]:
    """A path that begins with `crate`, `super` or `self` in that module, from the root on."""
    place = list(module)
    for index, name in enumerate(path):
        if name == "crate":
            place = []
        elif name == "super":
            place = place[:-1]
        elif name != "self":
            return place + path[index:]
    return place


def named_paths(text: str, module: list[str]) -> Iterator[list[str]]:
    """All paths from the root that this code names through `crate`, `super` or `self`."""
    inner: list[str] = []
    place = 0
    while step := STEP.search(text, place):
        place = step.end()
        if step["start"]:
            found, place = members(text, step.start())
            here = [*module, *(name for name in inner if name)]
            yield from (resolved(here, path) for path in found)
        elif step["close"]:
            inner = inner[:-1]
        else:
            inner.append(step["module"] or "")


def dependencies(source: Path) -> dict[str, dict[str, str]]:
    """For each module at the top of a crate those that it uses outside of tests, and a file in which it does."""
    files = {path: without_tests(code(path.read_text())) for path in sources(source)}
    modules = {path: module_of(path, source) for path in files}
    rooms = {module[0] for module in modules.values() if module}
    uses: dict[str, dict[str, str]] = {name: {} for name in [ROOT, *sorted(rooms)]}
    known: dict[str, str] = {}
    for path in (path for path, module in modules.items() if not module):
        # In the root a module needs no `crate::` before it.
        text = re.sub(rf"(?<![\w:])({'|'.join(rooms)})\s*::", r"crate::\1::", files[path]) if rooms else files[path]
        for target in named_paths(text, []):
            if target and target[0] in rooms:
                uses[ROOT][target[0]] = str(path)
        for statement in re.findall(r"\buse\s+(crate::[^;]+);", text):
            known |= {target[-1]: target[1] for target in members(statement, 0)[0] if len(target) > 2}
    for path, module in modules.items():
        for target in named_paths(files[path], module) if module else []:
            # What the root only passes on belongs to the module that it has it from.
            other = target[0] if target and target[0] in rooms else known.get(target[0] if target else "", ROOT)
            if other != module[0]:
                uses[module[0]].setdefault(other, str(path))
    return uses


def sources(source: Path) -> list[Path]:
    """The files of a crate, without those that are tests and without further programs."""
    paths = sorted(source.rglob("*.rs"))
    tests = {
        (*module_of(path, source), name) for path in paths for name in TEST_FILE.findall(code(path.read_text()))
    }

    def is_test(module: list[str]) -> bool:
        return "tests" in module or any(tuple(module[:end]) in tests for end in range(1, len(module) + 1))

    return [path for path in paths if not is_test(module_of(path, source)) and module_of(path, source)[:1] != ["bin"]]


def circle(uses: dict[str, dict[str, str]]) -> list[str]:
    """Modules of which each uses the next one, and the last one the first; empty if there are none such."""
    done: set[str] = set()
    way: list[str] = []

    def visit(module: str) -> list[str]:
        if module in way:
            return way[way.index(module) :]
        found: list[str] = []
        if module not in done:
            way.append(module)
            for other in uses[module]:
                found = found or visit(other)
            done.add(way.pop())
        return found

    found: list[str] = []
    for module in uses:
        found = found or visit(module)
    return found
