#!/usr/bin/python
"""Ansible module: why no host could be of a type, or be made of an image, in this region.

Returns `problems`, sentences. It changes nothing, in check mode or not.
"""

from __future__ import annotations

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.pages import answers
from ansible.module_utils.sentences import listed
from botocore.config import Config

DOCUMENTATION = """
module: host_rules
short_description: Says why hosts cannot be as they are to be
description: Asks AWS for the image and the instance type of the hosts. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  host_image: {type: str, required: true, description: name of the parameter that holds the image of the hosts}
  instance_type: {type: str, required: true, description: instance type of the hosts}
  hosts_max: {type: str, required: true, description: number of hosts that there are at most}
  tasks_max: {type: str, required: true, description: number of tasks that there are at most}
  monitor: {type: bool, default: false, description: 'whether the monitor runs on one of the hosts, too'}
"""

PATIENCE = Config(connect_timeout=10, read_timeout=20, retries={"max_attempts": 2})

# What the agent, the system and a rolling deployment of tasks of 64 MiB need.
LEAST_MEMORY_MIB = 1024
ARCHITECTURE = "x86_64"
ZONES = 2

# What a task is given (services/WebService.yaml), and what is kept from tasks on a host (infrastructure/hosts.yaml):
# tests/deploy/test_arithmetic.py holds them to that.
TASK_MEMORY_MIB, TASK_CPU = 64, 256
RESERVED_MEMORY_MIB = 128
LINUX_HAS = 0.89
"""Of the memory of a type, as the agent finds it on a t3.micro: 914 of 1024 MiB. On larger ones it is more."""
WHILE_DEPLOYING = 2
"""So many times as many tasks as are wanted, the old and the new ones."""


def image_of(ssm, region: str, host_image: str) -> tuple[str, list[str]]:
    """What the name of the parameter stands for, and what is wrong with that name."""
    try:
        return ssm.get_parameter(Name=host_image)["Parameter"]["Value"], []
    except botocore.exceptions.ClientError as error:
        if error.response["Error"].get("Code") != "ParameterNotFound":
            return "", []  # who may not read parameters may still be allowed to deploy through a role
    except botocore.exceptions.BotoCoreError as error:
        return "", [f"AWS cannot be asked for host_image: {error}"]
    return "", [
        f'host_image "{host_image}" is not known in {region}; the newest name is in the answer to: aws ssm '
        f"get-parameter --region {region} --name /aws/service/ecs/optimized-ami/amazon-linux-2023/recommended"
    ]


def wrong_with_host_image(ssm, ec2, region: str, host_image: str) -> list[str]:
    image, problems = image_of(ssm, region, host_image)
    if not image:
        return problems
    gone = [f'host_image "{host_image}" stands for {image}, which is no longer there: take a newer one']
    try:
        found = ec2.describe_images(ImageIds=[image], IncludeDeprecated=True)["Images"]
    except botocore.exceptions.ClientError as error:
        return gone if error.response["Error"].get("Code", "").startswith("InvalidAMIID") else []
    except botocore.exceptions.BotoCoreError as error:
        return [f"AWS cannot be asked for the image of host_image: {error}"]
    if not found or found[0]["State"] != "available":
        return gone
    if found[0]["Architecture"] != ARCHITECTURE:
        return [f'host_image "{host_image}" stands for an image for {found[0]["Architecture"]}, and that of nowd is {ARCHITECTURE}']
    return []


def tasks_on(found: dict) -> int:
    """How many tasks the scheduler places on one host of a type."""
    memory = int(found["MemoryInfo"]["SizeInMiB"] * LINUX_HAS) - RESERVED_MEMORY_MIB
    return min(memory // TASK_MEMORY_MIB, found["VCpuInfo"]["DefaultVCpus"] * 1024 // TASK_CPU)


def wrong_with_room(found: dict, hosts_max: str, tasks_max: str, monitor: bool) -> list[str]:
    """What is no number is told by its template. The monitor takes the place of one task at the most."""
    on_one, taken = tasks_on(found), int(monitor)
    if on_one < 1 or not hosts_max.isdecimal() or not tasks_max.isdecimal():
        return []
    hosts, tasks = int(hosts_max), int(tasks_max)
    room = on_one * hosts - taken
    if WHILE_DEPLOYING * tasks <= room:
        return []
    return [
        f"tasks_max is {tasks}, and while a deployment goes on there are {WHILE_DEPLOYING} times as many; {hosts} hosts (hosts_max) of "
        f"{found['InstanceType']} hold {room}{' beside the monitor' if monitor else ''}: tasks_max may be {room // WHILE_DEPLOYING}, or "
        f"hosts_max has to be {-(-(WHILE_DEPLOYING * tasks + taken) // on_one)}"
    ]


def wrong_with_instance_type(ec2, region: str, name: str, sizes: tuple[str, str, bool]) -> list[str]:
    """`sizes` are hosts_max and tasks_max, and whether there is a monitor."""
    try:
        [found] = ec2.describe_instance_types(InstanceTypes=[name])["InstanceTypes"]
        # Not the local zones that an account may have.
        usual = [{"Name": "zone-type", "Values": ["availability-zone"]}]
        zones = [one["ZoneName"] for one in answers(ec2, "describe_availability_zones", "AvailabilityZones", Filters=usual)]
        wanted = {"LocationType": "availability-zone", "Filters": [{"Name": "instance-type", "Values": [name]}]}
        offered = list(answers(ec2, "describe_instance_type_offerings", "InstanceTypeOfferings", **wanted))
    except botocore.exceptions.ClientError as error:
        if error.response["Error"].get("Code") == "InvalidInstanceType":
            return [f'instance_type is "{name}", and {region} has no such type']
        return []  # who may not ask may still be allowed to deploy through a role
    except botocore.exceptions.BotoCoreError as error:
        return [f"AWS cannot be asked for instance_type: {error}"]
    problems = []
    architectures = found["ProcessorInfo"]["SupportedArchitectures"]
    if ARCHITECTURE not in architectures:
        problems.append(f'instance_type is "{name}", which is {listed(architectures)}, and the image is {ARCHITECTURE}')
    memory = found["MemoryInfo"]["SizeInMiB"]
    if memory < LEAST_MEMORY_MIB:
        problems.append(f'instance_type is "{name}" with {memory} MiB of memory, and a host needs {LEAST_MEMORY_MIB}')
    # The templates take the first zones of the region, in the order of their names.
    there = {one["Location"] for one in offered}
    lacking = [zone for zone in sorted(zones)[:ZONES] if zone not in there]
    if lacking:
        problems.append(f'instance_type is "{name}", which is not offered in {listed(lacking)}')
    return problems or wrong_with_room(found, *sizes)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "region": {"type": "str", "required": True},
            "host_image": {"type": "str", "required": True},
            "instance_type": {"type": "str", "required": True},
            "hosts_max": {"type": "str", "required": True},
            "tasks_max": {"type": "str", "required": True},
            "monitor": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given, session = module.params, botocore.session.Session()
    region = given["region"]
    ssm, ec2 = (session.create_client(service, region, config=PATIENCE) for service in ("ssm", "ec2"))
    sizes = (given["hosts_max"], given["tasks_max"], given["monitor"])
    problems = [
        *wrong_with_host_image(ssm, ec2, region, given["host_image"]),
        *wrong_with_instance_type(ec2, region, given["instance_type"], sizes),
    ]
    module.exit_json(changed=False, problems=problems)


if __name__ == "__main__":
    main()
