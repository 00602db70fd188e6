#!/usr/bin/python
"""Ansible module: what would make the deployment fail later, said now, in sentences.

Returns `problems`, a list that is empty when nothing stands in the way, and the number of the `account`. It changes
nothing, in check mode or not.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import platform
import re
import shutil
import subprocess

import botocore.exceptions
import botocore.session
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.parsing.convert_bool import boolean
from botocore.config import Config

DOCUMENTATION = """
module: preflight
short_description: Says in sentences what would make the deployment fail later
description: Looks at the settings, the credentials, the region and the Docker engine. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  environment_name: {type: str, required: true, description: what names begin with}
  playbook: {type: path, required: true, description: 'the playbook whose `stack_definitions` say which setting goes where'}
  stacks: {type: list, elements: dict, required: true, description: 'stacks, each with its template and parameters'}
  networks: {type: dict, required: true, description: 'setting to addresses, of the VPC (vpc_cidr) and of its subnets'}
  in_order: {type: list, elements: dict, required: true, description: 'settings, none of which may be more than the next'}
  room: {type: dict, required: true, description: 'instance_type, hosts_max and tasks_max'}
  image: {type: str, default: '', description: 'name of the image, if none is to be built'}
  yes_or_no: {type: dict, required: true, description: setting to its value}
  seconds: {type: dict, required: true, description: setting to its value}
  resource_tags: {type: raw, required: true, description: tags of every stack}
  certificate_arn: {type: str, default: '', description: 'the certificate, or nothing'}
  public_name: {type: str, default: '', description: 'the name that points to the load balancer, or nothing'}
  host_image: {type: str, required: true, description: name of the parameter that holds the image of the hosts}
  nowcheck: {type: str, default: '', description: 'the check, if it is not to be built'}
  deploys: {type: bool, default: true, description: whether an image is pushed and the check is run}
  builds_image: {type: bool, default: true, description: whether an image is built}
"""

HOW_TO_CONFIGURE = (
    "configure them with `aws configure sso` and `export AWS_PROFILE=...`, or with "
    "`export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...`"
)

# Every account has these from its beginning. Each that AWS has added since 2019, and will add, has to be enabled first.
ENABLED_BY_DEFAULT = {
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1",
    "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1",
    "us-west-2",
}  # fmt: skip


PATIENCE = Config(connect_timeout=10, read_timeout=20, retries={"max_attempts": 2})


# ---- settings by the rules of the templates


class Loader(yaml.SafeLoader):
    """Reads templates. What their functions (!Ref, !If, ...) come to does not matter here: parameters have none."""


Loader.add_multi_constructor("!", lambda loader, tag, node: None)


def listed(values: list) -> str:
    return f"{', '.join(map(str, values[:-1]))} or {values[-1]}" if len(values) > 1 else str(values[0])


def violation(definition: dict, text: str) -> str | None:
    """What CloudFormation would say against the value of a parameter."""
    if "AllowedValues" in definition and text not in map(str, definition["AllowedValues"]):
        return f"can be {listed(definition['AllowedValues'])}"
    if definition["Type"] == "Number":
        least, most = definition.get("MinValue"), definition.get("MaxValue")
        limits = " ".join([*([f"from {least}"] if least is not None else []), *([f"to {most}"] if most is not None else [])])
        number = re.fullmatch(r"-?\d+(\.\d+)?", text)
        if not number or (least is not None and float(text) < least) or (most is not None and float(text) > most):
            return f"has to be a number {limits}".rstrip()
    shortest, longest = definition.get("MinLength", 0), definition.get("MaxLength", len(text))
    fits = re.fullmatch(definition.get("AllowedPattern", ".*"), text, re.DOTALL)
    if not fits or not int(shortest) <= len(text) <= int(longest):
        if "ConstraintDescription" in definition:
            return definition["ConstraintDescription"].rstrip(".")
        if not fits:
            return f"has to look like {definition['AllowedPattern']}: {definition.get('Description', '').rstrip('.')}"
        return f"has to have {shortest} to {longest} characters"
    return None


def wrong_with_parameters(playbook: str, stacks: list[dict]) -> dict[str, str]:
    """Setting → a sentence. A setting may go to several stacks; what the first has against it is enough."""
    with open(playbook, encoding="utf-8") as file:
        [play] = yaml.safe_load(file)
    written = {one["stack"]: one["parameters"] for one in play["vars"]["stack_definitions"]}
    problems: dict[str, str] = {}
    for stack in stacks:
        with open(os.path.join(os.path.dirname(playbook), stack["template"]), encoding="utf-8") as file:
            definitions = yaml.load(file, Loader)["Parameters"]
        for name, value in stack["parameters"].items():
            setting = re.match(r"\{\{ (\w+)", written[stack["stack"]][name])[1]
            # As the parameter gets it: what Python makes of it.
            against = violation(definitions[name], str(value))
            if against:
                problems.setdefault(setting, f'{setting} is "{value}" and {against}')
    return problems


# ---- settings by rules that no template can say


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


# How many tasks the scheduler places on one host: worked out in tests/deploy/test_arithmetic.py, which holds this to it.
TASKS_ON = {"t3.micro": 8}
WHILE_DEPLOYING = 2
"""So many times as many tasks as are wanted, the old and the new ones."""


def wrong_with_room(room: dict) -> list[str]:
    """Of other types of instances it is not known. What is no number is told by its template."""
    on_one, tasks, hosts = TASKS_ON.get(room["instance_type"]), str(room["tasks_max"]), str(room["hosts_max"])
    if not on_one or not tasks.isdecimal() or not hosts.isdecimal() or WHILE_DEPLOYING * int(tasks) <= on_one * int(hosts):
        return []
    return [
        f"tasks_max is {tasks}, and while a deployment goes on there are {WHILE_DEPLOYING} times as many; {hosts} hosts (hosts_max) of "
        f"{room['instance_type']} hold {on_one * int(hosts)}: tasks_max may be {on_one * int(hosts) // WHILE_DEPLOYING}, or "
        f"hosts_max has to be {-(-WHILE_DEPLOYING * int(tasks) // on_one)}"
    ]


def wrong_with_image(image: str) -> list[str]:
    """The tag is what the registry will know it by."""
    if image and not re.fullmatch(r"[a-z0-9][a-zA-Z0-9._/:-]*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", image):
        return [f'image is "{image}" and has to be the name of an image with its tag, NAME:TAG, such as nowd:0.1.0-1a2b3c4']
    return []


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


def wrong_with_public_name(certificate_arn: str, public_name: str) -> list[str]:
    if certificate_arn and not public_name:
        return ["certificate_arn needs public_name, the name that the certificate is for: no certificate is for AWS's own"]
    if public_name and not re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}", public_name):
        return [f'public_name is "{public_name}" and has to be a name alone, such as time.example.org']
    return []


def wrong_with_certificate(arn: str, region: str) -> list[str]:
    found = re.match(r"arn:aws[a-z-]*:acm:([a-z0-9-]+):", arn)
    if found and found[1] != region:
        return [f"certificate_arn is in {found[1]}, and the load balancer will be in {region}: it has to be there too"]
    return []


# ---- this machine


def wrong_with_docker() -> list[str]:
    if not shutil.which("docker"):
        return ["there is no Docker on this machine, which builds and pushes the image; install it (Debian: docker.io)"]
    try:
        asked = subprocess.run(
            ["docker", "version", "--format", "{{ .Server.Version }}"], capture_output=True, text=True, timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        return ["the Docker engine does not answer; is it running? (docker info)"]
    if asked.returncode:
        why = (asked.stderr.strip().splitlines() or ["it did not say why"])[-1]
        return [f"no Docker engine answers: {why}; start one, or let your user reach it (docker info)"]
    return []


def wrong_with_builder() -> list[str]:
    """The image is built for the machine that builds it, and the hosts are x86-64 Linux."""
    problems = []
    if not shutil.which("cargo"):
        problems.append("there is no cargo on this machine, which builds the image; install Rust")
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        problems.append(
            f"this machine is {platform.system()} on {platform.machine()}, and an image built here would not run on the "
            "x86-64 hosts: build it on x86-64 Linux and name it with image"
        )
    return problems


def wrong_with_nowcheck(nowcheck: str) -> list[str]:
    """It has the last word, when everything else is done: a bad time to find that it is not there."""
    if nowcheck and not shutil.which(nowcheck):
        return [f'nowcheck is "{nowcheck}", and there is no such program']
    if not nowcheck and not shutil.which("cargo"):
        return ["there is no cargo on this machine, which builds the check; install Rust, or name a program with nowcheck"]
    return []


# ---- the account


def who_we_are(session: botocore.session.Session, region: str) -> str:
    return session.create_client("sts", region, config=PATIENCE).get_caller_identity()["Account"]


def refused(session: botocore.session.Session, region: str, code: str) -> str:
    """A region that an account has not enabled does not know its credentials: the same answer as to wrong ones."""
    wrong = f"AWS does not accept the credentials ({code}); they may be wrong or expired: {HOW_TO_CONFIGURE}"
    if code not in ("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure") or region in ENABLED_BY_DEFAULT:
        return wrong
    if session.get_partition_for_region(region) != "aws":
        return wrong
    not_enabled = (
        f"{region} is one of the regions that an account has to enable first (aws account enable-region --region-name "
        f"{region}, or the console under Account)"
    )
    try:
        account = who_we_are(session, "us-east-1")
    except botocore.exceptions.ClientError:
        return f"{wrong}. If they are right: {not_enabled}"
    except botocore.exceptions.BotoCoreError:
        return (
            f"{region} does not accept the credentials ({code}). Either {not_enabled}, or they are wrong or expired: "
            f"{HOW_TO_CONFIGURE}"
        )
    return (
        f"{region} does not accept the credentials ({code}), and us-east-1 does, for account {account}. Most likely the account "
        f"has not enabled it: {not_enabled}. Or they are temporary ones that were made for the older regions only"
    )


def wrong_with_account(session: botocore.session.Session, region: str) -> tuple[list[str], str]:
    """Asks AWS who we are; and the account's number."""
    account = ""
    regions = [
        one
        for partition in session.get_available_partitions()
        for one in session.get_available_regions("ecs", partition, allow_non_regional=False)
    ]
    if region not in regions:
        near = [one for one in regions if one.split("-")[0] == region.split("-")[0]] or regions
        return [f"there is no region \"{region}\" (aws_region); there are: {', '.join(sorted(near))}"], account

    try:
        found = session.get_credentials()
    except botocore.exceptions.BotoCoreError as error:
        return [f"the credentials for AWS cannot be read: {error}; {HOW_TO_CONFIGURE}"], account
    if found is None:
        return [f"there are no credentials for AWS: {HOW_TO_CONFIGURE}"], account

    try:
        account = who_we_are(session, region)
    except botocore.exceptions.ClientError as error:
        return [refused(session, region, error.response["Error"].get("Code", "no reason was given"))], account
    except botocore.exceptions.BotoCoreError as error:
        return [f"AWS cannot be asked who we are: {error}"], account
    return [], account


def wrong_with_host_image(session: botocore.session.Session, region: str, host_image: str) -> list[str]:
    try:
        session.create_client("ssm", region, config=PATIENCE).get_parameter(Name=host_image)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"].get("Code") == "ParameterNotFound":
            return [
                f"host_image \"{host_image}\" is not known in {region}; the newest name is in the answer to: aws ssm "
                f"get-parameter --region {region} --name /aws/service/ecs/optimized-ami/amazon-linux-2023/recommended"
            ]
        # Who may not read parameters may still be allowed to deploy through a role.
    except botocore.exceptions.BotoCoreError as error:
        return [f"AWS cannot be asked for host_image: {error}"]
    return []


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "region": {"type": "str", "required": True},
            "environment_name": {"type": "str", "required": True},
            "playbook": {"type": "path", "required": True},
            "stacks": {"type": "list", "elements": "dict", "required": True},
            "networks": {"type": "dict", "required": True},
            "in_order": {"type": "list", "elements": "dict", "required": True},
            "room": {"type": "dict", "required": True},
            "image": {"type": "str", "default": ""},
            "yes_or_no": {"type": "dict", "required": True},
            "seconds": {"type": "dict", "required": True},
            "resource_tags": {"type": "raw", "required": True},
            "certificate_arn": {"type": "str", "default": ""},
            "public_name": {"type": "str", "default": ""},
            "host_image": {"type": "str", "required": True},
            "nowcheck": {"type": "str", "default": ""},
            "deploys": {"type": "bool", "default": True},
            "builds_image": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    by_template = wrong_with_parameters(given["playbook"], given["stacks"])
    problems = [
        *by_template.values(),
        *wrong_with_yes_or_no(given["yes_or_no"]),
        *wrong_with_seconds(given["seconds"]),
    ]
    # Nobody has to put settings right in order to destroy what they made.
    if given["deploys"]:
        problems += [
            *wrong_with_networks({setting: cidr for setting, cidr in given["networks"].items() if setting not in by_template}),
            *wrong_with_order(given["in_order"]),
            *wrong_with_room(given["room"]),
            *wrong_with_image(given["image"]),
            *wrong_with_tags(given["resource_tags"]),
            *wrong_with_certificate(given["certificate_arn"], given["region"]),
            *wrong_with_public_name(given["certificate_arn"], given["public_name"]),
            *wrong_with_docker(),
            *(wrong_with_builder() if given["builds_image"] else []),
            *wrong_with_nowcheck(given["nowcheck"]),
        ]
    session = botocore.session.Session()
    of_the_account, account = wrong_with_account(session, given["region"])
    if account and given["deploys"]:
        of_the_account += wrong_with_host_image(session, given["region"], given["host_image"])
    problems += of_the_account
    module.exit_json(changed=False, problems=problems, account=account)


if __name__ == "__main__":
    main()
