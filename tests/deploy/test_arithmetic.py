"""Numbers that have to agree: in a template, between templates, and with the program that they are about."""

import re
import sys
import tomllib
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from cloudformation import ROOT, stack

sys.path.insert(0, str(ROOT / "docs"))

import aws_prices  # noqa: E402
import costs_of_load as load_costs  # noqa: E402
from costs_of_deployment import VARIANTS  # noqa: E402

MICRO = {"memory": 914, "vcpus": 2, "baseline": 0.10, "interfaces": 2}
"""A t3.micro: MiB that Linux has of its 1024 (as the agent finds it), CPUs, the share of each that costs no credits."""

SERVICE = stack("web-service")
HOSTS = stack("hosts")
TASK = SERVICE.only("AWS::ECS::TaskDefinition")
[CONTAINER] = TASK["ContainerDefinitions"]
GROUP = SERVICE.only("AWS::ElasticLoadBalancingV2::TargetGroup")
ATTRIBUTES = {attribute["Key"]: attribute["Value"] for attribute in GROUP["TargetGroupAttributes"]}
ENVIRONMENT = {variable["Name"]: variable["Value"] for variable in CONTAINER["Environment"]}
USER_DATA = HOSTS.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["UserData"]
CONFIG = dict(re.findall(r"^(ECS_\w+)=(.*)$", USER_DATA, re.MULTILINE))


def source(file: str) -> str:
    return (ROOT / "services/app/src" / file).read_text()


def drain() -> int:
    return int(re.fullmatch(r"(\d+)s", ENVIRONMENT["NOWD_DRAIN_DELAY"])[1])


# How a task ends.


def test_nowd_is_not_killed_while_it_drains():
    last = re.search(r"const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs\((\d+)\)", source("process/shutdown.rs"))
    assert drain() + int(last[1]) < CONTAINER["StopTimeout"] <= 120


def test_nowd_serves_until_the_balancer_has_let_go():
    unready = GROUP["HealthCheckIntervalSeconds"] * GROUP["UnhealthyThresholdCount"]
    assert unready < drain()
    assert int(ATTRIBUTES["deregistration_delay.timeout_seconds"]) < drain()


def test_the_balancer_closes_idle_connections_before_nowd_does():
    [balancer] = stack("load-balancers").of_type("AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    idle = next(a["Value"] for a in balancer["LoadBalancerAttributes"] if a["Key"] == "idle_timeout.timeout_seconds")
    nowd = re.search(r'NOWD_IDLE_TIMEOUT"[^\]]*default_value = "(\d+)s"', source("settings/flags.rs"))
    assert "NOWD_IDLE_TIMEOUT" not in ENVIRONMENT
    assert int(idle) < int(nowd[1])


# How a task begins.


def test_a_new_task_has_time_to_become_healthy():
    healthy = GROUP["HealthCheckIntervalSeconds"] * GROUP["HealthyThresholdCount"]
    assert healthy < SERVICE.only("AWS::ECS::Service")["HealthCheckGracePeriodSeconds"]
    assert GROUP["HealthCheckTimeoutSeconds"] < GROUP["HealthCheckIntervalSeconds"]
    check = CONTAINER["HealthCheck"]
    assert check["Timeout"] < check["Interval"]


def test_the_port_is_the_same_everywhere():
    port = int(ENVIRONMENT["NOWD_LISTEN"].split(":")[1])
    [mapping] = CONTAINER["PortMappings"]
    [balanced] = SERVICE.only("AWS::ECS::Service")["LoadBalancers"]
    assert port == mapping["ContainerPort"] == balanced["ContainerPort"]
    assert balanced["ContainerName"] == CONTAINER["Name"]
    assert port > 1024, "uid 65532 without capabilities could not bind it"
    assert GROUP["HealthCheckPort"] == "traffic-port"


def test_the_paths_exist():
    routes = source("routes.rs")
    [rule] = SERVICE.of_type("AWS::ElasticLoadBalancingV2::ListenerRule").values()
    for path in [GROUP["HealthCheckPath"], *rule["Conditions"][0]["PathPatternConfig"]["Values"]]:
        assert f'"{path}"' in routes or path == "/assets/*"
    # What is counted: all values of all conditions of a rule.
    assert len(rule["Conditions"][0]["PathPatternConfig"]["Values"]) <= 5


def test_the_program_knows_the_variables():
    known = source("settings/flags.rs")
    [container] = stack("web-service", MaxClockError="1s").only("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    for variable in container["Environment"]:
        assert f'"{variable["Name"]}"' in known, variable["Name"]


# Where tasks fit: a deployment of everything that is wanted at most, and the loss of a host.


def slots(hosts: int) -> int:
    """How many tasks the scheduler places on so many hosts."""
    memory = (MICRO["memory"] - int(CONFIG["ECS_RESERVED_MEMORY"])) // CONTAINER["MemoryReservation"]
    cpu = MICRO["vcpus"] * 1024 // CONTAINER["Cpu"]
    return hosts * min(memory, cpu)


def test_the_default_host_is_the_one_that_is_reckoned_with():
    assert HOSTS.parameters["InstanceType"] == "t3.micro"
    assert slots(HOSTS.parameters["MaxHosts"]) == 32, "WebService.yaml says so in a comment"


def test_the_preflight_knows_what_fits():
    said = (ROOT / "library/host_rules.py").read_text()
    known = dict(re.findall(r"^(RESERVED_MEMORY_MIB|WHILE_DEPLOYING|LINUX_HAS) = ([0-9.]+)", said, re.MULTILINE))
    assert f"TASK_MEMORY_MIB, TASK_CPU = {CONTAINER['MemoryReservation']}, {CONTAINER['Cpu']}" in said
    assert known["RESERVED_MEMORY_MIB"] == CONFIG["ECS_RESERVED_MEMORY"]
    assert 0.95 * MICRO["memory"] < 1024 * float(known["LINUX_HAS"]) <= MICRO["memory"]
    percent = SERVICE.only("AWS::ECS::Service")["DeploymentConfiguration"]["MaximumPercent"]
    assert int(known["WHILE_DEPLOYING"]) * 100 == percent
    assert f"{slots(1)} on each t3.micro" in (ROOT / "group_vars/all.yml").read_text()


def test_a_deployment_at_full_scale_fits():
    percent = SERVICE.only("AWS::ECS::Service")["DeploymentConfiguration"]["MaximumPercent"]
    assert SERVICE.parameters["MaxTasks"] * percent // 100 <= slots(HOSTS.parameters["MaxHosts"])


def test_the_hosts_can_become_more_and_a_deployment_at_full_scale_needs_that():
    assert HOSTS.parameters["MaxHosts"] > HOSTS.parameters["MinHosts"]
    percent = SERVICE.only("AWS::ECS::Service")["DeploymentConfiguration"]["MaximumPercent"]
    assert SERVICE.parameters["MaxTasks"] * percent // 100 > slots(HOSTS.parameters["MinHosts"])


def test_requests_come_before_the_cpu():
    """So they lead: at the requests that are asked for, the CPU is far from its own target."""
    policies = SERVICE.of_type("AWS::ApplicationAutoScaling::ScalingPolicy").values()
    target = {p["PolicyName"]: p["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for p in policies}
    microseconds = 10
    used = target["requests"] / 60 * microseconds / 1_000_000 * 1024
    assert used < CONTAINER["Cpu"] * target["cpu"] / 100 / 2
    assert next(iter(target)) == "requests"

def test_a_deployment_at_least_scale_fits_on_what_is_left_when_a_zone_is_lost():
    percent = SERVICE.only("AWS::ECS::Service")["DeploymentConfiguration"]["MaximumPercent"]
    assert SERVICE.parameters["MinTasks"] * percent // 100 <= slots(HOSTS.parameters["MinHosts"] - 1)


def test_all_tasks_fit_on_the_hosts_that_are_left_when_a_zone_is_lost():
    assert SERVICE.parameters["MaxTasks"] <= slots(HOSTS.parameters["MaxHosts"] // 2)


def test_an_interface_for_each_task_would_not_do():
    """Why the network is the bridge. One interface of a host is its own."""
    per_task = HOSTS.parameters["MinHosts"] * (MICRO["interfaces"] - 1)
    assert per_task < 2 * SERVICE.parameters["MinTasks"]
    assert TASK["NetworkMode"] == "bridge"


def test_hosts_do_not_run_out_of_memory_when_each_task_takes_all_that_it_may():
    most = -(-SERVICE.parameters["MaxTasks"] // HOSTS.parameters["MinHosts"])
    assert most * CONTAINER["Memory"] <= MICRO["memory"] - int(CONFIG["ECS_RESERVED_MEMORY"])


def test_all_connections_that_a_task_may_have_fit_into_its_memory():
    kib = int(ENVIRONMENT["NOWD_MAX_CONNECTIONS"]) * 26 + 4 * 1024  # heads of 16 KiB, the kernel's part, nowd itself
    assert kib / 1024 < CONTAINER["Memory"]


def test_a_task_has_the_files_that_its_connections_need():
    [files] = CONTAINER["Ulimits"]
    threads = 8  # one for each core: more than hosts of this size have
    others = 48 + threads * (8 + 1) + 2 * 256  # as services/app/src/process/open_files.rs has it
    assert int(ENVIRONMENT["NOWD_MAX_CONNECTIONS"]) + others <= files["HardLimit"]


def test_scaling_comes_before_credits_are_spent():
    policies = SERVICE.of_type("AWS::ApplicationAutoScaling::ScalingPolicy").values()
    [cpu] = [policy for policy in policies if policy["PolicyName"] == "cpu"]
    target = cpu["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
    assert CONTAINER["Cpu"] * target / 100 < MICRO["vcpus"] * MICRO["baseline"] * 1024


def test_sizes_are_in_order():
    assert HOSTS.parameters["MinHosts"] <= HOSTS.parameters["DesiredHosts"] <= HOSTS.parameters["MaxHosts"]
    assert 2 <= SERVICE.parameters["MinTasks"] <= SERVICE.parameters["MaxTasks"]


# Ports.


def test_the_ports_that_are_opened_are_those_that_tasks_are_given():
    low, high = map(int, CONFIG["ECS_DYNAMIC_HOST_PORT_RANGE"].split("-"))
    groups = stack("security-groups")
    [egress] = groups.resources["LoadBalancerSecurityGroup"]["Properties"]["SecurityGroupEgress"]
    ingress = groups.only("AWS::EC2::SecurityGroupIngress")
    for rule in (egress, ingress):
        assert (rule["FromPort"], rule["ToPort"]) == (low, high)
    assert high - low > slots(1)


# A new host.


def test_a_host_is_given_up_only_after_it_has_given_up_itself():
    request, pause, patience = map(int, re.search(r"TIMEOUT, PAUSE, PATIENCE = (\d+), (\d+), (\d+)", USER_DATA).groups())
    # For the provider, then for the agent, then for the word of it; the last try of each may begin at its end, and makes up
    # to seven requests.
    tries = 3 * (7 * request + pause) + 2 * patience
    group = HOSTS.resources["Hosts"]
    hook = HOSTS.only("AWS::AutoScaling::LifecycleHook")
    assert tries < hook["HeartbeatTimeout"]
    assert f"'{hook['LifecycleHookName']}'" in USER_DATA
    assert f"'{group['Properties']['AutoScalingGroupName']}'" in USER_DATA
    role = str(HOSTS.only("AWS::IAM::Role"))
    assert f"autoScalingGroupName/{group['Properties']['AutoScalingGroupName']}'" in role


def test_who_speaks_for_a_host_is_started_before_anything_that_may_fail():
    started = USER_DATA.index("systemctl start --no-block say-ready.service")
    before = USER_DATA[:started]
    # What stands between the marks is written to files, and only run later.
    run_before = re.sub(r"<<'EOF'\n.*?\nEOF\n", "\n", before, flags=re.DOTALL)
    assert set(re.findall(r"^([a-z]\S*)", run_before, re.MULTILINE)) == {"set", "cat", "chmod", "systemctl"}
    assert started < USER_DATA.index("\n/usr/local/sbin/this-host wait-for-provider")


def test_an_agent_that_is_restarted_does_not_cost_a_host():
    minutes = int(re.search(r"^MINUTES = (\d+)$", USER_DATA, re.MULTILINE)[1])
    assert 5 <= minutes <= 15


def test_the_alarm_on_hosts_counts_one_word_of_each_in_every_minute():
    alarm = SERVICE.of_type("AWS::CloudWatch::Alarm")["TooFewHostsAlarm"]
    assert (alarm["Statistic"], alarm["Period"], alarm["Threshold"]) == ("Sum", 60, SERVICE.parameters["MinHosts"])
    assert "OnCalendar=*:*:30" in USER_DATA, "never at the edge of a minute, so that none has two of one host"
    # One that speaks too late is missing in one minute only.
    assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"] > 1


def test_one_more_host_is_launched_while_one_is_replaced():
    preferences = HOSTS.resources["Hosts"]["UpdatePolicy"]["AutoScalingInstanceRefresh"]["Preferences"]
    hosts = HOSTS.parameters["DesiredHosts"]
    assert hosts * preferences["MaxHealthyPercentage"] / 100 >= hosts + 1


# The first deployment.


def window(name: str) -> int:
    """How many seconds back an alarm looks."""
    alarm = SERVICE.of_type("AWS::CloudWatch::Alarm")[name]
    return alarm["Period"] * alarm["EvaluationPeriods"]


def test_the_first_deployment_is_over_before_an_alarm_misses_the_other_tasks():
    # ECS works out for how long it watches a deployment that has come to rest from the alarms that it watches, and does
    # not say how: supposed is twice as long as the slowest looks back.
    names = SERVICE.only("AWS::ECS::Service")["DeploymentConfiguration"]["Alarms"]["AlarmNames"]
    watched = 2 * max(window(re.sub(r"\W", "", name)) for name in names)
    started = 2 * 60  # twice: the first task, and the others when MinTasks are asked for
    assert watched + 2 * started < window("TooFewHealthyAlarm")
    # And what is alarmed by silence looks no further back than the first task has been there.
    for name in ("NoneHealthyAlarm", "ClockUnsynchronizedAlarm"):
        assert window(name) <= max(window(re.sub(r"\W", "", n)) for n in names)


# The monitor.

MONITOR = stack("monitor")
[NOWCHECK] = MONITOR.only("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
TEMPLATE_OF_CONFIGURATION = (ROOT / "services/monitor.toml").read_text()


def configuration() -> dict:
    text = TEMPLATE_OF_CONFIGURATION.replace("{{ environment_name }}", "nowd").replace("{{ outputs.Url }}", "http://nowd.example")
    assert "{{" not in text
    return tomllib.loads(text)


def test_the_alarms_of_the_monitor_watch_what_its_configuration_exports():
    [check], [export] = configuration()["check"], configuration()["export"]
    for alarm in MONITOR.of_type("AWS::CloudWatch::Alarm").values():
        several = [one["MetricStat"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
        for metric in [one["Metric"] | {"Period": one["Period"]} for one in several] or [alarm]:
            assert metric["Namespace"] == export["namespace"]
            assert metric["Dimensions"] == [{"Name": "check", "Value": check["name"]}]
            assert f'"{metric["MetricName"]}"' in (ROOT / "crates/nowcheck-watch/src/export/emf.rs").read_text()
            assert metric["Period"] == 60
            if metric["MetricName"].startswith("nowcheck_clock"):
                # The limit of nowcheck itself, which the configuration leaves as it is.
                assert abs(alarm["Threshold"]) == 1
                assert "max_offset" not in check
    # One line in each of them; its rounds are held meanwhile.
    assert (export["type"], export["every"], check["every"]) == ("emf", "1m", "10s")
    assert "path" not in export, "to the log"


def test_the_configuration_fits_into_its_parameter():
    longest = TEMPLATE_OF_CONFIGURATION.replace("{{ environment_name }}", "n" * 32).replace("{{ outputs.Url }}", "u" * 300)
    most = int(re.search(r"^MOST_BYTES = (\d+)$", (ROOT / "library/setting_rules.py").read_text(), re.MULTILINE)[1])
    assert len(longest.encode()) < most / 2


def test_the_health_check_of_the_monitor_asks_where_it_listens():
    check = NOWCHECK["HealthCheck"]
    assert f"http://{configuration()['server']['listen']}/healthz" in check["Command"]
    assert check["Timeout"] < check["Interval"]


def test_the_monitor_takes_the_place_of_one_task_at_the_most():
    """As the preflight reckons (library/host_rules.py)."""
    assert NOWCHECK["MemoryReservation"] <= CONTAINER["MemoryReservation"]
    assert NOWCHECK["Cpu"] <= CONTAINER["Cpu"]
    # And a deployment at full scale fits beside it, as hosts and tasks are set.
    percent = SERVICE.only("AWS::ECS::Service")["DeploymentConfiguration"]["MaximumPercent"]
    assert SERVICE.parameters["MaxTasks"] * percent // 100 <= slots(HOSTS.parameters["MaxHosts"]) - 1


# Metrics.


def test_alarms_watch_what_the_program_publishes():
    watched = {
        (a["Namespace"], a["MetricName"], a["Dimensions"][0]["Name"], a["Dimensions"][0]["Value"])
        for a in SERVICE.of_type("AWS::CloudWatch::Alarm").values()
        if not a.get("Namespace", "AWS/").startswith("AWS/")
    }
    environment = ENVIRONMENT["NOWD_METRICS_ENVIRONMENT"]
    of_tasks = {("nowd", name, "Environment", environment) for name in ("ClockMaxError", "ClockSynchronized")}
    # By the program of each host: test_host_program.py.
    assert watched == {*of_tasks, ("nowd", "ConnectedHosts", "Environment", environment)}
    assert ENVIRONMENT["NOWD_METRICS"] == "emf"


@pytest.mark.parametrize("name", ["ClockMaxError", "ClockSynchronized"])
def test_the_program_publishes_what_alarms_watch(name):
    published = "".join(path.read_text() for path in (ROOT / "services/app/src").rglob("*.rs"))
    assert "NOWD_METRICS" in published
    assert f'"{name}"' in published


# What a load costs (docs/costs.md).

HALF_OF_EACH = [load for most in load_costs.LOADS for load in (replace(most, rate=most.rate / 2), most)]
"""The loads of the page, and half of each: from the least to the most."""


@pytest.fixture(params=VARIANTS, ids=lambda variant: re.sub(r"[^a-z0-9.-]+", "-", variant.title).strip("-"))
def shipped(request):
    return request.param


def amount(cell: str) -> Decimal:
    return Decimal(cell.strip(" *").replace(",", ""))


def test_what_a_request_takes_is_what_the_page_on_performance_says():
    page = (ROOT / "docs/performance.md").read_text().split("<!-- bench-request -->")[1].split("<!-- /bench-request -->")[0]
    of_nowd = page.split("With a balancer's head")[1].split("| nowd ")[1].splitlines()[0]
    taken = load_costs.request()
    assert f" {taken.microseconds} " in of_nowd
    assert f"{taken.answer} bytes a response" in page
    assert taken.asked > taken.answer > 100


def test_the_tables_of_parts_in_the_page_sum_to_their_totals():
    section = (ROOT / "docs/costs.md").read_text().split("## What a load costs")[1].split("### LCUs")[0]
    tables = section.split("\n### ")[1:]
    assert len(tables) >= 2
    for table in tables:
        before, _, after = table.partition("| **A month** |")
        rows = [line.split("|")[2:-1] for line in before.splitlines() if re.match(r"\| [A-Z]", line)]
        sums = [sum(map(amount, column)) for column in zip(*rows, strict=True)]
        assert len(rows) >= 6
        assert sums == [amount(cell) for cell in after.splitlines()[0].split("|")[:-1]], table


def test_more_load_never_costs_less(shipped):
    costs = [load_costs.total(shipped, load) for load in HALF_OF_EACH]
    assert all(less <= more for less, more in pairwise(costs)), costs
    millions = [load_costs.per_million(shipped, load) for load in HALF_OF_EACH]
    assert all(less >= more for less, more in pairwise(millions)), "a million more costs no more than the one before"


def test_a_load_never_needs_fewer_machines_than_there_are_at_least(shipped):
    counts = [load_costs.machines(shipped, load) for load in HALF_OF_EACH]
    assert counts[0] == 2
    assert counts == sorted(counts)


@pytest.mark.parametrize("load", load_costs.LOADS, ids=lambda load: load.name)
def test_an_lcu_is_the_largest_of_its_four_dimensions(load, shipped):
    dimensions = load_costs.capacity(load)
    assert len(dimensions) == 4
    assert load_costs.units(load) in dimensions.values()
    assert all(load_costs.units(load) >= one for one in dimensions.values())
    paid = load_costs.parts(shipped, load)["LCUs"]
    assert abs(paid - load_costs.units(load) * aws_prices.price("capacity")) <= Decimal("0.005")


def test_connections_decide_the_lcus_until_they_are_reused_for_long():
    [*_, most] = load_costs.LOADS

    def decisive(reuse: int) -> str:
        dimensions = load_costs.capacity(replace(most, reuse=reuse))
        return max(dimensions, key=dimensions.get)

    assert decisive(1).startswith("new connections")
    assert decisive(1000).startswith("bytes")


def test_a_rule_of_the_balancer_is_free():
    """Ten are. With more, each request pays for the others."""
    assert load_costs.rules() == 2
    assert all(load_costs.capacity(load)["rule evaluations (1,000 a second)"] == 0 for load in load_costs.LOADS)


def test_data_costs_by_its_tiers():
    first, more = aws_prices.price("out 10 TB"), aws_prices.price("out 50 TB")
    assert aws_prices.data_out(Decimal(10_240)) == 10_240 * first
    assert aws_prices.data_out(Decimal(10_241)) == 10_240 * first + more
    beyond = aws_prices.data_out(Decimal(200_001)) - aws_prices.data_out(Decimal(200_000))
    assert beyond == aws_prices.price("out")


def test_hosts_are_those_of_the_other_arithmetic_and_carry_the_bytes():
    assert (load_costs.HOST.cpus, float(load_costs.HOST.baseline)) == (MICRO["vcpus"], MICRO["baseline"])
    [*_, most] = load_costs.LOADS
    hosts = load_costs.machines(VARIANTS[0], most)
    request = load_costs.request()
    for size in (request.asked, request.answer):
        assert most.rate * (size + load_costs.PACKET) * 8 <= hosts * load_costs.HOST.megabits * 10**6
    assert load_costs.tasks(most) <= slots(hosts)


def test_cpu_beyond_the_baseline_is_paid_for():
    [*_, most] = load_costs.LOADS
    free = most.cpus / (load_costs.HOST.cpus * load_costs.HOST.baseline)
    assert load_costs.cpus_beyond_baseline(int(free) + 1, most) == 0
    assert load_costs.cpus_beyond_baseline(1, most) == most.cpus - Decimal("0.2")


def test_tasks_stay_below_the_use_of_cpu_at_which_more_are_added():
    for load in HALF_OF_EACH:
        used = load.cpus / load_costs.tasks(load)
        assert used <= Decimal(CONTAINER["Cpu"]) / 1024 * load_costs.scaling().cpu


def test_no_line_is_logged_for_a_request():
    """Otherwise docs/costs.md would have to reckon them."""
    assert not [name for name in ENVIRONMENT if "ACCESS" in name]
    assert "Command" not in CONTAINER


def test_nothing_but_the_balancer_carries_answers():
    """So no gateway and no endpoint is paid for them, however many there are."""
    for variant in VARIANTS:
        few, *_, many = (load_costs.parts(variant, load) for load in load_costs.LOADS)
        assert all(few[part] == many[part] for part in ("NAT gateways", "Endpoints"))
