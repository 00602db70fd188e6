#!/usr/bin/python
"""Ansible module: what is wrong with settings by rules that no template can say.

Returns `problems`, sentences. It changes nothing, in check mode or not.
"""

from __future__ import annotations

import ipaddress
import itertools
import re

try:
    import tomllib
except ImportError:  # before Python 3.11
    tomllib = None

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.parsing.convert_bool import boolean

DOCUMENTATION = """
module: setting_rules
short_description: Says which settings do not fit one another, or not their kind
description: Looks at settings alone. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  yes_or_no: {type: dict, required: true, description: setting to its value}
  seconds: {type: dict, required: true, description: setting to its value}
  deploys: {type: bool, default: true, description: 'whether the following are looked at, too'}
  networks: {type: dict, required: true, description: 'setting to addresses, of the VPC (vpc_cidr) and of its subnets'}
  wrong_already: {type: list, elements: str, default: [], description: settings of which something has been said}
  in_order: {type: list, elements: dict, required: true, description: 'settings, none of which may be more than the next'}
  images: {type: dict, default: {}, description: 'setting to the name of an image, empty if it is to be built'}
  environment_name: {type: str, required: true, description: name of the environment}
  monitor_config: {type: str, default: '', description: 'the file with the configuration of the monitor; nothing without one'}
  monitor_configuration: {type: str, default: '', description: what stands in it}
  resource_tags: {type: raw, required: true, description: tags of every stack}
  certificate_arn: {type: str, default: '', description: 'the certificate, or nothing'}
  hosted_zone: {type: str, default: '', description: 'the hosted zone of the name, or nothing'}
  public_name: {type: str, default: '', description: 'the name that points to the load balancer, or nothing'}
"""


def wrong_with_networks(cidrs: dict[str, str]) -> list[str]:
    problems, networks = [], {}
    for setting, cidr in cidrs.items():
        try:
            networks[setting] = ipaddress.IPv4Network(cidr)
        except ValueError as error:
            problems.append(f"{setting} is no range of IPv4 addresses: {error}")
    vpc = networks.pop("vpc_cidr", None)
    problems.extend(
        f"{setting} {network} is not inside of vpc_cidr {vpc}"
        for setting, network in networks.items()
        if vpc and not network.subnet_of(vpc)
    )
    problems.extend(
        f"{one} {networks[one]} and {other} {networks[other]} overlap"
        for one, other in itertools.combinations(networks, 2)
        if networks[one].overlaps(networks[other])
    )
    return problems


def wrong_with_order(in_order: list[dict]) -> list[str]:
    """What is no number is told by its template."""
    return [
        f"{one} is {less} and {other} is {more}: it may not be more than that"
        for settings in in_order
        for (one, less), (other, more) in itertools.pairwise(settings.items())
        if str(less).isdecimal() and str(more).isdecimal() and int(less) > int(more)
    ]


def wrong_with_images(images: dict[str, str]) -> list[str]:
    """The tag is what the registry will know it by."""
    return [
        f'{setting} is "{image}" and has to be the name of an image with its tag, NAME:TAG, such as nowd:0.1.0-1a2b3c4'
        for setting, image in images.items()
        if image and not re.fullmatch(r"[a-z0-9][a-zA-Z0-9._/:-]*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", image)
    ]


MOST_BYTES = 4096
"""Of a parameter of CloudFormation, and of one of Systems Manager."""


def wrong_with_monitor(file: str, text: str, environment_name: str) -> list[str]:
    """What nowcheck takes, and what cannot work where it runs or is not seen by the alarms. All else is told by nowcheck."""
    if not file:
        return []
    if not text.strip():
        return [f'monitor_config is "{file}", and there is no such file, or nothing in it']
    if (size := len(text.encode())) > MOST_BYTES:
        return [f"monitor_config has {size} bytes, and its parameter takes {MOST_BYTES}"]
    if tomllib is None:
        return ["monitor_config can be read with Python 3.11 or newer; run the playbook with scripts/deploy"]
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [f"monitor_config is not TOML: {error}"]
    problems = []
    if environment_name not in {one.get("name") for one in tables(told, "check")}:
        problems.append(f'monitor_config has no [[check]] with name = "{environment_name}" (environment_name): the alarms watch that one')
    if not any(is_for_alarms(one) for one in tables(told, "export")):
        problems.append('monitor_config has no [[export]] with type = "emf", every = "1m" and no path: the alarms need its metrics')
    if value(told, "history", "path") != "none":
        problems.append('monitor_config has no [history] with path = "none": the task has no folder that it may write to')
    if value(told, "server", "listen") not in (None, LISTEN):
        problems.append(f'monitor_config has another listen than "{LISTEN}", where the health check of its container asks')
    return problems


LISTEN = "127.0.0.1:9464"


def value(told: dict, table: str, key: str):
    found = told.get(table)
    return found.get(key) if isinstance(found, dict) else None


def wrong_with_environment(name: str) -> list[str]:
    if not name.endswith("-nowcheck"):
        return []
    return [f"environment_name is {name}, which is the repository of the monitor of {name.removesuffix('-nowcheck')}; choose another name"]


def tables(told: dict, name: str) -> list[dict]:
    found = told.get(name, [])
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def is_for_alarms(export: dict) -> bool:
    return (
        (export.get("type"), export.get("namespace", "nowcheck")) == ("emf", "nowcheck")
        and export.get("every", "1m") in ("1m", "60s")
        and "path" not in export
    )


def wrong_with_yes_or_no(values: dict) -> list[str]:
    problems = []
    for setting, value in values.items():
        try:
            boolean(value)
        except TypeError:
            problems.append(f'{setting} is "{value}" and can be true or false')
    return problems


def wrong_with_seconds(values: dict) -> list[str]:
    return [
        f'{setting} is "{value}" and has to be a number of seconds, at least 1'
        for setting, value in values.items()
        if not re.fullmatch(r"0*[1-9]\d*", str(value))
    ]


def wrong_with_tags(tags) -> list[str]:
    if not isinstance(tags, dict):
        return ["resource_tags has to hold names and values, such as {Project: nowd}"]
    # One of the fifty is `Environment`.
    problems = ["resource_tags has more than 49 tags, and a stack takes 50"] if len(tags) > 49 else []
    for name, value in tags.items():
        if str(name).lower().startswith("aws:"):
            problems.append(f'resource_tags has "{name}", and AWS keeps names that begin with aws: for itself')
        if not 1 <= len(str(name)) <= 128 or len(str(value)) > 256 or isinstance(value, (dict, list)):
            problems.append(f'resource_tags has "{name}": a name has 1 to 128 characters, and its value is a text of up to 256')
    return problems


def wrong_with_public_name(certificate_arn: str, hosted_zone: str, public_name: str) -> list[str]:
    if certificate_arn and not public_name:
        return ["certificate_arn needs public_name, the name that the certificate is for: no certificate is for AWS's own"]
    if hosted_zone and not public_name:
        return ["hosted_zone needs public_name, the name in it that is to point to the load balancer"]
    return []


def wrong_with_certificate(arn: str, region: str) -> list[str]:
    found = re.match(r"arn:aws[a-z-]*:acm:([a-z0-9-]+):", arn)
    if found and found[1] != region:
        return [f"certificate_arn is in {found[1]}, and the load balancer will be in {region}: it has to be there too"]
    return []


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "region": {"type": "str", "required": True},
            "yes_or_no": {"type": "dict", "required": True},
            "seconds": {"type": "dict", "required": True},
            "deploys": {"type": "bool", "default": True},
            "networks": {"type": "dict", "required": True},
            "wrong_already": {"type": "list", "elements": "str", "default": []},
            "in_order": {"type": "list", "elements": "dict", "required": True},
            "images": {"type": "dict", "default": {}},
            "environment_name": {"type": "str", "required": True},
            "monitor_config": {"type": "str", "default": ""},
            "monitor_configuration": {"type": "str", "default": ""},
            "resource_tags": {"type": "raw", "required": True},
            "certificate_arn": {"type": "str", "default": ""},
            "hosted_zone": {"type": "str", "default": ""},
            "public_name": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    problems = [*wrong_with_yes_or_no(given["yes_or_no"]), *wrong_with_seconds(given["seconds"])]
    # Nobody has to put settings right in order to destroy what they made.
    if given["deploys"]:
        networks = {setting: cidr for setting, cidr in given["networks"].items() if setting not in given["wrong_already"]}
        problems += [
            *wrong_with_networks(networks),
            *wrong_with_order(given["in_order"]),
            *wrong_with_images(given["images"]),
            *wrong_with_environment(given["environment_name"]),
            *wrong_with_monitor(given["monitor_config"], given["monitor_configuration"], given["environment_name"]),
            *wrong_with_tags(given["resource_tags"]),
            *wrong_with_certificate(given["certificate_arn"], given["region"]),
            *wrong_with_public_name(given["certificate_arn"], given["hosted_zone"], given["public_name"]),
        ]
    module.exit_json(changed=False, problems=problems)


if __name__ == "__main__":
    main()
