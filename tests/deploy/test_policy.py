"""Policy as code: what no change of the templates may undo. Each rule is asked of every stack in every variant."""

import json
import re

import pytest
from cloudformation import ALL, BOUNDARY, CERTIFICATE, FARGATE, FILES, ZONE, label, load, stack, violated

each = pytest.mark.parametrize("one", ALL, ids=label)
SERVICE = stack("web-service")
HOSTS = stack("hosts")
MONITOR = stack("monitor")
EGRESS = ["nat-per-zone", "nat-single", "public", "endpoints"]


def container():
    [container] = SERVICE.only("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    return container


# The task.


def test_the_task_is_not_root():
    user, group = container()["User"].split(":")
    assert int(user) >= 10_000, "a number, of nobody on the host"
    assert int(group) >= 10_000


def test_the_task_cannot_write_to_its_root():
    assert container()["ReadonlyRootFilesystem"] is True


def test_the_task_has_no_capabilities_and_can_gain_none():
    assert container()["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert container()["DockerSecurityOptions"] == ["no-new-privileges"]
    assert container()["Privileged"] is False


def test_the_task_shares_nothing_with_the_host():
    task = SERVICE.only("AWS::ECS::TaskDefinition")
    assert task["NetworkMode"] == "bridge"
    assert not task.keys() & {"PidMode", "IpcMode", "Volumes"}
    assert "MountPoints" not in container()


def test_the_task_has_no_role_and_nobody_gets_a_shell_in_it():
    assert "TaskRoleArn" not in SERVICE.only("AWS::ECS::TaskDefinition")
    assert SERVICE.only("AWS::ECS::Service")["EnableExecuteCommand"] is False


def test_the_task_is_bounded():
    assert container()["Memory"] > container()["MemoryReservation"] > 0
    assert container()["Cpu"] > 0
    assert [limit["Name"] for limit in container()["Ulimits"]] == ["nofile"]


def test_the_task_gets_no_secrets():
    assert "Secrets" not in container()
    names = {variable["Name"] for variable in container()["Environment"]}
    assert not [name for name in names if re.search("KEY|SECRET|PASSWORD|TOKEN", name)]


def test_logging_never_blocks_the_task():
    options = container()["LogConfiguration"]["Options"]
    assert options["mode"] == "non-blocking"
    assert options["max-buffer-size"]


def test_the_task_listens_at_any_port_of_the_host_that_is_free():
    [port] = container()["PortMappings"]
    assert "HostPort" not in port


# The task on Fargate: what is said above of the container holds there too, but for what Fargate has no word for.

ON_FARGATE = stack("web-service", **FARGATE)


def container_on_fargate():
    [container] = ON_FARGATE.only("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    return container


def test_a_task_on_fargate_differs_only_in_what_fargate_does_differently():
    here, there = container(), container_on_fargate()
    assert {key for key in {**here, **there} if here.get(key) != there.get(key)} == {
        "Privileged", "DockerSecurityOptions", "Environment"
    }  # fmt: skip
    # Fargate takes neither.
    assert not there.keys() & {"Privileged", "DockerSecurityOptions"}
    added = [one for one in there["Environment"] if one not in here["Environment"]]
    assert added == [{"Name": "NOWD_CLOCK_SOURCE", "Value": "ecs-metadata"}]
    task = ON_FARGATE.only("AWS::ECS::TaskDefinition")
    assert (task["RequiresCompatibilities"], task["NetworkMode"]) == (["FARGATE"], "awsvpc")
    # The smallest pair that there is, and the container fits.
    assert (task["Cpu"], task["Memory"]) == ("256", "512")
    assert (there["Cpu"], there["Memory"]) <= (256, 512)
    assert task["RuntimePlatform"] == {"CpuArchitecture": "X86_64", "OperatingSystemFamily": "LINUX"}
    assert "TaskRoleArn" not in task


@pytest.mark.parametrize(("egress", "public"), [("nat-per-zone", "DISABLED"), ("public", "ENABLED"), ("endpoints", "DISABLED")])
def test_a_task_on_fargate_is_reached_by_the_load_balancer_alone(egress, public):
    service = stack("web-service", **FARGATE, Egress=egress).only("AWS::ECS::Service")
    assert service["LaunchType"] == "FARGATE"
    assert not service.keys() & {"CapacityProviderStrategy", "PlacementStrategies"}
    interface = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert (interface["AssignPublicIp"], interface["SecurityGroups"]) == (public, ["sg-2"])
    groups = stack("security-groups", Compute="fargate")
    [rule] = [rule for group, rule in ingress(groups) if group == "HostSecurityGroup"]
    assert rule["SourceSecurityGroupId"] == "${LoadBalancerSecurityGroup.GroupId}"
    [port] = container_on_fargate()["PortMappings"]
    [out] = groups.resources["LoadBalancerSecurityGroup"]["Properties"]["SecurityGroupEgress"]
    assert {rule["FromPort"], rule["ToPort"], out["FromPort"], out["ToPort"]} == {port["ContainerPort"]}
    assert ON_FARGATE.only("AWS::ElasticLoadBalancingV2::TargetGroup")["TargetType"] == "ip"


def test_without_hosts_nothing_waits_for_a_word_of_one():
    alarms = ON_FARGATE.of_type("AWS::CloudWatch::Alarm")
    assert set(SERVICE.of_type("AWS::CloudWatch::Alarm")) - set(alarms) == {"TooFewHostsAlarm"}
    dashboard = json.loads(ON_FARGATE.only("AWS::CloudWatch::Dashboard")["DashboardBody"])
    shown = {arn for w in dashboard["widgets"] if w["type"] == "alarm" for arn in w["properties"]["alarms"]}
    assert shown == {f"${{{name}.Arn}}" for name in alarms}


def test_a_closed_network_for_fargate_has_the_endpoints_that_tasks_need_alone():
    endpoints = stack("vpc", Egress="endpoints", Compute="fargate").of_type("AWS::EC2::VPCEndpoint").values()
    there = {endpoint["ServiceName"].split(".", 3)[3] for endpoint in endpoints}
    assert there == {"ecr.api", "ecr.dkr", "logs", "s3"}


# The monitor: what is said above of the container of nowd holds for it too.


def container_of_monitor(**parameters):
    [container] = stack("monitor", **parameters).only("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    return container


@pytest.mark.parametrize("compute", [{}, FARGATE])
def test_the_monitor_has_as_few_rights_as_the_service(compute):
    monitor, service = container_of_monitor(**compute), container() if not compute else container_on_fargate()
    for key in ("User", "Privileged", "ReadonlyRootFilesystem", "DockerSecurityOptions", "LinuxParameters"):
        assert monitor.get(key) == service.get(key), key
    task, ours = (stack(name, **compute).only("AWS::ECS::TaskDefinition") for name in ("monitor", "web-service"))
    for key in ("NetworkMode", "RequiresCompatibilities", "Cpu", "Memory", "RuntimePlatform"):
        assert task.get(key) == ours.get(key), key
    assert not task.keys() & {"TaskRoleArn", "PidMode", "IpcMode", "Volumes"}
    # Nobody reaches it.
    assert not monitor.keys() & {"PortMappings", "MountPoints"}
    assert monitor["Memory"] > monitor["MemoryReservation"] > 0
    options = monitor["LogConfiguration"]["Options"]
    assert (options["mode"], options["awslogs-group"]) == ("non-blocking", "${LogGroup}")


def test_there_is_one_monitor_and_never_two():
    service = MONITOR.only("AWS::ECS::Service")
    deployment = service["DeploymentConfiguration"]
    assert (service["DesiredCount"], deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (1, 0, 100)
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    # ECS refuses it together with a maximum of 100.
    assert service["AvailabilityZoneRebalancing"] == "DISABLED"
    assert service["EnableExecuteCommand"] is False
    assert (service["PropagateTags"], service["EnableECSManagedTags"]) == ("SERVICE", True)


def test_a_configuration_is_a_parameter_of_its_own_that_never_changes():
    """So tasks that a rollback starts again find the one that they had."""
    parameter = MONITOR.only("AWS::SSM::Parameter")
    assert parameter["Name"] == "/nowd/nowd/monitor/" + MONITOR.parameters["ConfigurationHash"]
    assert parameter["Value"] == MONITOR.parameters["Configuration"]
    monitor = container_of_monitor()
    [secret] = monitor["Secrets"]
    assert secret["ValueFrom"].endswith(":parameter${ConfigurationParameter}")
    assert f"env:{secret['Name']}" in monitor["Command"]
    assert "Environment" not in monitor


def test_the_monitor_reads_its_configuration_and_image_and_writes_its_log_and_nothing_else():
    allowed = {tuple(listed(s["Action"])): s["Resource"] for s in statements(MONITOR.only("AWS::IAM::Role"))}
    assert {action for actions in allowed for action in actions} == {
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
        "ssm:GetParameters", "logs:CreateLogStream", "logs:PutLogEvents",
    }  # fmt: skip
    assert allowed[("ssm:GetParameters",)].endswith(":parameter/nowd/nowd/monitor/*")
    assert allowed[("logs:CreateLogStream", "logs:PutLogEvents")] == "${LogGroup.Arn}"


def test_the_monitor_on_fargate_goes_out_as_the_service_does():
    for egress, public in (("nat-single", "DISABLED"), ("public", "ENABLED")):
        service = stack("monitor", **FARGATE, Egress=egress).only("AWS::ECS::Service")
        interface = service["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert (interface["AssignPublicIp"], interface["SecurityGroups"]) == (public, ["sg-2"])
        assert service["LaunchType"] == "FARGATE"
        assert "CapacityProviderStrategy" not in service


def test_no_monitor_stands_where_there_is_no_way_to_the_public_url():
    definition = MONITOR.template["Parameters"]["Egress"]
    assert [one for one in EGRESS if violated(definition, one)] == ["endpoints"]


@pytest.mark.parametrize(
    ("parameters", "ports"),
    [({}, {443}), ({"Monitor": "true"}, {80, 443}), ({"Monitor": "true", "CertificateArn": CERTIFICATE}, {443})],
)
def test_port_80_is_open_to_the_outside_only_for_a_monitor_that_needs_it(parameters, ports):
    group = stack("security-groups", **parameters).resources["HostSecurityGroup"]["Properties"]
    assert {rule["FromPort"] for rule in group["SecurityGroupEgress"]} == ports


def test_the_images_of_the_monitor_are_kept_as_those_of_the_service():
    nowd, nowcheck = stack("registry", Monitor="true").of_type("AWS::ECR::Repository").values()
    assert {**nowd, "RepositoryName": "nowd-nowcheck"} == nowcheck
    assert len(stack("registry").of_type("AWS::ECR::Repository")) == 1


# What is public.


def ingress(one):
    """(group, rule) of everything that is let in."""
    for name, group in one.of_type("AWS::EC2::SecurityGroup").items():
        for rule in group.get("SecurityGroupIngress", []):
            yield name, rule
    for rule in one.of_type("AWS::EC2::SecurityGroupIngress").values():
        yield re.sub(r"\W|GroupId", "", rule["GroupId"]), rule


@pytest.mark.parametrize(
    ("parameters", "ports"), [({}, [80]), ({"CertificateArn": CERTIFICATE}, [80, 443]), (ZONE, [80, 443])]
)
def test_the_world_reaches_port_80_and_443_only_with_a_certificate(parameters, ports):
    for name in ("security-groups", "vpc", "load-balancers"):
        known = load(FILES[name])["Parameters"]
        one = stack(name, **{key: value for key, value in parameters.items() if key in known})
        for family, everybody in (("CidrIp", "0.0.0.0/0"), ("CidrIpv6", "::/0")):
            world = [(group, rule) for group, rule in ingress(one) if rule.get(family) == everybody]
            wanted = [("LoadBalancerSecurityGroup", port, port) for port in ports] if name == "security-groups" else []
            assert [(group, rule["FromPort"], rule["ToPort"]) for group, rule in world] == wanted
        assert all(rule["CidrIpv6"] == "::/0" for _, rule in ingress(one) if "CidrIpv6" in rule)
    listeners = stack("load-balancers", **parameters).of_type("AWS::ElasticLoadBalancingV2::Listener").values()
    assert [listener["Port"] for listener in listeners] == ports


@each
def test_nothing_lets_ssh_in(one):
    for _, rule in ingress(one):
        assert rule["IpProtocol"] == "tcp", "one protocol, named"
        assert not rule["FromPort"] <= 22 <= rule["ToPort"]
    text = json.dumps(one.resources, default=str)
    assert "KeyName" not in text


def test_hosts_are_reached_by_the_load_balancer_alone():
    rules = [rule for group, rule in ingress(stack("security-groups")) if group == "HostSecurityGroup"]
    assert [rule["SourceSecurityGroupId"] for rule in rules] == ["${LoadBalancerSecurityGroup.GroupId}"]
    assert not any(rule.keys() & {"CidrIp", "CidrIpv6", "SourcePrefixListId"} for rule in rules)


@each
def test_every_security_group_names_what_may_leave_and_says_why(one):
    for name, group in one.of_type("AWS::EC2::SecurityGroup").items():
        assert group["SecurityGroupEgress"], f"{name} would be given a rule that allows everything"
        for rule in [*group["SecurityGroupEgress"], *(rule for _, rule in ingress(one))]:
            assert rule["Description"]
            assert rule["IpProtocol"] == "tcp"
        for rule in group["SecurityGroupEgress"]:
            assert "CidrIpv6" not in rule
            to_world = rule.get("CidrIp") == "0.0.0.0/0"
            # 80 for the monitor alone, which asks the public URL.
            ports = [(443, 443), (80, 80)] if one.parameters.get("Monitor") == "true" else [(443, 443)]
            assert not to_world or (rule["FromPort"], rule["ToPort"]) in ports


@each
def test_no_resource_uses_the_security_group_that_the_vpc_was_born_with(one):
    assert "DefaultSecurityGroup" not in json.dumps(one.resources, default=str)
    has_its_own = "without a group of its own it gets that one"
    for template in one.of_type("AWS::EC2::LaunchTemplate").values():
        for interface in template["LaunchTemplateData"]["NetworkInterfaces"]:
            assert interface["Groups"], has_its_own
    for balancer in one.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer").values():
        assert balancer["SecurityGroups"], has_its_own
    for endpoint in one.of_type("AWS::EC2::VPCEndpoint").values():
        assert endpoint["VpcEndpointType"] == "Gateway" or endpoint["SecurityGroupIds"]


@pytest.mark.parametrize("egress", EGRESS)
def test_hosts_have_public_addresses_only_where_they_are_asked_for(egress):
    vpc, cluster = stack("vpc", Egress=egress), stack("hosts", Egress=egress)
    for name, subnet in vpc.of_type("AWS::EC2::Subnet").items():
        assert subnet["MapPublicIpOnLaunch"] is False, name
    where = "Public" if egress == "public" else "Private"
    given = vpc.value(vpc.template["Outputs"]["HostSubnets"]["Value"])
    assert given == f"${{{where}Subnet1}},${{{where}Subnet2}}"
    assert cluster.only("AWS::AutoScaling::AutoScalingGroup")["VPCZoneIdentifier"] == cluster.parameters["HostSubnets"]
    [interface] = cluster.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is (egress == "public")
    assert interface["Groups"] == [cluster.parameters["HostSecurityGroup"]]


def test_the_load_balancer_and_nothing_else_is_reached_by_ipv6():
    balancer = stack("load-balancers").only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert balancer["IpAddressType"] == "dualstack"
    vpc = stack("vpc")
    for name, subnet in vpc.of_type("AWS::EC2::Subnet").items():
        assert ("Ipv6CidrBlock" in subnet) == name.startswith("Public"), name
        assert not subnet.get("AssignIpv6AddressOnCreation"), "hosts in public subnets would get one"
    # The range is there before a subnet takes its own from it.
    assert {vpc.resources[f"PublicSubnet{n}"]["DependsOn"] for n in (1, 2)} == {"Ipv6Addresses"}
    ranges = {vpc.resources[f"PublicSubnet{n}"]["Properties"]["Ipv6CidrBlock"] for n in (1, 2)}
    assert len(ranges) == 2
    [route] = [one for one in vpc.of_type("AWS::EC2::Route").values() if "DestinationIpv6CidrBlock" in one]
    assert (route["RouteTableId"], route["GatewayId"]) == ("${PublicRouteTable}", "${InternetGateway}")


def test_a_name_in_a_zone_has_its_certificate_and_both_kinds_of_records():
    one = stack("load-balancers", **ZONE)
    certificate = one.only("AWS::CertificateManager::Certificate")
    assert (certificate["DomainName"], certificate["ValidationMethod"]) == (ZONE["PublicName"], "DNS")
    # Without the zone CloudFormation would wait for somebody who makes the record by hand.
    assert certificate["DomainValidationOptions"] == [{"DomainName": ZONE["PublicName"], "HostedZoneId": ZONE["HostedZone"]}]
    assert one.resources["HttpsListener"]["Properties"]["Certificates"] == [{"CertificateArn": "${Certificate}"}]
    records = one.of_type("AWS::Route53::RecordSet").values()
    assert sorted(record["Type"] for record in records) == ["A", "AAAA"]
    assert {(record["Name"], record["AliasTarget"]["DNSName"]) for record in records} == {
        (ZONE["PublicName"], "${LoadBalancer.DNSName}")
    }
    assert one.value(one.template["Outputs"]["Url"]["Value"]) == f"https://{ZONE['PublicName']}"


def test_a_certificate_that_there_is_already_is_used_and_none_is_made():
    one = stack("load-balancers", **ZONE, CertificateArn=CERTIFICATE)
    assert not one.of_type("AWS::CertificateManager::Certificate")
    assert one.resources["HttpsListener"]["Properties"]["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert len(one.of_type("AWS::Route53::RecordSet")) == 2


def test_an_address_that_asks_too_often_is_blocked_only_where_that_is_asked_for():
    assert not [r for r in stack("load-balancers").resources.values() if r["Type"].startswith("AWS::WAFv2")]
    firewall = stack("load-balancers", RateLimit="600").only("AWS::WAFv2::WebACL")
    [rule] = firewall["Rules"]
    assert firewall["DefaultAction"] == {"Allow": {}}
    assert rule["Statement"]["RateBasedStatement"]["Limit"] == "600"
    assert rule["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 429


def test_the_paths_that_are_public_are_these():
    [rule] = SERVICE.of_type("AWS::ElasticLoadBalancingV2::ListenerRule").values()
    [condition] = rule["Conditions"]
    assert condition["PathPatternConfig"]["Values"] == ["/", "/now", "/.well-known/time", "/openapi.json", "/assets/*"]


@pytest.mark.parametrize("certificate", ["", CERTIFICATE])
def test_what_has_no_rule_is_answered_404(certificate):
    listeners = stack("load-balancers", CertificateArn=certificate).of_type("AWS::ElasticLoadBalancingV2::Listener")
    for listener in listeners.values():
        [action] = listener["DefaultActions"]
        if certificate and listener["Port"] == 80:
            assert (action["Type"], action["RedirectConfig"]["Protocol"]) == ("redirect", "HTTPS")
        else:
            assert (action["Type"], action["FixedResponseConfig"]["StatusCode"]) == ("fixed-response", "404")


def test_https_is_of_today():
    listener = stack("load-balancers", CertificateArn=CERTIFICATE).resources["HttpsListener"]["Properties"]
    assert re.fullmatch(r"ELBSecurityPolicy-TLS13-1-[23]-.*2025-09", listener["SslPolicy"])


def attributes(properties):
    [key] = [key for key in properties if key.endswith("Attributes")]
    return {attribute["Key"]: attribute["Value"] for attribute in properties[key]}


def test_the_load_balancer_drops_headers_that_are_not_valid():
    given = attributes(stack("load-balancers").only("AWS::ElasticLoadBalancingV2::LoadBalancer"))
    assert given["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert given["routing.http.desync_mitigation_mode"] in ("defensive", "strictest")


# Hosts.


def launch():
    return HOSTS.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]


def test_the_metadata_service_takes_tokens_only_and_no_task_reaches_it():
    options = launch()["MetadataOptions"]
    assert options["HttpTokens"] == "required"
    assert options["HttpPutResponseHopLimit"] == 1


def test_disks_are_encrypted_and_go_with_their_host():
    for mapping in launch()["BlockDeviceMappings"]:
        assert mapping["Ebs"]["Encrypted"] is True
        assert mapping["Ebs"]["DeleteOnTermination"] is True
        assert mapping["Ebs"]["VolumeType"] == "gp3"


def test_the_image_of_the_hosts_is_of_one_day():
    definition = HOSTS.template["Parameters"]["HostImage"]
    assert definition["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    assert re.search(r"2023\.0\.\d{8}-", definition["Default"])
    assert HOSTS.only("AWS::AutoScaling::AutoScalingGroup")["LaunchTemplate"]["Version"] == (
        "${LaunchTemplate.LatestVersionNumber}"
    )


def test_hosts_are_replaced_only_once_another_is_ready():
    group = HOSTS.resources["Hosts"]
    preferences = group["UpdatePolicy"]["AutoScalingInstanceRefresh"]["Preferences"]
    for policy in (preferences, group["Properties"]["InstanceMaintenancePolicy"]):
        assert policy["MinHealthyPercentage"] == 100
        assert policy["MaxHealthyPercentage"] > 100
    hook = HOSTS.only("AWS::AutoScaling::LifecycleHook")
    assert hook["AutoScalingGroupName"] == "${Hosts}"
    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
    assert hook["DefaultResult"] == "ABANDON"
    assert "MixedInstancesPolicy" not in group["Properties"]


def test_a_replacement_of_hosts_ends_when_requests_suffer():
    preferences = HOSTS.resources["Hosts"]["UpdatePolicy"]["AutoScalingInstanceRefresh"]["Preferences"]
    assert preferences["AlarmSpecification"] == {"Alarms": ["${ReplacementAlarm}"]}
    alarm = HOSTS.only("AWS::CloudWatch::Alarm")
    *metrics, errors = alarm["Metrics"]
    assert metrics_of(alarm) == OF_THE_BALANCER
    assert all(f"FILL({one['Id']}, 0)" in errors["Expression"] and not one["ReturnData"] for one in metrics)
    # At rest it is quiet: a refresh that begins while it rings would fail.
    assert alarm["TreatMissingData"] == "notBreaching"
    # What the last host does is seen before the refresh is over.
    assert preferences["BakeTime"] > metrics[0]["MetricStat"]["Period"] * alarm["EvaluationPeriods"] + 60


def test_no_host_registers_before_the_capacity_provider_is_there():
    """CloudFormation waits until the first hosts are in service before it makes the provider, and they, in this script,
    wait for the provider before the agent starts: so neither signal nor hook may keep the first ones out of service."""
    assert "CreationPolicy" not in HOSTS.resources["Hosts"]
    assert "LifecycleHookSpecificationList" not in HOSTS.resources["Hosts"]["Properties"]
    assert launch()["UserData"].rstrip().endswith("/usr/local/sbin/this-host wait-for-provider")
    assert "ecs:DescribeClusters" in str(HOSTS.only("AWS::IAM::Role"))


def test_hosts_are_drained_but_never_protected_from_deletion():
    provider = HOSTS.only("AWS::ECS::CapacityProvider")["AutoScalingGroupProvider"]
    assert provider["ManagedDraining"] == "ENABLED"
    assert provider["ManagedScaling"]["Status"] == "ENABLED"
    assert provider["ManagedTerminationProtection"] == "DISABLED"
    assert HOSTS.only("AWS::AutoScaling::AutoScalingGroup")["NewInstancesProtectedFromScaleIn"] is False


def test_an_update_does_not_undo_what_scaling_did():
    policy = HOSTS.resources["Hosts"]["UpdatePolicy"]
    assert policy["AutoScalingScheduledAction"]["IgnoreUnmodifiedGroupSizeProperties"] is True
    assert "DesiredCount" not in SERVICE.only("AWS::ECS::Service")


def test_the_agent_uses_the_role_of_the_task_for_its_log():
    assert "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE=true" in launch()["UserData"]
    assert "logs:" not in json.dumps(HOSTS.only("AWS::IAM::Role"))


def test_the_agent_offers_what_the_security_options_of_the_task_need():
    assert container()["DockerSecurityOptions"]
    assert re.search(r"^ECS_(SELINUX|APPARMOR)_CAPABLE=true$", launch()["UserData"], re.MULTILINE)


def test_a_host_and_what_it_is_made_of_say_whose_they_are():
    specifications = {s["ResourceType"]: s["Tags"] for s in launch()["TagSpecifications"]}
    assert set(specifications) == {"instance", "volume", "network-interface"}
    for tags in specifications.values():
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"Name": "nowd-host", "Environment": "nowd"}


def test_tasks_have_the_tags_of_their_service():
    service = SERVICE.only("AWS::ECS::Service")
    assert (service["PropagateTags"], service["EnableECSManagedTags"]) == ("SERVICE", True)


def test_user_data_does_not_wait_for_the_agent_which_waits_for_it():
    boot = re.sub(r"cat > \S+ <<'EOF'\n.*?\nEOF\n", "", launch()["UserData"], flags=re.DOTALL)
    assert "51678" not in boot
    assert "systemctl start --no-block" in boot


# Deployments.


@pytest.mark.parametrize("service", [SERVICE, ON_FARGATE], ids=label)
def test_a_deployment_that_fails_is_rolled_back_and_takes_no_task_first(service):
    deployment = service.only("AWS::ECS::Service")["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert deployment["Alarms"]["Enable"] is deployment["Alarms"]["Rollback"] is True


def test_no_deployment_is_rolled_back_for_what_it_does_itself():
    """The first one runs one task, and each one starts and ends some: only what requests meet may tell against it."""
    names = SERVICE.only("AWS::ECS::Service")["DeploymentConfiguration"]["Alarms"]["AlarmNames"]
    alarms = [SERVICE.of_type("AWS::CloudWatch::Alarm")[re.sub(r"\W", "", name)] for name in names]
    assert {alarm["MetricName"] for alarm in alarms} == {"HTTPCode_Target_5XX_Count", "TargetResponseTime"}
    assert {alarm["TreatMissingData"] for alarm in alarms} == {"notBreaching"}


def test_tasks_are_spread_over_zones_first_and_then_over_hosts():
    service = SERVICE.only("AWS::ECS::Service")
    assert [strategy["Type"] for strategy in service["PlacementStrategies"]] == ["spread", "spread"]
    fields = [strategy["Field"] for strategy in service["PlacementStrategies"]]
    assert fields == ["attribute:ecs.availability-zone", "instanceId"]
    assert service["AvailabilityZoneRebalancing"] == "ENABLED"


@pytest.mark.parametrize(
    ("variant", "gateways", "routes"),
    [("nat-per-zone", 2, 2), ("nat-single", 1, 2), ("public", 0, 0), ("endpoints", 0, 0)],
)
def test_the_ways_out_are_what_they_say(variant, gateways, routes):
    vpc = stack("vpc", Egress=variant)
    nat = vpc.of_type("AWS::EC2::NatGateway")
    assert len(nat) == len(vpc.of_type("AWS::EC2::EIP")) == gateways
    private = [r for r in vpc.of_type("AWS::EC2::Route").values() if "NatGatewayId" in r]
    assert len(private) == routes
    assert len({route["NatGatewayId"] for route in private}) == gateways
    endpoints = vpc.of_type("AWS::EC2::VPCEndpoint").values()
    kinds = [endpoint["VpcEndpointType"] for endpoint in endpoints]
    assert kinds.count("Gateway") == 1
    assert (kinds.count("Interface") > 0) == (variant == "endpoints")


def test_without_nat_there_is_an_endpoint_for_every_service_that_a_host_talks_to():
    endpoints = stack("vpc", Egress="endpoints").of_type("AWS::EC2::VPCEndpoint").values()
    there = {endpoint["ServiceName"].split(".", 3)[3] for endpoint in endpoints}
    actions = {a for role in roles(HOSTS) + roles(SERVICE) for s in statements(role) for a in listed(s["Action"])}
    of_actions = {
        "ecs": {"ecs", "ecs-agent", "ecs-telemetry"},
        "ecr": {"ecr.api", "ecr.dkr", "s3"},
        "cloudwatch": {"monitoring"},
    }
    services = {action.split(":")[0] for action in actions}
    needed = {endpoint for service in services for endpoint in of_actions.get(service, {service})}
    assert there == needed


@pytest.mark.parametrize("variant", EGRESS)
def test_s3_of_this_region_is_for_reading_layers_packages_and_updates(variant):
    vpc = stack("vpc", Egress=variant)
    [endpoint] = [e for e in vpc.of_type("AWS::EC2::VPCEndpoint").values() if e["VpcEndpointType"] == "Gateway"]
    assert endpoint["ServiceName"].endswith(".s3")
    public = ["${PublicRouteTable}"] if variant == "public" else []
    assert endpoint["RouteTableIds"] == ["${PrivateRouteTable1}", "${PrivateRouteTable2}", *public], "all that hosts have"
    [statement] = endpoint["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "s3:GetObject")
    assert [resource.split(":::")[1] for resource in statement["Resource"]] == [
        "prod-${AWS::Region}-starport-layer-bucket/*",
        "al2023-repos-${AWS::Region}-de612dc2/*",
        "amazon-ssm-${AWS::Region}/*",
    ]


def test_a_zone_is_not_routed_through_another():
    vpc = stack("vpc")
    for n in ("1", "2"):
        assert vpc.resources[f"PrivateRoute{n}"]["Properties"]["NatGatewayId"] == f"${{NatGateway{n}}}"
        zones = {vpc.resources[f"{kind}Subnet{n}"]["Properties"]["AvailabilityZone"] for kind in ("Public", "Private")}
        assert zones == {f"${{Zone{n}}}"}


# Roles.


def listed(value):
    return value if isinstance(value, list) else [value]


def roles(one):
    return list(one.of_type("AWS::IAM::Role").values())


def statements(role):
    return [s for policy in role.get("Policies", []) for s in policy["PolicyDocument"]["Statement"]]


WITHOUT_RESOURCES = {
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "ecs:DiscoverPollEndpoint",
    "logs:DescribeLogGroups",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
"""Actions that cannot be limited to a resource (Service Authorization Reference)."""


@each
def test_roles_allow_named_actions_on_named_resources(one):
    for role in roles(one):
        assert not role.get("ManagedPolicyArns"), "policies of AWS hold far more than is needed, and change"
        for statement in statements(role):
            actions = listed(statement["Action"])
            assert not [action for action in actions if "*" in action]
            assert "NotAction" not in statement
            if "*" in listed(statement["Resource"]):
                assert set(actions) <= WITHOUT_RESOURCES


@each
def test_other_policies_name_their_actions_too(one):
    for resource in one.resources.values():
        for key in ("PolicyDocument", "KeyPolicy"):
            for statement in resource.get("Properties", {}).get(key, {}).get("Statement", []):
                assert not [action for action in listed(statement["Action"]) if "*" in action]


@each
def test_services_that_take_a_role_take_it_for_this_account_only(one):
    for role in roles(one):
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        if statement["Principal"]["Service"] == "ec2.amazonaws.com":
            continue  # An instance profile belongs to one account; EC2 sends no source.
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "${AWS::AccountId}"}


def test_only_this_repository_is_pulled_from_and_only_this_log_is_written():
    allowed = {tuple(listed(s["Action"])): s["Resource"] for s in statements(SERVICE.only("AWS::IAM::Role"))}
    pull = next(resource for actions, resource in allowed.items() if "ecr:BatchGetImage" in actions)
    assert pull.endswith(":repository/nowd")
    write = next(resource for actions, resource in allowed.items() if "logs:PutLogEvents" in actions)
    assert write == "${LogGroup.Arn}"


@pytest.mark.parametrize("name", ["vpc", "hosts", "web-service", "monitor"])
def test_roles_are_bounded_where_that_is_asked_for(name):
    assert all("PermissionsBoundary" not in role for role in roles(stack(name)))
    bounded = roles(stack(name, PermissionsBoundary=BOUNDARY))
    assert bounded
    assert all(role["PermissionsBoundary"] == BOUNDARY for role in bounded)


# Encryption and what is kept.


@each
def test_what_is_stored_is_encrypted_and_not_public(one):
    for bucket in one.of_type("AWS::S3::Bucket").values():
        [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        assert all(bucket["PublicAccessBlockConfiguration"].values())
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"]
    for policy in one.of_type("AWS::S3::BucketPolicy").values():
        deny = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert deny[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    for topic in one.of_type("AWS::SNS::Topic").values():
        assert topic["KmsMasterKeyId"] == "${AlarmKey.Arn}", "alarms cannot use alias/aws/sns"
    for key in one.of_type("AWS::KMS::Key").values():
        assert key["EnableKeyRotation"] is True
    for repository in one.of_type("AWS::ECR::Repository").values():
        assert repository["EncryptionConfiguration"]["EncryptionType"] == "KMS"


def test_images_cannot_be_changed_and_are_scanned():
    repository = stack("registry").only("AWS::ECR::Repository")
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    rules = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert [rule["selection"]["countNumber"] for rule in rules] == [1, 10]


@each
def test_logs_are_not_kept_for_ever(one):
    for name, group in one.of_type("AWS::Logs::LogGroup").items():
        assert int(group["RetentionInDays"]) <= 365, name


def test_logs_outlive_their_stack_until_somebody_decides():
    for one, name in ((stack("vpc"), "FlowLogGroup"), (SERVICE, "LogGroup"), (MONITOR, "LogGroup")):
        assert one.resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert one.resources[name]["UpdateReplacePolicy"] == "Retain"


def test_the_network_is_logged():
    flow = stack("vpc").only("AWS::EC2::FlowLog")
    assert (flow["ResourceType"], flow["TrafficType"]) == ("VPC", "ALL")


# Alarms.


def metrics_of(alarm) -> list[str]:
    if "MetricName" in alarm:
        return [alarm["MetricName"]]
    return [one["MetricStat"]["Metric"]["MetricName"] for one in alarm["Metrics"] if "MetricStat" in one]


# Not all of 5XX: 501 and 505 are what a client can ask for, and would keep somebody awake, or hosts from being replaced.
OF_THE_BALANCER = [f"HTTPCode_ELB_{status}_Count" for status in (502, 503, 504)]


def test_no_client_can_set_off_the_alarm_on_the_balancer():
    alarm = SERVICE.of_type("AWS::CloudWatch::Alarm")["BalancerErrorsAlarm"]
    assert metrics_of(alarm) == OF_THE_BALANCER
    *metrics, errors = alarm["Metrics"]
    assert all(f"FILL({one['Id']}, 0)" in errors["Expression"] and not one["ReturnData"] for one in metrics)


def test_there_is_an_alarm_for_everything_that_can_go_wrong_and_each_tells_somebody():
    alarms = SERVICE.of_type("AWS::CloudWatch::Alarm")
    assert {name for alarm in alarms.values() for name in metrics_of(alarm)} == {
        "HTTPCode_Target_5XX_Count",
        *OF_THE_BALANCER,
        "UnHealthyHostCount",
        "HealthyHostCount",
        "TargetResponseTime",
        "ClockMaxError",
        "ClockSynchronized",
        "ConnectedHosts",
    }
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == ["${AlarmTopic}"]
        assert alarm["TreatMissingData"] in ("breaching", "notBreaching")


def test_silence_is_an_alarm_where_there_should_never_be_silence():
    alarms = SERVICE.of_type("AWS::CloudWatch::Alarm").values()
    silent = {name for alarm in alarms for name in metrics_of(alarm) if alarm["TreatMissingData"] == "breaching"}
    assert silent == {"HealthyHostCount", "ClockSynchronized", "ConnectedHosts"}


def test_a_new_stack_raises_no_false_alarm():
    """A new alarm looks back, to where there was nothing yet, or one task (how far: test_arithmetic.py)."""
    service = stack("web-service", MinTasks=7)
    alarms = {name: r for name, r in service.resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    counting = {n for n, a in alarms.items() if a["Properties"]["Threshold"] == 7}
    assert counting == {"TooFewHealthyAlarm"}
    silent = {n for n, a in alarms.items() if a["Properties"]["TreatMissingData"] == "breaching"}
    for name, made_after in [*((name, "Service") for name in silent), ("TooFewHealthyAlarm", "ScalableTarget")]:
        alarm = alarms[name]
        assert alarm["DependsOn"] == made_after
        # One good minute, and it does not go off.
        assert alarm["Properties"]["DatapointsToAlarm"] == alarm["Properties"]["EvaluationPeriods"]
    assert not silent & counting


def test_every_switch_of_the_key_can_be_turned_back():
    allowed = SERVICE.only("AWS::KMS::Key")["KeyPolicy"]["Statement"][0]["Action"]
    for action in allowed:
        if action.startswith("kms:Enable"):
            assert action.replace("Enable", "Disable") in allowed


def test_alarms_can_be_published_to_the_encrypted_topic():
    [key] = SERVICE.only("AWS::KMS::Key")["KeyPolicy"]["Statement"][1:]
    assert key["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert set(key["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}


def test_the_dashboard_is_json_and_shows_every_alarm():
    dashboard = json.loads(SERVICE.only("AWS::CloudWatch::Dashboard")["DashboardBody"])
    shown = {arn for w in dashboard["widgets"] if w["type"] == "alarm" for arn in w["properties"]["alarms"]}
    assert shown == {f"${{{name}.Arn}}" for name in SERVICE.of_type("AWS::CloudWatch::Alarm")}


def shown(dashboard) -> set[str]:
    """The alarms, as their ARNs."""
    return {arn for w in dashboard["widgets"] if w["type"] == "alarm" for arn in w["properties"]["alarms"]}


def test_the_dashboard_shows_the_monitor_and_its_alarms_where_there_is_one():
    without, dashboard = (
        json.loads(stack("web-service", Monitor=monitor).only("AWS::CloudWatch::Dashboard")["DashboardBody"])
        for monitor in ("false", "true")
    )
    assert dashboard["widgets"][: len(without["widgets"])] == without["widgets"]
    added = dashboard["widgets"][len(without["widgets"]) :]
    # Known by their names, because they are made later.
    names = {alarm["AlarmName"] for alarm in MONITOR.of_type("AWS::CloudWatch::Alarm").values()}
    assert {arn.rpartition(":")[2] for arn in shown({"widgets": added})} == names
    watched = {name for alarm in MONITOR.of_type("AWS::CloudWatch::Alarm").values() for name in metrics_of(alarm)}
    assert all(name in json.dumps(added) for name in watched)
    places = [(w["x"], w["y"]) for w in dashboard["widgets"]]
    assert len(set(places)) == len(places)


def test_the_alarms_of_the_monitor_are_on_the_bounds_on_the_verdict_on_availability_and_on_its_silence():
    alarms = MONITOR.of_type("AWS::CloudWatch::Alarm")
    single = [alarm for alarm in alarms.values() if "MetricName" in alarm]
    bounds = {(a["MetricName"], a["Statistic"], a["ComparisonOperator"], a["Threshold"]) for a in single}
    assert bounds == {
        ("nowcheck_clock_offset_upper_seconds", "Maximum", "GreaterThanThreshold", 1),
        ("nowcheck_clock_offset_lower_seconds", "Minimum", "LessThanThreshold", -1),
        ("nowcheck_up", "Minimum", "LessThanThreshold", 1),
        ("nowcheck_rounds", "Sum", "LessThanThreshold", 1),
    }
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [MONITOR.parameters["AlarmTopic"]]
        of_several = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
        for metric in of_several or [alarm]:
            assert (metric["Namespace"], metric["Dimensions"]) == ("nowcheck", [{"Name": "check", "Value": "nowd"}])
        # A monitor that starts says 0 once.
        assert alarm["DatapointsToAlarm"] > 1
    [silent] = [alarm for alarm in alarms.values() if alarm["TreatMissingData"] == "breaching"]
    assert silent["MetricName"] == "nowcheck_rounds"
    # As test_a_new_stack_raises_no_false_alarm: made after a minute of data, and one good minute is enough.
    assert MONITOR.resources["SilentAlarm"]["DependsOn"] == "Service"
    assert silent["DatapointsToAlarm"] == silent["EvaluationPeriods"]
    assert container_of_monitor()["HealthCheck"]["Interval"] >= silent["Period"]


@pytest.mark.parametrize(
    ("status", "up", "ok", "goes_off"),
    [
        # As export/emf.rs writes them; a test beside it holds that.
        ("ok", 1, 1, False),
        ("warning", 1, 1, False),
        ("wrong", 1, 0, True),
        ("down", 0, 0, False),
        # The reference of the monitor may be at fault, so the service is not blamed.
        ("unknown", 0, 0, False),
    ],
)
def test_an_alarm_goes_off_when_the_service_is_proven_wrong_even_without_bounds(status, up, ok, goes_off):
    alarm = MONITOR.of_type("AWS::CloudWatch::Alarm")["WrongAlarm"]
    *metrics, wrong = alarm["Metrics"]
    names = {one["Id"]: one["MetricStat"]["Metric"]["MetricName"] for one in metrics}
    assert names == {"up": "nowcheck_up", "ok": "nowcheck_ok"}
    # A minute with a line of a service that is down or unknown is not wrong.
    assert {one["MetricStat"]["Stat"] for one in metrics} == {"Minimum"}
    assert wrong["Expression"] == "up - ok"
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert (up - ok >= alarm["Threshold"]) is goes_off, status
    assert alarm["TreatMissingData"] == "notBreaching"
