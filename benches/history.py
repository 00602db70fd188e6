#!/usr/bin/env python3
"""What a round costs in the history, in processor time and bytes: with all rounds kept, and with days alone.

benches/history.py --history-cost PATH [--write FILE]
"""

import argparse
import subprocess
from pathlib import Path

from harness import executable, machine, run, write_block

DEADLINE_SECONDS = 600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history-cost", required=True, metavar="PATH", help="the example of nowcheck-watch")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the table into")
    options = parser.parse_args()
    program = executable(options.history_cost, "`make bench-watch` builds it")
    said = subprocess.run([program], check=True, capture_output=True, text=True, timeout=DEADLINE_SECONDS).stdout
    text = f"Measured on {machine()}.\n\n{said}"
    print(text)
    if options.write:
        write_block(options.write, "bench-history", text)


if __name__ == "__main__":
    run(main)
