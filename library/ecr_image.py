#!/usr/bin/python
"""Ansible module: an image of this machine's Docker is in a repository of Amazon ECR under the tag that it has here.

A tag that is there already is left alone, because tags are immutable; and if another image bears it, the module fails, so
that nothing is deployed that this machine knows something else by. Returns `by_digest`, the name that a task is given.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
import urllib.request

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: ecr_image
short_description: Pushes an image of this machine to Amazon ECR, once
description: Reads the digest back, so that a task can be given that and not a tag. Fails when the tag means another image there.
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


# Compared is what runs, and not the digest: that of an image which is built again is another one, because it holds the time
# of its building. Labels and history change nothing that runs.


def what_runs(layers: list[str], configuration: dict) -> dict:
    environment = configuration.get("Env") or []
    return {
        "layers": layers,
        "Entrypoint": configuration.get("Entrypoint") or [],
        "Cmd": configuration.get("Cmd") or [],
        # Some builders write down the usual search path and directory, and some do not.
        "Env": [one for one in environment if not one.startswith("PATH=")],
        "WorkingDir": configuration.get("WorkingDir") or "/",
        "User": configuration.get("User") or "",
        "StopSignal": configuration.get("StopSignal") or "SIGTERM",
    }


def here(image: str) -> dict | None:
    """Of the image of that name on this machine; nothing when there is none."""
    asked = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True, check=False)
    if asked.returncode:
        if "no such image" in asked.stderr.lower():
            return None
        raise Refused(f"docker image inspect: {asked.stderr.strip()}")
    [found] = json.loads(asked.stdout)
    return what_runs(found["RootFS"]["Layers"], found["Config"])


MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


def there(ecr, repository: str, digest: str) -> dict:
    """Of the image in the registry."""
    authorization = ecr.get_authorization_token()["authorizationData"][0]

    def read(path: str) -> dict:
        request = urllib.request.Request(f"{authorization['proxyEndpoint']}/v2/{repository}/{path}")
        request.add_header("Accept", ", ".join(MANIFESTS))
        # Not for the store that the registry may send us on to: its addresses are signed, and it takes no second credential.
        request.add_unredirected_header("Authorization", f"Basic {authorization['authorizationToken']}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    manifest = read(f"manifests/{digest}")
    # Some builders push a list, of the image and of what they attest of it.
    if listed := manifest.get("manifests"):
        ours = [one for one in listed if (one["platform"]["os"], one["platform"]["architecture"]) == ("linux", "amd64")]
        if not ours:
            raise Refused(f"{repository}@{digest} is there, and holds no image for Linux on x86-64")
        manifest = read(f"manifests/{ours[0]['digest']}")
    found = read(f"blobs/{manifest['config']['digest']}")
    return what_runs(found["rootfs"]["diff_ids"], found.get("config") or {})


def contradiction(image: str, ours: dict, theirs: dict) -> str | None:
    """The sentences for somebody whose image is not the registry's; nothing if it is."""
    differing = [name for name in theirs if ours[name] != theirs[name]]
    if not differing:
        return None
    return (
        f"{image} is in the registry already, and the image of that name on this machine is another one: "
        f"{', '.join(differing)} differ. A tag of the registry never changes its meaning, so nothing was pushed, and nothing is "
        "deployed. (The same commit gives the same layers only with the same Rust toolchain and C library.) To deploy this "
        f"machine's, give it a name of its own: docker tag {image} {image}-2, and -e image={image}-2. To deploy the "
        f"registry's, take the name from this machine's: docker rmi {image}, and -e image={image}."
    )


def engine() -> dict[str, str]:
    """An environment in which Docker talks to the engine that it talks to now. Which one that is may be said by a context,
    and contexts are part of the configuration that is put aside below.
    """
    asked = subprocess.run(
        ["docker", "context", "inspect", "--format", "{{ .Endpoints.docker.Host }}"], capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise Refused(f"docker context inspect: {asked.stderr.strip()}")
    return {**os.environ, "DOCKER_HOST": asked.stdout.strip()}


def docker(configuration: str, environment: dict[str, str], *arguments: str, given: str | None = None) -> None:
    asked = subprocess.run(
        ["docker", "--config", configuration, *arguments],
        env=environment, input=given, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if asked.returncode:
        raise Refused(f"docker {arguments[0]}: {(asked.stderr or asked.stdout).strip()}")


def push(ecr, image: str, remote: str) -> None:
    authorization = ecr.get_authorization_token()["authorizationData"][0]
    user, password = base64.b64decode(authorization["authorizationToken"]).decode().split(":", 1)
    environment = engine()
    # The password lasts twelve hours and is nobody's business: it is kept out of ~/.docker, and gone in a minute.
    with tempfile.TemporaryDirectory() as configuration:
        registry = remote.split("/")[0]
        docker(configuration, environment, "login", "--username", user, "--password-stdin", registry, given=password)
        docker(configuration, environment, "tag", image, remote)
        try:
            docker(configuration, environment, "push", remote)
        finally:
            # Only the name goes; the image keeps the one that it was built under.
            docker(configuration, environment, "rmi", "--no-prune", remote)


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
        # Whoever names an image that is not here, but in the registry, wants that.
        ours = None if missing else here(image)
        if ours and (reason := contradiction(image, ours, there(ecr, repository, digest))):
            module.fail_json(msg=reason)
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
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError) as error:
        module.fail_json(msg=f"the registry cannot be asked: {error}")
    except (ValueError, KeyError) as error:
        # A manifest of some other kind, such as one that names no platform.
        module.fail_json(msg=f"what the registry says of {image} cannot be understood: {error!r}")
    module.exit_json(changed=missing, by_digest=f"{module.params['repository_uri']}@{digest}", digest=digest, tag=tag)


if __name__ == "__main__":
    main()
