#!/usr/bin/env python3
"""The old name of the health check. `python3 status.py SITE [...]` is `nowcheck SITE [...]`."""

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def program() -> str | None:
    """Where nowcheck is: $NOWCHECK, beside this Python (`pip install -r requirements.txt`), the PATH, or where cargo builds it."""
    beside = Path(sys.executable).parent / "nowcheck"
    built = [HERE / "target" / profile / "nowcheck" for profile in ("release", "debug")]
    candidates = [os.environ.get("NOWCHECK"), str(beside), shutil.which("nowcheck"), *map(str, built)]
    return next((path for path in candidates if path and os.access(path, os.X_OK)), None)


def main() -> None:
    found = program()
    if found is None:
        print("status.py hands over to nowcheck, which is not there: run `pip install -r requirements.txt`", file=sys.stderr)
        sys.exit(3)
    os.execv(found, [found, *sys.argv[1:]])


if __name__ == "__main__":
    main()
