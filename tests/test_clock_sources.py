"""Where nowd gets the bound on its clock's error: ClockBound's files to the byte, and the task metadata of Amazon ECS."""

import datetime
import json
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.process import poll
from support.servers import Server
from support.tools import ROOT, binary, need

MAGIC = struct.pack("=II", 0x414D5A4E, 0x43420200)


def clock(server: Server) -> dict:
    return json.loads(server.get("/now")[2])["clock"]


def seconds_and_nanos(nanos: int) -> tuple[int, int]:
    return divmod(nanos, 10**9)


# ------------------------------------------------------------------------------------------------- ClockBound


@pytest.fixture(scope="module")
def counter(tmp_path_factory) -> tuple[int, int, Fraction]:
    """The processor's counter, the system's clock at that moment (nanoseconds), and the counter's period in seconds."""
    program = tmp_path_factory.mktemp("counter") / "counter"
    subprocess.run([need("cc"), "-O1", "-o", program, ROOT / "tests" / "support" / "counter.c"], check=True)
    output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    (ticks, at), (later_ticks, later) = (map(int, line.split()) for line in output.splitlines())
    return ticks, at, Fraction(later - at, 10**9 * (later_ticks - ticks))


def scaled(number: Fraction, shift: int) -> int:
    return int(number * 2 ** (64 + shift))


def greatest_shift(number: Fraction) -> int:
    """With which the number fits into 64 bits: 31 for the period of a counter that is faster than 2.1 GHz."""
    return next(shift for shift in range(63, -1, -1) if scaled(number, shift) < 2**64)


def third_version(
    counter, bound: int = 50_000, ahead: int = 0, age: int = 0, versions: int = 0x0303, generation: int = 4, status: int = 1
) -> bytes:
    """A segment of version 3, whose clock is that of this machine, but for `ahead` nanoseconds."""
    ticks, at, period = counter
    at = at + ahead - age
    ticks -= int(Fraction(age, 10**9) / period)
    shift = greatest_shift(period)
    return MAGIC + struct.pack(
        "=IHHQqqqqQQqQIiBBB5x",
        104, versions, generation, ticks, *seconds_and_nanos(at), *seconds_and_nanos(at + 10**12), scaled(period, shift),
        scaled(Fraction(1, 10**6), 19), bound, 7, 15_000, status, 1, shift, 19,
    )  # fmt: skip


def second_version(bound: int, age: int = 0, generation: int = 4, status: int = 1) -> bytes:
    at = time.monotonic_ns() - age
    times = (*seconds_and_nanos(at), *seconds_and_nanos(at + 10**12))
    return MAGIC + struct.pack("=IHHqqqqqQIiB7x", 80, 2, generation, *times, bound, 7, 1_000, status, 1)


def test_the_segments_have_the_documented_sizes(counter):
    assert len(third_version(counter)) == 104
    assert len(second_version(1)) == 80


def test_the_bound_of_the_new_layout_is_taken(nowd, tmp_path, counter):
    (tmp_path / "shm1").write_bytes(third_version(counter))
    server = nowd(NOWD_CLOCK_BOUND=str(tmp_path))
    server.child.stderr.wait_for(f"the bound on the clock's error is ClockBound's, from {tmp_path}/shm1")
    found = clock(server)
    assert found["status"] == "synchronized"
    assert 0.000_050 < found["max_error"] < 0.005
    # It grows by 16 µs a second.
    poll(lambda: clock(server)["max_error"] > found["max_error"], "a larger bound")


@pytest.mark.parametrize("ahead", [40_000_000, -40_000_000])
def test_what_the_systems_clock_differs_from_clock_bounds_is_part_of_the_bound(nowd, tmp_path, counter, ahead):
    (tmp_path / "shm1").write_bytes(third_version(counter, ahead=ahead))
    found = clock(nowd(NOWD_CLOCK_BOUND=str(tmp_path / "shm1")))
    assert found["status"] == "synchronized"
    assert 0.040 < found["max_error"] < 0.045


@pytest.mark.parametrize("name", [".", "shm0", "shm1"])
def test_the_newer_of_two_layouts_is_taken_and_the_older_while_it_says_nothing(nowd, tmp_path, counter, name):
    (tmp_path / "shm0").write_bytes(second_version(20_000_000))
    (tmp_path / "shm1").write_bytes(third_version(counter))
    server = nowd(NOWD_CLOCK_BOUND=str(tmp_path / name))
    assert clock(server)["max_error"] < 0.005
    (tmp_path / "shm1").write_bytes(third_version(counter, age=1_001 * 10**9))
    server.child.stderr.wait_for("ClockBound's, from .*/shm0")
    assert 0.020 <= clock(server)["max_error"] < 0.021
    (tmp_path / "shm0").unlink()
    server.child.stderr.wait_for("is the kernel's: the file at --clock-bound is out of date")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"generation": 5}, "was being written"),
        ({"generation": 0}, "is out of date"),
        ({"age": 1_001 * 10**9}, "is out of date"),
        ({"status": 0}, "says that the daemon does not know the clock's status"),
        ({"versions": 0x0404}, "is of version 4; nowd understands 1 to 3"),
        ({"bound": -1}, "is not a segment of ClockBound"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(map(str, *value.items())),
)
def test_a_segment_that_proves_nothing_is_named_and_the_kernel_is_asked(nowd, tmp_path, counter, change, why):
    (tmp_path / "shm1").write_bytes(third_version(counter, **change))
    server = nowd(NOWD_CLOCK_BOUND=str(tmp_path))
    server.child.stderr.wait_for(f"the bound on the clock's error is the kernel's: the file at --clock-bound {why}")


@pytest.mark.parametrize("cut", [0, 8, 15, 98])
def test_half_a_segment_and_garbage_are_no_segment(nowd, tmp_path, counter, cut):
    for name, content in [("shm1", third_version(counter)[:cut]), ("shm0", bytes(range(200)))]:
        (tmp_path / name).write_bytes(content)
    server = nowd(NOWD_CLOCK_BOUND=str(tmp_path))
    server.child.stderr.wait_for("is the kernel's: the file at --clock-bound is not a segment of ClockBound")


def test_a_disrupted_clock_is_not_synchronized_whatever_the_kernel_says(nowd, tmp_path, counter):
    (tmp_path / "shm1").write_bytes(third_version(counter, status=3))
    assert clock(nowd(NOWD_CLOCK_BOUND=str(tmp_path))) == {"status": "unsynchronized", "max_error": None}


# ------------------------------------------------------------------------------------------------- Amazon ECS


class Metadata:
    """A task metadata endpoint. `answer` says what it does with a request: a status and a body, or what it writes."""

    def __init__(self):
        self.answer: Callable[[], tuple[int, bytes]] = lambda: (200, task())
        self.asked: list[tuple[str, str]] = []
        self.silent = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, self.headers["Host"]))
                status, body = outer.answer()
                if status == 0:
                    outer.silent.wait(60)
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v4/0123-456"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.silent.set()
        self.server.shutdown()
        self.server.server_close()


def drift(age: float = 0, **changes) -> dict:
    """`ClockDrift` as it is documented, stated so many seconds ago."""
    stated = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    documented = {
        "ClockErrorBound": 0.5458234999999999,
        "ReferenceTimestamp": f"{stated:%Y-%m-%dT%H:%M:%SZ}",
        "ClockSynchronizationStatus": "SYNCHRONIZED",
    }
    return {name: value for name, value in (documented | changes).items() if value is not None}


def task(**members) -> bytes:
    """An answer of the endpoint, shortened."""
    return json.dumps({
        "Cluster": "default", "Family": "nowd", "Revision": "1", "DesiredStatus": "RUNNING", "LaunchType": "FARGATE",
        "Containers": [{"Name": "nowd", "Type": "NORMAL"}], "ClockDrift": drift(), **members,
    }).encode()  # fmt: skip


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    endpoint = Metadata()
    yield endpoint
    endpoint.stop()


@pytest.fixture
def on_ecs(nowd, metadata) -> Callable[..., Server]:
    return lambda **environment: nowd(
        NOWD_CLOCK_SOURCE="ecs-metadata", ECS_CONTAINER_METADATA_URI_V4=metadata.url, **environment
    )


def test_the_bound_that_ecs_states_is_taken_and_grows(on_ecs, metadata):
    server = on_ecs(NOWD_MAX_CLOCK_ERROR="100ms")
    server.child.stderr.wait_for("the bound on the clock's error is what the ECS task metadata states")
    poll(lambda: clock(server)["status"] == "synchronized", "a bound")
    found = clock(server)["max_error"]
    # Half a millisecond, and 50 µs for each second since the stated one began.
    assert 0.000_545 < found < 0.000_800
    poll(lambda: clock(server)["max_error"] > found, "a larger bound")
    assert metadata.asked[0] == ("/v4/0123-456/task", metadata.url.split("/")[2])
    poll(lambda: server.get("/readyz")[0] == 200, "readiness")


def test_a_statement_of_a_while_ago_is_worth_less(on_ecs, metadata):
    metadata.answer = lambda: (200, task(ClockDrift=drift(age=600)))
    server = on_ecs()
    poll(lambda: clock(server)["status"] == "synchronized", "a bound")
    assert 0.030_5 < clock(server)["max_error"] < 0.031


def test_a_clock_that_ecs_calls_not_synchronized_has_no_bound(on_ecs, metadata):
    metadata.answer = lambda: (200, task(ClockDrift=drift(ClockSynchronizationStatus="NOT_SYNCHRONIZED")))
    server = on_ecs()
    poll(lambda: clock(server) == {"status": "unsynchronized", "max_error": None}, "the status")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: (200, task(ClockDrift=None)), "the answer has no ClockDrift"),
        (lambda: (200, task(ClockDrift=drift(ClockErrorBound=None))), "ClockErrorBound is missing"),
        (lambda: (200, task(ClockDrift=drift(ReferenceTimestamp=None))), "ReferenceTimestamp is missing"),
        (lambda: (200, task(ClockDrift=drift(ClockSynchronizationStatus=None))), "ClockSynchronizationStatus is missing"),
        (lambda: (200, task(ClockDrift=drift(age=3_700))), "the stated ReferenceTimestamp is .* old"),
        (lambda: (200, task(ClockDrift=drift(age=-60))), "ahead of this machine's clock"),
        (lambda: (200, b"<html>"), "the answer is not JSON"),
        (lambda: (200, b"[" * 100_000), "the answer is not JSON"),
        (lambda: (200, b" " * 2_000_000), "its answer is incomplete, or longer"),
        (lambda: (500, b""), "it answers 500 Internal Server Error"),
        (lambda: (404, task()), "it answers 404 Not Found"),
        (lambda: (0, b""), "it does not answer within 2s"),
    ],
)  # fmt: skip
def test_an_answer_that_states_no_bound_is_named_once_and_delays_nothing(on_ecs, metadata, answer, why):
    metadata.answer = answer
    server = on_ecs()
    slowest = 0.0
    for _ in range(50):
        before = time.monotonic()
        assert clock(server) == {"status": "unknown", "max_error": None}
        slowest = max(slowest, time.monotonic() - before)
    assert slowest < 1
    server.child.stderr.wait_for(f"WARN the ECS task metadata states no bound.*{why}")


def test_the_last_bound_holds_while_the_endpoint_fails_and_each_change_is_one_line(on_ecs, metadata):
    server = on_ecs()
    poll(lambda: clock(server)["status"] == "synchronized", "a bound")
    metadata.answer = lambda: (500, b"")
    poll(lambda: len(metadata.asked) >= 3, "two more requests", 40)
    # For what two failures mean, it is one line.
    server.child.stderr.wait_for("WARN the ECS task metadata states no bound.*500")
    assert 0.001 < clock(server)["max_error"] < 0.003
    metadata.answer = lambda: (200, task())
    poll(lambda: clock(server)["max_error"] < 0.001, "a new bound", 20)

    def changes() -> list[str]:
        return [line for _, line in server.child.stderr.lines if "on the clock's error" in line]

    poll(lambda: len(changes()) >= 3, "the line of the new bound")
    lines = changes()
    assert len(lines) == 3, lines


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (None, "--clock-source ecs-metadata needs the environment variable ECS_CONTAINER_METADATA_URI_V4, which is not set"),
        ("169.254.170.2", "ECS_CONTAINER_METADATA_URI_V4 is not an http URL"),
    ],
)
def test_without_the_variable_of_ecs_it_does_not_start(tmp_path: Path, url, why):
    environment = {"PATH": "/usr/bin:/bin"} | ({"ECS_CONTAINER_METADATA_URI_V4": url} if url else {})
    command = [binary("nowd"), "--listen", "127.0.0.1:0", "--clock-source", "ecs-metadata"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, cwd=tmp_path, check=False)
    assert run.returncode == 1
    assert why in run.stderr and run.stderr.count("\n") == 1, run.stderr
