"""The packages, from installation to purge, and what `make install` and `make dist` make."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.sandbox import Sandbox
from support.tools import ROOT, binary, compiled, need
from test_names import HERE, Machine, Names, assert_answered, url, zone

PROGRAMS = ("nowd", "nowcheck")
FILES = {
    "nowd": ["/etc/default/nowd", "/usr/lib/systemd/system/nowd.service"],
    "nowcheck": ["/etc/nowcheck/nowcheck.toml", "/usr/lib/systemd/system/nowcheck-watch.service"],
}
"""What a package has besides the program, its man page and the like."""


def run(*command: str, code: int = 0, seconds: float = 60, **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, **options)
    assert done.returncode == code, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> dict[str, Path]:
    """The packages, by program and kind: `nowd.deb`."""
    need("dpkg-shlibdeps")
    directory = tmp_path_factory.mktemp("packages")
    # Nothing is compiled: the programs under test are the release build.
    binaries = {"BINARIES": str(binaries_under_test(directory))}
    told = run("scripts/packages", str(directory), cwd=ROOT, env=os.environ | binaries, seconds=600)
    paths = [Path(line) for line in told.splitlines()]
    return {re.split("[-_]", path.name)[0] + path.suffix: path for path in paths}


@pytest.fixture
def sandbox(tmp_path) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path)
    yield sandbox
    sandbox.stop()


def install(sandbox: Sandbox, package: Path) -> None:
    sandbox.write(f"/srv/{package.name}", package.read_bytes())
    sandbox.run("dpkg", "--install", f"/srv/{package.name}")


def newer(package: Path, directory: Path) -> Path:
    """The same package as a later version."""
    tree = directory / "tree"
    run("dpkg-deb", "--raw-extract", str(package), str(tree))
    control = tree / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("Version: ", "Version: 99."))
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(directory / "newer.deb"))
    return directory / "newer.deb"


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_deb_is_installed_upgraded_removed_and_purged(packages, sandbox, tmp_path, program):
    package = packages[f"{program}.deb"]
    install(sandbox, package)
    assert sandbox.run(f"/usr/bin/{program}", "--version").stdout.startswith(f"{program} ")
    assert sandbox.run("getent", "passwd", program).stdout.split(":")[6].strip() == "/usr/sbin/nologin"
    config = FILES[program][0]
    for path in (*FILES[program], f"/usr/share/man/man1/{program}.1.gz", f"/usr/share/doc/{program}/THIRD-PARTY"):
        assert sandbox.exists(path) or sandbox.exists(path.removeprefix("/usr")), path
    assert "disabled" in enabled(sandbox, program), "a package starts no server by itself"

    sandbox.write(config, "# edited by hand\n" + sandbox.read(config))
    install(sandbox, newer(package, tmp_path))
    assert sandbox.read(config).startswith("# edited by hand"), "an upgrade keeps the settings"
    assert "Version: 99." in sandbox.run("dpkg", "--status", program).stdout

    sandbox.run("mkdir", "-p", "/var/lib/nowcheck/history")
    sandbox.run("dpkg", "--remove", program)
    assert not sandbox.exists(f"/usr/bin/{program}")
    assert sandbox.exists(config), "it is removed, not purged"
    assert sandbox.exists("/var/lib/nowcheck/history")

    sandbox.run("dpkg", "--purge", program)
    assert not sandbox.exists(config)
    assert sandbox.exists("/var/lib/nowcheck/history") == (program != "nowcheck"), "the history goes with its monitor"
    assert sandbox.run("dpkg", "--status", program, code=1).stdout == ""


def enabled(sandbox: Sandbox, program: str) -> str:
    unit = Path(FILES[program][1]).name
    return sandbox.run("systemctl", "--root=/", "is-enabled", unit, code=None).stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_unit_of_a_package_is_valid_and_hardened(packages, sandbox, program):
    need("systemd-analyze")
    install(sandbox, packages[f"{program}.deb"])
    unit = Path(FILES[program][1]).name
    told = sandbox.run("systemd-analyze", "verify", "--man=no", unit)
    assert unit not in told.stderr, told.stderr
    # 0 is closed, 10 is open; a unit without any hardening has 9.6.
    told = sandbox.run("systemd-analyze", "security", "--offline=yes", "--threshold=25", unit, code=None)
    assert told.returncode == 0, told.stdout


def test_nowd_serves_on_port_80_as_its_user_with_that_capability_alone(packages, sandbox):
    """What the unit says, done by hand, because no systemd runs in the sandbox."""
    install(sandbox, packages["nowd.deb"])
    unit = sandbox.run("sh", "-c", "cat /usr/lib/systemd/system/nowd.service || cat /lib/systemd/system/nowd.service").stdout
    assert "\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n" in unit
    [command] = [line.removeprefix("ExecStart=") for line in unit.splitlines() if line.startswith("ExecStart=")]
    # As EnvironmentFile= reads it.
    settings = [line for line in sandbox.read("/etc/default/nowd").splitlines() if line and line[0] != "#"]
    only = ["--inh-caps=-all,+net_bind_service", "--ambient-caps=+net_bind_service", "--bounding-set=-all,+net_bind_service"]
    user = ["setpriv", "--reuid=nowd", "--regid=nowd", "--clear-groups", "--no-new-privs", *only]
    child = sandbox.start(*user, "env", *settings, command)
    child.stderr.wait_for(r"listening on http://0\.0\.0\.0:80\b")
    told = sandbox.run("curl", "--silent", "http://127.0.0.1/now").stdout
    assert json.loads(told)["timezone"] == "UTC"


def test_the_monitor_watches_as_it_is_configured_by_the_package(packages, sandbox):
    install(sandbox, packages["nowcheck.deb"])
    sandbox.run("nowcheck", "config", "check", "/etc/nowcheck/nowcheck.toml")
    # StateDirectory= makes it.
    sandbox.run("install", "-d", "-o", "nowcheck", "-g", "nowcheck", "/var/lib/nowcheck")
    command = ["nowcheck", "watch", "--config", "/etc/nowcheck/nowcheck.toml"]
    child = sandbox.start("setpriv", "--reuid=nowcheck", "--regid=nowcheck", "--clear-groups", "--no-new-privs", *command)
    child.stdout.wait_for("this-machine: DOWN")
    assert "nowcheck_build_info" in sandbox.run("curl", "--silent", "http://127.0.0.1:9464/metrics").stdout
    assert sandbox.exists("/var/lib/nowcheck/nowcheck.db")


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_rpm_holds_the_same_and_keeps_settings(packages, sandbox, program):
    need("rpm")
    package = packages[f"{program}.rpm"]
    query = ["rpm", "--query", "--package", str(package)]
    assert run(*query, "--configfiles").split() == [FILES[program][0]]
    assert "Apache-2.0" in run(*query, "--info")
    assert "libc.so.6" in run(*query, "--requires")
    assert f"systemd-sysusers /usr/lib/sysusers.d/{program}.conf" in run(*query, "--scripts")
    files = run(*query, "--list").split()
    assert {f"/usr/bin/{program}", f"/usr/share/man/man1/{program}.1.gz", *FILES[program]} <= set(files)

    # Debian's rpm knows nothing of Debian's packages, so what is required cannot be there by name.
    sandbox.write("/srv/package.rpm", package.read_bytes())
    sandbox.run("rpm", "--install", "--nodeps", "/srv/package.rpm")
    assert sandbox.run(f"/usr/bin/{program}", "--version").stdout.startswith(f"{program} ")
    assert sandbox.run("getent", "passwd", program).stdout
    sandbox.write(FILES[program][0], "# edited\n")
    sandbox.run("rpm", "--erase", program)
    assert not sandbox.exists(f"/usr/bin/{program}")
    assert sandbox.exists(f"{FILES[program][0]}.rpmsave")


def test_a_package_names_the_license_of_each_crate_in_the_program(packages, tmp_path):
    for program in PROGRAMS:
        tree = tmp_path / program
        run("dpkg-deb", "--extract", str(packages[f"{program}.deb"]), str(tree))
        [notice] = tree.glob(f"usr/share/doc/{program}/THIRD-PARTY*")
        text = run("zcat", str(notice)) if notice.suffix == ".gz" else notice.read_text()
        bill = json.loads(run("python3", "-B", "packaging/sbom.py", program, cwd=ROOT))
        assert len(bill["components"]) > 40
        for crate in bill["components"]:
            assert f"\n{crate['name']} {crate['version']}\nLicense: " in text, crate["name"]


def test_the_bill_of_materials_is_valid_cyclonedx(schemas, tmp_path):
    for program in PROGRAMS:
        (tmp_path / f"{program}.json").write_text(run("python3", "-B", "packaging/sbom.py", program, cwd=ROOT))
    code = """if True:
        import sys
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
        for file in sys.argv[1:]:
            if error := JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(file).read()):
                sys.exit(f"{file}: {error}")
    """
    run(str(schemas / "python"), "-c", code, *map(str, tmp_path.glob("*.json")))


# make install


def test_make_install_puts_everything_below_the_prefix(tmp_path):
    binaries = {"BINARIES": str(binaries_under_test(tmp_path))}
    run("make", "install", "PREFIX=/opt/time", f"DESTDIR={tmp_path}/root", cwd=ROOT, env=os.environ | binaries)
    root = tmp_path / "root" / "opt" / "time"
    installed = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    pages = {f"share/man/man1/{page.name}" for page in (ROOT / "docs" / "man").iterdir()}
    assert "share/man/man1/nowcheck-watch.1" in pages
    assert installed == pages | {
        path.format(program)
        for program in PROGRAMS
        for path in (
            "bin/{}",
            "share/bash-completion/completions/{}",
            "share/zsh/site-functions/_{}",
            "share/fish/vendor_completions.d/{}.fish",
        )
    }
    assert run(str(root / "bin" / "nowcheck"), "--version").startswith("nowcheck ")
    # A second time, over the first.
    run("make", "install", "PREFIX=/opt/time", f"DESTDIR={tmp_path}/root", cwd=ROOT, env=os.environ | binaries)


@pytest.mark.parametrize(("user", "built"), [("1000", True), ("0", False)])
def test_make_install_installs_programs_of_this_source_or_says_that_they_are_not(tmp_path, user, built):
    """Root builds nothing, because the build directory would be root's then."""
    place = tmp_path / "project"
    for name in ("scripts", "contrib/completions", "docs/man"):
        shutil.copytree(ROOT / name, place / name)
    run("git", "init", "--quiet", str(place))
    run("git", "-C", str(place), "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "-m", "x")
    programs, calls = tmp_path / "bin", tmp_path / "calls"
    script(programs / "cargo", f'echo "$@" >>"{calls}"')
    script(programs / "id", f"echo {user}")
    for program in PROGRAMS:
        script(place / "target" / "release" / program, f"echo '{program} 0.1.0 (0000000)'")
    kept = {name: value for name, value in os.environ.items() if name not in ("CARGO_TARGET_DIR", "BINARIES")}
    ended = subprocess.run(
        ["scripts/install"], cwd=place, capture_output=True, text=True, check=True,
        env=kept | {"DESTDIR": str(tmp_path / "root"), "PATH": f"{programs}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert (tmp_path / "root/usr/local/bin/nowd").exists()
    assert calls.exists() == built
    assert ("was built from another commit" in ended.stderr) != built, ended.stderr


def script(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(0o755)


def binaries_under_test(folder: Path) -> Path:
    place = folder / "binaries"
    place.mkdir()
    for program in PROGRAMS:
        shutil.copy(binary(program), place / program)
    return place


@pytest.mark.parametrize("program", PROGRAMS)
def test_bash_completes_flags(program):
    """As bash does it: the words so far, and the function that the script has registered."""
    script = f"""
        source contrib/completions/{program}.bash
        COMP_WORDS=({program} --) COMP_CWORD=1
        _{program} {program} -- {program}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    offered = run("bash", "-c", script, cwd=ROOT).split()
    assert {"nowd": "--listen", "nowcheck": "--max-offset"}[program] in offered


# make dist


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    return make_dist(tmp_path_factory.mktemp("dist"))


def make_dist(directory: Path) -> Path:
    run("scripts/dist", "tar", cwd=ROOT, env=os.environ | {"OUT": str(directory)}, seconds=1800)
    return directory


def test_the_archive_holds_static_programs_that_run_where_it_is_unpacked(dist, tmp_path, one_nowd):
    [archive] = dist.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        assert {(member.uid, member.gid) for member in tar.getmembers()} == {(0, 0)}
        tar.extractall(tmp_path, filter="data")
    [root] = tmp_path.iterdir()
    for program in PROGRAMS:
        path = root / "bin" / program
        assert "NEEDED" not in run("readelf", "--dynamic", str(path)), "it is linked statically"
        assert run(str(path), "--version").startswith(f"{program} ")
    told = run(str(root / "bin" / "nowcheck"), one_nowd.url, "--trust-system-clock", "--max-offset", "10s")
    assert told.startswith("OK"), told
    for name in ("share/man/man1/nowd.1", "share/doc/nowd/THIRD-PARTY-nowcheck.txt", "share/doc/nowd/contrib/README.md"):
        assert (root / name).is_file(), name
    index = root / "share/doc/nowd/contrib/README.md"
    links = re.findall(r"\]\(([^)#:]+)\)", index.read_text())
    assert "../packaging/nowd.service" in links
    assert [link for link in links if not (index.parent / link).exists()] == []


@pytest.fixture
def static(dist, sandbox) -> Sandbox:
    """A machine with the static nowcheck, and with a module of the resolver that ends whoever loads it."""
    [archive] = dist.glob("*.tar.gz")
    sandbox.write("/srv/archive.tar.gz", archive.read_bytes())
    sandbox.run("tar", "-xzf", "/srv/archive.tar.gz", "-C", "/usr/local", "--strip-components=1")
    sandbox.write("/usr/local/bin/nowd", Path(binary("nowd")).read_bytes(), "755")
    sandbox.start("/usr/local/bin/nowd", "--listen", "127.0.0.1:80").stderr.wait_for("listening on")
    module = compiled("nss_intruder", sandbox.folder)
    sandbox.write("/usr/lib/libnss_intruder.so.2", module.read_bytes())
    sandbox.run("ldconfig")
    sandbox.write("/etc/nsswitch.conf", "hosts: intruder [NOTFOUND=return] files dns\n")
    return sandbox


def test_a_static_nowcheck_resolves_by_files_and_dns_and_loads_no_module(static):
    static.write("/etc/hosts", "127.0.0.1 localhost time.example\n")
    assert static.run("getent", "ahosts", "time.example", code=99).stderr == "intruder\n", "others load it"
    told = static.run("nowcheck", "http://time.example", "--trust-system-clock")
    assert told.stdout.startswith("OK"), told


def test_a_static_nowcheck_asks_the_name_servers_of_the_machine(dist, tmp_path, monkeypatch):
    [archive] = dist.glob("*.tar.gz")
    run("tar", "-xzf", str(archive), "-C", str(tmp_path), "--strip-components=1")
    monkeypatch.setenv("NOWCHECK", str(tmp_path / "bin" / "nowcheck"))
    machine = Machine()
    try:
        machine.tell(Names(servers=zone(time_example=HERE)))
        assert_answered(machine.check(url("time.example")))
        machine.tell(Names())
        assert machine.check(url("time.example")).failure["kind"] == "no_such_name"
    finally:
        machine.end()


def test_the_checksums_are_those_of_the_files(dist):
    told = run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=dist)
    assert told.count(": OK\n") == len(list(dist.iterdir())) - 1 >= 3


def test_made_again_the_archive_is_the_same(dist, tmp_path):
    again = make_dist(tmp_path / "again")
    assert (again / "SHA256SUMS").read_text() == (dist / "SHA256SUMS").read_text()
