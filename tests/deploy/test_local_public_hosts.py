"""Hosts with public addresses behind a name with a certificate, from their first run to their end."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest
import trustme
from local_account import Account, NoRedirects, TlsTerminator
from support.tools import binary

NAME = "time.example.org"


@pytest.fixture
def named(account: Account, tmp_path) -> Iterator[list[str]]:
    """Settings of an environment with a name in a zone of the account. What AWS does at port 443 is done here: TLS ends, and
    what was said goes on to the emulator. The check finds the name there, and trusts the certificate."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    zone = account.ask("route53", "create_hosted_zone", Name="example.org.", CallerReference="1")["HostedZone"]["Id"]
    with TlsTerminator(authority.issue_cert(NAME), account.port) as terminator:
        check = tmp_path / "nowcheck"
        more = f"--resolve {NAME}:{terminator.address} --ca-file {tmp_path}/authority.pem"
        check.write_text(f'#!/bin/sh\nexec {binary("nowcheck")} "$@" {more}\n')
        check.chmod(0o755)
        more = {"environment_name": "named", "egress": "public", "public_name": NAME, "rate_limit": "600",
                "hosted_zone": zone.removeprefix("/hostedzone/"), "nowcheck": check, "trust_checker_clock": "true"}  # fmt: skip
        yield [part for name, value in more.items() for part in ("-e", f"{name}={value}")]


def test_public_hosts_behind_a_name_come_stay_and_go_with_a_certificate_and_both_kinds_of_records(
    account: Account, named: list[str], image: str
) -> None:
    zone = next(one.removeprefix("hosted_zone=") for one in named if one.startswith("hosted_zone="))

    def records() -> dict[str, str]:
        listed = account.ask("route53", "list_resource_record_sets", HostedZoneId=zone)["ResourceRecordSets"]
        return {one["Type"]: one.get("AliasTarget", {}).get("DNSName", "") for one in listed if one["Name"] == f"{NAME}."}

    run = account.playbook(*named, "-e", f"image={image}")
    assert run.code == 0, run.text
    assert f"OK https://{NAME}/now" in run.words
    assert {kind: name.split(".")[0] for kind, name in records().items()} == {"A": "named", "AAAA": "named"}
    [certificate] = account.ask("acm", "list_certificates")["CertificateSummaryList"]
    assert certificate["DomainName"] == NAME
    [firewall] = account.ask("wafv2", "list_web_acls", Scope="REGIONAL")["WebACLs"]
    assert firewall["Name"] == "named"
    request = urllib.request.Request(f"http://127.0.0.1:{account.port}/now", headers={"Host": NAME})
    plain = urllib.request.build_opener(NoRedirects).open(request, timeout=10)
    assert (plain.status, plain.headers["Location"]) == (301, f"https://{NAME}:443/now")

    ours = [{"Name": "tag:Environment", "Values": ["named"]}]
    assert account.ask("ec2", "describe_nat_gateways", Filter=ours)["NatGateways"] == []
    subnets = account.outputs("named-vpc")
    [group] = account.ask("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=["named-hosts"])["AutoScalingGroups"]
    assert group["VPCZoneIdentifier"] == subnets["HostSubnets"] == subnets["PublicSubnets"]

    run = account.playbook(*named, "-e", f"image={image}")
    assert (run.code, run.recap("changed")) == (0, 0), run.text

    run = account.playbook("destroy", *named, "-e", "confirm=yes")
    assert run.code == 0, run.text
    assert "Nothing is left of named in eu-central-1." in run.words
    assert account.stacks() == {}
    assert f"The record by which a certificate was validated stays in the zone {zone}" in run.words
    assert records() == {}
    assert account.ask("acm", "list_certificates")["CertificateSummaryList"] == []


def test_a_name_that_somebody_else_has_is_refused_before_anything_is_made(
    account: Account, named: list[str], image: str
) -> None:
    zone = next(one for one in named if one.startswith("hosted_zone=")).removeprefix("hosted_zone=")
    record = {"Name": NAME, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    account.ask("route53", "change_resource_record_sets", HostedZoneId=zone, ChangeBatch=change)
    run = account.playbook(*named, "-e", f"image={image}")
    assert run.code == 2
    assert f"- public_name {NAME} has a record already (A) that is not of this deployment" in run.text
    assert "TASK [Registry]" not in run.text
