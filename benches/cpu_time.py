"""The processor time of servers, and how long they waited for it."""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CpuTime:
    """What the kernel charged to processes so far."""

    nanoseconds: int
    user_ticks: int
    system_ticks: int

    @staticmethod
    def of(pids: Iterable[int]) -> "CpuTime":
        times = [CpuTime.of_one(pid) for pid in pids]
        return CpuTime(
            sum(time.nanoseconds for time in times),
            sum(time.user_ticks for time in times),
            sum(time.system_ticks for time in times),
        )

    @staticmethod
    def of_one(pid: int) -> "CpuTime":
        # /proc/PID/stat counts in ticks of 10 ms; schedstat in nanoseconds, but for one thread and without the
        # split. The total is taken from schedstat, and the split, which is an estimate anyway, from stat.
        user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        try:
            threads = list(Path(f"/proc/{pid}/task").iterdir())
            nanoseconds = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)
        except FileNotFoundError:  # a kernel without CONFIG_SCHED_INFO
            nanoseconds = (int(user) + int(system)) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        return CpuTime(nanoseconds, int(user), int(system))


def waited_seconds(pids: Iterable[int]) -> float:
    """How long threads were ready to run while something else had their core."""
    with contextlib.suppress(FileNotFoundError):  # a kernel without CONFIG_SCHED_INFO
        threads = [thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir()]
        return sum(int((thread / "schedstat").read_text().split()[1]) for thread in threads) / 1e9
    return 0.0
