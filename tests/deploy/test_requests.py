"""The properties of a resource as the request that makes it: validated by botocore's models, kept by moto, read back.

One resource at a time. moto accepts much that AWS does not, and creates nothing: this shows that names, types and
ranges are those of the API, not that a stack comes up.
"""

import io
import json
import re
import zipfile

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
    "Endpoint": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/chat",
    "Function.Arn": "arn:aws:lambda:us-east-1:123456789012:function:chat-function",
    "FunctionLogs.Arn": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/chat:*",
    "ServerLogs.Arn": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/chat:*",
    "Api": "a1b2c3d4e5",
    "Api.RootResourceId": "f6g7h8i9j0",
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


def test_but_for_the_kind_of_machine_the_configuration_and_the_endpoint_are_kept_as_asked(aws, properties):
    client, endpoint = aws("sagemaker"), properties("Endpoint")
    asked = properties("EndpointConfig") | {"EndpointConfigName": endpoint["EndpointConfigName"]}
    (variant,) = asked["ProductionVariants"]
    client.create_model(**properties("Model") | {"ModelName": variant["ModelName"]})
    variant["InstanceType"] = "ml.p3.2xlarge"  # the newest machine with a GPU that moto takes
    client.create_endpoint_config(**asked)
    (kept,) = client.describe_endpoint_config(EndpointConfigName=asked["EndpointConfigName"])["ProductionVariants"]
    assert {field: kept[field] for field in variant} == variant
    endpoint.pop("RetainAllVariantProperties")  # goes with an update alone
    client.create_endpoint(**endpoint)
    found = client.describe_endpoint(EndpointName=endpoint["EndpointName"])
    assert found["EndpointConfigName"] == asked["EndpointConfigName"]


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


@pytest.mark.parametrize("part", ["Server", "Function", "Removal"])
def test_each_role_is_kept_with_its_trust_and_its_rights(aws, properties, part):
    iam, asked, rights = aws("iam"), properties(f"{part}Role"), properties(f"{part}Policy")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(asked["AssumeRolePolicyDocument"]))
    text = json.dumps(rights["PolicyDocument"])
    iam.put_role_policy(RoleName="r", PolicyName=rights["PolicyName"], PolicyDocument=text)
    kept = iam.get_role_policy(RoleName="r", PolicyName=rights["PolicyName"])
    assert kept["PolicyDocument"] == rights["PolicyDocument"]
    assert iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"] == asked["AssumeRolePolicyDocument"]


def test_the_callers_policy_is_kept_as_asked(aws, resources_of, direct):
    document = resolved(resources_of(direct)["CallersPolicy"]["Properties"])["PolicyDocument"]
    iam = aws("iam")
    arn = iam.create_policy(PolicyName="callers", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == document


def test_whoever_deploys_gets_a_policy_that_iam_takes(aws, resources_of, by_lambda):
    from breakeven.deploy.rights import policy

    document = policy("chat", REGION, {one["Type"] for one in resources_of(by_lambda).values()}, "acme/f.zip")
    arn = aws("iam").create_policy(PolicyName="deploys", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    kept = aws("iam").get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    assert kept == document
    assert len(json.dumps(document, separators=(",", ":"))) <= 6_144  # AWS's limit of a managed policy, without spaces


def test_the_function_is_kept_as_asked(aws, properties):
    asked = properties("Function") | {"FunctionName": "chat-function"}
    asked.pop("Tags")
    trust = properties("FunctionRole")["AssumeRolePolicyDocument"]
    aws("iam").create_role(RoleName="chat-role", AssumeRolePolicyDocument=json.dumps(trust))
    aws("s3").create_bucket(Bucket="acme")
    aws("s3").put_object(Bucket="acme", Key="f.zip", Body=_zip())
    aws("lambda").create_function(**asked | {"Code": {"S3Bucket": "acme", "S3Key": "f.zip"}})
    kept = aws("lambda").get_function_configuration(FunctionName="chat-function")
    for name in ("Architectures", "Environment", "Handler", "MemorySize", "Role", "Runtime", "Timeout"):
        assert kept[name] == asked[name], name
    permission = properties("ApiMayCall") | {"StatementId": "api", "FunctionName": "chat-function"}
    aws("lambda").add_permission(**permission)
    (statement,) = json.loads(aws("lambda").get_policy(FunctionName="chat-function")["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "apigateway.amazonaws.com"}
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": permission["SourceArn"]}}


def test_the_api_and_its_key_are_kept_as_asked(aws, properties):
    gateway, method, usage = aws("apigateway"), properties("ApiMethod"), properties("ApiUsage")
    api = gateway.create_rest_api(name="chat", endpointConfiguration={"types": ["REGIONAL"]})
    where = {"restApiId": api["id"], "httpMethod": method["HttpMethod"]}
    root = gateway.get_resources(restApiId=api["id"])["items"][0]["id"]
    path = gateway.create_resource(restApiId=api["id"], parentId=root, pathPart=properties("ApiPath")["PathPart"])
    where["resourceId"] = path["id"]
    kept = gateway.put_method(
        **where, authorizationType=method["AuthorizationType"], apiKeyRequired=method["ApiKeyRequired"]
    )
    assert (kept["apiKeyRequired"], kept["httpMethod"]) == (True, "ANY")
    asked = {f"{key[0].lower()}{key[1:]}": value for key, value in method["Integration"].items()}
    gateway.put_integration(**where, **asked)
    kept = gateway.get_integration(**where)
    assert (kept["type"], kept["uri"]) == (asked["type"], asked["uri"])
    deployed = gateway.create_deployment(restApiId=api["id"])
    stage = properties("ApiStage")["StageName"]
    gateway.create_stage(restApiId=api["id"], stageName=stage, deploymentId=deployed["id"])
    throttle = {f"{key[0].lower()}{key[1:]}": value for key, value in usage["Throttle"].items()}
    plan = gateway.create_usage_plan(name="u", apiStages=[{"apiId": api["id"], "stage": stage}], throttle=throttle)
    key = gateway.create_api_key(name="k", enabled=properties("ApiKey")["Enabled"])
    gateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType=properties("ApiKeyUsage")["KeyType"])
    kept = gateway.get_usage_plan(usagePlanId=plan["id"])
    assert (kept["throttle"], kept["apiStages"]) == (throttle, [{"apiId": api["id"], "stage": stage}])
    assert [one["id"] for one in gateway.get_usage_plan_keys(usagePlanId=plan["id"])["items"]] == [key["id"]]


def test_the_alarm_that_wakes_the_first_copy_is_kept_as_asked(aws, resources_of, by_lambda):
    asked = resolved(resources_of(by_lambda, to_zero=True)["WakingAlarm"]["Properties"])
    asked.pop("AlarmActions", None)
    aws("cloudwatch").put_metric_alarm(AlarmName="wake", **asked)
    (kept,) = aws("cloudwatch").describe_alarms(AlarmNames=["wake"])["MetricAlarms"]
    for name in ("Namespace", "MetricName", "Dimensions", "Statistic", "Period", "Threshold", "ComparisonOperator"):
        assert kept[name] == asked[name], name


def test_in_a_vpc_of_ones_own_the_model_and_its_role_have_what_they_need(aws, resources_of, by_lambda):
    found = resources_of(by_lambda)
    inside = found["Model"]["Properties"]["VpcConfig"]["Fn::If"]
    assert inside[0] == "InVpc"
    assert inside[1] == {"Subnets": {"Ref": "SubnetIds"}, "SecurityGroupIds": {"Ref": "SecurityGroupIds"}}
    asked = resolved(found["Model"]["Properties"])
    assert "VpcConfig" not in asked
    asked["VpcConfig"] = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    aws("sagemaker").create_model(**asked)
    assert aws("sagemaker").describe_model(ModelName=asked["ModelName"])["VpcConfig"] == asked["VpcConfig"]
    only = [
        action
        for one in found["ServerPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if "Fn::If" in one and one["Fn::If"][0] == "InVpc"
        for action in one["Fn::If"][1]["Action"]
    ]
    assert "ec2:CreateNetworkInterface" in only


def _zip():
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        packed.writestr("bootstrap.py", "")
    return held.getvalue()


def test_a_request_with_a_misspelt_field_is_refused(aws, properties):
    from botocore.exceptions import ParamValidationError

    asked = properties("EndpointConfig")
    asked["ProductionVariants"][0]["InstanceTyp"] = asked["ProductionVariants"][0].pop("InstanceType")
    with pytest.raises(ParamValidationError, match="InstanceTyp"):
        aws("sagemaker").create_endpoint_config(**asked)
