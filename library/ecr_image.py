#!/usr/bin/python
"""Ansible module: an image of this machine's Docker is in a repository of Amazon ECR under the tag that it has here.

A tag that is there already is left alone, because tags are immutable. Returns `by_digest`, the name that a task is given.
"""

from __future__ import annotations

import base64
import subprocess
import tempfile

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: ecr_image
short_description: Pushes an image of this machine to Amazon ECR, once
description: Reads the digest back, so that a task can be given that and not a tag.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  image: {type: str, required: true, description: "name of the image here, NAME:TAG"}
  repository_name: {type: str, required: true, description: name of the repository}
  repository_uri: {type: str, required: true, description: where it is pushed to and pulled from}
"""


def digest_of(ecr, repository: str, tag: str) -> str | None:
    """The digest that the registry knows for the tag."""
    try:
        found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    except (ecr.exceptions.ImageNotFoundException, ecr.exceptions.RepositoryNotFoundException):
        return None
    return found[0]["imageDigest"] if found else None


class Refused(Exception):
    """A command of Docker failed, and said why."""


def docker(configuration: str, *arguments: str, given: str | None = None) -> None:
    asked = subprocess.run(
        ["docker", "--config", configuration, *arguments], input=given, capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise Refused(f"docker {arguments[0]}: {(asked.stderr or asked.stdout).strip()}")


def push(ecr, image: str, remote: str) -> None:
    authorization = ecr.get_authorization_token()["authorizationData"][0]
    user, password = base64.b64decode(authorization["authorizationToken"]).decode().split(":", 1)
    # The password lasts twelve hours and is nobody's business: it is kept out of ~/.docker, and gone in a minute.
    with tempfile.TemporaryDirectory() as configuration:
        registry = remote.split("/")[0]
        docker(configuration, "login", "--username", user, "--password-stdin", registry, given=password)
        docker(configuration, "tag", image, remote)
        try:
            docker(configuration, "push", remote)
        finally:
            # Only the name goes; the image keeps the one that it was built under.
            docker(configuration, "rmi", "--no-prune", remote)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "region": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "repository_name": {"type": "str", "required": True},
            "repository_uri": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    image, repository = module.params["image"], module.params["repository_name"]
    tag = image.rpartition(":")[2]
    try:
        ecr = botocore.session.Session().create_client("ecr", module.params["region"])
        digest = digest_of(ecr, repository, tag)
        missing = digest is None
        if missing and module.check_mode:
            # What it will be is not known before it is pushed.
            digest = "sha256:" + 64 * "0"
        elif missing:
            push(ecr, image, f"{module.params['repository_uri']}:{tag}")
            digest = digest_of(ecr, repository, tag)
            if digest is None:
                raise Refused(f"docker push: it was accepted, but the registry does not know {repository}:{tag}")
    except Refused as error:
        module.fail_json(msg=f"{image} did not get into the registry. {error}")
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json(msg=f"the registry cannot be asked: {error}")
    module.exit_json(changed=missing, by_digest=f"{module.params['repository_uri']}@{digest}", digest=digest, tag=tag)


if __name__ == "__main__":
    main()
