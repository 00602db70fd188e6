"""Numbers that have to agree: in a template, between templates, and with the program that they are about."""

import re

import pytest
from cloudformation import ROOT, stack

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
