"""The guide for the first run on an account (docs/aws/first-run.md): nobody can follow it here, but its commands can be held
against the models of AWS, and what it names against the templates and the settings."""

import json
import re

import pytest
import yaml
from cloudformation import FILES, ROOT, stack
from modelled import told_by
from test_playbook import lint

GUIDE = (ROOT / "docs/aws/first-run.md").read_text()
COMMANDS = "\n".join(re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")

KNOWN = r"""
import json
import jmespath
from botocore import xform_name
wrong = []
for service, operation, options, query in json.loads('''ASKED'''):
    known = model({"s3api": "s3"}.get(service, service))
    name = next((one for one in known.operation_names if xform_name(one, "-") == operation), None)
    if name is None:
        wrong.append(f"{service} has no {operation}")
        continue
    shape = known.operation_model(name)
    members = {xform_name(one, "-") for one in shape.input_shape.members} | {"query", "output"}
    wrong += [f"{service} {operation} has no --{one}" for one in options if one not in members]
    if query:
        # The first name that it asks for is one of the answer.
        first = jmespath.compile(query).parsed
        while first["type"] != "field":
            first = first["children"][0]
        if first["value"] not in shape.output_shape.members:
            wrong.append(f"{service} {operation} answers no {first['value']}")
print(json.dumps(wrong))
"""


def asked() -> list[list]:
    """Service, operation, names of options, and what is asked of the answer."""
    found = []
    for service, operation, rest in re.findall(r"\baws ([a-z0-9]+) ([a-z0-9-]+)((?:.(?!\baws ))*)", COMMANDS):
        query = re.search(r"--query (?:'([^']*)'|\"([^\"]*)\")", rest)
        text = (query[1] or query[2].replace("$2", "x")) if query else ""
        options = re.findall(r"(?<=\s)--([a-z0-9-]+)", rest.replace(query[0], "--query ") if query else rest)
        found.append([service, operation, options, text])
    return found


def test_every_command_is_one_that_aws_knows():
    lint("true")
    assert len(asked()) >= 20
    program = KNOWN.replace("ASKED", json.dumps(asked()).replace("\\", "\\\\").replace("'", "\\'"))
    assert json.loads(told_by(program)) == []


def test_a_wrong_command_would_be_found():
    lint("true")
    for wrong in (
        ["ecs", "describe-cluster", [], ""],
        ["ecs", "describe-clusters", ["cluster"], ""],
        ["ecs", "describe-clusters", ["clusters"], "cluster[0]"],
    ):
        assert len(json.loads(told_by(KNOWN.replace("ASKED", json.dumps([wrong]))))) == 1


def test_the_outputs_and_alarms_that_it_names_are_there():
    outputs = re.findall(r"\$\(output nowd-([a-z-]+) (\w+)\)", GUIDE)
    alarms = re.findall(r"\$\(alarm ([a-z-]+)-(\w+)\)", GUIDE)
    assert outputs
    assert alarms
    for name, key in outputs:
        assert key in stack(name).template["Outputs"]
    for name, key in alarms:
        assert stack(name).template["Resources"][key]["Type"] == "AWS::CloudWatch::Alarm"


def test_the_settings_that_it_names_are_there():
    settings = yaml.safe_load((ROOT / "group_vars/all.yml").read_text())
    named = set(re.findall(r"-e (\w+)=", GUIDE)) | {one for one in re.findall(r"`(\w+_\w+)`", GUIDE) if one.islower()}
    assert len(named) >= 8
    assert named <= set(settings)


@pytest.mark.parametrize("unit", ["say-ready", "watch-agent"])
def test_the_units_that_it_names_are_those_of_the_hosts(unit):
    assert f"-u {unit}" in GUIDE
    assert f"/etc/systemd/system/{unit}.service" in FILES["hosts"].read_text()


def test_the_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", GUIDE):
        assert (ROOT / "docs/aws" / link).exists(), link
