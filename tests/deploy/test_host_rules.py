"""The preflight asks AWS whether hosts can be of a type and of an image (library/host_rules.py)."""

import json

import pytest
from modelled import told_by
from test_playbook import lint

SCENE = """
import json
import botocore.session, host_rules
from botocore.stub import Stubber
settings = json.loads('''SETTINGS''')
ec2 = botocore.session.Session().create_client("ec2", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
with Stubber(ec2) as answers:
    if settings["error"]:
        answers.add_client_error("describe_instance_types", settings["error"])
    else:
        told = {"InstanceType": "t", "ProcessorInfo": {"SupportedArchitectures": [settings["is"]]},
                "MemoryInfo": {"SizeInMiB": settings["memory"]}, "VCpuInfo": {"DefaultVCpus": settings["cpus"]}}
        answers.add_response("describe_instance_types", {"InstanceTypes": [told]}, {"InstanceTypes": ["t"]})
        zones = [{"ZoneName": "eu-central-1" + letter} for letter in "cab"]
        usual = [{"Name": "zone-type", "Values": ["availability-zone"]}]
        answers.add_response("describe_availability_zones", {"AvailabilityZones": zones}, {"Filters": usual})
        offered = [{"Location": "eu-central-1" + letter} for letter in settings["zones"]]
        wanted = {"LocationType": "availability-zone", "Filters": [{"Name": "instance-type", "Values": ["t"]}]}
        answers.add_response("describe_instance_type_offerings", {"InstanceTypeOfferings": offered}, wanted)
    print(json.dumps(host_rules.wrong_with_instance_type(ec2, "eu-central-1", "t", ("4", settings["tasks"], settings["monitor"]))))
"""

USUAL = {"error": "", "is": "x86_64", "memory": 1024, "zones": "ab", "cpus": 2, "tasks": "16", "monitor": False}

TOO_MANY = (
    "tasks_max is {}, and while a deployment goes on there are 2 times as many; 4 hosts (hosts_max) of t hold {}: tasks_max may be "
    "{}, or hosts_max has to be {}"
)


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        ({}, []),
        ({"is": "arm64"}, ['instance_type is "t", which is arm64, and the image is x86_64']),
        ({"memory": 512}, ['instance_type is "t" with 512 MiB of memory, and a host needs 1024']),
        ({"zones": "ac"}, ['instance_type is "t", which is not offered in eu-central-1b']),
        ({"error": "InvalidInstanceType"}, ['instance_type is "t", and eu-central-1 has no such type']),
        ({"error": "UnauthorizedOperation"}, []),
        ({"tasks": "many"}, []),  # its template says so
        ({"tasks": "17"}, [TOO_MANY.format(17, 32, 16, 5)]),
        ({"tasks": "15", "monitor": True}, []),
        ({"tasks": "16", "monitor": True}, [TOO_MANY.format(16, "31 beside the monitor", 15, 5)]),
        ({"tasks": "64", "cpus": 8, "memory": 16384}, []),
        ({"tasks": "25", "cpus": 8}, [TOO_MANY.format(25, 48, 24, 5)]),  # by memory
    ],
)
def test_a_type_that_cannot_work_is_told_before_anything_is_created(settings, problems):
    lint("true")
    assert json.loads(told_by(SCENE.replace("SETTINGS", json.dumps({**USUAL, **settings})))) == problems


IMAGE = """
import json
import botocore.exceptions, host_rules
settings = json.loads('''SETTINGS''')

def refused(code):
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "no"}}, "")

class Ssm(Modelled):
    service = "ssm"
    def get_parameter(self, Name):
        if settings["parameter"]:
            raise refused(settings["parameter"])
        return {"Parameter": {"Value": "ami-1"}}

class Ec2(Modelled):
    service = "ec2"
    def describe_images(self, ImageIds, IncludeDeprecated):
        assert (ImageIds, IncludeDeprecated) == (["ami-1"], True)
        if settings["image"]:
            raise refused(settings["image"])
        return {"Images": [{"State": settings["state"], "Architecture": settings["is"]}] * settings["there"]}

print(json.dumps(host_rules.wrong_with_host_image(Ssm(), Ec2(), "eu-central-1", "/name")))
"""

GONE = 'host_image "/name" stands for ami-1, which is no longer there: take a newer one'


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, ""),
        ({"parameter": "ParameterNotFound"}, 'host_image "/name" is not known in eu-central-1; the newest name is'),
        ({"parameter": "AccessDeniedException"}, ""),
        ({"there": 0}, GONE),
        ({"state": "failed"}, GONE),
        ({"image": "InvalidAMIID.NotFound"}, GONE),
        ({"image": "UnauthorizedOperation"}, ""),
        ({"is": "arm64"}, 'host_image "/name" stands for an image for arm64, and that of nowd is x86_64'),
    ],
)
def test_what_the_name_of_the_image_stands_for_has_to_be_there(settings, problem):
    lint("true")
    usual = {"parameter": "", "image": "", "there": 1, "state": "available", "is": "x86_64"}
    told = json.loads(told_by(IMAGE.replace("SETTINGS", json.dumps({**usual, **settings}))))
    assert len(told) == bool(problem)
    assert "".join(told).startswith(problem)
