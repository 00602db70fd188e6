"""`/openapi.json` against the service that it describes: schemathesis, a client generator, reads it from there, makes
requests of everything that it allows and of much that it does not, and compares every answer with what it promises.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import servers
from support.tools import lacking

EXAMPLES = 40
"""Requests for each operation, at most."""

# It expects that whatever a schema allows is accepted; and no schema can say which zones there are.
NOT_ASKED = "positive_data_acceptance"


def schemathesis(where: Path, server: servers.Server, description: str) -> subprocess.CompletedProcess:
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists():
        lacking("the program `schemathesis` is not installed")
    return subprocess.run(
        [program, "run", description, "--url", server.url, "--checks", "all", "--exclude-checks", NOT_ASKED,
         "--max-examples", str(EXAMPLES), "--seed", "1", "--no-color"],
        cwd=where, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_every_answer_is_one_that_the_description_promises(nowd, tmp_path):
    server = nowd()
    description = json.loads(server.get("/openapi.json")[2])
    operations = sum(len({"get", "head", "options"} & set(path)) for path in description["paths"].values())
    run = schemathesis(tmp_path, server, f"{server.url}/openapi.json")
    assert run.returncode == 0, run.stdout + run.stderr
    # One of them it may leave out: which, depends on what it makes of the description that it reads.
    selected, total = map(int, re.search(r"(\d+) selected / (\d+) total", run.stdout).groups())
    assert selected == total and operations - 1 <= total <= operations, run.stdout
    cases = int(re.search(r"(\d+) generated", run.stdout)[1])
    assert cases >= 100, run.stdout
    print(f"{cases} requests for {operations} operations")


def without_bad_requests(description: dict) -> None:
    del description["paths"]["/now"]["get"]["responses"]["400"]


def with_another_instance(description: dict) -> None:
    description["components"]["schemas"]["Now"]["properties"]["instance"]["pattern"] = "^[0-9a-f]{9}$"


def with_another_type(description: dict) -> None:
    responses = description["paths"]["/healthz"]["get"]["responses"]["200"]
    responses["content"]["text/plain"] = responses["content"].pop("application/json")


def with_another_header(description: dict) -> None:
    description["components"]["headers"]["Timing-Allow-Origin"]["schema"]["const"] = "https://time.example"


LIES = {
    without_bad_requests: "Undocumented status code",
    with_another_instance: "Response violates schema",
    with_another_type: "Undocumented Content-Type",
    with_another_header: "Response header does not conform to the schema",
}


@pytest.mark.parametrize(("lie", "complaint"), LIES.items(), ids=[lie.__name__ for lie in LIES])
def test_a_description_that_promises_something_else_is_noticed(one_nowd, tmp_path, lie, complaint):
    description = json.loads(one_nowd.get("/openapi.json")[2])
    lie(description)
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(description))
    run = schemathesis(tmp_path, one_nowd, str(file))
    assert run.returncode == 1, run.stdout + run.stderr
    assert complaint in run.stdout, run.stdout
