"""What CloudFormation knows of a stack, for the modules."""

from __future__ import annotations

import botocore.exceptions


def is_missing(error: botocore.exceptions.ClientError) -> bool:
    return "does not exist" in error.response["Error"].get("Message", "")


def described(cloudformation, stack: str) -> dict | None:
    """The stack as it stands; nothing when there is none."""
    try:
        [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except botocore.exceptions.ClientError as error:
        if is_missing(error):
            return None
        raise
    return found


def resources_of(cloudformation, stack: str, kind: str) -> list[str]:
    """The identities of the stack's resources of a kind that have come to be and are not gone; none without a stack."""
    try:
        pages = list(cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack))
    except botocore.exceptions.ClientError as error:
        if is_missing(error):
            return []
        raise
    return [
        one["PhysicalResourceId"]
        for page in pages
        for one in page["StackResourceSummaries"]
        if one["ResourceType"] == kind and one.get("PhysicalResourceId") and one.get("ResourceStatus") != "DELETE_COMPLETE"
    ]
