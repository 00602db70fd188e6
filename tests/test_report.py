"""`nowcheck report`: what the history says, in four formats, while the monitor writes it."""

import csv
import io
import json
import os
import pty
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from jsonschema import Draft202012Validator
from support.browser import Browser
from support.monitor import configuration
from support.nowcheck import clean_environment
from support.process import poll
from support.tools import ROOT, binary

# Names have no slash, and may otherwise look like markup.
FAST = "fast & <b>wrong<|b>"
SCHEMA = json.loads((ROOT / "contract" / "nowcheck-report.schema.json").read_text())


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    command = [binary("nowcheck"), "report", *map(str, arguments)]
    environment = clean_environment(**environment)
    return subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment)


def report(*arguments: object) -> str:
    done = run(*arguments)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


@pytest.fixture
def watching(nowd, monitor, tmp_path):
    """A monitor of a service that is right and of one that is three seconds fast, with a few rounds in its history."""
    running = monitor("--config", configuration(tmp_path, ("shop", nowd().url), (FAST, nowd(+3).url)))
    running.wait_for("shop", "ok")
    running.wait_for(FAST, "wrong")
    running.wait_for_rounds("shop", 3)
    history = tmp_path / "history.db"

    def is_written() -> bool:
        done = run("--history", history, "--output", "json")
        if "there is no history" in done.stderr:
            return False
        document = json.loads(done.stdout)
        rounds = [sum(check["period"]["rounds"].values()) for check in document["checks"]]
        return len(rounds) == 2 and min(rounds) >= 3 and len(document["incidents"]) == 1

    # What is queued is written soon.
    poll(is_written, "both checks and the incident are in the history")
    return history


def test_the_json_follows_its_schema_and_says_what_was_measured(watching):
    document = json.loads(report("--history", watching, "--since", "1h", "--output", "json"))
    validator = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert [error.message for error in validator.iter_errors(document)] == []
    fast, shop = sorted(document["checks"], key=lambda check: check["name"])
    assert shop["max_offset_seconds"] == 1 and shop["every_seconds"] == 1 and shop["url"].startswith("http://127.0.0.1")
    assert shop["period"]["rounds"]["ok"] >= 3 and shop["period"]["times_seconds"]["ok"] > 0
    assert -0.1 < shop["period"]["offset"]["lower"] <= shop["period"]["offset"]["upper"] < 0.1
    assert shop["clocks"][0]["instance"] and shop["clocks"][0]["drift"]["ratio"]["lower"] < 0
    assert 2.9 < fast["period"]["offset"]["lower"] < 3.1 and fast["availability"]["least"] == 0
    (incident,) = document["incidents"]
    assert incident["check"] == fast["name"] and incident["state"] == "wrong" and incident["until"] is None
    for check in document["checks"]:
        length = sum(check["period"]["times_seconds"].values())
        least, greatest = check["availability"]["least"], check["availability"]["greatest"]
        assert greatest - least == pytest.approx(check["period"]["times_seconds"]["unknown"] / length)


def test_the_table_has_a_line_for_each_stretch_with_all_columns(watching):
    lines = list(csv.DictReader(io.StringIO(report("--history", watching, "--output", "csv", "--since", "10m"))))
    assert {line["check"] for line in lines} == {"shop", FAST}
    assert all(None not in line and None not in line.values() for line in lines)
    assert sum(float(line["ok_seconds"]) for line in lines if line["check"] == "shop") > 0
    assert sum(int(line["rounds_wrong"]) for line in lines if line["check"] != "shop") > 0


def test_the_drawing_is_well_formed_and_the_plots_have_names(watching):
    root = ElementTree.fromstring(report("--history", watching, "--check", "shop", "--output", "svg"))
    svg = "{http://www.w3.org/2000/svg}"
    assert root.tag == svg + "svg"
    plots = [plot for plot in root.iter(svg + "svg") if plot.get("role") == "img"]
    titles = [plot.find(svg + "title").text for plot in plots]
    assert titles == ["Offset of the clock", "What it was when", "Round trips"]
    assert "NaN" not in ElementTree.tostring(root, encoding="unicode")


def test_the_page_needs_no_network_and_escapes_names(watching, tmp_path):
    page = tmp_path / "report.html"
    page.write_text(report("--history", watching, "--since", "5m"))
    browser = Browser()
    try:
        opened = browser.page()
        opened.open(page.as_uri())
        assert opened.requests == [page.as_uri()] and opened.complaints == []
        assert opened.evaluate("document.querySelectorAll('h2 b').length") == 0
        assert FAST in opened.evaluate("document.body.innerText")
        images = [name for role, name in opened.roles() if role in ("image", "img")]
        assert images.count("Offset of the clock") == 2, opened.roles()
        for width in (1280, 390):
            opened.resize(width, 800)
            assert opened.evaluate("document.documentElement.scrollWidth") <= width
            shown = "[...document.querySelectorAll('svg.plot')].filter(plot => plot.getClientRects().length).length"
            assert opened.evaluate(shown) == 6, "each plot is shown once"
    finally:
        browser.end()


def test_a_page_is_not_written_to_a_terminal(watching):
    outside, inside = pty.openpty()
    command = [binary("nowcheck"), "report", "--history", str(watching)]
    environment = clean_environment()
    done = subprocess.run(command, stdout=inside, stderr=subprocess.PIPE, text=True, timeout=20, env=environment)
    os.close(inside)
    os.close(outside)
    assert done.returncode == 3 and "say > report.html" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--check", "shpo"], 'the history has no check "shpo"; did you mean "shop"?'),
        (["--check", "elsewhere"], f"it has {FAST}, shop"),
        (["--since", "yesterday"], "write a duration"),
        (["--output", "pdf"], "html, svg, csv, json"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(watching, arguments, said):
    done = run("--history", watching, *arguments)
    assert done.returncode == 3 and done.stdout == "" and said in done.stderr, done.stderr


def test_a_history_that_is_not_there_is_looked_for_where_the_monitor_writes_it(tmp_path):
    done = run("--output", "json", STATE_DIRECTORY=str(tmp_path))
    assert done.returncode == 3
    assert f"there is no history at {tmp_path}/nowcheck.db: say --history FILE" in done.stderr
