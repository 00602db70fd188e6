#!/usr/bin/python
"""Ansible module: which account of AWS this is, or why it cannot be used in the region.

Returns `problems`, sentences, and the number of the `account`; none when there are problems. It changes nothing, in check
mode or not.
"""

from __future__ import annotations

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule
from botocore.config import Config

DOCUMENTATION = """
module: account
short_description: Says which account this is
description: Looks at the region and the credentials, and asks AWS who we are. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
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


def main() -> None:
    module = AnsibleModule(argument_spec={"region": {"type": "str", "required": True}}, supports_check_mode=True)
    problems, account = wrong_with_account(botocore.session.Session(), module.params["region"])
    module.exit_json(changed=False, problems=problems, account=account)


if __name__ == "__main__":
    main()
