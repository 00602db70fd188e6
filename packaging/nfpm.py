#!/usr/bin/env python3
"""Prints the description of a package of a program for nFPM, as JSON: scripts/packages hands it on.

python3 packaging/nfpm.py nowd|nowcheck deb|rpm BINARY FOLDER     # FOLDER: where files may go that the package holds
"""

import gzip
import json
import platform
import re
import subprocess
import sys
from pathlib import Path

from program_crates import ROOT, version

PROGRAMS = {
    "nowd": {
        "unit": "nowd.service",
        "config": ("packaging/nowd.default", "/etc/default/nowd"),
        "recommends": [],
        "description": """Web service that says what time it is and how far that can be trusted
GET /now answers with the time to the nanosecond and with the kernel's bound on the error of its clock.""",
    },
    "nowcheck": {
        "unit": "nowcheck-watch.service",
        "config": ("packaging/nowcheck.toml", "/etc/nowcheck/nowcheck.toml"),
        "recommends": ["ca-certificates"],
        "description": """Health check that proves that a service is up and that its clock is right
One round for cron, Nagios and scripts. `nowcheck watch` measures for months, alerts, and shows a dashboard and metrics.""",
    },
}

DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
ZSH = {"deb": "/usr/share/zsh/vendor-completions", "rpm": "/usr/share/zsh/site-functions"}
LICENSE = {"deb": "/usr/share/doc/{}/copyright", "rpm": "/usr/share/licenses/{}/LICENSE"}


def description(program: str, kind: str, binary: Path, folder: Path) -> dict:
    about = PROGRAMS[program]
    return {
        "name": program,
        "arch": DEBIAN.get(platform.machine(), platform.machine()),
        "version": version(),
        "release": "1",
        "section": "net",
        "maintainer": "The authors of nowd and nowcheck <nowd@localhost.invalid>",
        "license": "Apache-2.0",
        "description": about["description"],
        "depends": libraries(kind, binary, folder) + [{"deb": "systemd | systemd-standalone-sysusers", "rpm": "systemd"}[kind]],
        "recommends": about["recommends"],
        "contents": list(contents(program, kind, binary, folder)),
        "scripts": {name: script(name, about["unit"], program, folder) for name in ("postinstall", "preremove", "postremove")},
    }


def contents(program: str, kind: str, binary: Path, folder: Path):
    about = PROGRAMS[program]
    completions = ROOT / "contrib" / "completions"
    yield file(binary, f"/usr/bin/{program}", mode=0o755)
    man = ROOT / "docs" / "man"
    for page in (man / f"{program}.1", *sorted(man.glob(f"{program}-*.1"))):
        yield file(compressed(page, folder), f"/usr/share/man/man1/{page.name}.gz")
    yield file(completions / f"{program}.bash", f"/usr/share/bash-completion/completions/{program}")
    yield file(completions / f"{program}.zsh", f"{ZSH[kind]}/_{program}")
    yield file(completions / f"{program}.fish", f"/usr/share/fish/vendor_completions.d/{program}.fish")
    yield file(ROOT / "build" / "third-party" / f"{program}.txt", f"/usr/share/doc/{program}/THIRD-PARTY")
    yield file(ROOT / "LICENSE", LICENSE[kind].format(program))
    yield file(ROOT / "packaging" / f"{program}.sysusers", f"/usr/lib/sysusers.d/{program}.conf")
    yield file(ROOT / "packaging" / about["unit"], f"/usr/lib/systemd/system/{about['unit']}")
    source, place = about["config"]
    yield file(ROOT / source, place) | {"type": "config|noreplace"}


def file(source: Path, place: str, mode: int = 0o644) -> dict:
    return {"src": str(source), "dst": place, "file_info": {"mode": mode}}


def compressed(page: Path, folder: Path) -> Path:
    made = folder / f"{page.name}.gz"
    made.write_bytes(gzip.compress(page.read_bytes(), mtime=0))
    return made


def script(name: str, unit: str, program: str, folder: Path) -> str:
    """A script of the package, with the names of the unit and of the program filled in."""
    text = (ROOT / "packaging" / "scripts" / name).read_text()
    made = folder / name
    made.write_text(text.replace("@UNIT@", unit).replace("@PROGRAM@", program))
    return str(made)


def libraries(kind: str, binary: Path, folder: Path) -> list[str]:
    """What the binary needs of the system's libraries, by its symbols."""
    return {"deb": debian_libraries, "rpm": rpm_libraries}[kind](binary, folder)


def debian_libraries(binary: Path, folder: Path) -> list[str]:
    control = folder / "debian" / "control"
    control.parent.mkdir(exist_ok=True)
    control.write_text("Source: nowd\n\nPackage: nowd\nArchitecture: any\n")
    told = output("dpkg-shlibdeps", "-O", "--warnings=0", str(binary), cwd=folder)
    return told.strip().removeprefix("shlibs:Depends=").split(", ")


def rpm_libraries(binary: Path, _folder: Path) -> list[str]:
    """As rpmbuild writes them: libc.so.6(GLIBC_2.34)(64bit)."""
    told = output("objdump", "--private-headers", str(binary))
    libraries = re.findall(r"^ +NEEDED +(\S+)", told, re.MULTILINE)
    needed = [f"{name}()(64bit)" for name in libraries if not name.startswith("ld-linux")]
    for library, versions in re.findall(r"^  required from (\S+):\n((?:    .*\n)+)", told, re.MULTILINE):
        if not library.startswith("ld-linux"):
            needed += [f"{library}({symbols})(64bit)" for symbols in re.findall(r" (\S+)$", versions, re.MULTILINE)]
    return needed


def output(*command: str, cwd: Path | None = None) -> str:
    try:
        return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True).stdout
    except FileNotFoundError:
        sys.exit(f"nfpm: there is no {command[0]}; the packages dpkg-dev and binutils have it")


def main() -> None:
    if len(sys.argv) != 5 or sys.argv[1] not in PROGRAMS or sys.argv[2] not in ZSH:
        sys.exit("nfpm: say nowd or nowcheck, then deb or rpm, the binary and a folder")
    program, kind, binary, folder = sys.argv[1:]
    print(json.dumps(description(program, kind, Path(binary).resolve(), Path(folder).resolve()), indent=2))


if __name__ == "__main__":
    main()
