"""What no linter knows of a stack: rights, timeouts, what is measured, which image, what it may cost, how it ends."""

import json
import re
from decimal import Decimal

import pytest

from breakeven.deploy.bill import RESOURCES
from breakeven.deploy.choice import on_sagemaker
from breakeven.deploy.front import LONGEST_S
from breakeven.deploy.plan import Estimate
from breakeven.deploy.server import Weights
from breakeven.deploy.stack import document, template
from breakeven.deploy.text import Said

from .conftest import wishes

BOTH = ["direct", "by_lambda"]
ALLOWED_IMAGES = {"763104351884.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/vllm:server-sagemaker-cuda-v1"}
METRICS = {
    ("AWS/SageMaker", "ConcurrentRequestsPerModel"): {"EndpointName", "VariantName"},
    ("AWS/SageMaker", "ConcurrentRequestsPerCopy"): {"InferenceComponentName"},
    ("AWS/SageMaker", "Invocations"): {"EndpointName", "VariantName"},
    ("AWS/SageMaker", "ModelLatency"): {"EndpointName", "VariantName"},
    ("AWS/SageMaker", "Invocation4XXErrors"): {"EndpointName", "VariantName"},
    ("AWS/SageMaker", "Invocation5XXErrors"): {"EndpointName", "VariantName"},
    ("AWS/SageMaker", "NoCapacityInvocationFailures"): {"InferenceComponentName"},
    ("/aws/sagemaker/Endpoints", "GPUUtilization"): {"EndpointName", "VariantName"},
    ("/aws/sagemaker/Endpoints", "GPUMemoryUtilization"): {"EndpointName", "VariantName"},
    ("AWS/Lambda", "ConcurrentExecutions"): {"FunctionName"},
    ("AWS/Lambda", "Errors"): {"FunctionName"},
}
"""Metrics that AWS publishes, with their dimensions (docs.aws.amazon.com: monitoring SageMaker, Lambda metrics)."""


@pytest.fixture(params=BOTH)
def chosen(request):
    return request.getfixturevalue(request.param)


def statements(resources):
    for name, resource in resources.items():
        if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                yield name, statement["Fn::If"][1] if "Fn::If" in statement else statement


def lines_of(text, wanted):
    return [n for n, line in enumerate(text.splitlines()) if wanted in line]


ONLY_STAR = {
    "ecr:GetAuthorizationToken",
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "sagemaker:CallWithBearerToken",
}
"""Actions that AWS's service authorization reference lists without a resource type."""


@pytest.mark.parametrize("to_zero", [False, True])
def test_a_right_on_everything_is_one_that_aws_gives_no_other_way(resources_of, chosen, to_zero):
    for name, statement in statements(resources_of(chosen, to_zero=to_zero)):
        if statement["Resource"] == "*":
            assert set(statement["Action"]) <= ONLY_STAR, name
        assert not any("*" in action for action in statement["Action"]), name


def test_each_right_on_everything_is_explained_in_a_comment_above_it(chosen):
    text = template(chosen, wishes()).splitlines()
    stars = [n for n, line in enumerate(text) if line.strip() == "Resource: '*'"]
    assert stars
    for at in stars:
        above = [line for line in text[max(0, at - 14) : at] if line.strip().startswith("# AWS admits only *")]
        assert above, text[at - 10 : at + 1]


def test_nobody_may_create_or_change_anything(resources_of, chosen):
    for name, statement in statements(resources_of(chosen)):
        for action in statement["Action"]:
            verb = action.split(":")[1]
            fine = ("ec2:CreateNetworkInterface", "logs:CreateLogStream", "budgets:ModifyBudget")
            assert (
                action.startswith(fine)
                or not verb.startswith(("Create", "Put", "Update", "Modify", "Pass", "Attach"))
                or (action == "logs:PutLogEvents")
            ), (name, action)


def test_what_is_deleted_at_the_end_is_this_stack_and_nothing_outlives_it_but_the_role_that_deletes(
    resources_of, chosen
):
    resources = resources_of(chosen)
    target = resources["Removal"]["Properties"]["Target"]
    assert target["Arn"]["Fn::Sub"].endswith(":aws-sdk:cloudformation:deleteStack")
    assert json.loads(target["Input"]["Fn::Sub"]) == {"StackName": "${AWS::StackId}"}
    assert resources["Removal"]["Properties"]["ScheduleExpression"] == {"Fn::Sub": "at(${ExpiresAt})"}
    kept = {name for name, resource in resources.items() if resource.get("DeletionPolicy", "Delete") != "Delete"}
    assert kept == {"RemovalRole", "RemovalPolicy"}


def test_the_end_is_set_before_the_first_machine_starts(resources_of, chosen):
    assert "Removal" in resources_of(chosen)["Endpoint"]["DependsOn"]


def test_names_that_a_role_holds_are_different(resources_of, by_lambda):
    found = [
        (json.dumps(r["Properties"]["Roles"]), r["Properties"]["PolicyName"])
        for r in resources_of(by_lambda).values()
        if r["Type"] == "AWS::IAM::Policy"
    ]
    assert len(set(found)) == len(found)


def test_each_part_waits_longer_than_the_one_behind_it_and_none_longer_than_aws_allows(resources_of, by_lambda):
    resources = resources_of(by_lambda)
    function = resources["Function"]["Properties"]
    upstream = int(function["Environment"]["Variables"]["BREAKEVEN_UPSTREAM_TIMEOUT_S"])
    gateway = resources["ApiMethod"]["Properties"]["Integration"]["TimeoutInMillis"] / 1000
    assert by_lambda.verdict.performance.response_s.high < upstream < function["Timeout"] < gateway <= LONGEST_S


@pytest.mark.parametrize("response_s", [0.01, 30.0, 400.0, 5000.0])
def test_the_order_of_the_timeouts_holds_for_any_speed(by_lambda, response_s):
    from msgspec.structs import replace as other

    from breakeven.deploy.front import timeouts_of

    performance = other(by_lambda.verdict.performance, response_s=Estimate(mid=response_s))
    found = timeouts_of(_with(by_lambda, performance=performance))
    assert 0 < found.upstream_s < found.function_s < found.gateway_s <= LONGEST_S


def test_the_answer_streams_from_the_function_to_the_caller(resources_of, by_lambda):
    resources = resources_of(by_lambda)
    method = resources["ApiMethod"]["Properties"]["Integration"]
    assert method["ResponseTransferMode"] == "STREAM"
    assert method["Uri"]["Fn::Sub"].endswith("/response-streaming-invocations")
    assert resources["Api"]["Properties"]["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


def test_the_function_is_as_the_bill_has_it(resources_of, by_lambda):
    function = resources_of(by_lambda)["Function"]["Properties"]
    config = by_lambda.plan.policy.lambda_
    assert (function["MemorySize"], function["Architectures"]) == (config.memory_mb, [config.architecture])
    assert (config.memory_mb, config.architecture) == (128, "arm64")


def test_an_endpoint_of_its_own_has_no_function_and_no_api(resources_of, direct):
    types = {resource["Type"] for resource in resources_of(direct).values()}
    assert not any(kind.startswith(("AWS::Lambda", "AWS::ApiGateway")) for kind in types)
    url = document(direct, wishes())["Outputs"]["BaseUrl"]["Value"]["Fn::Sub"]
    assert url.endswith("/endpoints/${Endpoint.EndpointName}/openai/v1")
    caller = [s for name, s in statements(resources_of(direct)) if name == "CallersPolicy"]
    assert {action for s in caller for action in s["Action"]} == {
        "sagemaker:InvokeEndpoint",
        "sagemaker:InvokeEndpointWithResponseStream",
        "sagemaker:CallWithBearerToken",
    }


def test_the_server_is_started_as_the_plan_assumed(resources_of, chosen):
    container = resources_of(chosen)["Model"]["Properties"]["PrimaryContainer"]
    said = container["Environment"]
    assert container["Image"]["Fn::Sub"] in ALLOWED_IMAGES
    assert said["SM_VLLM_TENSOR_PARALLEL_SIZE"] == str(chosen.verdict.option.tensor_parallel)
    assert said["SM_VLLM_MAX_NUM_SEQS"] == str(chosen.verdict.performance.largest_concurrency)
    assert int(said["SM_VLLM_MAX_MODEL_LEN"]) >= chosen.setup.longest_request_tokens
    variant = resources_of(chosen)["EndpointConfig"]["Properties"]["ProductionVariants"][0]
    assert variant["InstanceType"] == chosen.verdict.option.machine


def test_machines_follow_the_plans_hours_by_requests_in_flight(resources_of, chosen):
    resources = resources_of(chosen)
    target, policy = (resources[name]["Properties"] for name in ("ScalingTarget", "ScalingPolicy"))
    machines = [-(-n // chosen.per_machine) for n in chosen.capacity.replicas_by_hour]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (min(machines), max(machines))
    assert max(machines) == chosen.capacity.peak_machines
    assert target["ResourceId"]["Fn::Sub"] == "endpoint/${Endpoint.EndpointName}/variant/AllTraffic"
    assert target["ScalableDimension"] == "sagemaker:variant:DesiredInstanceCount"
    tracked = policy["TargetTrackingScalingPolicyConfiguration"]
    assert tracked["PredefinedMetricSpecification"] == {
        "PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"
    }
    assert tracked["TargetValue"] == pytest.approx(chosen.setup.in_flight * chosen.per_machine, abs=0.01)
    assert 0 < tracked["TargetValue"] <= chosen.concurrency * chosen.per_machine
    assert 0 < tracked["ScaleOutCooldown"] < tracked["ScaleInCooldown"]


def test_a_fleet_that_is_the_same_at_all_hours_is_not_scaled_and_pays_no_alarms(planned):
    from breakeven.deploy.scaling import scaling

    found = planned("chat-assistant", "direct", traffic={"requests_per_day": 2_000_000}, hosting={"scaling": "fixed"})
    chosen = on_sagemaker(found.plans, found.best())
    assert chosen.most_replicas > 1
    assert scaling(chosen, to_zero=False) == {}
    assert "alarms of the autoscaling" not in {line.name for line in chosen.verdict.bill.lines}


def test_scaling_to_zero_takes_copies_and_wakes_the_first(resources_of, direct):
    resources = resources_of(direct, to_zero=True)
    target = resources["ScalingTarget"]["Properties"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, direct.most_replicas)
    assert target["ScalableDimension"] == "sagemaker:inference-component:DesiredCopyCount"
    variant = resources["EndpointConfig"]["Properties"]["ProductionVariants"][0]
    assert variant["ManagedInstanceScaling"]["MinInstanceCount"] == 0
    assert "ModelName" not in variant
    asked = resources["Component"]["Properties"]["Specification"]["ComputeResourceRequirements"]
    assert asked["NumberOfAcceleratorDevicesRequired"] == direct.tensor_parallel
    assert resources["WakingAlarm"]["Properties"]["AlarmActions"] == [{"Ref": "WakingPolicy"}]


@pytest.mark.parametrize("to_zero", [False, True])
def test_what_is_watched_is_published_under_these_dimensions(resources_of, chosen, to_zero):
    resources = resources_of(chosen, to_zero=to_zero)
    body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(re.sub(r"\$\{(.+?)\}", r"\1", body))["widgets"]
    shown = [metric for widget in widgets for metric in widget["properties"]["metrics"]]
    assert len(shown) > 5
    for namespace, name, *dimensions, _ in shown:
        assert METRICS[namespace, name] == set(dimensions[::2]), name
    alarms = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    for alarm in alarms:
        named = {dimension["Name"] for dimension in alarm["Dimensions"]}
        assert METRICS[alarm["Namespace"], alarm["MetricName"]] == named


def test_the_budget_alarms_at_what_the_plan_says_aws_charges(resources_of, chosen):
    budget = resources_of(chosen)["Budget"]["Properties"]
    of_aws = sum(line.usd for line in chosen.verdict.bill.lines if line.name in RESOURCES)
    limit = budget["Budget"]["BudgetLimit"]
    assert Decimal(str(limit["Amount"])) == (of_aws * 730 / 24).quantize(Decimal("0.01"))
    alarms = [
        (n["Notification"]["NotificationType"], n["Notification"]["Threshold"])
        for n in budget["NotificationsWithSubscribers"]
    ]
    assert ("FORECASTED", 100) in alarms
    assert ("ACTUAL", 100) in alarms


def test_logs_end_when_the_bill_says(resources_of, chosen):
    from breakeven.cost.standing import LOG_RETENTION_DAYS

    groups = [r["Properties"] for r in resources_of(chosen).values() if r["Type"] == "AWS::Logs::LogGroup"]
    assert groups
    assert {group["RetentionInDays"] for group in groups} == {LOG_RETENTION_DAYS}


def test_everything_that_can_carry_a_tag_says_whose_it_is(resources_of, chosen):
    from breakeven.deploy.tags import TAGGED

    for name, resource in resources_of(chosen).items():
        if resource["Type"] in TAGGED:
            tags = {tag["Key"]: tag["Value"] for tag in resource["Properties"][TAGGED[resource["Type"]]]}
            assert tags["breakeven:stack"] == {"Ref": "AWS::StackName"}, name
            assert tags["breakeven:option"] == chosen.verdict.option.id


def test_weights_from_a_bucket_need_no_network_and_open_that_folder_alone(resources_of, direct):
    resources = resources_of(direct, weights=Weights(place="s3://acme/models/chat/", quantized=True))
    model = resources["Model"]["Properties"]
    assert model["EnableNetworkIsolation"] is True
    assert "SM_VLLM_MODEL" not in model["PrimaryContainer"]["Environment"]
    assert model["PrimaryContainer"]["ModelDataSource"]["S3DataSource"]["S3Uri"] == "s3://acme/models/chat/"
    reads = [s for _, s in statements(resources) if "s3:GetObject" in s["Action"]]
    assert [s["Resource"]["Fn::Sub"] for s in reads] == ["arn:${AWS::Partition}:s3:::acme/models/chat/*"]


def test_a_model_with_other_settings_has_another_name(resources_of, direct):
    names = {
        json.dumps(resources_of(direct, context_tokens=tokens)["Model"]["Properties"]["ModelName"])
        for tokens in (5000, 6000)
    }
    assert len(names) == 2


def test_figures_say_from_which_field_of_the_plan_they_come(chosen):
    text = template(chosen, wishes())
    for field in (
        "option.machine",
        "option.tensor_parallel",
        "performance.largest_concurrency",
        "setup.longest_request_tokens",
        "setup.in_flight",
        "capacity.replicas_by_hour",
    ):
        assert re.search(rf"# .*{re.escape(field)}", text), field
    assert "Not run on AWS" in text


def test_a_fleet_of_several_replicas_a_machine_runs_them_in_one_server(planned):
    found = planned("chat-assistant", "direct", only={"models": ["gpt-oss-120b"], "machines": ["ml.g6e.12xlarge"]})
    chosen = on_sagemaker(found.plans, found.best())
    assert chosen.per_machine == 2
    model = document(chosen, wishes())["Resources"]["Model"]["Properties"]["PrimaryContainer"]["Environment"]
    value = model["SM_VLLM_DATA_PARALLEL_SIZE"]
    assert isinstance(value, Said)
    assert value.value == "2"


def test_machines_are_counted_not_replicas_where_one_holds_several(planned):
    from breakeven.deploy.scaling import machines_of

    only = {"models": ["gpt-oss-120b"], "machines": ["ml.g6e.12xlarge"]}
    found = planned("chat-assistant", "direct", only=only, traffic={"requests_per_day": 3_000_000})
    chosen = on_sagemaker(found.plans, found.best())
    assert chosen.per_machine > 1
    assert machines_of(chosen)[1] == chosen.capacity.peak_machines < chosen.most_replicas
    policy = document(chosen, wishes())["Resources"]["ScalingPolicy"]["Properties"]
    target = policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"].value
    assert target == pytest.approx(chosen.setup.in_flight * chosen.per_machine, abs=0.01)


def test_the_disk_that_is_billed_is_the_disk_that_is_asked_for(planned):
    found = planned(
        "chat-assistant", "direct", only={"machines": ["ml.p5.4xlarge", "ml.g6e.xlarge", "ml.p4d.24xlarge"]}
    )
    for verdict in found.plans[0].verdicts:
        chosen = on_sagemaker(found.plans, verdict.option.id)
        variant = document(chosen, wishes())["Resources"]["EndpointConfig"]["Properties"]["ProductionVariants"][0]
        billed = any(line.name == "storage (sagemaker)" for line in verdict.bill.lines)
        assert ("VolumeSizeInGB" in variant) == billed


def _with(chosen, **changed):
    from dataclasses import replace

    from msgspec.structs import replace as other

    return replace(chosen, verdict=other(chosen.verdict, **changed))
