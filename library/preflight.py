#!/usr/bin/python
"""Ansible module: what would make the deployment fail later, said now, in sentences.

Returns `problems`, a list that is empty when nothing stands in the way, and the number of the `account`. It changes nothing, in check mode or not.
"""

from __future__ import annotations

import ipaddress
import itertools
import platform
import re
import shutil
import subprocess

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule
from botocore.config import Config

DOCUMENTATION = """
module: preflight
short_description: Says in sentences what would make the deployment fail later
description: Looks at the settings, the credentials, the region and the Docker engine. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  environment_name: {type: str, required: true, description: what names begin with}
  vpc_cidr: {type: str, required: true, description: addresses of the network}
  subnet_cidrs: {type: dict, required: true, description: setting to addresses of a subnet}
  at_least_at_most: {type: dict, required: true, description: name to a pair of numbers}
  choices: {type: dict, required: true, description: setting to its value and those it may have}
  certificate_arn: {type: str, default: '', description: the certificate, or nothing}
  public_name: {type: str, default: '', description: 'the name that points to the load balancer, or nothing'}
  host_image: {type: str, required: true, description: name of the parameter that holds the image of the hosts}
  builds_image: {type: bool, default: true, description: whether an image is built}
  needs_docker: {type: bool, default: true, description: whether an image is built or pushed}
"""

# The load balancer is called like the environment, and names of load balancers end here.
LONGEST_ENVIRONMENT_NAME = 32

# A VPC has at most 65,536 addresses, a VPC and a subnet at least 16.
LARGEST_NETWORK, SMALLEST_NETWORK = 16, 27

HOW_TO_CONFIGURE = (
    "configure them with `aws configure sso` and `export AWS_PROFILE=...`, or with "
    "`export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...`"
)


def wrong_with_name(name: str) -> list[str]:
    if len(name) > LONGEST_ENVIRONMENT_NAME:
        return [
            f"environment_name \"{name}\" has {len(name)} characters and may have {LONGEST_ENVIRONMENT_NAME}: "
            "the load balancer is called so"
        ]
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name) or "--" in name:
        return [
            f"environment_name \"{name}\" has to begin with a letter, to end with a letter or digit, and to hold only "
            "lower-case letters, digits and single hyphens"
        ]
    if name.startswith(("aws", "ecs", "fargate", "internal")):
        return [f"environment_name \"{name}\" begins with a word that AWS keeps for itself (aws, ecs, fargate, internal)"]
    return []


def wrong_with_networks(vpc_cidr: str, subnet_cidrs: dict[str, str]) -> list[str]:
    problems, networks = [], {}
    for setting, cidr in {"vpc_cidr": vpc_cidr, **subnet_cidrs}.items():
        try:
            network = ipaddress.IPv4Network(cidr)
        except ValueError as error:
            problems.append(f"{setting} is no range of IPv4 addresses: {error}")
            continue
        if not LARGEST_NETWORK <= network.prefixlen <= SMALLEST_NETWORK:
            problems.append(
                f"{setting} {cidr} is out of size: a VPC and its subnets go from /{LARGEST_NETWORK} to /{SMALLEST_NETWORK}"
            )
        networks[setting] = network
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


def wrong_with_numbers(at_least_at_most: dict[str, list]) -> list[str]:
    problems = []
    for name, (least, most) in at_least_at_most.items():
        if not 1 <= int(least) <= int(most):
            problems.append(f"{name}: at least {least} and at most {most} is nothing that can be; 1 is the least")
    return problems


def wrong_with_public_name(certificate_arn: str, public_name: str) -> list[str]:
    if certificate_arn and not public_name:
        return ["certificate_arn needs public_name, the name that the certificate is for: no certificate is for AWS's own"]
    return []


def wrong_with_choices(choices: dict[str, dict]) -> list[str]:
    return [
        f"{setting} is \"{choice['value']}\" and can be {', '.join(choice['among'][:-1])} or {choice['among'][-1]}"
        for setting, choice in choices.items()
        if choice["value"] not in choice["among"]
    ]


def wrong_with_certificate(arn: str, region: str) -> list[str]:
    if not arn:
        return []
    found = re.fullmatch(r"arn:aws[a-z-]*:acm:([a-z0-9-]+):\d{12}:certificate/.+", arn)
    if not found:
        return [f"certificate_arn \"{arn}\" is not the ARN of a certificate (arn:aws:acm:REGION:ACCOUNT:certificate/...)"]
    if found[1] != region:
        return [f"the certificate is in {found[1]}, and the load balancer will be in {region}: it has to be there too"]
    return []


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


def wrong_with_account(session: botocore.session.Session, region: str, host_image: str) -> tuple[list[str], str]:
    """Asks AWS who we are, and whether the image of the hosts is known by that name; and the account's number."""
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

    patience = Config(connect_timeout=10, read_timeout=20, retries={"max_attempts": 2})
    try:
        account = session.create_client("sts", region, config=patience).get_caller_identity()["Account"]
    except botocore.exceptions.ClientError as error:
        code = error.response["Error"].get("Code")
        return [f"AWS does not accept the credentials ({code}); they may be wrong or expired: {HOW_TO_CONFIGURE}"], account
    except botocore.exceptions.BotoCoreError as error:
        return [f"AWS cannot be asked who we are: {error}"], account

    try:
        session.create_client("ssm", region, config=patience).get_parameter(Name=host_image)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"].get("Code") == "ParameterNotFound":
            return [
                f"host_image \"{host_image}\" is not known in {region}; the newest name is in the answer to: aws ssm "
                f"get-parameter --region {region} --name /aws/service/ecs/optimized-ami/amazon-linux-2023/recommended"
            ], account
        # Who may not read parameters may still be allowed to deploy through a role.
    except botocore.exceptions.BotoCoreError as error:
        return [f"AWS cannot be asked for host_image: {error}"], account
    return [], account


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "region": {"type": "str", "required": True},
            "environment_name": {"type": "str", "required": True},
            "vpc_cidr": {"type": "str", "required": True},
            "subnet_cidrs": {"type": "dict", "required": True},
            "at_least_at_most": {"type": "dict", "required": True},
            "choices": {"type": "dict", "required": True},
            "certificate_arn": {"type": "str", "default": ""},
            "public_name": {"type": "str", "default": ""},
            "host_image": {"type": "str", "required": True},
            "builds_image": {"type": "bool", "default": True},
            "needs_docker": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    of_the_account, account = wrong_with_account(botocore.session.Session(), given["region"], given["host_image"])
    problems = [
        *wrong_with_name(given["environment_name"]),
        *wrong_with_networks(given["vpc_cidr"], given["subnet_cidrs"]),
        *wrong_with_numbers(given["at_least_at_most"]),
        *wrong_with_choices(given["choices"]),
        *wrong_with_certificate(given["certificate_arn"], given["region"]),
        *wrong_with_public_name(given["certificate_arn"], given["public_name"]),
        *(wrong_with_docker() if given["needs_docker"] else []),
        *(wrong_with_builder() if given["builds_image"] else []),
        *of_the_account,
    ]
    module.exit_json(changed=False, problems=problems, account=account)


if __name__ == "__main__":
    main()
