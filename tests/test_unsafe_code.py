"""Unsafe code is in one file of a crate, where somebody looks at it, and in no other."""

import re

import pytest
from support.rust_source import code
from support.tools import ROOT

CRATES = sorted(path.parent for path in ROOT.glob("*/*/Cargo.toml") if (path.parent / "src").is_dir())

ALLOWED = {
    "benches/rivals": "src/bin/epoll-loop.rs",
    "crates/nowcheck": "src/clock.rs",
    "crates/nowcheck-cli": "src/abnormal_exit.rs",
    "services/app": "src/unsafe_calls.rs",
}


def unsafe_code(text: str) -> bool:
    """Whether there is any, or a lint is told to let it pass, which is at `deny` in all crates."""
    return bool(re.search(r"\bunsafe(?:_code)?\b", code(text)))


@pytest.mark.parametrize("crate", CRATES, ids=lambda crate: crate.name)
def test_only_the_file_that_is_meant_for_it_has_unsafe_code(crate):
    files = [path.relative_to(crate).as_posix() for path in crate.rglob("*.rs") if "target" not in path.parts]
    found = [file for file in sorted(files) if unsafe_code((crate / file).read_text())]
    allowed = ALLOWED.get(crate.relative_to(ROOT).as_posix())
    assert found == ([allowed] if allowed else [])


def test_the_fuzz_targets_have_none():
    """They are a workspace of their own, without the lints of the programs."""
    assert [path for path in (ROOT / "fuzz").glob("*/*.rs") if unsafe_code(path.read_text())] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fn f() { unsafe { g() } }", True),
        ("unsafe extern fn f() {}", True),
        ('#[expect(unsafe_code, reason = "a")]\nfn f() {}', True),
        ("#![allow(unsafe_code)]", True),
        ("// unsafe code\nfn f() {}", False),
        ('const A: &str = "unsafe";', False),
        ("fn unsafely() {}", False),
    ],
)
def test_unsafe_code_is_told_from_the_word(text, expected):
    assert unsafe_code(text) is expected
