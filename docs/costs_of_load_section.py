"""The section of docs/costs.md on what a load costs, in words and tables."""

from decimal import Decimal

from costs_of_deployment import DATA, VARIANTS, Variant
from costs_of_load import (
    ACCESS_LOG_BYTES,
    HANDSHAKE,
    HOST,
    LOADS,
    PACKET,
    RECORDS,
    RECORD_BYTES,
    REUSE,
    SLOWER,
    Load,
    capacity,
    idle_seconds,
    machines,
    of_access_logs,
    of_handshakes,
    of_rate_limit,
    parts,
    per_million,
    request,
    scaling,
    tasks,
    total,
    units,
)

from cloudformation import stack

SHOWN = [
    next(v for v in VARIANTS if v.egress == "nat-per-zone"),
    next(v for v in VARIANTS if v.egress == "public"),
    next(v for v in VARIANTS if v.egress == "public" and v.compute == "fargate"),
]
"""Part by part."""

MOST = LOADS[-1]


def markdown(titles: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(titles) + " |", "|---|" + "---:|" * (len(titles) - 1)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows)]


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def rates() -> list[str]:
    return [load.name for load in LOADS]


def overview() -> list[str]:
    """Every variant, at every rate."""
    # At a million a month, a million costs the month.
    more = LOADS[1:]
    titles = ["", *rates(), *(f"a million requests, at {load.name}" for load in more)]
    rows = [
        [v.title, *(money(total(v, load)) for load in LOADS), *(money(per_million(v, load)) for load in more)]
        for v in VARIANTS
    ]
    return markdown(titles, rows)


def part_by_part(variant: Variant) -> list[str]:
    columns = [parts(variant, load) for load in LOADS]
    rows = [[part, *(money(column[part]) for column in columns)] for part in columns[0] if any(c[part] for c in columns)]
    rows.append(["**A month**", *(f"**{money(total(variant, load))}**" for load in LOADS)])
    rows.append(["A million requests", *(money(per_million(variant, load)) for load in LOADS)])
    rows.append(["Number of tasks", *(str(tasks(load)) for load in LOADS)])
    if variant.compute == "ec2":
        rows.append(["Number of hosts", *(str(machines(variant, load)) for load in LOADS)])
    return [f"### {variant.title}", "", *markdown(["", *rates()], rows), "", *(dominating(variant, load) for load in LOADS)]


def dominating(variant: Variant, load: Load) -> str:
    """The largest part, in a sentence."""
    amounts = parts(variant, load)
    part = max(amounts, key=amounts.get)
    return f"* At {load.name}, the largest part is “{part}”: {amounts[part] / total(variant, load):.0%} of the month."


def assumptions() -> list[str]:
    by, measured = scaling(), request()
    return [
        "| what | how much | where it comes from |",
        "|---|---:|---|",
        f"| processor time of a request | {measured.microseconds} µs | [measured](performance.md#a-request-to-nowd) with a balancer's head, "
        f"on {measured.on} |",
        f"| the same on AWS | {measured.microseconds * SLOWER} µs | assumed: {SLOWER} times as much, because a vCPU is "
        "half a core, and requests arrive one by one |",
        f"| response | {measured.answer} bytes | measured there |",
        f"| request | {measured.asked} bytes | the balancer's head of that measurement |",
        f"| headers of a packet | {PACKET} bytes | IPv4 and TCP; a request and a response take one packet each |",
        f"| requests for another task | {by.requests:,.0f} a second | `services/WebService.yaml`, from {by.least} to {by.most} tasks |",
        f"| CPU of a task, at most | {by.cpu:.0%} of {by.task_cpus} vCPU | the target of scaling in the same file |",
        f"| CPU of a host without surplus credits | {HOST.baseline:.0%} of {HOST.cpus} vCPUs | the baseline of a t3.micro and a t3a.micro, "
        "from memory |",
        f"| bandwidth of a host | {HOST.megabits} Mbit/s | their baseline of the network, from memory |",
        f"| requests over a connection of a client | {REUSE} | assumed |",
        f"| time that a connection stays open | {idle_seconds()} s | the idle timeout in `infrastructure/load-balancers.yaml` |",
        f"| flow logs of a connection | {RECORDS} × {RECORD_BYTES} bytes | assumed: a record in each direction, in the "
        "default format |",
        f"| access log of a request | {ACCESS_LOG_BYTES} bytes | assumed: a line, compressed, kept as long as the bucket keeps it |",
        f"| handshake of a connection with TLS | {HANDSHAKE:,} bytes | assumed: what the load balancer sends, mostly certificates |",
    ]


def few_digits(number: Decimal) -> str:
    return f"{number:,.3f}" if number < 1 else f"{number:,.1f}"


def dimensions() -> list[str]:
    by_load = [capacity(load) for load in LOADS]
    rows = [[name, *(few_digits(column[name]) for column in by_load)] for name in by_load[0]]
    rows.append(["**The largest, which is paid for**", *(f"**{few_digits(units(load))}**" for load in LOADS)])
    return markdown(["LCUs", *rates()], rows)


def of_settings() -> list[str]:
    """What some settings add."""
    adds = {"`access_logs: true`": of_access_logs, "a certificate": of_handshakes, "`rate_limit`": of_rate_limit}
    return markdown(["", *rates()], [[name, *(money(cost(load)) for load in LOADS)] for name, cost in adds.items()])


def limits() -> list[str]:
    """What has to be set for the highest rate."""
    hosts, most = machines(SHOWN[0], MOST), stack("hosts").parameters["MaxHosts"]
    share = MOST.cpus / (hosts * HOST.cpus)
    if hosts <= most:
        return []
    return [
        f"* **Settings.** For {MOST.name}, set `hosts_min` to {hosts} and `hosts_max` to {hosts + 1} or more. `hosts_max` is {most},",
        f"  and scaling does not look at bandwidth. nowd then uses {share:.0%} of the CPUs of {hosts} hosts; their baseline is {HOST.baseline:.0%}.",
        "  Scaling by requests asks for more tasks than `tasks_max`; their CPU does not need them.",
    ]


def notes() -> list[str]:
    default = SHOWN[0]
    by_reuse = [(reuse, total(default, Load(MOST.name, MOST.rate, reuse))) for reuse in (1, REUSE, 100)]
    return [
        f"* **Connections.** The costs of {MOST.name} depend on how many requests a client sends over a connection:",
        f"  {', '.join(f'{money(cost)} a month with {reuse}' for reuse, cost in by_reuse)} ({default.title}).",
        "* **NAT.** Responses leave through the load balancer. No NAT gateway and no endpoint carries them, so their data stays at",
        f"  {DATA} GB a month.",
        "* **Logs.** nowd writes no line for a request: `--access-log` is not set. The flow logs have records of each connection.",
        "  Storing logs is left out, and so are the lower prices of flow logs beyond 10 TB a month.",
        *limits(),
        "* **Fargate.** AWS publishes no bandwidth for tasks as small as these. Measure it before you rely on it.",
        "* **Left out:** peaks, the addresses that a load balancer adds when it grows, and packets without data.",
    ]


def section() -> list[str]:
    tables = [line for variant in SHOWN for line in ["", *part_by_part(variant)]]
    hosts = parts(SHOWN[0], MOST)["Hosts, or tasks on Fargate"] / total(SHOWN[0], MOST)
    return [
        "## What a load costs",
        "",
        f"In US dollars a month, for `GET /now` at an even rate. A million a month is {LOADS[0].rate:.2f} a second. The table above",
        "has 1 LCU and no data to the internet. These tables have what each load takes, by the [assumptions](#what-this-assumes) below.",
        "",
        *overview(),
        "",
        f"{MOST.name} take {MOST.cpus:.1f} vCPUs of nowd. With {SHOWN[0].title}, the hosts are {hosts:.1%} of the month's costs.",
        *tables,
        "",
        "### LCUs",
        "",
        "A load balancer is paid by the largest of four dimensions.",
        "",
        *dimensions(),
        "",
        "### What settings add",
        "",
        *of_settings(),
        "",
        "### What this assumes",
        "",
        *assumptions(),
        "",
        *notes(),
    ]
