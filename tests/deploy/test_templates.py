"""The templates: sound in themselves, and fit for one another and for the playbook."""

import importlib.util
import re
import subprocess
import sys

import cloudformation
import pytest
import yaml
from cloudformation import ALL, FILES, ROOT, VARIANTS, label, load, stack, violated

TEMPLATES = {name: load(path) for name, path in FILES.items()}
PARAMETERS = [(name, key) for name, template in TEMPLATES.items() for key in template["Parameters"]]


@pytest.mark.parametrize(("name", "key"), PARAMETERS)
def test_every_parameter_is_described_and_constrained(name, key):
    definition = TEMPLATES[name]["Parameters"][key]
    assert definition["Description"].endswith("."), "the description is a sentence"
    assert definition.keys() & {"AllowedPattern", "AllowedValues"} or {"MinValue", "MaxValue"} <= definition.keys()
    if "Default" in definition:
        assert violated(definition, definition["Default"]) is None


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_output_is_described(name):
    for key, output in TEMPLATES[name]["Outputs"].items():
        assert output["Description"].endswith("."), key


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_parameter_and_condition_is_used(name):
    text = FILES[name].read_text()
    for key in TEMPLATES[name]["Parameters"]:
        assert re.search(rf"!Ref {key}\b|\$\{{{key}\}}", text), f"{key} is not used"
    for key in TEMPLATES[name].get("Conditions", {}):
        assert len(re.findall(rf"\b{key}\b", text)) > 1, f"{key} is not used"


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_fits_into_a_request_of_the_api(name):
    assert len(FILES[name].read_bytes()) < 51_200


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_stack_locks_another_by_an_export(name):
    text = FILES[name].read_text()
    assert "ImportValue" not in text
    assert not any("Export" in output for output in TEMPLATES[name]["Outputs"].values())


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_variants_of_the_tests_decide_each_condition_both_ways(name):
    stacks = [stack(name, **parameters) for parameters in VARIANTS[name]]
    for condition in TEMPLATES[name].get("Conditions", {}):
        assert {stack.conditions[condition] for stack in stacks} == {True, False}, condition


def test_the_environment_is_named_by_the_same_rule_everywhere():
    definitions = [{**t["Parameters"]["EnvironmentName"], "Description": ""} for t in TEMPLATES.values()]
    assert all(definition == definitions[0] for definition in definitions)


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("nowd", True),
        ("no", True),
        ("now-2", True),
        ("now--2", True),
        ("n" * 32, True),
        ("n" * 33, False),
        ("Nowd", False),
        ("2nowd", False),
        ("nowd-", False),
        ("n", False),  # too short for a repository
        ("", False),
        ("internal-nowd", False),  # no load balancer may be called so
        ("ecs-nowd", False),  # no capacity provider may begin so
        ("aws-nowd", False),
        ("fargate", False),
    ],
)
def test_names_that_some_resource_could_not_have_are_refused(name, fits):
    assert (violated(TEMPLATES["vpc"]["Parameters"]["EnvironmentName"], name) is None) == fits


@pytest.mark.parametrize(
    ("stack", "parameter", "value", "fits"),
    [
        ("web-service", "Image", "127.0.0.1:5000/nowd@sha256:" + "a" * 64, True),
        ("web-service", "Image", "111122223333.dkr.ecr.eu-central-1.amazonaws.com/nowd:latest", False),
        ("web-service", "Image", "nowd@sha256:" + "a" * 64, False),
        ("web-service", "MaxClockError", "500ms", True),
        ("web-service", "MaxClockError", "500", False),
        ("web-service", "LogRetentionDays", 31, False),
        ("web-service", "AlarmEmail", "nobody", False),
        ("vpc", "VpcCidr", "10.0.0.0/8", False),
        ("vpc", "PublicSubnet1Cidr", "10.180.8.0/28", False),  # too small for a load balancer
        ("vpc", "Egress", "two", False),
        ("hosts", "InstanceType", "t3.micro", True),
        ("hosts", "InstanceType", "m7i-flex.2xlarge", True),
        ("hosts", "InstanceType", "micro", False),
        ("hosts", "HostImage", "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id", False),
        ("load-balancers", "HostedZone", "/hostedzone/Z0123", False),
        ("load-balancers", "RateLimit", "0", True),
        ("load-balancers", "RateLimit", "10", True),
        ("load-balancers", "RateLimit", "9", False),  # WAF takes no fewer
        ("load-balancers", "CertificateArn", cloudformation.CERTIFICATE, True),
        ("load-balancers", "CertificateArn", "arn:aws:iam::111122223333:server-certificate/x", False),
    ],
)
def test_what_a_parameter_takes(stack, parameter, value, fits):
    assert (violated(TEMPLATES[stack]["Parameters"][parameter], value) is None) == fits


def references(node):
    """Names that a node refers to: parameters and resources."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                yield value
            elif key == "Fn::GetAtt":
                yield value[0]
            elif key == "Fn::Sub":
                text, names = value if isinstance(value, list) else (value, {})
                yield from (name for name in re.findall(r"\$\{(\w+)(?:\.\w+)*\}", text) if name not in names)
                yield from references(names)
            else:
                yield from references(value)


@pytest.mark.parametrize("one", ALL, ids=label)
def test_nothing_refers_to_what_does_not_come_to_be(one):
    left = {name for name in one.template["Resources"] if name not in one.resources}
    outputs = {k: o for k, o in one.template["Outputs"].items() if one.conditions.get(o.get("Condition"), True)}
    for name, value in {**one.resources, **{k: one.value(v) for k, v in outputs.items()}}.items():
        for found in re.findall(r"\$\{(\w+)", str({k: v for k, v in value.items() if k != "UserData"})):
            assert found not in left, f"{name} refers to {found}"


# The stacks and the playbook.


def tasks_of_stacks():
    [play] = yaml.safe_load((ROOT / "main.yml").read_text())
    tasks = (task.get("vars", {}) for task in play["tasks"])
    return {task["stack"]: task for task in tasks if "template" in task}


def test_the_playbook_makes_each_stack_and_in_this_order():
    assert {s: ROOT / task["template"] for s, task in tasks_of_stacks().items()} == FILES
    assert list(tasks_of_stacks()) == list(FILES)


@pytest.mark.parametrize("name", FILES)
def test_the_playbook_gives_each_stack_its_parameters_and_no_others(name):
    assert set(tasks_of_stacks()[name]["parameters"]) == set(TEMPLATES[name]["Parameters"])


@pytest.mark.parametrize("name", FILES)
def test_what_a_stack_takes_from_others_is_what_an_earlier_one_gives(name):
    earlier = list(FILES)[: list(FILES).index(name)]
    given = {key for one in earlier for key in TEMPLATES[one]["Outputs"]}
    for key, value in tasks_of_stacks()[name]["parameters"].items():
        taken = re.findall(r"outputs\.(\w+)", str(value))
        if key in {key for t in TEMPLATES.values() for key in t["Outputs"]}:
            assert taken == [key], "an output goes to the parameter of its own name"
        assert set(taken) <= given


def test_no_two_stacks_give_an_output_of_the_same_name():
    keys = [key for template in TEMPLATES.values() for key in template["Outputs"]]
    assert len(keys) == len(set(keys))


def test_the_settings_fit_the_constraints():
    """Of those parameters that are settings; the others come from another stack, or are worked out."""
    settings = yaml.safe_load((ROOT / "group_vars/all.yml").read_text())
    looked_at = 0
    for name, key in PARAMETERS:
        expression = str(tasks_of_stacks()[name]["parameters"][key])
        setting = re.fullmatch(r"\{\{ (\w+)[^}]*\}\}", expression)
        if setting is None or setting[1] not in settings:
            continue
        looked_at += 1
        value = settings[setting[1]]
        value = str(value).lower() if isinstance(value, bool) else value
        assert violated(TEMPLATES[name]["Parameters"][key], value) is None, f"{name}, {setting[1]}: {value}"
    assert looked_at >= 20


def test_templates_and_playbook_know_nothing_of_the_tests():
    found = []
    for pattern in ("infrastructure/*", "services/*.yaml", "*.yml", "tasks/*", "group_vars/*", "library/*.py"):
        for path in ROOT.glob(pattern):
            if re.search(r"ministack|localstack|emulat|\b456[67]\b", path.read_text(), re.IGNORECASE):
                found.append(path.relative_to(ROOT))
    assert not found


# Documents that are made from the templates.


def program(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "file"), [("diagram", "deployment.svg"), ("costs", "costs.md")])
def test_the_document_is_what_its_program_makes_of_the_templates(name, file):
    assert (ROOT / "docs" / file).read_text() == program(name).document(), f"run .venv/bin/python docs/{name}.py"


def test_the_table_of_costs_in_the_guide_is_that_of_the_program():
    told = program("costs").summary()
    assert told in (ROOT / "docs" / "aws.md").read_text(), f"run .venv/bin/python docs/costs.py --summary:\n{told}"


def test_the_metrics_that_are_counted_are_those_that_the_program_publishes():
    names = program("costs").own_metrics()
    assert {"ClockSynchronized", "ClockMaxError", "Requests", "ServerErrors"} <= set(names)
    shown = (ROOT / "services/app/src/metrics/emf.rs").read_text()
    assert all(f'"{name}"' in shown for name in names)


@pytest.mark.parametrize("name", ["diagram", "costs"])
def test_the_program_writes_the_document(name, tmp_path):
    target = tmp_path / "out"
    subprocess.run([sys.executable, ROOT / "docs" / f"{name}.py", target], check=True, timeout=600)
    assert target.read_text() == program(name).document()
