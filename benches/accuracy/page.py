"""What was compared, as tables for the terminal and as docs/accuracy.md. Every figure in it was measured; the words
around them are in page.md."""

import itertools
import statistics
import string
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import as_they_are
from harness import table
from stage import Situation
from tools import LIMIT, PROVEN, WHOLE_SECONDS, Answer, Claim, Tool

TEMPLATE = Path(__file__).resolve().parent / "page.md"
NOWCHECK = "nowcheck"
TOLD = "nowcheck --date-cache 0s"


@dataclass
class Conditions:
    date: str
    cores: int
    machine: str
    load: float
    """The load average before; afterwards it is that of the comparison, too."""
    clock_error: float | None
    seconds: float = 0.0


@dataclass
class Comparison:
    tools: list[Tool]
    results: list
    about: Conditions
    runs: int
    ages: list[tuple[str, str]]
    """What check_http -M said of a page that was just written, by the clock of the server."""
    lacking: list[str]
    wrong: list[str]
    """What nowcheck got wrong."""


# ------------------------------------------------------------------------------------------------------- judgments


def is_asked(tool: Tool, situation: Situation) -> bool:
    """What nowcheck may be told of a Date makes no difference where there is another time."""
    return situation.date_only or tool.name != TOLD


def is_right(answer: Answer, situation: Situation) -> bool:
    return answer.claim is (Claim.WITHIN if situation.within else Claim.BEYOND)


def is_wrong(answer: Answer, situation: Situation) -> bool:
    return answer.claim is not Claim.NONE and not is_right(answer, situation)


@dataclass(frozen=True)
class Count:
    right: int = 0
    false_ok: int = 0
    """A clock that is off, and said to be within the limit."""
    false_alarm: int = 0
    """A clock that is within the limit, and said to be off."""
    none: int = 0

    @property
    def wrong(self) -> int:
        return self.false_ok + self.false_alarm

    @property
    def all(self) -> int:
        return self.right + self.wrong + self.none

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.right + other.right,
            self.false_ok + other.false_ok,
            self.false_alarm + other.false_alarm,
            self.none + other.none,
        )


def count(answers: Iterable[Answer], situation: Situation) -> Count:
    total = Count()
    for answer in answers:
        if answer.claim is Claim.NONE:
            total += Count(none=1)
        elif is_right(answer, situation):
            total += Count(right=1)
        elif situation.within:
            total += Count(false_alarm=1)
        else:
            total += Count(false_ok=1)
    return total


# ------------------------------------------------------------------------------------------------------------ words


def duration(seconds: float) -> str:
    """With about three figures."""
    size = abs(seconds)
    if size < 5e-9:
        return "0 s"
    # Compared as they will be rounded: 999.7 ms is a second.
    for unit, scale, least in (("s", 1.0, 0.9995), ("ms", 1e3, 0.9995e-3), ("µs", 1e6, 0.0)):
        if size >= least:
            value = size * scale
            return f"{value:.{0 if value >= 99.5 else 1 if value >= 9.95 else 2}f} {unit}"
    raise AssertionError


def signed(seconds: float, digits: int = 3) -> str:
    if round(seconds, digits) == 0:
        return f"{0:.{digits}f}"
    # A true minus sign, which does not break from its figure at the end of a line.
    return f"{seconds:+.{digits}f}".replace("-", "−")


def complaint(answer: Answer) -> str:
    """One answer of nowcheck, in a few words."""
    interval = f"{signed(answer.offset, 6)} s ± {duration(answer.half_width)}" if answer.offset is not None else ""
    return " ".join(filter(None, [answer.claim.value, answer.words, interval]))


def says(tool: Tool, answers: list[Answer]) -> str:
    """What a tool said in all of its runs."""
    words = sorted({answer.words for answer in answers if answer.words})
    offsets = sorted(answer.offset for answer in answers if answer.offset is not None)
    if not offsets or "stale cache" in words:
        return "; ".join(words) or "nothing"
    low, high = offsets[0], offsets[-1]
    if tool.width == PROVEN:
        middle = statistics.median_low(offsets)
        half_width = next(answer.half_width for answer in answers if answer.offset == middle)
        figure = f"{signed(middle, 6 if half_width < 1e-3 else 3)} s ± {duration(half_width)}"
    else:
        digits = 0 if tool.width == WHOLE_SECONDS else 3
        ends = list(dict.fromkeys([signed(low, digits), signed(high, digits)]))
        figure = " to ".join(ends) + " s"
    return "; ".join([figure, *words])


def off_by(situation: Situation, answers: list[Answer]) -> str:
    """How far an offset was from the truth, at the most; where there is one truth."""
    errors = [abs(answer.offset - situation.truth[0]) for answer in answers if answer.offset is not None]
    if situation.stale or len(set(situation.truth)) > 1 or not errors:
        return ""
    return duration(max(errors))


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else ""


def verdict(answers: list[Answer], situation: Situation) -> str:
    counted = count(answers, situation)
    parts = [(counted.right, "right"), (counted.wrong, "**wrong**"), (counted.none, "cannot say")]
    there = [(number, word) for number, word in parts if number]
    if not there:
        return ""
    if len(there) == 1:
        return there[0][1]
    return ", ".join(f"{number} {word}" for number, word in there)


# ----------------------------------------------------------------------------------------------------------- tables


def totals(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    rows = []
    for tool in comparison.tools:
        total, seconds, requests, widths = Count(), [], [], []
        for result in comparison.results:
            answers = result.answers.get(tool.name, [])
            total += count(answers, result.situation)
            seconds += [answer.seconds for answer in answers]
            widths += [answer.half_width for answer in answers if answer.half_width is not None]
            requests += [answer.requests for answer in answers if answer.requests is not None]
        if not total.all:
            continue
        rows.append([
            tool.name,
            str(total.all),
            str(total.right),
            str(total.wrong),
            share(total.wrong, total.all),
            str(total.false_ok),
            str(total.false_alarm),
            str(total.none),
            f"± {duration(statistics.median(widths))}" if widths else tool.width,
            f"{statistics.median(requests):g}" if requests else "",
            duration(statistics.median(seconds)),
        ])
    counts = ["asked", "right", "wrong", "how often", "false OK", "false alarm", "cannot say"]
    return ["", *counts, "width", "requests", "time"], rows


def matrix(comparison: Comparison) -> list[tuple[str, list[str], list[list[str]]]]:
    """By group: its titles, and a row for each situation with what became of each tool that was asked there."""
    groups = []
    for group, results in itertools.groupby(comparison.results, key=lambda result: result.situation.group):
        rows = list(results)
        names = [tool.name for tool in comparison.tools if any(result.answers.get(tool.name) for result in rows)]
        groups.append((group, ["", "truth", *names], [row_of(result, names) for result in rows]))
    return groups


def row_of(result, names: list[str]) -> list[str]:
    situation = result.situation
    cells = [verdict(result.answers.get(name, []), situation) for name in names]
    return [situation.name, answer_due(situation), *cells]


def answer_due(situation: Situation) -> str:
    return "within" if situation.within else "not"


def details(comparison: Comparison) -> list[tuple[str, list[str], list[list[str]]]]:
    """The same groups, with a row for each tool."""
    titles = ["", "tool", "says", "off by", "right", "wrong", "cannot say", "requests", "time"]
    groups: dict[str, list[list[str]]] = {}
    for result in comparison.results:
        situation, first = result.situation, True
        for tool in comparison.tools:
            answers = result.answers.get(tool.name, [])
            if not answers:
                continue
            counted = count(answers, situation)
            requests = [answer.requests for answer in answers if answer.requests is not None]
            groups.setdefault(situation.group, []).append([
                f"{situation.name} ({answer_due(situation)})" if first else "",
                tool.name,
                says(tool, answers),
                off_by(situation, answers),
                *(str(number or "") for number in (counted.right, counted.wrong, counted.none)),
                f"{statistics.median(requests):g}" if requests else "",
                duration(statistics.median(answer.seconds for answer in answers)),
            ])
            first = False
    return [(f"{group}: answers", titles, rows) for group, rows in groups.items()]


def runs(comparison: Comparison) -> str:
    return "1 run" if comparison.runs == 1 else f"{comparison.runs} runs"


def plain(text: str) -> str:
    return text.replace("**", "").replace("`", "")


def for_the_terminal(comparison: Comparison) -> str:
    parts = [
        f"Is the clock within {LIMIT:g} s? {runs(comparison)} of each tool in each situation, "
        f"{comparison.about.seconds:.0f} s in all.",
        *cut_short(comparison),
    ]
    for group, titles, rows in matrix(comparison):
        parts.append(table([plain(group), *titles[1:]], [list(map(plain, row)) for row in rows]))
    parts.append(table(*totals(comparison)))
    said_so = sum(len(result.answers.get(NOWCHECK, [])) for result in comparison.results)
    if not comparison.wrong:
        parts.append(f"nowcheck was wrong in none of its {said_so} runs, and no interval missed the truth.")
    return "\n\n".join(parts)


# ------------------------------------------------------------------------------------------------------------- page


def markdown(titles: list[str], rows: list[list[str]], left: int) -> str:
    """A table whose first `left` columns hold words."""
    rule = ["---"] * left + ["---:"] * (len(titles) - left)
    lines = ["| " + " | ".join(titles) + " |", "|" + "|".join(rule) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def paragraph(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def document(comparison: Comparison) -> str:
    return string.Template(TEMPLATE.read_text()).substitute(
        limit=f"{LIMIT:g}",
        took=f"{as_they_are.TOOK:g}",
        burst=as_they_are.BURST,
        tick=f"{as_they_are.TICK:g}",
        about=about(comparison),
        totals=markdown(*totals(comparison), left=1),
        never_wrong=never_wrong(comparison),
        matrix=in_groups(matrix(comparison)),
        htpdate_error=worst_direct_error(comparison, "htpdate"),
        ages=markdown(["clock of nginx", "`check_http -M 1`"], list(map(list, comparison.ages)), 2)
        if comparison.ages
        else "(Not asked: it needs check_http and nginx.)",
        undecided=undecided(comparison),
        details=in_groups(details(comparison)),
    )


def in_groups(groups: list[tuple[str, list[str], list[list[str]]]]) -> str:
    # Figures stand to the right, and begin with this column, if there is one.
    def left(titles: list[str]) -> int:
        return titles.index("off by") if "off by" in titles else len(titles)

    return "\n\n".join(f"### {group}\n\n{markdown(titles, rows, left(titles))}" for group, titles, rows in groups)


def about(comparison: Comparison) -> str:
    conditions = comparison.about
    if conditions.clock_error is None:
        clock = "not synchronized by NTP; its kernel reports no error, so nowcheck's intervals are not wider for it"
    else:
        error = duration(conditions.clock_error)
        clock = f"right to {error}, says its kernel; nowcheck's intervals are wider by that"
    versions = {tool.name.split()[0]: tool.version for tool in comparison.tools if "naive" not in tool.name}
    busy = " (busy with other work)" if conditions.load > conditions.cores else ""
    rows = [
        ["date", conditions.date],
        ["runs of each tool in each situation", str(comparison.runs)],
        ["duration", f"{conditions.seconds:.0f} s"],
        ["machine", f"{conditions.cores} cores, {conditions.machine}"],
        ["load before", f"{conditions.load:.1f}{busy}"],
        ["versions", ", ".join(f"{name} {version}" for name, version in versions.items())],
        ["clock of the machine", clock],
    ]
    missing = [f"{line}." for line in comparison.lacking]
    return "\n\n".join([markdown(["", ""], rows, 2), *map(paragraph, [*missing, *cut_short(comparison)])])


def cut_short(comparison: Comparison) -> list[str]:
    made = [len(answers) for result in comparison.results for answers in result.answers.values()]
    return ["The time ran out before all of these runs were made."] if min(made) < comparison.runs else []


def never_wrong(comparison: Comparison) -> str:
    made = sum(
        len(answers)
        for result in comparison.results
        for name, answers in result.answers.items()
        if name.startswith(NOWCHECK)
    )
    if comparison.wrong:
        return paragraph(f"**nowcheck was wrong**, {len(comparison.wrong)} times in {made} runs; that is a bug.")
    return paragraph(
        f"In {made} runs, no verdict of nowcheck contradicted the truth, and every interval held the true offset. "
        "`make compare-accuracy` fails if that is not so."
    )


def worst_direct_error(comparison: Comparison, name: str) -> str:
    """Of the situations in which nothing is between the tool and nowd."""
    errors = [
        abs(answer.offset - result.situation.truth[0])
        for result in comparison.results
        if result.situation.direct
        for answer in result.answers.get(name, [])
        if answer.offset is not None
    ]
    return duration(max(errors)) if errors else "(not measured)"


def undecided(comparison: Comparison) -> str:
    """Where nowcheck says UNKNOWN, and who was right there."""
    rows = []
    for result in comparison.results:
        situation = result.situation
        answers = result.answers.get(NOWCHECK, [])
        unknown = [answer for answer in answers if answer.claim is Claim.NONE]
        if not unknown:
            continue
        intervals = [answer.intervals[0] for answer in unknown if len(answer.intervals) == 1]
        earliest, latest = intervals[len(intervals) // 2] if intervals else (0.0, 0.0)
        others = []
        for tool in comparison.tools:
            counted = count(result.answers.get(tool.name, []), situation)
            if tool.name != NOWCHECK and counted.right:
                often = f" ({counted.right} of {counted.all})" if counted.right < counted.all else ""
                others.append(tool.name + often)
        rows.append([
            f"{situation.group}: {situation.name}",
            f"{len(unknown)} of {len(answers)}",
            f"{signed(earliest)} to {signed(latest)} s" if intervals else "several clocks",
            "; ".join(others) or "nobody",
        ])
    if not rows:
        return "Here it decided in every run."
    return markdown(["", "UNKNOWN", "an interval", "who was right"], rows, left=4)
