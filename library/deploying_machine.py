#!/usr/bin/python
"""Ansible module: what this machine lacks to build and push the image, and to run the check.

Returns `problems`, sentences, and `has_ipv6`. It changes nothing, in check mode or not.
"""

from __future__ import annotations

import ipaddress
import platform
import shutil
import socket
import subprocess

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: deploying_machine
short_description: Says what this machine lacks to deploy
description: Looks for the Docker engine, for cargo and for the check. Changes nothing.
author: the nowd project
options:
  nowcheck: {type: str, default: '', description: 'the check, if it is not to be built'}
  builds_image: {type: bool, default: true, description: whether an image is built}
"""


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


SOMEWHERE = ("2600::", 443)
"""On the internet. Nothing is sent there: of a datagram socket only the route is looked up."""
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


def has_ipv6() -> bool:
    """Whether this machine would reach the internet by IPv6, with an address that the internet can answer."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
            one.connect(SOMEWHERE)
            return ipaddress.IPv6Address(one.getsockname()[0]) in GLOBAL_UNICAST
    except OSError:
        return False


def main() -> None:
    module = AnsibleModule(
        argument_spec={"nowcheck": {"type": "str", "default": ""}, "builds_image": {"type": "bool", "default": True}},
        supports_check_mode=True,
    )
    problems = [
        *wrong_with_docker(),
        *(wrong_with_builder() if module.params["builds_image"] else []),
        *wrong_with_nowcheck(module.params["nowcheck"]),
    ]
    module.exit_json(changed=False, problems=problems, has_ipv6=has_ipv6())


if __name__ == "__main__":
    main()
