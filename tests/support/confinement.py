"""Programs under restrictions: few descriptors, little memory, system calls that are refused.

`python3 confinement.py NUMBER,NUMBER ERRNO COMMAND…` refuses system calls, by their numbers, and becomes the command.
`NUMBER=VALUE` refuses a call only if its first argument is that value.
"""

import ctypes
import errno
import os
import platform
import re
import struct
import sys
from pathlib import Path

HEADERS = {
    "x86_64": ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"],
    "aarch64": ["/usr/include/asm-generic/unistd.h"],
}

LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER, FIRST_ARGUMENT = 0, 16
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2


def system_calls() -> dict[str, int]:
    """The numbers of this machine's system calls, by their names."""
    paths = map(Path, HEADERS.get(platform.machine(), []))
    header = next((path for path in paths if path.exists()), None)
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()) if header else []
    return {name: int(number) for name, number in found}


def refusing(calls: str, error: str) -> list[str]:
    """What to put in front of a command, so that these system calls fail: `refusing("adjtimex,openat", "EPERM")`."""
    known = system_calls()
    numbers = ",".join(re.sub(r"^\w+", lambda name: str(known[name[0]]), call) for call in calls.split(","))
    return [sys.executable, "-B", __file__, numbers, str(getattr(errno, error))]


def program(calls: list[str], error: int) -> bytes:
    """A filter of BPF (seccomp(2)): the number of the call is the first word of what it sees."""
    refuse = (RETURN, 0, 0, REFUSE | error)
    code = [(LOAD, 0, 0, NUMBER)]
    for call in calls:
        number, _, value = call.partition("=")
        if value:
            when = [(LOAD, 0, 0, FIRST_ARGUMENT), (JUMP_IF_EQUAL, 0, 1, int(value)), refuse, (LOAD, 0, 0, NUMBER)]
        else:
            when = [refuse]
        code += [(JUMP_IF_EQUAL, 0, len(when), int(number)), *when]
    code.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("<HBBI", operation, yes, no, value) for operation, yes, no, value in code)


def confine(calls: list[str], error: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    code = program(calls, error)
    buffer = ctypes.create_string_buffer(code)

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    filter_program = Program(len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(SECCOMP, FILTER, ctypes.byref(filter_program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp is not available")


if __name__ == "__main__":
    _, calls, number, *command = sys.argv
    confine(calls.split(","), int(number))
    os.execv(command[0], command)
