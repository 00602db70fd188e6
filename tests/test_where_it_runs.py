"""Where nowcheck runs there may be few descriptors, little memory, a full disk or a sandbox. A monitoring system still
gets a line and an exit code of 0 to 3, and never a panic, an abort or a hang."""

import os
import re
import resource
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support.confinement import refusing, system_calls
from support.nowcheck import EXIT, clean_environment
from support.process import WAIT
from support.servers import start_faulty
from support.tools import binary, lacking


@pytest.fixture(scope="module")
def server():
    started = start_faulty("answers")
    yield started
    started.stop()


def command(*arguments: str) -> list[str]:
    """What is run; each test here has the same flags beside its own."""
    return [binary("nowcheck"), "--trust-system-clock", *arguments]


def run(*arguments: str, prefix: tuple[str, ...] | list[str] = (), **popen) -> subprocess.CompletedProcess:
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(
        [*prefix, *command(*arguments)],
        text=True,
        errors="replace",
        timeout=WAIT,
        **(options | {"env": clean_environment()} | popen),
    )


def assert_orderly(done: subprocess.CompletedProcess) -> None:
    said = f"{done.stdout or ''}{done.stderr or ''}"
    assert done.returncode in (0, 1, 2, 3), f"{done.returncode}: {said}"
    for word in ("panicked", "RUST_BACKTRACE", "core dumped"):
        assert word not in said, said
    assert said, "not a word"


def assert_plugin_line(done: subprocess.CompletedProcess) -> str:
    """Exactly one line that begins with the status of the exit code."""
    assert_orderly(done)
    (line,) = done.stdout.splitlines()
    status = re.match(r"NOWCHECK (OK|WARNING|CRITICAL|UNKNOWN) - .", line)
    assert status, line
    assert EXIT[status[1]] == done.returncode, line
    return line


# ------------------------------------------------------------------------------------------------- descriptors


@pytest.mark.parametrize("limit", range(4, 25))
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_few_descriptors_are_no_fault_of_the_service(server, limit, host):
    done = run(
        f"http://{host}:{server.port}",
        "--output",
        "nagios",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
    )
    assert done.returncode in (0, 3), done.stdout
    line = assert_plugin_line(done)
    if done.returncode == 3:
        assert "Too many open files" in line or "too few files" in line, line


def test_people_read_which_limit_is_too_low(server):
    done = run(server.url, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6)))
    assert done.returncode == 3
    assert "ulimit -n" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_without_a_thread_to_ask_the_resolver_the_service_is_not_down(server):
    # A thread's stack does not fit any more; the program itself does.
    for megabytes in (24, 32, 48, 64):
        limit = megabytes * 2**20
        done = run(
            f"http://localhost:{server.port}",
            "--output",
            "nagios",
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )
        if done.returncode == 127 or done.returncode < 0 and not done.stdout:
            continue  # The loader had too little.
        assert done.returncode in (0, 3), done.stdout + done.stderr
        assert_plugin_line(done)


# ------------------------------------------------------------------------------------------------- output


def exit_code_in_a_shell(redirected: str, *arguments: str) -> subprocess.CompletedProcess:
    line = f"{shlex.join(command(*arguments))} {redirected}"
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, timeout=WAIT, env=clean_environment(), check=False
    )


FULL = [
    ">/dev/full",
    ">/dev/full 2>/dev/full",
    ">&-",
    ">&- 2>&-",
    "<&- >&- 2>&-",
    "2>&-",
    "<&-",
    "</dev/null >/dev/full 2>&1",
]


@pytest.mark.parametrize("redirected", FULL)
@pytest.mark.parametrize(("offset", "exit_code"), [(0, 0), (3, 2)])
@pytest.mark.parametrize("output", ["human", "json", "nagios"])
def test_the_exit_code_survives_an_output_that_takes_nothing(faulty, redirected, offset, exit_code, output):
    url = faulty("answers", "--offset", offset).url
    done = exit_code_in_a_shell(redirected, url, "--output", output)
    assert done.returncode == exit_code, done.stderr
    if redirected == ">/dev/full":
        (line,) = done.stderr.splitlines()
        assert "No space left on device" in line
        assert ("OK" if exit_code == 0 else "CRITICAL") in line


@pytest.mark.parametrize("output", ["human", "json", "nagios"])
def test_a_limit_on_the_size_of_files_does_not_kill(server, tmp_path, output):
    with (tmp_path / "output").open("w") as file:
        done = run(
            server.url,
            "--output",
            output,
            stdout=file,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        )
    assert done.returncode == 0, done.stderr
    assert "File too large" in done.stderr


@pytest.mark.parametrize("output", ["human", "json", "nagios"])
def test_a_closed_pipe_leaves_the_exit_code(faulty, output):
    url = faulty("answers", "--offset", 3).url
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = run(url, "--output", output, stdout=theirs)
    finally:
        os.close(theirs)
    assert done.returncode == 2
    assert done.stderr == ""


def test_rounds_that_cannot_be_written_end_with_the_worst_status(faulty):
    done = exit_code_in_a_shell(">/dev/full", faulty("answers", "--offset", 3).url, "--every", "100ms")
    assert done.returncode == 2, done.stderr
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--output", "nagios", "--nonsense"], ["-H", "x", "-w", "@1"]])
@pytest.mark.parametrize("redirected", FULL)
def test_wrong_usage_is_unknown_wherever_the_output_goes(arguments, redirected):
    assert exit_code_in_a_shell(redirected, *arguments).returncode == 3


# ------------------------------------------------------------------------------------------------- environment


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"HOME": "/nonexistent", "TZ": "Nowhere/Atlantis", "LC_ALL": "xx_XX.UTF-8"},
        {"HOME": "", "TZ": ":", "LC_ALL": "", "LANG": "", "PATH": ""},
        {"TZ": "/dev/zero", "LC_CTYPE": "\udcff", "TMPDIR": "/nonexistent", "TERM": "\udcff"},
        {"TZ": "UTC+25:61", "LC_ALL": "C.UTF-8@" + "x" * 5000, "COLUMNS": "-1"},
        {"RUST_BACKTRACE": "full", "NO_COLOR": "1", "CLICOLOR_FORCE": "1"},
    ],
    ids=range(6),
)
def test_odd_environments_change_no_verdict(server, environment):
    done = run(server.url, "--output", "nagios", env=environment)
    assert done.returncode == 0, done.stderr
    assert_plugin_line(done)


def test_arguments_that_are_no_text_are_wrong_usage(server):
    for arguments in (["http://\udcff"], ["--field", "\udcff", server.url], ["--output", "\udcff"], ["\udcff"]):
        done = run(*arguments)
        assert done.returncode == 3, done.stderr
        assert_orderly(done)


# ------------------------------------------------------------------------------------------------- system calls

# Without those that the loader of a dynamically linked program needs before its first instruction.
SEEN = (
    "access accept4 adjtimex bind clock_adjtime clock_gettime clock_nanosleep clone clone3 connect "
    "epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd2 fcntl fstat futex getcwd "
    "getdents64 getpeername getpid getrandom getsockname getsockopt gettid getuid io_uring_setup ioctl "
    "listen lseek madvise mremap munmap pipe2 poll ppoll prctl prlimit64 readlink recvfrom recvmmsg "
    "recvmsg rseq rt_sigaction rt_sigprocmask sched_getaffinity sched_setaffinity sched_yield sendmmsg "
    "sendmsg sendto set_robust_list set_tid_address setsockopt shutdown sigaltstack socket socketpair "
    "stat statx sysinfo tgkill timerfd_create uname writev"
).split()
WITHOUT_THEM_NOTHING_CAN_BE_ASKED = {"connect", "socket", "sendto", "recvfrom", "getsockopt"}


def refused(server, call: str, error: str, *arguments: str, host: str = "127.0.0.1"):
    if not system_calls():
        lacking("the header with the numbers of system calls is not installed")
    if not set(call.split(",")) <= system_calls().keys():
        pytest.skip(f"this architecture has no {call}")
    return run(f"http://{host}:{server.port}", *arguments, prefix=refusing(call, error))


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
@pytest.mark.parametrize("call", SEEN)
def test_a_system_call_that_is_refused_is_no_fault_of_the_service(server, call, error):
    done = refused(server, call, error, "--output", "nagios", "--timeout", "5s", host="localhost")
    assert done.returncode in (0, 3), f"{done.returncode}: {done.stdout}{done.stderr}"
    line = assert_plugin_line(done)
    if call in WITHOUT_THEM_NOTHING_CAN_BE_ASKED:
        assert re.search("this machine (forbids|cannot open|refuses|stopped)|cannot resolve", line), line


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_without_write_the_exit_code_is_left(server, error):
    done = refused(server, "write", error)
    assert done.returncode == 3


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
@pytest.mark.parametrize("output", ["human", "nagios", "json"])
@pytest.mark.parametrize("offset", [0, 3])
def test_a_kernel_that_cannot_be_asked_about_its_clock_is_not_said_to_have_a_wrong_one(faulty, error, output, offset):
    server = faulty("answers", "--offset", offset)
    done = refused(server, "adjtimex,clock_adjtime", error, "--output", output)
    assert_orderly(done)
    assert done.returncode == (2 if offset else done.returncode), done.stdout
    assert "is not synchronized" not in done.stdout, "that is not known"


@pytest.mark.skipif(not system_calls(), reason="the numbers of system calls are not known")
def test_a_kernel_without_ipv6_asks_over_ipv4(server):
    without = refusing(f"socket={socket.AF_INET6.value}", "EAFNOSUPPORT")
    done = run(f"http://localhost:{server.port}", "--output", "nagios", prefix=without)
    assert done.returncode == 0, done.stdout
    done = run(f"http://[::1]:{server.port}", "--output", "nagios", prefix=without)
    assert done.returncode == 3, done.stdout
    assert "this machine has no route to" in assert_plugin_line(done)


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_a_name_is_resolved_without_a_thread_too(faulty, error):
    """An old Docker refuses clone3 with EPERM, and a new C library then does not try clone (moby/moby#42680)."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None, socket.AF_INET)
    except OSError:
        lacking("this machine's own name does not resolve")
    server = faulty("answers", "--host", "0.0.0.0")
    done = run(f"http://{name}:{server.port}", "-4", "--output", "nagios", prefix=refusing("clone,clone3", error))
    assert done.returncode == 0, done.stdout
    assert_plugin_line(done)


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_rounds_without_a_thread_for_the_output_are_unknown(server, error):
    done = run(server.url, "--every", "1s", prefix=refusing("clone,clone3", error))
    assert done.returncode == 3
    assert "no thread" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


# ------------------------------------------------------------------------------------------------- file systems


ENTER_ROOT = "import os, sys; os.chroot(sys.argv[1]); os.chdir('/'); os.execv(sys.argv[2], sys.argv[2:])"


def in_an_empty_root(tmp_path, *arguments: str) -> subprocess.CompletedProcess:
    """In a root directory that holds the program and its libraries, and no /etc, /proc, /dev or /sys."""
    program = binary("nowcheck")
    libraries = re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", program], capture_output=True, text=True).stdout)
    for path in [program, *libraries]:
        inside = tmp_path / path.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.write_bytes(Path(path).read_bytes())
        inside.chmod(0o755)
    return subprocess.run(
        [sys.executable, "-c", ENTER_ROOT, str(tmp_path), program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT,
        env=clean_environment(),
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot(2) needs root")
def test_without_etc_proc_and_dev_it_works(server, tmp_path):
    done = in_an_empty_root(tmp_path, server.url, "--trust-system-clock", "--output", "nagios")
    if "No such file" in done.stderr:
        lacking("the program's libraries")
    assert done.returncode == 0, done.stdout + done.stderr
    assert_plugin_line(done)


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot(2) needs root")
def test_without_etc_a_tls_server_is_judged_by_built_in_authorities(faulty, authority, tmp_path):
    server = faulty("answers", tls=authority.certificate("127.0.0.1"))
    done = in_an_empty_root(tmp_path, server.url, "--output", "nagios")
    assert done.returncode == 2
    assert "certificate" in assert_plugin_line(done)
