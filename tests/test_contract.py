"""`GET /now` of a live nowd is what `contract/` says, to the letter."""

import copy
import datetime
import json
import re
import time
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator

from support.tools import ROOT

CONTRACT = ROOT / "contract"
ZONES = [
    "UTC",
    "Europe/Madrid",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Australia/Lord_Howe",
    "America/Argentina/Buenos_Aires",
]


@cache
def now_schema() -> dict:
    return json.loads((CONTRACT / "now.schema.json").read_text())


@cache
def golden() -> list[dict]:
    return json.loads((CONTRACT / "golden" / "now.json").read_text())


def assert_valid(document: dict, schema: dict | None = None) -> None:
    errors = [f"{e.json_path}: {e.message}" for e in Draft202012Validator(schema or now_schema()).iter_errors(document)]
    assert not errors, "\n".join([*errors, json.dumps(document)])


def document(body: bytes | str) -> dict:
    """The body as JSON with `unix_time` to its last digit."""
    return json.loads(body, parse_float=Decimal)


def plain(document: dict) -> dict:
    """The same with floats, which is what a schema validator counts as numbers."""
    return json.loads(json.dumps(document, default=float))


# ------------------------------------------------------------------------------------------------- on paper


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(now_schema())


@pytest.mark.parametrize("case", golden(), ids=lambda case: case["name"])
def test_golden_bodies_follow_the_schema(case):
    assert_valid(plain(document(case["body"])))


@pytest.mark.parametrize("case", golden(), ids=lambda case: case["name"])
def test_golden_bodies_say_what_was_given(case):
    given, said = case["given"], document(case["body"])
    nanos = int(given["unix_nanos"])
    assert said["unix_time"] == Decimal(nanos) / 10**9
    assert said["instance"] == given["instance"]
    assert said["clock"]["status"] == given["status"]
    assert_fields_agree(said, given["tz"])


def test_the_description_is_valid_openapi():
    from openapi_spec_validator import validate

    validate(openapi())


def test_the_description_and_the_schema_say_the_same():
    described = inline(openapi(), now_in(openapi()))
    for case in golden():
        assert_valid(plain(document(case["body"])), described)
    assert set(described["properties"]) == set(now_schema()["properties"])
    assert set(described["required"]) == set(now_schema()["required"])


def test_what_the_schema_refuses_the_description_refuses():
    described = Draft202012Validator(inline(openapi(), now_in(openapi())))
    good = plain(document(golden()[1]["body"]))
    for name, bad in spoiled(good):
        assert not Draft202012Validator(now_schema()).is_valid(bad), f"the schema lets pass: {name}"
        assert not described.is_valid(bad), f"openapi.json lets pass: {name}"


def spoiled(good: dict):
    """Documents with one thing wrong each."""
    for name, value in [
        ("current_time", "25:61:00"),
        ("datetime", "2026-11-23 20:11:51Z"),
        ("unix_time", "1795464711"),
        ("instance", "3F9C2A7D"),
        ("clock", {"status": "perfect", "max_error": 0}),
        ("timezone", ""),
    ]:
        yield name, good | {name: value}
    for name in now_schema()["required"]:
        lacking = copy.deepcopy(good)
        del lacking[name]
        yield f"no {name}", lacking
    yield "a field more", good | {"weather": "fine"}


@cache
def openapi() -> dict:
    files = sorted(CONTRACT.glob("openapi.*"))
    assert files, "contract/ holds no openapi.json"
    return json.loads(files[0].read_text())


def now_in(description: dict) -> dict:
    return description["paths"]["/now"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]


def inline(description: dict, schema):
    """A schema of an OpenAPI document with its references resolved, those into now.schema.json too."""
    if isinstance(schema, list):
        return [inline(description, item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        file, _, pointer = schema["$ref"].partition("#")
        found = json.loads((CONTRACT / file).read_text()) if file else description
        for part in pointer.strip("/").split("/") if pointer.strip("/") else []:
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return inline(description, found)
    return {name: inline(description, value) for name, value in schema.items()}


# ------------------------------------------------------------------------------------------------- live


def assert_fields_agree(said: dict, zone: str | None) -> None:
    """All fields come from one reading of the clock."""
    moment, local = said["datetime"][:19], said["datetime"]
    seconds = int(said["unix_time"])
    tz = ZoneInfo(said["timezone"]) if said["timezone"] != "UTC" else datetime.UTC
    true_local = datetime.datetime.fromtimestamp(seconds, tz)
    assert true_local.strftime("%Y-%m-%dT%H:%M:%S") == moment
    assert said["current_time"] == moment[11:]
    assert Decimal(f"0.{local[20:29]}") == said["unix_time"] - seconds
    offset = true_local.utcoffset().total_seconds()
    if zone is None:
        assert "utc_offset" not in said
        assert said["timezone"] == "UTC"
        assert local.endswith("Z")
    else:
        assert said["utc_offset"] == offset
        assert datetime.datetime.fromisoformat(re.sub(r"\.\d+", "", local)).timestamp() == seconds


@pytest.mark.parametrize("zone", [None, *ZONES], ids=str)
def test_a_live_answer_follows_the_contract(one_nowd, zone):
    before = Decimal(time.time_ns()) / 10**9
    status, headers, body = one_nowd.get("/now" + (f"?tz={zone}" if zone else ""))
    after = Decimal(time.time_ns()) / 10**9
    assert status == 200
    assert headers["content-type"].split(";")[0] == "application/json"
    said = document(body)
    assert_valid(plain(said))
    assert_valid(plain(said), inline(openapi(), now_in(openapi())))
    assert before <= said["unix_time"] <= after, "the clock of this test and of nowd is the same one"
    assert said["timezone"] == (zone or "UTC")
    assert_fields_agree(said, zone)
    assert re.search(rb'"unix_time":\d+\.\d{9}\b', body), "nine decimals, in digits"


@pytest.mark.parametrize(("asked", "usual"), [("europe/madrid", "Europe/Madrid"), ("ASIA/KATHMANDU", "Asia/Kathmandu")])
def test_a_zone_is_answered_in_its_usual_spelling(one_nowd, asked, usual):
    assert document(one_nowd.get(f"/now?tz={asked}")[2])["timezone"] == usual


@pytest.mark.parametrize("zone", ["Atlantis/Capital", "", "../../etc/passwd", "UTC%00", "+01:00x", "x" * 4000])
def test_a_zone_that_there_is_not_is_a_problem_of_the_client(one_nowd, zone):
    status, headers, body = one_nowd.get(f"/now?tz={zone}")
    assert status == 400, body
    assert headers["content-type"].split(";")[0] == "application/problem+json"
    assert {"title", "status"} <= set(json.loads(body))


def test_the_field_of_the_first_clients_is_right(one_nowd):
    def utc() -> str:
        return time.strftime("%H:%M:%S", time.gmtime())

    before, said, after = utc(), json.loads(one_nowd.get("/now")[2])["current_time"], utc()
    assert said in (before, after)


def test_answers_are_not_cached_and_can_be_read_by_any_page(one_nowd):
    _, headers, _ = one_nowd.get("/now")
    assert headers["cache-control"] == "no-store"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["timing-allow-origin"] == "*"


def test_the_date_in_the_header_is_the_second_of_the_document(one_nowd):
    _, headers, body = one_nowd.get("/now")
    date = datetime.datetime.strptime(headers["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=datetime.UTC)
    assert 0 <= int(json.loads(body)["unix_time"]) - date.timestamp() <= 1


def test_two_answers_differ_in_time_and_agree_in_instance(one_nowd):
    first, second = (document(one_nowd.get("/now")[2]) for _ in range(2))
    assert first["unix_time"] < second["unix_time"]
    assert first["instance"] == second["instance"]


def test_nowd_hands_out_its_description(one_nowd):
    status, headers, body = one_nowd.get("/openapi.json")
    assert status == 200
    assert headers["content-type"].split(";")[0] == "application/json"
    assert json.loads(body) == openapi()


def test_two_processes_have_two_instances(nowd):
    instances = {document(nowd().get("/now")[2])["instance"] for _ in range(2)}
    assert len(instances) == 2


def test_time_over_https_is_in_the_header(one_nowd):
    before = Decimal(time.time_ns()) / 10**9
    status, headers, body = one_nowd.get("/.well-known/time", method="HEAD")
    after = Decimal(time.time_ns()) / 10**9
    assert (status, body) == (204, b"")
    assert re.fullmatch(r"\d+\.\d+", headers["x-httpstime"])
    assert before - Decimal("0.000001") <= Decimal(headers["x-httpstime"]) <= after


def test_a_clock_that_is_shifted_is_what_nowd_says(nowd):
    """nowd hides nothing: the tests that shift its clock rely on it."""
    said = json.loads(nowd(-7200.5).get("/now")[2])["unix_time"]
    assert abs(said - (time.time() - 7200.5)) < 0.5


# ------------------------------------------------------------------------------------------------- codes of notes


@pytest.mark.parametrize(
    ("definition", "source"), [("note", "outcome/note.rs"), ("reference_note", "outcome/reference_note.rs")]
)
def test_the_schema_lists_the_codes_of_notes_that_the_code_has_and_no_others(definition, source):
    text = (ROOT / "crates/nowcheck/src" / source).read_text()
    codes = set(re.findall(r'=> "([a-z_]+)"', text[text.index("fn code(") :]))
    schema = json.loads((CONTRACT / "nowcheck.schema.json").read_text())
    assert codes and codes == set(schema["$defs"][definition]["properties"]["code"]["enum"])
