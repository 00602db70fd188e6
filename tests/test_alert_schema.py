"""The schema of alerts accepts a message of every event as the monitor writes it, and rejects what is none."""

import copy
import json

import pytest
from jsonschema import Draft202012Validator
from support.tools import ROOT

CONTRACT = ROOT / "contract"
SCHEMA = json.loads((CONTRACT / "nowcheck-alert.schema.json").read_text())
# A test of the crate nowcheck-watch holds that these are what it writes.
GOLDEN = [json.loads(line) for line in (CONTRACT / "golden" / "alerts.jsonl").read_text().splitlines()]


def errors_of(document: dict) -> list[str]:
    validator = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("message", GOLDEN, ids=lambda message: f"{message['event']}-{message['check']}")
def test_a_message_of_every_event_follows_the_schema(message):
    assert not errors_of(message)


def test_there_is_a_message_of_every_event():
    assert {message["event"] for message in GOLDEN} == set(SCHEMA["properties"]["event"]["enum"])


def test_every_member_is_required():
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"])
    for name in SCHEMA["required"]:
        message = copy.deepcopy(GOLDEN[0])
        del message[name]
        assert errors_of(message), name


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("schema_version", 2),
        ("event", "resolved"),
        ("status", "critical"),
        ("since", "yesterday"),
        ("labels", {"team": 1}),
        ("offset", {"lower": "1", "upper": 2}),
        ("offset", {"lower": 1}),
        ("incident", ""),
        ("surprise", True),
    ],
)
def test_what_is_wrong_is_rejected(member, value):
    assert errors_of(GOLDEN[0] | {member: value})
