"""Ends the summary of `make test`: how many tests ran, and which were skipped, why.

python3 tests/support/summary.py DIRECTORY     # of what the test programs said: *.txt of cargo, *.xml of pytest
"""

import re
import sys
import xml.etree.ElementTree as xml
from collections import Counter
from pathlib import Path


def of_cargo(text: str) -> tuple[int, int]:
    """Tests that passed, and those that are ignored."""
    lines = re.findall(r"^test result: ok\. (\d+) passed; \d+ failed; (\d+) ignored", text, re.MULTILINE)
    return sum(int(passed) for passed, _ in lines), sum(int(ignored) for _, ignored in lines)


def of_pytest(text: str) -> tuple[int, Counter]:
    """Tests that passed, and how many were skipped, by the reason."""
    cases = list(xml.fromstring(text).iter("testcase"))
    skips = [skip.get("message", "") for case in cases for skip in case.iter("skipped")]
    return len(cases) - len(skips), Counter(skips)


def summary(directory: Path) -> str:
    rust = [of_cargo(file.read_text(errors="replace")) for file in sorted(directory.glob("*.txt"))]
    system = [of_pytest(file.read_text()) for file in sorted(directory.glob("*.xml"))]
    skips = sum((reasons for _, reasons in system), Counter())
    ignored = sum(count for _, count in rust)
    passed = [sum(count for count, _ in rust), sum(count for count, _ in system)]
    lines = [f", {sum(passed):,} tests ({passed[0]:,} in Rust, {passed[1]:,} of the system)"]
    if ignored:
        lines.append(f"{ignored:,} tests in Rust are ignored")
    if skips:
        lines.append(f"{skips.total():,} tests of the system were SKIPPED:")
        lines += [f"  {count:>4}  {reason}" for reason, count in skips.most_common()]
    return "\n".join(lines)


if __name__ == "__main__":
    print(summary(Path(sys.argv[1])))
