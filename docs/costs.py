#!/usr/bin/env python3
"""Writes docs/costs.md: what the deployment costs a month.

.venv/bin/python docs/costs.py            # rewrites docs/costs.md; a test fails when it is not what this writes
.venv/bin/python docs/costs.py FILE       # writes it there
.venv/bin/python docs/costs.py --summary   # prints the table that is in docs/aws.md
"""

import argparse
import sys
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The tests load this file by its path.
sys.path.insert(0, str(ROOT / "docs"))

from aws_prices import HOURS, KNOWN, PRICES, REGION, WRITTEN, price  # noqa: E402
from costs_of_deployment import (  # noqa: E402
    CENTS,
    DATA,
    INSIGHTS,
    LCU,
    LOGS,
    MONITOR_LOGS,
    OF_HOSTS,
    VARIANTS,
    costs,
    firewall,
    monitor,
    monitor_metrics,
    own_metrics,
    task_of_monitor,
    total,
)
from costs_of_load_section import section  # noqa: E402

from cloudformation import stack  # noqa: E402


def summary() -> str:
    """The table of docs/aws.md, which a test holds to this."""
    lines = ["| `egress`, and more | | US dollars a month |", "|---|---|---:|"]
    lines += [f"| {variant.title} | {variant.meant_for} | {total(variant):.0f} |" for variant in VARIANTS]
    return "\n".join(lines) + "\n"


def document() -> str:
    columns = [costs(variant) for variant in VARIANTS]
    rows = [[item, *(f"{column[item].quantize(CENTS):.2f}" for column in columns)] for item in columns[0]]
    rows.append(["**A month**", *(f"**{total(variant):.2f}**" for variant in VARIANTS)])
    endpoints = stack("vpc", Egress="endpoints").of_type("AWS::EC2::VPCEndpoint").values()
    interfaces = sum(endpoint["VpcEndpointType"] == "Interface" for endpoint in endpoints)
    hosts = stack("hosts").parameters["DesiredHosts"]
    of_insights = {name: count * price("metric") for name, count in INSIGHTS.items()}
    lines = [
        "# What it costs",
        "",
        "This page is for people who decide how to deploy to AWS.",
        "",
        f"In US dollars a month ({HOURS} hours) in {REGION}, for {hosts} hosts, or as many tasks on Fargate, and little traffic, by the",
        "settings `egress`, `instance_type` and `compute`.",
        "",
        f"**These are list prices of {KNOWN}, written from memory in {WRITTEN} and not verified with AWS. Check them** against the",
        "[price calculator](https://calculator.aws) before you rely on them. Taxes and free tiers are left out.",
        "",
        "| |" + "|".join(f" {variant.title} " for variant in VARIANTS) + "|",
        "|---|" + "---:|" * len(VARIANTS),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        f"* The table assumes {LCU} LCU on average (25 new connections a second, or 1 GB an hour), {DATA} GB a month",
        f"  between hosts and AWS, and {LOGS} GB of logs, the flow logs among them. What goes to the internet costs",
        "  extra: see [what a load costs](#what-a-load-costs).",
        "* `public` survives the loss of a zone as `nat-per-zone` does, without a gateway. The hosts have public addresses, and",
        "  only the load balancer reaches them.",
        f"* `endpoints` is the closed variant, not the cheap one: {interfaces} endpoints in two zones cost more than a NAT",
        "  gateway in each.",
        f"* `container_insights: enabled` adds {of_insights['enabled']:.2f} to each, and `enhanced` {of_insights['enhanced']:.2f}. How many",
        f"  metrics there are ({INSIGHTS['enabled']} and {INSIGHTS['enhanced']}) is an estimate.",
        f"* `rate_limit` adds {firewall():.2f} to each, and {PRICES['inspected'][1][:4]} for every million requests: a request a second is",
        f"  {Decimal(PRICES['inspected'][1]) * HOURS * 3600 / 1_000_000:.2f} a month. A certificate, IPv6 and the records of `hosted_zone` cost nothing; the zone itself is yours.",
        f"* `monitor` adds {monitor():.2f} to each: {len(monitor_metrics())} metrics and {len(stack('monitor').of_type('AWS::CloudWatch::Alarm'))} alarms. On hosts its task has room. On Fargate the",
        f"  task adds {task_of_monitor():.2f}, and with `public` its address {price('address'):.2f}. With a certificate there is one metric more. Its log is",
        f"  less than {MONITOR_LOGS} GB a month.",
        "* Each further task on Fargate costs as much as the first; a host holds eight. During a deployment there are twice as many",
        "  tasks for some minutes.",
        "* While hosts are replaced there is one more for some minutes. A t3 that exceeds its CPU baseline for long costs extra",
        f"  ({PRICES['credits'][1][:4]} per vCPU-hour). Scaling by CPU is set to act before that.",
        "* A t3a.micro has as many CPUs and as much memory as a t3.micro. Not every zone has it; `make deploy` says so.",
        "* Images take a few MB.",
        "",
        *section(),
        "",
        "## Prices",
        "",
        "| | US dollars | per |",
        "|---|---:|---|",
        *(f"| {what} | {amount} | {unit} |" for what, amount, unit in PRICES.values()),
        "",
        "Only one of these prices has a dated source: Apache Libcloud 3.9.1 (EC2 prices of March 2025) lists t3a.micro at 0.0108.",
        "It has no t3.micro, but lists t3.small, which is twice as large, at 0.0240.",
        "",
        "The prices of data to the internet, and the dimensions of an LCU, are also what third-party pages of 2026 say of most regions.",
        "",
        f"The metrics of nowd are {len(own_metrics())}: {', '.join(own_metrics())}. That of the hosts is {OF_HOSTS[0]}.",
        "",
        "This page is written by [`docs/costs.py`](costs.py): change prices in [`docs/aws_prices.py`](aws_prices.py).",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", nargs="?", type=Path, default=ROOT / "docs/costs.md")
    arguments.add_argument("--summary", action="store_true", help="print the table of docs/aws.md instead")
    given = arguments.parse_args()
    if given.summary:
        print(summary(), end="")
    else:
        given.file.write_text(document())
