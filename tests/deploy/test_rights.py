"""Whether the roles may do what CloudFormation says that it does: its own resource providers' schemas are the measure.

cfn-lint ships them with what each handler calls. That AWS lets a stack be made and removed with these rights was not
tried: not run on AWS.
"""

import json
from fnmatch import fnmatchcase
from pathlib import Path

import boto3
import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from typer.testing import CliRunner

from breakeven.cli.app import app
from breakeven.deploy import launch
from breakeven.deploy.choice import on_sagemaker
from breakeven.deploy.rights import BY_TYPE, OWN_CALLS, policy

from .test_lint import MATRIX

REGION = "us-east-1"
FOREIGN = {
    "AWS::SageMaker::EndpointConfig": "kms:DescribeKey",
    "AWS::ApplicationAutoScaling::ScalableTarget": "application-autoscaling:PutScheduledAction "
    "application-autoscaling:DeleteScheduledAction iam:PassRole lambda:DeleteProvisionedConcurrencyConfig "
    "lambda:GetProvisionedConcurrencyConfig lambda:PutProvisionedConcurrencyConfig",
    "AWS::Logs::LogGroup": "firehose:TagDeliveryStream logs:AssociateKmsKey logs:CreateLogDelivery "
    "logs:DeleteIndexPolicy logs:DeleteResourcePolicy logs:DisassociateKmsKey logs:PutBearerTokenAuthentication "
    "logs:PutDataProtectionPolicy logs:PutIndexPolicy logs:PutLogGroupDeletionProtection logs:PutResourcePolicy "
    "s3:REST.PUT.OBJECT",
    "AWS::IAM::Role": "iam:DeleteRolePermissionsBoundary iam:PutRolePermissionsBoundary",
    "AWS::IAM::Policy": "iam:DeleteGroupPolicy iam:DeleteUserPolicy iam:GetGroupPolicy iam:GetUserPolicy "
    "iam:PutGroupPolicy iam:PutUserPolicy",
    "AWS::IAM::ManagedPolicy": "iam:AttachGroupPolicy iam:AttachUserPolicy",
    "AWS::Lambda::Function": "ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcs "
    "elasticfilesystem:DescribeMountTargets kms:CreateGrant kms:Decrypt kms:DescribeKey kms:Encrypt "
    "kms:GenerateDataKey lambda:AssociateRuntimeAlias lambda:DeleteFunctionCodeSigningConfig "
    "lambda:DeleteFunctionConcurrency lambda:GetCodeSigningConfig lambda:GetLayerVersion lambda:PassCapacityProvider "
    "lambda:PutFunctionCodeSigningConfig lambda:PutFunctionConcurrency lambda:PutFunctionRecursionConfig "
    "lambda:PutFunctionScalingConfig s3files:ListMountTargets",
    "AWS::ApiGateway::RestApi": "apigateway:UpdateRestApiPolicy iam:PassRole s3:GetObject",
    "AWS::ApiGateway::Method": "iam:PassRole",
}
"""Calls for what no resource of ours has: keys of KMS, a function's VPC, file systems, scheduled scaling, groups' and
users' own policies, an API's body in a bucket, a policy of an API, roles that a method takes on."""


def calls(kind, *handlers):
    """What the handlers of a type call, less what is for features that ours has not."""
    told = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema["handlers"]
    every = {action for name in handlers if name in told for action in told[name]["permissions"]}
    return every - set(FOREIGN.get(kind, "").split())


@pytest.fixture(params=MATRIX, ids=lambda row: "-".join(map(str, row[:3])))
def stack(request, planned, resources_of):
    example, path, number, given = request.param
    found = planned(example, path)
    return resources_of(on_sagemaker(found.plans, found.best(number)), **given)


def allowed(statements):
    inner = [one["Fn::If"][1] if "Fn::If" in one else one for one in statements]
    return {action for one in inner for action in one["Action"]}


def test_the_role_of_the_end_may_make_every_call_that_deleting_each_resource_takes(stack):
    may = allowed(stack["RemovalPolicy"]["Properties"]["PolicyDocument"]["Statement"])
    assert "cloudformation:DeleteStack" in may
    kept = {name for name, one in stack.items() if one.get("DeletionPolicy") == "Retain"}
    for name, resource in stack.items():
        if name not in kept:
            assert calls(resource["Type"], "delete") <= may, name


def test_what_is_gone_is_looked_for_without_its_tag(stack):
    """A tag condition on a look fails for what has been deleted, and CloudFormation would wait or give up."""
    for one in stack["RemovalPolicy"]["Properties"]["PolicyDocument"]["Statement"]:
        looks = {a for a in one["Action"] if a.split(":")[1].startswith(("Describe", "Get", "List", "GET"))}
        assert not (looks and "aws:ResourceTag/breakeven:stack" in json.dumps(one.get("Condition", {}))), looks


def test_whoever_deploys_may_make_every_call_that_each_resource_takes(stack):
    types = {one["Type"] for one in stack.values()}
    may = allowed(policy("chat", REGION, types, "acme/f.zip")["Statement"])
    for kind in types:
        assert calls(kind, "create", "read", "update", "delete") <= may, kind


def test_whoever_deploys_may_do_nothing_that_neither_a_resource_nor_the_command_calls(stack):
    types = {one["Type"] for one in stack.values()}
    called = {action for kind in types for action in calls(kind, "create", "read", "update", "delete")}
    own = {f"{right.service}:{action}" for right in OWN_CALLS for action in right.actions.split()}
    assert allowed(policy("chat", REGION, types, "acme/f.zip")["Statement"]) <= called | own | {"s3:GetObjectVersion"}


def test_the_commands_own_calls_are_those_that_its_code_makes():
    text = Path(launch.__file__).read_text()
    named = {f"{right.service}:{action}" for right in OWN_CALLS for action in right.actions.split()}
    of_tags = {"cloudformation:TagResource"}  # CreateChangeSet gives the stack its tags
    for service in ("cloudformation", "iam"):
        methods = boto3.client(service, region_name=REGION).meta.method_to_api_mapping.items()
        made = {api for method, api in methods if f".{method}(" in text or f'"{method}"' in text}
        assert {f"{service}:{api}" for api in made} == {a for a in named if a.startswith(service)} - of_tags


def test_a_right_on_everything_is_one_that_aws_gives_no_other_way(stack):
    only_star = ("Describe", "List", "GetMetricData")
    for one in policy("chat", REGION, {r["Type"] for r in stack.values()})["Statement"]:
        if one["Resource"] == "*":
            assert all(action.split(":")[1].startswith(only_star) for action in one["Action"]), one


def test_names_that_the_stack_makes_are_the_only_ones_that_are_opened(by_lambda, resources_of):
    types = {one["Type"] for one in resources_of(by_lambda).values()}
    statements = policy("chat", "cn-north-1", types)["Statement"]
    roles = [arn for one in statements for arn in one["Resource"] if "iam:CreateRole" in one["Action"]]
    assert roles == ["arn:aws-cn:iam::*:role/chat-*"]
    assert fnmatchcase("arn:aws-cn:iam::123456789012:role/chat-ServerRole-1A", roles[0])
    assert not fnmatchcase("arn:aws-cn:iam::123456789012:role/admin", roles[0])
    passed = [one["Condition"]["StringEquals"] for one in statements if "iam:PassRole" in one["Action"]]
    assert {one["iam:PassedToService"] for one in passed} == {
        f"{service}.amazonaws.com" for service in ("sagemaker", "scheduler", "lambda")
    }


def test_every_type_that_a_stack_can_hold_is_known(stack):
    assert {one["Type"] for one in stack.values()} <= BY_TYPE.keys()


def test_the_policy_is_printed_and_nothing_is_called(planned, monkeypatch):
    monkeypatch.setattr(boto3, "client", lambda *_, **__: pytest.fail("AWS was called"))
    found = planned("chat-assistant", "direct")
    words = ["--option", found.best(), "--weights", "acme/x", "--quantized", "--rights"]
    told = CliRunner().invoke(app, ["deploy", str(found.path), *words])
    assert "sagemaker:CreateEndpoint" in allowed(json.loads(told.output)["Statement"])
