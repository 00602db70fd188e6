#!/usr/bin/env python3
"""Writes the licenses of everything that becomes part of a program: build/third-party/PROGRAM.txt, or - for its standard output.

python3 packaging/third_party.py nowd|nowcheck [-]

The crates are those that cargo compiles into the program for this machine. Which licenses are acceptable is the business of
deny.toml; here a crate without any license text is an error.
"""

import hashlib
import os
import sys
from pathlib import Path

from program_crates import PROGRAMS, ROOT, crates

TEXTS = ("license", "licence", "copying", "notice", "unlicense", "copyright")
LINE = "=" * 100

HEAD = """\
{program} contains the software below. The license of {program} itself is Apache-2.0 (the file LICENSE).
"""

RUST = """\
The standard library of Rust
Copyright (c) The Rust Project Contributors. License: MIT OR Apache-2.0
"""

SQLITE = """\
SQLite, as it comes with libsqlite3-sys
Its authors have dedicated the code to the public domain (https://sqlite.org/copyright.html).
"""

GLIBC = """\
The GNU C Library, in the static binaries alone
License: LGPL-2.1-or-later, whose text is at https://www.gnu.org/licenses/old-licenses/lgpl-2.1.txt. You may replace it: the
sources of {program}, and scripts/static-build that links them, are all it takes.
"""


def license_texts(crate: dict) -> list[str]:
    """The texts that the crate brings along."""
    folder = Path(crate["manifest_path"]).parent
    named = [folder / crate["license_file"]] if crate["license_file"] else []
    found = sorted(path for path in folder.iterdir() if path.is_file() and path.name.lower().startswith(TEXTS))
    # Some keep them in a folder, as the REUSE specification has it.
    found += sorted(path for path in folder.glob("LICENSES/*") if path.is_file())
    return [path.read_text(errors="replace").strip() for path in dict.fromkeys(named + found)]


def apache() -> str:
    return (ROOT / "LICENSE").read_text().strip()


def mit(crate: dict) -> str:
    """For crates that say MIT and have no file of it: the text of the license, with the authors that the crate names."""
    return MIT.format(authors=", ".join(crate["authors"]) or f"the authors of {crate['name']}")


MIT = """\
Copyright (c) {authors}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""


def texts_of(crate: dict, others: list[dict]) -> list[str]:
    texts = license_texts(crate)
    if texts:
        return texts
    # Several crates of one repository, and only some of them have the file.
    for other in others:
        if crate["repository"] and (other["repository"], other["license"]) == (crate["repository"], crate["license"]):
            if license_texts(other):
                return license_texts(other)
    # One of those that the crate may be used under is enough.
    offered = (crate["license"] or "").replace("/", " OR ").split(" OR ")
    offered = [license.strip(" ()") for license in offered]
    if "MIT" in offered:
        return [mit(crate)]
    if "Apache-2.0" in offered:
        return [apache()]
    sys.exit(f"third-party: {crate['name']} {crate['version']} ({crate['license']}) has no license text; see packaging/third_party.py")


def notice(program: str) -> str:
    """All of it. A text that many crates share stands there once."""
    parts, seen = [HEAD.format(program=program)], {}
    all_crates = crates(program)
    for crate in all_crates:
        lines = [f"{crate['name']} {crate['version']}\nLicense: {crate['license']}"]
        for text in texts_of(crate, all_crates):
            key = hashlib.sha256(" ".join(text.split()).encode()).digest()
            first = seen.setdefault(key, crate["name"])
            lines.append(text if first == crate["name"] else f"The license text is the same as one of {first}.")
        parts.append("\n\n".join(lines) + "\n")
    parts.append(RUST)
    if program == "nowcheck":
        parts.append(SQLITE)
    parts.append(GLIBC.format(program=program))
    return f"{LINE}\n".join(parts)


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in PROGRAMS:
        sys.exit("third-party: name the program: nowd or nowcheck")
    text = notice(sys.argv[1])
    if sys.argv[2:] == ["-"]:
        print(text, end="")
        return
    file = ROOT / "build" / "third-party" / f"{sys.argv[1]}.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    # At once, because tests make packages side by side.
    new = file.with_suffix(f".{os.getpid()}")
    new.write_text(text)
    new.rename(file)


if __name__ == "__main__":
    main()
