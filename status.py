#!/usr/bin/env python3
"""The old name of the health check. `python3 status.py SITE [...]` is `nowcheck SITE [...]`."""

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# The options of nowcheck whose value is the next word: that word is no site.
TAKES_A_VALUE = {
    "--output",
    "--max-offset",
    "--warn-offset",
    "--timeout",
    "--samples",
    "--field",
    "--format",
    "--date-cache",
    "--every",
    "--ca-file",
    "--reference",
    "--expect-backends",
    "--miss-probability",
    "--resolve",
    "--header",
    "--user-file",
    "--cert",
    "--key",
}


def program() -> str | None:
    """Where nowcheck is: $NOWCHECK, the PATH, or where cargo builds it."""
    built = [HERE / "target" / profile / "nowcheck" for profile in ("release", "debug")]
    candidates = [os.environ.get("NOWCHECK"), shutil.which("nowcheck"), *map(str, built)]
    return next((path for path in candidates if path and os.access(path, os.X_OK)), None)


def with_schemes(words: list[str]) -> list[str]:
    """The old check took a bare host; nowcheck wants a URL."""
    done, value_follows = [], False
    for word in words:
        if not value_follows and word and not word.startswith("-") and "://" not in word:
            word = f"http://{word}"
        done.append(word)
        value_follows = word in TAKES_A_VALUE
    return done


def main() -> None:
    found = program()
    if found is None:
        print("status.py hands over to nowcheck, and that is not built: run `cargo build --release`", file=sys.stderr)
        sys.exit(3)
    os.execv(found, [found, *with_schemes(sys.argv[1:])])


if __name__ == "__main__":
    main()
