"""Modules depend on each other in one direction only: no module at the top of a crate is in a circle of imports."""

from pathlib import Path

import pytest
from support.rust_source import circle, dependencies
from support.tools import ROOT

CRATES = sorted(path.parent / "src" for path in [*ROOT.glob("crates/*/Cargo.toml"), ROOT / "services/app/Cargo.toml"])

def name_of(source: Path) -> str:
    return source.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("source", CRATES, ids=name_of)
def test_modules_have_no_circle(source):
    uses = dependencies(source)
    modules = circle(uses)
    steps = [
        f"{module} uses {other} ({Path(uses[module][other]).relative_to(source)})"
        for module, other in zip(modules, modules[1:] + modules[:1], strict=True)
    ]
    assert not steps, "modules in a circle:\n" + "\n".join(steps)


def made_up(folder: Path, **files: str) -> list[str]:
    """The circle in a crate of these files (`a__b` is a/b.rs), in alphabetical order."""
    for name, text in {"lib": "mod a;\nmod b;\nmod c;\n", "a": "", "b": "", "c": ""}.items():
        files.setdefault(name, text)
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.rs"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return sorted(circle(dependencies(folder)))


B_USES_A = "use crate::a::Thing;\n"


@pytest.mark.parametrize(
    "uses_b",
    [
        "use crate::b::Thing;",
        "use crate::{c::Other, b::{self, Thing}};",
        "use crate::{\n    c::{Other as Another, More},\n    b,\n};",
        "use super::b::Thing;",
        "pub(crate) use crate::b::Thing;",
        "fn f() -> u8 { crate::b::f::<u8>() }",
        "fn f<'a>(x: &'a u8) -> &'a u8 { let _ = 'b'; crate::b::f(x) }",
        "mod inner { mod more { use super::super::super::b::Thing; } }",
        "mod inner { fn f() { if true { super::super::b::f() } } }",
        "use crate::Passed;",
        "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::b::Thing;",
        "#[cfg(test)]\npub(crate) fn g() -> [u8; 2] { [1, 2] }\nuse crate::b::Thing;",
        '/* /* nested */ " */ use crate::b::Thing;',
        'const X: &str = r#"a " /* "#; use crate::b::Thing;',
    ],
)
def test_a_circle_of_two_is_found(tmp_path, uses_b):
    lib = "mod a;\nmod b;\nmod c;\npub use b::{Passed, Other};\n"
    assert made_up(tmp_path, lib=lib, a=f"{uses_b}\n", b=B_USES_A) == ["a", "b"]


def test_a_circle_of_three_is_found_wherever_in_their_folders_the_imports_are(tmp_path):
    files = {"a": "mod x;", "a__x": "use crate::b::Thing;", "b__y": "use super::super::c::Thing;", "c": B_USES_A}
    assert made_up(tmp_path, **files) == ["a", "b", "c"]


def test_a_circle_through_the_root_is_found(tmp_path):
    lib = "mod a;\nmod b;\nmod c;\nfn f() { a::f() }\nfn g() {}\n"
    assert made_up(tmp_path, lib=lib, a="fn f() { crate::g() }\n") == ["(root)", "a"]


@pytest.mark.parametrize(
    "uses_nothing",
    [
        "// use crate::b::Thing;",
        "/// See [`crate::b::Thing`].\nfn f() {}",
        "/* use crate::b::Thing; /* and */ use crate::b::Thing; */",
        'const X: &str = "use crate::b::Thing;";',
        'const X: &str = r#"" use crate::b::Thing;"#;',
        "#[cfg(test)]\nmod tests {\n    use crate::b::Thing;\n    fn f() { let _ = '{'; }\n}",
        "#[cfg(test)]\n#[expect(dead_code)]\nmod tests {\n    use crate::b::Thing;\n}",
        "#[cfg(test)]\nuse crate::b::{Thing, Other};\nfn f() {}",
        "#[cfg(all(test, unix))]\nfn f() { crate::b::f() }",
        "pub(in crate::a) fn f() {}",
        "mod b { pub(super) fn f() {} }\nfn g() { self::b::f() }",
        "mod inner { use super::b::Thing; }\nmod b { pub struct Thing; }",
        "use other::crate_b::b::Thing;",
        "use crate::c::b::Thing;",
    ],
)
def test_what_is_no_import_makes_no_circle(tmp_path, uses_nothing):
    assert made_up(tmp_path, a=f"{uses_nothing}\n", b=B_USES_A) == []


def test_files_that_are_tests_make_no_circle(tmp_path):
    files = {"a": "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod example;\n"}
    files |= {name: "use crate::b::Thing;\n" for name in ("a__tests", "a__example")}
    assert made_up(tmp_path, **files, b=B_USES_A) == []


def test_a_module_may_use_itself_and_what_is_below_it(tmp_path):
    files = {"a": "mod x;\nuse crate::a::x::Thing;\n", "a__x": "use super::Other;\nuse crate::c::Thing;\n"}
    assert made_up(tmp_path, **files) == []
