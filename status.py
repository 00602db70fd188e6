#!/usr/bin/env python3
"""The old name of the health check. `python3 status.py SITE [...]` is `nowcheck SITE [...]`."""

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def program() -> str | None:
    """Where nowcheck is: $NOWCHECK, the PATH, or where cargo builds it."""
    built = [HERE / "target" / profile / "nowcheck" for profile in ("release", "debug")]
    candidates = [os.environ.get("NOWCHECK"), shutil.which("nowcheck"), *map(str, built)]
    return next((path for path in candidates if path and os.access(path, os.X_OK)), None)


def main() -> None:
    found = program()
    if found is None:
        print("status.py hands over to nowcheck, and that is not built: run `cargo build --release`", file=sys.stderr)
        sys.exit(3)
    os.execv(found, [found, *sys.argv[1:]])


if __name__ == "__main__":
    main()
