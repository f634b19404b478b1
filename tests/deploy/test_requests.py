"""The properties of a resource as the request that makes it: validated by botocore's models, kept by moto, read back.

One resource at a time. moto accepts much that AWS does not, and creates nothing: this shows that names, types and
ranges are those of the API, not that a stack comes up.
"""

import json
import re

import boto3
import pytest
from moto import mock_aws

REGION = "us-east-1"
NAMES = {
    "AWS::StackName": "chat",
    "AWS::Region": REGION,
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/chat/1",
    "ExpiresAt": "2027-01-31T18:00:00",
    "AlarmEmail": "ops@example.com",
    "InferenceAmiVersion": "al2023-ami-sagemaker-inference-gpu-4-1",
    "Weights": "acme/any",
    "Endpoint.EndpointName": "chat",
    "Model.ModelName": "chat-model",
    "EndpointConfig.EndpointConfigName": "chat-config",
    "Function": "chat-function",
}
ROLE = "arn:aws:iam::123456789012:role/chat-role"


def resolved(node):
    """A node with its functions worked out, every condition taken as false; ``None`` is left out."""
    if isinstance(node, list):
        return [one for value in node if (one := resolved(value)) is not None]
    if not isinstance(node, dict):
        return node
    ((function, value),) = node.items() if len(node) == 1 else ((None, None),)
    if function in FUNCTIONS:
        return FUNCTIONS[function](value)
    return {key: one for key, value in node.items() if (one := resolved(value)) is not None}


def attribute(value):
    name = ".".join(value) if isinstance(value, list) else value
    return ROLE if name.endswith("Role.Arn") else NAMES[name]


FUNCTIONS = {
    "Ref": NAMES.get,
    "Fn::Sub": lambda text: re.sub(r"\$\{(.+?)\}", lambda found: NAMES[found[1]], text),
    "Fn::GetAtt": attribute,
    "Fn::If": lambda parts: resolved(parts[2]),
}


@pytest.fixture
def aws(monkeypatch):
    """Clients of an AWS that is not there."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    with mock_aws():
        yield lambda service: boto3.client(service, region_name=REGION)


@pytest.fixture
def properties(resources_of, by_lambda):
    found = resources_of(by_lambda)
    return lambda name: resolved(found[name]["Properties"])


def test_the_model_is_kept_as_asked(aws, properties):
    asked = properties("Model")
    aws("sagemaker").create_model(**asked)
    kept = aws("sagemaker").describe_model(ModelName=asked["ModelName"])
    assert kept["PrimaryContainer"]["Environment"] == asked["PrimaryContainer"]["Environment"]
    assert (
        kept["PrimaryContainer"]["Image"]
        == "763104351884.dkr.ecr.us-east-1.amazonaws.com/vllm:server-sagemaker-cuda-v1"
    )


def test_the_machines_are_a_request_that_botocore_takes_with_values_that_its_model_lists(aws, properties):
    """Not by moto: the instance types that it takes are years old."""
    from botocore.stub import Stubber

    client, asked = aws("sagemaker"), properties("EndpointConfig")
    with Stubber(client) as stub:
        stub.add_response("create_endpoint_config", {"EndpointConfigArn": "a" * 30}, asked)
        client.create_endpoint_config(**asked)
    (variant,) = asked["ProductionVariants"]
    listed = {
        "InstanceType": "ProductionVariantInstanceType",
        "InferenceAmiVersion": "ProductionVariantInferenceAmiVersion",
    }
    for field, shape in listed.items():
        assert variant[field] in client.meta.service_model.shape_for(shape).enum


def test_the_copies_that_scale_to_zero_are_a_request_that_botocore_takes(aws, resources_of, by_lambda):
    from botocore.stub import Stubber

    found = resources_of(by_lambda, to_zero=True)
    client = aws("sagemaker")
    with Stubber(client) as stub:
        config = resolved(found["EndpointConfig"]["Properties"])
        stub.add_response("create_endpoint_config", {"EndpointConfigArn": "a" * 30}, config)
        client.create_endpoint_config(**config)
        component = resolved(found["Component"]["Properties"])
        stub.add_response("create_inference_component", {"InferenceComponentArn": "a" * 30}, component)
        client.create_inference_component(**component)
        stub.assert_no_pending_responses()


def test_the_scaling_is_kept_as_asked(aws, properties):
    scaling = aws("application-autoscaling")
    target = properties("ScalingTarget")
    scaling.register_scalable_target(**target)
    named = {key: target[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
    policy = {key: value for key, value in properties("ScalingPolicy").items() if key != "ScalingTargetId"}
    scaling.put_scaling_policy(**named, **policy)
    (kept,) = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert kept["TargetTrackingScalingPolicyConfiguration"] == policy["TargetTrackingScalingPolicyConfiguration"]
    (seen,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (seen["MinCapacity"], seen["MaxCapacity"]) == (target["MinCapacity"], target["MaxCapacity"])


def test_the_end_is_kept_as_asked(aws, properties):
    asked = properties("Removal")
    aws("scheduler").create_schedule(Name="end", **asked)
    kept = aws("scheduler").get_schedule(Name="end")
    assert kept["ScheduleExpression"] == "at(2027-01-31T18:00:00)"
    assert json.loads(kept["Target"]["Input"]) == {"StackName": NAMES["AWS::StackId"]}


def test_the_budget_is_kept_as_asked(aws, properties):
    asked = properties("Budget")
    asked.pop("ResourceTags")
    budget = asked["Budget"] | {"BudgetLimit": {"Amount": str(asked["Budget"]["BudgetLimit"]["Amount"]), "Unit": "USD"}}
    aws("budgets").create_budget(AccountId=NAMES["AWS::AccountId"], Budget=budget)
    kept = aws("budgets").describe_budget(AccountId=NAMES["AWS::AccountId"], BudgetName="chat")["Budget"]
    assert float(kept["BudgetLimit"]["Amount"]) == asked["Budget"]["BudgetLimit"]["Amount"]


def test_the_dashboard_is_json_that_is_kept(aws, properties):
    asked = properties("Dashboard")
    aws("cloudwatch").put_dashboard(**asked)
    kept = json.loads(aws("cloudwatch").get_dashboard(DashboardName="chat")["DashboardBody"])
    assert kept["widgets"][0]["properties"]["region"] == REGION


def test_logs_end(aws, properties):
    asked = properties("ServerLogs")
    logs = aws("logs")
    logs.create_log_group(logGroupName=asked["LogGroupName"])
    logs.put_retention_policy(logGroupName=asked["LogGroupName"], retentionInDays=asked["RetentionInDays"])
    (kept,) = logs.describe_log_groups(logGroupNamePrefix="/aws/sagemaker/Endpoints/chat")["logGroups"]
    assert kept["retentionInDays"] == asked["RetentionInDays"]


def test_a_request_with_a_misspelt_field_is_refused(aws, properties):
    from botocore.exceptions import ParamValidationError

    asked = properties("EndpointConfig")
    asked["ProductionVariants"][0]["InstanceTyp"] = asked["ProductionVariants"][0].pop("InstanceType")
    with pytest.raises(ParamValidationError, match="InstanceTyp"):
        aws("sagemaker").create_endpoint_config(**asked)
