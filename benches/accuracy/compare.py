#!/usr/bin/env python3
"""How often nowcheck and other tools are right about the same clocks, whose errors are known because they were made.

Every tool is asked the same question of every service, is its clock within one second?, again and again, beginning
at instants that are spread evenly over the second. Nothing here has to be fast, and no result depends on a time limit.

0 when nowcheck was never wrong: no verdict contradicted the truth, and no interval missed it. 1 when it was, or when
nothing could be compared. What the others say does not matter for that.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import as_they_are
import page
import situations
import tools
from harness import CannotMeasure, fetch, run
from stage import HOUR, ROOT, Programs, Situation, Stage, signed
from tools import Answer, Question, Tool

GOLDEN_SECTION = 0.6180339887
REST = 1.2
"""Seconds after which a limit on requests has forgotten those of the tool before."""
SHIM = ROOT / "tests" / "support" / "kernel_word.c"


@dataclass
class Result:
    """What was said in one situation, by each tool."""

    situation: Situation
    answers: dict[str, list[Answer]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    runs: int
    ends: float
    """Monotonic; no run begins later."""
    stopped: threading.Event

    def goes_on(self) -> bool:
        return not self.stopped.is_set() and time.monotonic() < self.ends


def compare(situation: Situation, asked: list[Tool], programs: Programs, plan: Plan) -> Result:
    result = Result(situation, {tool.name: [] for tool in asked})
    # Elsewhere for each situation, so that they do not all wake at once.
    phase = random.random()
    with contextlib.ExitStack() as stack:
        stage = Stage(programs, stack)
        url = situation.start(stage)
        question = question_about(situation, url, programs)
        # A run of each tool after the other: were the time to end, all would have been asked as often. And one at a
        # time, because what a balancer tells one of them must not depend on who else asks.
        for _ in range(plan.runs):
            # The golden section spreads any number of them evenly.
            phase = (phase + GOLDEN_SECTION) % 1.0
            for tool in asked:
                if plan.goes_on():
                    meet_another_server(url, situation)
                    time.sleep(REST if situation.gently else 0)
                    wait_for_phase(phase)
                    result.answers[tool.name].append(tool.ask(question))
        stage.make_sure()
    return result


def question_about(situation: Situation, url: str, programs: Programs) -> Question:
    error = situation.kernel_error
    admits = {"LD_PRELOAD": programs.kernel_word, "KERNEL_SAYS": f"{error * 1e6:.0f}"} if error is not None else {}
    return Question(url, situation.options, situation.gently, admits, error)


def meet_another_server(url: str, situation: Situation) -> None:
    """A balancer that takes its servers in turn would otherwise show a tool the same one each time, for better or
    worse: so somebody else asks in between, a few times or not at all."""
    for _ in range(random.randrange(len(situation.truth))):
        fetch(url)


def wait_for_phase(phase: float) -> None:
    """Until so much of this machine's second is gone. A tool that knows whole seconds is right or wrong depending on
    when it asks, so each has to be met with at all times of the second alike."""
    time.sleep((phase - time.time()) % 1.0)


def run_all(
    chosen: list[Situation], every_tool: list[Tool], programs: Programs, plan: Plan, width: int
) -> list[Result]:
    results: dict[str, Result] = {}
    with ThreadPoolExecutor(width) as pool:
        futures = {}
        # Those with the slow paths take the longest, and are the last in the list.
        for situation in reversed(chosen):
            asked = [tool for tool in every_tool if page.is_asked(tool, situation)]
            futures[pool.submit(compare, situation, asked, programs, plan)] = situation
        try:
            for done in as_completed(futures):
                situation = futures[done]
                results[situation.group + situation.name] = done.result()
                print(f"\r{len(results)} of {len(chosen)} situations", end="", file=sys.stderr, flush=True)
        except BaseException:
            plan.stopped.set()
            pool.shutdown(cancel_futures=True)
            raise
    print("\n", file=sys.stderr, flush=True)
    return [results[situation.group + situation.name] for situation in chosen]


def wrong_answers(results: list[Result]) -> list[str]:
    """What nowcheck got wrong: there must be nothing."""
    found = []
    for result in results:
        situation = result.situation
        for name, answers in result.answers.items():
            if not name.startswith("nowcheck"):
                continue
            for answer in answers:
                where = f"{name}: {situation.group}: {situation.name}"
                if page.is_wrong(answer, situation):
                    found.append(f"{where}: said {page.complaint(answer)}")
                # An answer from a cache is of another instant; no truth belongs to it any more.
                for earliest, latest in () if situation.stale else answer.intervals:
                    if not any(earliest <= truth <= latest for truth in situation.truth):
                        found.append(f"{where}: its interval [{earliest:+.9f}, {latest:+.9f}] holds none of the truths")
    return found


def age_of_documents(check_http: str, programs: Programs) -> list[tuple[str, str]]:
    rows = []
    for offset in (0.0, 3.0, -3.0, HOUR):
        with contextlib.ExitStack() as stack:
            url = situations.page_just_written(Stage(programs, stack), offset)
            rows.append((signed(offset), tools.document_age(check_http, url)))
    return rows


def kernel_word(stack: contextlib.ExitStack) -> str | None:
    """A library that makes a program believe what KERNEL_SAYS of this machine's clock; None without a compiler."""
    compiler = tools.find("cc", None)
    if compiler is None:
        return None
    library = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "kernel_word.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SHIM)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotMeasure(f"{SHIM} does not compile: {done.stderr}")
    return str(library)


def possible_situations(programs: Programs, only: str | None) -> tuple[list[Situation], list[str]]:
    """Those that can be made here and whose group or name holds `only`; and why others are left out."""
    possible = [*situations.all_situations(), *as_they_are.situations_as_they_are()]
    lacking = []
    for program, package, lacks in (
        ("nginx", "nginx-light", lambda s: s.needs_nginx and programs.nginx is None),
        ("cc", "gcc", lambda s: s.kernel_error is not None and programs.kernel_word is None),
    ):
        count = sum(map(lacks, possible))
        if count:
            possible = [situation for situation in possible if not lacks(situation)]
            lacking.append(f"{program} is not installed (package {package}): {count} situations are left out")
    chosen = [s for s in possible if not only or only in f"{s.group}: {s.name}"]
    if not chosen:
        raise CannotMeasure(f"no situation holds {only!r}")
    return chosen, lacking


def conditions(nowcheck: str, url: str) -> page.Conditions:
    outcome = json.loads(subprocess.run([nowcheck, url, "--output", "json"], capture_output=True, text=True).stdout)
    return page.Conditions(
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        cores=os.cpu_count() or 1,
        machine=f"Linux {platform.release().split('-')[0]}, {platform.machine()}",
        load=os.getloadavg()[0],
        clock_error=outcome["reference"]["max_error"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nowd", metavar="PATH", help="default: $NOWD, else target/release/nowd")
    parser.add_argument("--nowcheck", metavar="PATH", help="default: $NOWCHECK, else target/release/nowcheck")
    parser.add_argument("--htpdate", metavar="PATH", help="default: the one in PATH; left out if there is none")
    parser.add_argument("--check-http", metavar="PATH", help="the same, of the package monitoring-plugins-basic")
    parser.add_argument("--quick", action="store_true", help="within a minute, with few runs")
    parser.add_argument("--runs", type=int, metavar="N", help="of each tool in each situation (default: 10; quick: 2)")
    parser.add_argument("--side-by-side", type=int, default=24, metavar="N", help="situations (default: %(default)s)")
    parser.add_argument("--only", metavar="WORDS", help="situations whose group or name holds this")
    parser.add_argument(
        "--write", nargs="?", type=Path, const=ROOT / "docs/accuracy.md", metavar="FILE", help="writes the page, too"
    )
    options = parser.parse_args()
    built = [ROOT / "target/release"]
    own = {}
    for name, given in (("nowd", options.nowd), ("nowcheck", options.nowcheck)):
        own[name] = tools.find(name, given or os.environ.get(name.upper()), built)
        if own[name] is None:
            how = f"run `cargo build --release --bin {name}`, or set ${name.upper()}"
            raise CannotMeasure(f"{name} is not built: {how}")
    faketime = tools.find("faketime", None)
    if faketime is None:
        raise CannotMeasure("faketime is not installed (package faketime): no clock can be made wrong without it")
    with contextlib.ExitStack() as stack:
        programs = Programs(own["nowd"], faketime, tools.find("nginx", None), kernel_word(stack))
        compare_all(options, own["nowcheck"], programs)


def compare_all(options: argparse.Namespace, nowcheck: str, programs: Programs) -> None:
    runs = options.runs or (2 if options.quick else 10)
    htpdate = tools.find("htpdate", options.htpdate)
    check_http = tools.find("check_http", options.check_http)

    chosen, lacking = possible_situations(programs, options.only)
    for name, path, package in (
        ("htpdate", htpdate, "htpdate"),
        ("check_http", check_http, "monitoring-plugins-basic"),
    ):
        if path is None:
            lacking.append(f"{name} is not installed (package {package}): it is left out")
    every_tool = [
        tools.nowcheck(nowcheck),
        tools.nowcheck(nowcheck, fresh_date=True),
        *([tools.htpdate(htpdate)] if htpdate else []),
        *([tools.check_http(check_http)] if check_http else []),
        tools.naive("hms", "naive, HH:MM:SS", tools.WHOLE_SECONDS),
        tools.naive("datetime", "naive, instants", "not told"),
    ]
    for line in lacking:
        print(line, flush=True)

    with contextlib.ExitStack() as stack:
        about = conditions(nowcheck, situations.nowd(Stage(programs, stack), 0.0))
    ages = age_of_documents(check_http, programs) if check_http and programs.nginx else []
    began = time.monotonic()
    # Room for what is under way at that time.
    plan = Plan(runs, began + (60 if options.quick else 480), threading.Event())
    results = run_all(chosen, every_tool, programs, plan, options.side_by_side)
    about.seconds = time.monotonic() - began
    wrong = wrong_answers(results)

    comparison = page.Comparison(every_tool, results, about, runs, ages, lacking, wrong)
    print(page.for_the_terminal(comparison))
    if options.write:
        options.write.write_text(page.document(comparison))
        print(f"\nwritten: {os.path.relpath(options.write)}")
    if wrong:
        raise CannotMeasure("nowcheck was wrong:\n  " + "\n  ".join(wrong))


if __name__ == "__main__":
    run(main)
