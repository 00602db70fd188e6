#!/usr/bin/env python3
"""Writes docs/costs.md: what the deployment costs a month. How many there are of what is counted in the templates.

.venv/bin/python docs/costs.py            # rewrites docs/costs.md; a test fails when it is not what this writes
.venv/bin/python docs/costs.py FILE       # writes it there
.venv/bin/python docs/costs.py --summary   # prints the table that is in the README
"""

import argparse
import re
import sys
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/deploy"))

from cloudformation import stack  # noqa: E402

REGION = "eu-central-1"
KNOWN = "2025"
WRITTEN = "November 2026"
HOURS = 730
"""Of a month."""

PRICES = {
    "host": ("t3.micro, Linux, on demand", "0.0120", "hour"),
    "disk": ("gp3 volume", "0.0952", "GB and month"),
    "balancer": ("Application Load Balancer", "0.0270", "hour"),
    "capacity": ("capacity unit of it (LCU)", "0.0080", "hour"),
    "address": ("public IPv4 address", "0.0050", "hour"),
    "nat": ("NAT gateway", "0.0520", "hour"),
    "nat data": ("data through it", "0.0520", "GB"),
    "endpoint": ("interface endpoint, in one zone", "0.0120", "hour"),
    "endpoint data": ("data through it", "0.0100", "GB"),
    "log": ("log data taken in", "0.6300", "GB"),
    "metric": ("metric that is not AWS's own", "0.3000", "month"),
    "alarm": ("alarm", "0.1000", "month"),
    "dashboard": ("dashboard (the first three are free)", "3.0000", "month"),
    "key": ("key of KMS", "1.0000", "month"),
}
"""List prices in US dollars, without taxes and free tiers."""

LCU = Decimal(1)
DATA = Decimal(2)
LOGS = Decimal(1)
INSIGHTS = {"disabled": 0, "enabled": 28, "enhanced": 110}
"""Metrics that Container Insights makes of one cluster with one service, two hosts and two tasks: an estimate."""
SCALING_ALARMS = 2 + 2 * 2
"""Made by AWS: two for the capacity provider, two for each policy of the service."""


def own_metrics() -> list[str]:
    """What nowd publishes: the names that are given together with a unit, without those of its tests."""
    program, _, _ = (ROOT / "services/app/src/metrics/emf.rs").read_text().partition("#[cfg(test)]")
    units = "Count|Seconds|Milliseconds|Microseconds|Bytes|Percent|None"
    names = sorted(set(re.findall(rf'"([A-Z][A-Za-z]+)",\s*"(?:{units})"', program)))
    if "ClockSynchronized" not in names:
        raise SystemExit("services/app/src/metrics/emf.rs does not name its metrics as it did: see own_metrics()")
    return names


def price(name: str) -> Decimal:
    _, amount, unit = PRICES[name]
    return Decimal(amount) * (HOURS if unit == "hour" else 1)


def costs(nat: str, insights: str) -> dict[str, Decimal]:
    """Item by item, for a variant."""
    vpc, cluster, service = stack("vpc", NatGateways=nat), stack("ecs-cluster"), stack("web-service")
    hosts = cluster.parameters["DesiredHosts"]
    [disk] = cluster.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["BlockDeviceMappings"]
    zones = 2
    gateways = len(vpc.of_type("AWS::EC2::NatGateway"))
    endpoints = [e for e in vpc.of_type("AWS::EC2::VPCEndpoint").values() if e["VpcEndpointType"] == "Interface"]
    in_zones = sum(len(endpoint["SubnetIds"]) for endpoint in endpoints)
    alarms = len(service.of_type("AWS::CloudWatch::Alarm")) + SCALING_ALARMS
    return {
        "Hosts": hosts * (price("host") + disk["Ebs"]["VolumeSize"] * price("disk")),
        "Load balancer": price("balancer") + LCU * price("capacity") + zones * price("address"),
        "NAT gateways": gateways * (price("nat") + price("address")) + (DATA * price("nat data") if gateways else 0),
        "Endpoints": in_zones * price("endpoint") + (DATA * price("endpoint data") if in_zones else 0),
        "Logs": LOGS * price("log"),
        "Container Insights": INSIGHTS[insights] * price("metric"),
        "Metrics of nowd, alarms, dashboard, key": len(own_metrics()) * price("metric")
        + alarms * price("alarm")
        + price("dashboard")
        + price("key"),
    }


VARIANTS = [("per-zone", "enabled"), ("single", "enabled"), ("none", "enabled"), ("single", "disabled")]


CENTS = Decimal("0.01")


def sums() -> list[Decimal]:
    """Of each variant. What is shown adds up: the sum is of what is shown."""
    return [sum(amount.quantize(CENTS) for amount in costs(*variant).values()) for variant in VARIANTS]


MEANT_FOR = {
    ("per-zone", "enabled"): "as it is set: a zone may fail",
    ("single", "enabled"): "one NAT gateway for both zones",
    ("none", "enabled"): "closed: endpoints, and no way out to the internet",
    ("single", "disabled"): "the cheapest",
}


def summary() -> str:
    """The table of the README, which a test holds to this."""
    lines = ["| `nat_gateways` | `container_insights` | | US dollars a month |", "|---|---|---|---:|"]
    lines += [
        f"| {nat} | {insights} | {MEANT_FOR[nat, insights]} | {amount:.0f} |"
        for (nat, insights), amount in zip(VARIANTS, sums(), strict=True)
    ]
    return "\n".join(lines) + "\n"


def document() -> str:
    columns = [costs(*variant) for variant in VARIANTS]
    rows = [[item, *(f"{column[item].quantize(CENTS):.2f}" for column in columns)] for item in columns[0]]
    rows.append(["**A month**", *(f"**{amount:.2f}**" for amount in sums())])
    head = [f"`nat_gateways: {nat}`" + ("" if insights == "enabled" else ", no Insights") for nat, insights in VARIANTS]
    more = (INSIGHTS["enhanced"] - INSIGHTS["enabled"]) * price("metric")
    endpoints = stack("vpc", NatGateways="none").of_type("AWS::EC2::VPCEndpoint").values()
    interfaces = sum(endpoint["VpcEndpointType"] == "Interface" for endpoint in endpoints)
    hosts = stack("ecs-cluster").parameters["DesiredHosts"]
    lines = [
        "# What it costs",
        "",
        f"In US dollars a month ({HOURS} hours) in {REGION}, for {hosts} hosts and little traffic. **These are list",
        f"prices of {KNOWN}, written down from memory in {WRITTEN}, not asked of AWS: check them** against the",
        "[price calculator](https://calculator.aws) before you rely on them. Taxes and free tiers are left out.",
        "",
        "| |" + "|".join(f" {title} " for title in head) + "|",
        "|---|" + "---:|" * len(head),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        f"* Supposed are {LCU} LCU on average (25 new connections a second, or 1 GB an hour), {DATA} GB a month",
        f"  between hosts and AWS, and {LOGS} GB of logs, the flow logs among them. What goes to the internet costs",
        "  extra beyond 100 GB a month.",
        f"* `none` is the closed variant, not the cheap one: {interfaces} endpoints in two zones cost more than a NAT",
        "  gateway in each. The cheap one is `single`.",
        f"* `container_insights: enhanced` adds about {more:.2f}: metrics of each task, container and host. How",
        f"  many metrics there are ({INSIGHTS['enabled']} and {INSIGHTS['enhanced']}) is an estimate.",
        "* While hosts are replaced there is one more for some minutes. A t3 that for long uses more than its share of",
        "  CPU is charged for it (0.05 an hour and CPU); scaling by CPU is set to come first.",
        "* Access logs cost what they take in S3, which is little. Images take a few MB.",
        "",
        "The prices behind it:",
        "",
        "| | US dollars | per |",
        "|---|---:|---|",
        *(f"| {what} | {amount} | {unit} |" for what, amount, unit in PRICES.values()),
        "",
        f"The metrics of nowd are {len(own_metrics())}: {', '.join(own_metrics())}.",
        "",
        "This page is written by [`docs/costs.py`](costs.py): change prices there.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", nargs="?", type=Path, default=ROOT / "docs/costs.md")
    arguments.add_argument("--summary", action="store_true", help="print the table of the README instead")
    given = arguments.parse_args()
    if given.summary:
        print(summary(), end="")
    else:
        given.file.write_text(document())
