"""Templates of CloudFormation as plain data, and what they come to for given parameters.

Only as much of CloudFormation as the project's templates use; anything else is an error, so that nothing is passed
over in silence.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]

FILES = {
    "registry": ROOT / "infrastructure/registry.yaml",
    "vpc": ROOT / "infrastructure/vpc.yaml",
    "security-groups": ROOT / "infrastructure/security-groups.yaml",
    "load-balancers": ROOT / "infrastructure/load-balancers.yaml",
    "ecs-cluster": ROOT / "infrastructure/ecs-cluster.yaml",
    "hosts": ROOT / "infrastructure/hosts.yaml",
    "web-service": ROOT / "services/WebService.yaml",
    "monitor": ROOT / "services/Monitor.yaml",
}
"""Stacks in the order in which they are made."""

NO_VALUE = object()


class Loader(yaml.SafeLoader):
    """YAML with the short forms: `!Ref a` is `{"Ref": "a"}`, and `!GetAtt a.b` is `{"Fn::GetAtt": ["a", "b"]}`."""


def function(loader: Loader, suffix: str, node: yaml.Node) -> dict:
    construct = {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: lambda node: loader.construct_sequence(node, deep=True),
        yaml.MappingNode: lambda node: loader.construct_mapping(node, deep=True),
    }[type(node)]
    value = construct(node)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", function)


def load(path: Path) -> dict:
    return yaml.load(path.read_text(), Loader)


@dataclass
class Stack:
    """A template for given parameters: conditions decided, values filled in. What only AWS knows stays `${Name}`."""

    name: str
    template: dict
    parameters: dict[str, object]

    def __post_init__(self):
        self.conditions = {}
        for name, expression in self.template.get("Conditions", {}).items():
            self.conditions[name] = self.holds(expression)

    def holds(self, expression: object) -> bool:
        [(function, value)] = expression.items()
        match function:
            case "Condition":
                return self.conditions[value]
            case "Fn::Equals":
                left, right = (self.value(side) for side in value)
                return left == right
            case "Fn::Not":
                return not self.holds(value[0])
            case "Fn::And":
                return all(self.holds(one) for one in value)
            case "Fn::Or":
                return any(self.holds(one) for one in value)
        raise NotImplementedError(function)

    @property
    def resources(self) -> dict[str, dict]:
        """Those that come to be."""
        return {
            name: {"Type": resource["Type"], **self.value({k: v for k, v in resource.items() if k != "Type"})}
            for name, resource in self.template["Resources"].items()
            if "Condition" not in resource or self.conditions[resource["Condition"]]
        }

    def of_type(self, kind: str) -> dict[str, dict]:
        """Properties of the resources of this type, by name."""
        return {n: r.get("Properties", {}) for n, r in self.resources.items() if r["Type"] == kind}

    def only(self, kind: str) -> dict:
        [properties] = self.of_type(kind).values()
        return properties

    def value(self, node: object) -> object:
        if isinstance(node, list):
            return [item for item in map(self.value, node) if item is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(function, argument)] = node.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self.call(function, argument)
        pairs = ((key, self.value(value)) for key, value in node.items())
        return {key: value for key, value in pairs if value is not NO_VALUE}

    def call(self, function: str, argument: object) -> object:
        match function:
            case "Ref" if argument == "AWS::NoValue":
                return NO_VALUE
            case "Ref":
                return self.parameters.get(argument, f"${{{argument}}}")
            case "Fn::GetAtt":
                return "${" + ".".join(argument) + "}"
            case "Fn::If":
                condition, yes, no = argument
                return self.value(yes if self.conditions[condition] else no)
            case "Fn::Sub":
                text, names = argument if isinstance(argument, list) else (argument, {})
                names = {**self.parameters, **{key: self.value(value) for key, value in names.items()}}
                return re.sub(r"\$\{([\w:.]+)\}", lambda m: str(names.get(m[1], m[0])), text)
            case "Fn::Join":
                separator, parts = argument
                return separator.join(self.value(parts))
            case "Fn::Split":
                separator, text = argument
                return self.value(text).split(separator)
            case "Fn::Select":
                index, items = argument
                items = self.value(items)
                # What only AWS knows may be a list, too.
                return f"{items}[{index}]" if isinstance(items, str) else items[index]
            case "Fn::Cidr":
                block, count, bits = self.value(argument)
                return [f"part {number} of {block}, /{128 - bits}" for number in range(count)]
            case "Fn::GetAZs":
                return ["${Zone1}", "${Zone2}"]
            case "Fn::Base64":
                return self.value(argument)
        raise NotImplementedError(function)


EXAMPLES = {
    "VpcId": "vpc-1",
    "PublicSubnets": "subnet-1,subnet-2",
    "HostSubnets": "subnet-3,subnet-4",
    "LoadBalancerSecurityGroup": "sg-1",
    "HostSecurityGroup": "sg-2",
    "ListenerArn": "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/nowd/1/2",
    "LoadBalancerFullName": "app/nowd/1",
    "ClusterName": "nowd-cluster",
    "CapacityProvider": "nowd-provider",
    "Image": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/nowd@sha256:" + "0" * 64,
    "Configuration": "[[check]]",
    "ConfigurationHash": "0" * 64,
    "AlarmTopic": "arn:aws:sns:eu-central-1:111122223333:nowd-web-service-AlarmTopic-1",
}
"""Parameters that have no default: what other stacks give."""

ZONE = {"HostedZone": "Z0123456789ABCDEFGHIJ", "PublicName": "time.example.org"}

FARGATE = {"Compute": "fargate", "CapacityProvider": "none"}

BOUNDARY = "arn:aws:iam::111122223333:policy/nowd-boundary"

CERTIFICATE = "arn:aws:acm:eu-central-1:111122223333:certificate/0123-abcd"


def stack(name: str, **parameters: object) -> Stack:
    """The stack with its defaults, examples for what other stacks give, and these parameters."""
    template = load(FILES[name])
    values = {}
    for key, definition in template["Parameters"].items():
        value = parameters.pop(key, definition.get("Default", EXAMPLES.get(key)))
        assert value is not None, f"{name} needs {key}"
        values[key] = value
    assert not parameters, f"{name} has no parameter {', '.join(parameters)}"
    return Stack(name, template, values)


def violated(definition: dict, value: object) -> str | None:
    """Which constraint of a parameter the value violates."""
    if definition["Type"] == "Number":
        if not re.fullmatch(r"-?\d+(\.\d+)?", str(value)):
            return "Type"
        if not float(definition.get("MinValue", "-inf")) <= float(value) <= float(definition.get("MaxValue", "inf")):
            return "MinValue, MaxValue"
    if "AllowedValues" in definition and str(value) not in map(str, definition["AllowedValues"]):
        return "AllowedValues"
    if "AllowedPattern" in definition and not re.fullmatch(definition["AllowedPattern"], str(value)):
        return "AllowedPattern"
    return None


VARIANTS = {
    "registry": [{}, {"Monitor": "true"}],
    "vpc": [
        *({"Egress": variant} for variant in ("nat-per-zone", "nat-single", "endpoints")),
        {"Egress": "public", "PermissionsBoundary": BOUNDARY},
        {"Egress": "endpoints", "Compute": "fargate"},
    ],
    "security-groups": [{}, {"Compute": "fargate"}, {"CertificateArn": CERTIFICATE}, {"HostedZone": ZONE["HostedZone"]},
                        {"Monitor": "true"}],
    "load-balancers": [
        {},
        {"CertificateArn": CERTIFICATE, "AccessLogs": "true", "DeletionProtection": "true"},
        {**ZONE, "RateLimit": "600"},
    ],
    "ecs-cluster": [{}, {"ContainerInsights": "enabled"}],
    "hosts": [{}, {"Egress": "public", "PermissionsBoundary": BOUNDARY}],
    "web-service": [
        {},
        {"MaxClockError": "500ms", "AlarmEmail": "ops@example.org", "PermissionsBoundary": BOUNDARY},
        FARGATE,
        {**FARGATE, "Egress": "public"},
        {"Monitor": "true"},
    ],
    "monitor": [{}, FARGATE, {**FARGATE, "Egress": "public"}, {"PermissionsBoundary": BOUNDARY}],
}
"""Parameters with which each condition holds once and does not hold once."""

ALL = [stack(name, **parameters) for name, variants in VARIANTS.items() for parameters in variants]
"""Every stack in every variant."""


def label(stack: Stack) -> str:
    """The name for a test."""
    told = {
        k: v
        for k, v in stack.parameters.items()
        if v != stack.template["Parameters"][k].get("Default", EXAMPLES.get(k))
    }
    return "-".join([stack.name, *(f"{k}" if ":" in str(v) else f"{k}-{v}" for k, v in told.items())])
