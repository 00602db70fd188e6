"""The verification reads whether flow logs are delivered (library/flow_logs.py)."""

import json

import pytest
from modelled import told_by
from test_playbook import lint

SCENE = """
import json
import botocore.session, flow_logs
from botocore.stub import Stubber
ec2 = botocore.session.Session().create_client("ec2", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
with Stubber(ec2) as answers:
    filters = [{"Name": "resource-id", "Values": ["vpc-1"]}]
    answers.add_response("describe_flow_logs", {"FlowLogs": json.loads('''LOGS''')}, {"Filter": filters})
    print(json.dumps(flow_logs.problems_of(ec2, "vpc-1")))
"""


@pytest.mark.parametrize(
    ("log", "problems"),
    [
        ({"DeliverLogsStatus": "SUCCESS"}, []),
        ({}, []),  # nothing has been tried yet
        (
            {"DeliverLogsStatus": "FAILED", "DeliverLogsErrorMessage": "Access error"},
            ["The flow log fl-1 of vpc-1 is not delivered: Access error."],
        ),
    ],
)
def test_a_flow_log_that_is_not_delivered_is_named(log, problems):
    lint("true")
    assert json.loads(told_by(SCENE.replace("LOGS", json.dumps([{"FlowLogId": "fl-1", **log}])))) == problems
