"""What whoever deploys must be allowed, as one policy: CloudFormation makes each resource with the caller's rights.

The actions of a type are those that its resource provider says it calls to make, read, change and remove it (schemas of
CloudFormation's registry of 2026-10-20, as cfn-lint 1.58 ships them), less those of features that no stack of ours has;
a test holds this table to them. Names are the stack's own wherever the template or CloudFormation makes them so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from breakeven.deploy.quotas import ALLOWED

PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"))
Statement = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Actions on resources.

    ``where``: ARNs without partition, region and account (``{name}`` is the stack's); ``()``: AWS admits only ``*``.
    """

    service: str
    actions: str
    where: tuple[str, ...] = ()
    regional: bool = True
    to: str = ""
    """For ``iam:PassRole``: the service that the role is for."""


def _sagemaker(kind: str, *, update: bool = False) -> Right:
    """A kind of SageMaker's resources. Names stay open: AWS writes them in small letters, unlike the stack's."""
    verbs = ["Create", "Delete", "Describe", *(["Update"] if update else [])]
    actions = " ".join([*(f"{verb}{kind}" for verb in verbs), "AddTags DeleteTags ListTags"])
    dashed = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in kind).lstrip("-")
    return Right(service="sagemaker", actions=actions, where=(f"{dashed}/*",))


def _passed(to: str) -> Right:
    return Right(service="iam", actions="PassRole", where=("role/{name}-*",), regional=False, to=to)


_ROLE = Right(
    service="iam",
    actions="AttachRolePolicy CreateRole DeleteRole DeleteRolePolicy DetachRolePolicy GetRole GetRolePolicy "
    "ListAttachedRolePolicies ListRolePolicies PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy UpdateRole "
    "UpdateRoleDescription",
    where=("role/{name}-*",),
    regional=False,
)
_ALARMS = Right(
    service="cloudwatch",
    actions="DeleteAlarms DescribeAlarms ListTagsForResource PutMetricAlarm TagResource UntagResource",
    where=("alarm:*",),
)
_API = Right(
    service="apigateway",
    actions="DELETE GET PATCH POST PUT",
    where=("/restapis", "/restapis/*", "/apikeys", "/apikeys/*", "/usageplans", "/usageplans/*", "/tags/*"),
)
_ENTITIES = ("user/*", "group/*", "role/*")
BY_TYPE: dict[str, tuple[Right, ...]] = {
    "AWS::SageMaker::Model": (_sagemaker("Model"), _passed("sagemaker.amazonaws.com")),
    "AWS::SageMaker::EndpointConfig": (_sagemaker("EndpointConfig"), _passed("sagemaker.amazonaws.com")),
    "AWS::SageMaker::Endpoint": (
        _sagemaker("Endpoint", update=True),
        Right(service="sagemaker", actions="CreateEndpoint UpdateEndpoint", where=("endpoint-config/*",)),
    ),
    "AWS::SageMaker::InferenceComponent": (
        _sagemaker("InferenceComponent", update=True),
        Right(service="sagemaker", actions="UpdateInferenceComponentRuntimeConfig", where=("inference-component/*",)),
        Right(service="sagemaker", actions="CreateInferenceComponent", where=("endpoint/*", "model/*")),
    ),
    "AWS::ApplicationAutoScaling::ScalableTarget": (
        Right(service="application-autoscaling", actions="DescribeScalableTargets DescribeScheduledActions"),
        Right(
            service="application-autoscaling",
            actions="DeregisterScalableTarget ListTagsForResource RegisterScalableTarget TagResource UntagResource",
            where=("scalable-target/*",),
        ),
        _ALARMS,
        Right(
            service="iam",
            actions="CreateServiceLinkedRole",
            where=("role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*",),
            regional=False,
        ),
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": (
        Right(service="application-autoscaling", actions="DescribeScalingPolicies"),
        Right(
            service="application-autoscaling",
            actions="DeleteScalingPolicy PutScalingPolicy",
            where=("scalable-target/*",),
        ),
        Right(service="cloudwatch", actions="GetMetricData"),
    ),
    "AWS::CloudWatch::Alarm": (_ALARMS,),
    "AWS::CloudWatch::Dashboard": (
        Right(
            service="cloudwatch",
            actions="DeleteDashboards GetDashboard ListTagsForResource PutDashboard TagResource UntagResource",
            where=("dashboard/{name}",),
            regional=False,
        ),
    ),
    "AWS::Logs::LogGroup": (
        Right(service="logs", actions="DescribeIndexPolicies DescribeLogGroups DescribeResourcePolicies"),
        Right(
            service="logs",
            actions="CreateLogGroup DeleteDataProtectionPolicy DeleteLogGroup DeleteRetentionPolicy "
            "GetDataProtectionPolicy ListTagsForResource PutRetentionPolicy TagResource UntagResource",
            where=("log-group:/aws/sagemaker/Endpoints/{name}*", "log-group:/aws/lambda/{name}*"),
        ),
    ),
    "AWS::Budgets::Budget": (
        Right(
            service="budgets",
            actions="ListTagsForResource ModifyBudget TagResource UntagResource ViewBudget",
            where=("budget/{name}",),
            regional=False,
        ),
        Right(service="billing", actions="GetBillingViewData", where=("billingview/*",), regional=False),
    ),
    "AWS::Scheduler::Schedule": (
        Right(
            service="scheduler",
            actions="CreateSchedule DeleteSchedule GetSchedule UpdateSchedule",
            where=("schedule/default/{name}-*",),
        ),
        _passed("scheduler.amazonaws.com"),
    ),
    "AWS::IAM::Role": (_ROLE,),
    "AWS::IAM::Policy": (_ROLE,),
    "AWS::IAM::ManagedPolicy": (
        Right(
            service="iam",
            actions="CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion "
            "ListEntitiesForPolicy ListPolicyVersions",
            where=("policy/{name}-*",),
            regional=False,
        ),
        Right(
            service="iam",
            actions="DetachGroupPolicy DetachRolePolicy DetachUserPolicy",
            where=_ENTITIES,
            regional=False,
        ),
    ),
    "AWS::Lambda::Function": (
        Right(
            service="lambda",
            actions="CreateFunction DeleteFunction GetFunction GetFunctionCodeSigningConfig "
            "GetFunctionRecursionConfig GetFunctionScalingConfig GetRuntimeManagementConfig PublishVersion "
            "PutRuntimeManagementConfig TagResource UntagResource UpdateFunctionCode UpdateFunctionConfiguration",
            where=("function:{name}-*",),
        ),
        Right(service="ec2", actions="DescribeNetworkInterfaces"),
        _passed("lambda.amazonaws.com"),
    ),
    "AWS::Lambda::Permission": (
        Right(service="lambda", actions="AddPermission GetPolicy RemovePermission", where=("function:{name}-*",)),
    ),
    **{
        f"AWS::ApiGateway::{kind}": (_API,)
        for kind in ("RestApi", "Resource", "Method", "Deployment", "Stage", "ApiKey", "UsagePlan", "UsagePlanKey")
    },
}
"""Each type that a stack of ours holds."""
OWN_CALLS = (
    Right(
        service="cloudformation",
        actions="CreateChangeSet DeleteChangeSet DeleteStack DescribeChangeSet DescribeStackEvents "
        "DescribeStackResources ExecuteChangeSet TagResource",
        where=("stack/{name}/*",),
    ),
    Right(service="cloudformation", actions="DescribeStacks ListStacks"),
    Right(service="iam", actions="DeleteRole DeleteRolePolicy", where=("role/{name}-RemovalRole-*",), regional=False),
    Right(service="servicequotas", actions=" ".join(right.partition(":")[2] for right in ALLOWED)),
)
"""What `breakeven deploy`, `status` and `destroy` call themselves."""


def policy(stack: str, region: str, types: Iterable[str], code: str | None = None) -> dict[str, Any]:
    """A policy document for whoever makes, watches and removes this stack. ``code``: ``bucket/key`` of the function."""
    types = set(types)
    rights = dict.fromkeys(OWN_CALLS) | dict.fromkeys(right for kind in sorted(types) for right in BY_TYPE[kind])
    statements = list(_statements(rights, stack, region))
    if code is not None and "AWS::Lambda::Function" in types:
        actions = ["s3:GetObject", "s3:GetObjectVersion"]
        statements.append({"Effect": "Allow", "Action": actions, "Resource": f"arn:{_partition(region)}:s3:::{code}"})
    return {"Version": "2012-10-17", "Statement": statements}


def _statements(rights: Iterable[Right], stack: str, region: str) -> Iterator[Statement]:
    """One statement for each set of resources and each condition."""
    merged: dict[tuple[Any, ...], set[str]] = {}
    for right in rights:
        place = (right.service, right.where, right.regional, right.to) if right.where else ("", (), True, "")
        merged.setdefault(place, set()).update(f"{right.service}:{action}" for action in right.actions.split())
    for (service, where, regional, to), actions in merged.items():
        found: Statement = {"Effect": "Allow", "Action": sorted(actions)}
        found["Resource"] = [_arn(service, name, stack, region, regional=regional) for name in where] or "*"
        if to:
            found["Condition"] = {"StringEquals": {"iam:PassedToService": to}}
        elif where == _ENTITIES:
            callers = _arn(service, "policy/{name}-CallersPolicy-*", stack, region, regional=False)
            found["Condition"] = {"ArnLike": {"iam:PolicyARN": callers}}
        yield found


def _arn(service: str, name: str, stack: str, region: str, *, regional: bool) -> str:
    """The account is left open: a policy only ever holds within its own."""
    place = f"arn:{_partition(region)}:{service}:{region if regional else ''}"
    account = "" if service == "apigateway" else "*"
    return f"{place}:{account}:{name.format(name=stack)}"


def _partition(region: str) -> str:
    return next((name for start, name in PARTITIONS if region.startswith(start)), "aws")
