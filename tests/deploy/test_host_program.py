"""The program of a host (`this-host`, in the user data of hosts.yaml), run against a metadata service, an agent and an
AWS of this test. What it signs is signed again by botocore, and what it asks has to fit the models of AWS."""

import json
import re
import subprocess
from dataclasses import dataclass

import pytest
from cloudformation import ROOT, stack
from test_playbook import lint

USER_DATA = stack("hosts").only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["UserData"]
ARN = "arn:aws:ecs:eu-central-1:111122223333:container-instance/nowd-cluster/0a1b"

SCENE = '''
import http.server, json, subprocess, sys, threading, urllib.parse
import botocore.auth, botocore.awsrequest, botocore.credentials, botocore.session
from botocore.validate import validate_parameters

settings = json.load(sys.stdin)
keys = {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "a-secret/with+signs", "Token": "a-token=="}
session = botocore.session.Session()
asked, answers = [], {name: list(told) for name, told in settings["answers"].items()}
METADATA = {"/latest/api/token": "a-session", "/latest/meta-data/iam/security-credentials/": "a-role",
            "/latest/meta-data/iam/security-credentials/a-role": json.dumps(keys), "/latest/meta-data/instance-id": "i-1",
            "/latest/meta-data/autoscaling/target-lifecycle-state": settings["state"]}

def next_of(name):
    """The last answer is that to all further requests."""
    told = answers[name]
    return told.pop(0) if len(told) > 1 else told[0]

def signature_of(headers, body):
    """As botocore signs the same request."""
    service = headers["Authorization"].split("/")[3]
    url = "https://" + headers["Host"] + "/"
    names = headers["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    given = {name: headers[name] for name in names if name != "host"}
    request = botocore.awsrequest.AWSRequest("POST", url, data=body, headers=given)
    request.context["timestamp"] = headers["X-Amz-Date"]
    credentials = botocore.credentials.Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
    auth = botocore.auth.SigV4Auth(credentials, service, "eu-central-1")
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())
    def do_PUT(self):
        self.answer(200, METADATA[self.path])
    def do_GET(self):
        if self.path == "/v1/metadata":
            return self.answer(200, json.dumps(next_of("agent")))
        if self.headers["X-aws-ec2-metadata-token"] != "a-session":
            return self.answer(401, "")
        self.answer(200, METADATA[self.path])
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        service = self.headers["Host"].split(".")[0]
        assert self.headers["Host"] == service + ".eu-central-1.amazonaws.com"
        assert self.headers["Authorization"].endswith("Signature=" + signature_of(self.headers, body)), "signature"
        model = session.get_service_model({"monitoring": "cloudwatch"}.get(service, service))
        target = self.headers["X-Amz-Target"]
        if target:
            prefix, action = target.split(".")
            assert prefix == model.metadata["targetPrefix"]
            assert self.headers["Content-Type"] == "application/x-amz-json-" + model.metadata["jsonVersion"]
            parameters = json.loads(body)
        else:
            parameters = dict(urllib.parse.parse_qsl(body))
            action, version = parameters.pop("Action"), parameters.pop("Version")
            assert version == model.metadata["apiVersion"]
        validate_parameters(parameters, model.operation_model(action).input_shape)
        asked.append([action, parameters])
        told = next_of(action)
        status, text = told if isinstance(told, list) else (told, "") if isinstance(told, int) else (200, json.dumps(told))
        self.answer(status, text)
    def log_message(self, *_): ...

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
here = "http://127.0.0.1:%d" % server.server_port
program = settings["program"].replace("http://169.254.169.254", here).replace("http://localhost:51678", here)
program = program.replace("fetch('https://' + name + '/'", "fetch('" + here + "/'")
ended = [subprocess.run([settings["python"], "-c", program, settings["command"]], capture_output=True, text=True, timeout=60)
         for _ in range(settings["times"])]
print(json.dumps({"asked": asked, "codes": [one.returncode for one in ended], "said": "".join(one.stderr for one in ended)}))
'''


def program() -> str:
    return re.search(r"cat > /usr/local/sbin/this-host <<'EOF'\n(.*?)\nEOF\n", USER_DATA, re.DOTALL)[1]


@dataclass
class Ended:
    asked: list
    codes: list[int]
    said: str

    def of(self, action: str) -> list[dict]:
        return [parameters for name, parameters in self.asked if name == action]


@pytest.fixture
def host(tmp_path):
    """Runs a command of the program: `host("watch", times=3, ListThings=[{...}])`, an answer for each time that it asks."""
    lint("true")
    here = program()
    for name, value in {
        "${AWS::Region}": "eu-central-1", "${AWS::URLSuffix}": "amazonaws.com",
        "TIMEOUT, PAUSE, PATIENCE = 5, 4, 600": "TIMEOUT, PAUSE, PATIENCE = 5, 0.05, 1.5",
        "/var/lib/this-host": str(tmp_path / "state"),
    }.items():  # fmt: skip
        assert name in here
        here = here.replace(name, value)

    def run(command: str, times: int = 1, state: str = "InService", **answers: list) -> Ended:
        settings = {"program": here, "python": "/usr/bin/python3", "command": command, "times": times, "state": state,
                    "answers": answers}  # fmt: skip
        ended = subprocess.run(
            ["build/deploy/bin/python", "-c", SCENE], input=json.dumps(settings), cwd=ROOT, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert "AssertionError" not in ended.stderr, ended.stderr
        return Ended(**json.loads(ended.stdout))

    return run


def test_it_waits_until_the_capacity_provider_is_there(host):
    without, there = {"clusters": [{}]}, {"clusters": [{"capacityProviders": ["nowd-provider"]}]}
    ended = host("wait-for-provider", DescribeClusters=[500, {"clusters": []}, without, there])
    assert (ended.codes, ended.of("DescribeClusters")) == ([0], [{"clusters": ["nowd-cluster"]}] * 4)


def test_it_goes_on_without_a_provider_when_time_is_up(host):
    assert host("wait-for-provider", DescribeClusters=[403]).codes == [0]


HOOK = {"AutoScalingGroupName": "nowd-hosts", "LifecycleHookName": "registered", "InstanceId": "i-1"}


def test_a_host_whose_agent_has_registered_is_put_in_service(host):
    ended = host("say-ready", agent=[{}, {"ContainerInstanceArn": ARN}], CompleteLifecycleAction=[500, {}])
    assert ended.of("CompleteLifecycleAction") == [{**HOOK, "LifecycleActionResult": "CONTINUE"}] * 2
    assert ended.codes == [0]


def test_a_host_whose_agent_never_registers_is_given_up(host):
    ended = host("say-ready", agent=[{}], CompleteLifecycleAction=[{}])
    assert ended.of("CompleteLifecycleAction") == [{**HOOK, "LifecycleActionResult": "ABANDON"}]


NOT_HELD = [400, "<Message>No active Lifecycle Action found with instance ID i-1</Message>"]
THROTTLED = [400, "<Code>Throttling</Code><Message>Rate exceeded</Message>"]


def test_a_host_that_no_hook_holds_does_not_try_again(host):
    ended = host("say-ready", agent=[{"ContainerInstanceArn": ARN}], CompleteLifecycleAction=[NOT_HELD])
    assert len(ended.of("CompleteLifecycleAction")) == 1
    assert ended.codes == [0]


def test_a_host_whose_call_was_one_too_many_tries_again(host):
    ended = host("say-ready", agent=[{"ContainerInstanceArn": ARN}], CompleteLifecycleAction=[THROTTLED, THROTTLED, {}])
    assert len(ended.of("CompleteLifecycleAction")) == 3
    assert ended.codes == [0]


def instances(connected: bool, **more) -> dict:
    return {"containerInstances": [{"agentConnected": connected, **more}]}


UNHEALTHY = {"InstanceId": "i-1", "HealthStatus": "Unhealthy"}


def values(ended: Ended) -> list[int]:
    told = ended.of("PutMetricData")
    assert all(one["Namespace"] == "nowd" for one in told)
    data = [one for each in told for one in each["MetricData"]]
    assert all((one["MetricName"], one["Dimensions"]) == ("ConnectedHosts", [{"Name": "Environment", "Value": "nowd"}]) for one in data)
    return [one["Value"] for one in data]


@pytest.fixture
def registered(host):
    host("say-ready", agent=[{"ContainerInstanceArn": ARN}], CompleteLifecycleAction=[NOT_HELD])
    return host


def test_a_host_whose_agent_is_connected_says_so_every_minute(registered):
    ended = registered("watch", times=2, DescribeContainerInstances=[instances(True)], PutMetricData=[{}])
    assert values(ended) == [1, 1]
    assert ended.of("DescribeContainerInstances")[0]["containerInstances"] == [ARN]


@pytest.mark.parametrize(
    "dead", [instances(False), instances(True, healthStatus={"overallStatus": "IMPAIRED"}), {"containerInstances": []}]
)
def test_a_host_with_a_dead_agent_is_replaced_after_ten_minutes_and_not_before(registered, dead):
    answers = {"DescribeContainerInstances": [dead], "PutMetricData": [{}], "SetInstanceHealth": [{}]}
    ended = registered("watch", times=9, **answers)
    assert (values(ended), ended.of("SetInstanceHealth")) == ([0] * 9, [])
    assert registered("watch", **answers).of("SetInstanceHealth") == [UNHEALTHY]


def test_a_host_that_is_to_end_and_that_nobody_can_drain_is_let_go_after_ten_more_minutes(registered):
    answers = {"DescribeContainerInstances": [instances(False)], "PutMetricData": [{}], "SetInstanceHealth": [{}],
               "CompleteLifecycleAction": [{}]}  # fmt: skip
    registered("watch", times=10, **answers)
    ended = registered("watch", times=9, state="Terminated", **answers)
    assert (ended.of("SetInstanceHealth"), ended.of("CompleteLifecycleAction")) == ([], [])
    [let_go] = registered("watch", state="Terminated", **answers).of("CompleteLifecycleAction")
    drained = "ecs-managed-draining-termination-hook"
    assert let_go == {**HOOK, "LifecycleHookName": drained, "LifecycleActionResult": "CONTINUE"}


def test_a_host_that_ends_with_an_agent_that_works_is_left_to_ecs(registered):
    ended = registered("watch", times=25, state="Terminated", DescribeContainerInstances=[instances(True)], PutMetricData=[{}])
    assert ended.codes == [0] * 25
    assert {name for name, _ in ended.asked} == {"DescribeContainerInstances", "PutMetricData"}


def test_an_agent_that_comes_back_in_time_starts_the_count_anew(registered):
    answers = {"PutMetricData": [{}], "SetInstanceHealth": [{}]}
    seen = [instances(False)] * 9 + [instances(True)] + [instances(False)] * 9
    ended = registered("watch", times=19, DescribeContainerInstances=seen, **answers)
    assert (sum(values(ended)), ended.of("SetInstanceHealth")) == (1, [])


def test_what_ecs_does_not_answer_is_neither_told_nor_counted(registered):
    answers = {"PutMetricData": [{}], "SetInstanceHealth": [{}]}
    seen = [instances(False)] * 9 + [500] * 3
    ended = registered("watch", times=12, DescribeContainerInstances=seen, **answers)
    assert (len(values(ended)), ended.of("SetInstanceHealth")) == (9, [])
    assert ended.codes[-1] != 0


def test_a_host_that_never_registered_is_replaced_too(host):
    ended = host("watch", times=10, PutMetricData=[{}], SetInstanceHealth=[{}])
    assert (values(ended), ended.of("SetInstanceHealth")) == ([0] * 10, [UNHEALTHY])


def test_the_user_data_fits():
    assert len(USER_DATA.encode()) < 16_384


def test_a_host_needs_no_package():
    assert not re.search(r"\b(dnf|yum|pip|rpm)\b|^\s*aws ", USER_DATA, re.MULTILINE)
