"""The schema of the monitor's configuration accepts the example, and what it rejects is wrong."""

import copy
import json
import tomllib

import pytest
from jsonschema import Draft202012Validator
from support.tools import ROOT

CONTRACT = ROOT / "contract"
SCHEMA = json.loads((CONTRACT / "nowcheck-config.schema.json").read_text())
EXAMPLE = tomllib.loads((CONTRACT / "nowcheck.example.toml").read_text())


def errors_of(document: dict) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(SCHEMA).iter_errors(document)]


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_the_example_is_valid():
    assert not errors_of(EXAMPLE)


def keys(schema: dict) -> set[str]:
    """The keys of a table, of all of its types."""
    schema = schema.get("items", schema)
    return {key for one in schema.get("oneOf", [schema]) for key in one["properties"]}


@pytest.mark.parametrize("table", sorted(SCHEMA["properties"]))
def test_every_key_has_a_description_and_every_table_is_in_the_example(table):
    schema = SCHEMA["properties"][table]
    assert schema["description"]
    tables = schema.get("items", schema)
    for one in tables.get("oneOf", [tables]):
        assert all(value["description"].endswith(".") for value in one["properties"].values())
    given = EXAMPLE[table] if isinstance(EXAMPLE[table], list) else [EXAMPLE[table]]
    assert {key for one in given for key in one} <= keys(schema)


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("check", "max_ofset", "1s"),
        ("check", "every", 30),
        ("check", "every", "30"),
        ("check", "public", "yes"),
        ("check", "connections", 0),
        ("check", "name", "a/b"),
        ("check", "references", "system"),
        ("alert", "type", "pager"),
        ("alert", "url", "https://hooks.example/"),
        ("server", "listen", 9464),
        ("quorum", "down", 0),
        ("defaults", "url", "http://shop.example"),
    ],
)
def test_what_is_wrong_is_rejected(table, key, value):
    document = copy.deepcopy(EXAMPLE)
    tables = document[table] if isinstance(document[table], list) else [document[table]]
    tables[0][key] = value
    assert errors_of(document)


def test_a_file_without_a_check_is_rejected():
    assert errors_of({})
    assert errors_of({"check": []})
