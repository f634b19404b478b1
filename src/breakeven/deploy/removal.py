"""The end: a one-time schedule that deletes the stack, and the role that may delete what stands in it."""

from breakeven.deploy.roles import allow, role
from breakeven.deploy.tags import STACK_TAG
from breakeven.deploy.text import Node, said

Resources = dict[str, Node]
OURS = {"StringEquals": {f"aws:ResourceTag/{STACK_TAG}": {"Ref": "AWS::StackName"}}}
"""Only what carries this stack's tag. Parts of an API and keys of a usage plan inherit it (API Gateway's guide,
apigateway-tagging-supported-resources, read 2026-11-29)."""
OF_A_ROLE = (
    "DeleteRole",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "GetRole",
    "GetRolePolicy",
    "ListAttachedRolePolicies",
    "ListRolePolicies",
    "TagRole",
    "UntagRole",
)
"""What CloudFormation calls to delete a role. Like every action here: its resource providers' schemas of 2026-10-20."""


def removal(*, by_lambda: bool, to_zero: bool) -> Resources:
    """Schedule and role. Deleting the stack takes the schedule away, and all else but this role."""
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Delete"}
    plain = role("scheduler.amazonaws.com")
    kept_role = {"Type": plain["Type"], **kept, "Properties": plain["Properties"]}
    statements = [*_of_every_stack(by_lambda=by_lambda), *(_of_lambda() if by_lambda else _of_callers())]
    return {
        "RemovalRole": said(
            kept_role,
            "CloudFormation deletes the stack with this role's rights, so the role cannot delete itself. It stays "
            "behind, costs nothing, and may delete nothing but this stack",
        ),
        "RemovalPolicy": {
            "Type": "AWS::IAM::Policy",
            **kept,
            "Properties": {
                "PolicyName": "removal",
                "Roles": [{"Ref": "RemovalRole"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [*statements, *(_of_components() if to_zero else [])],
                },
            },
        },
        "Removal": _schedule(),
    }


def _schedule() -> Node:
    return {
        "Type": "AWS::Scheduler::Schedule",
        "DependsOn": ["RemovalPolicy"],
        "Properties": {
            "Description": {"Fn::Sub": "Deletes the stack ${AWS::StackName}."},
            "ScheduleExpression": {"Fn::Sub": "at(${ExpiresAt})"},
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": {"Fn::Sub": "arn:${AWS::Partition}:scheduler:::aws-sdk:cloudformation:deleteStack"},
                "RoleArn": {"Fn::GetAtt": ["RemovalRole", "Arn"]},
                "Input": {"Fn::Sub": '{"StackName": "${AWS::StackId}"}'},
            },
        },
    }


def _of_every_stack(*, by_lambda: bool) -> list[Node]:
    """What each stack holds: endpoint, scaling, logs, dashboard, budget, schedule, roles."""
    name = "${AWS::StackName}"
    parts = {"Server": "sagemaker/Endpoints"} | ({"Function": "lambda"} if by_lambda else {})
    return [
        allow(["cloudformation:DeleteStack", "cloudformation:DescribeStacks"], {"Ref": "AWS::StackId"}),
        allow(
            [f"sagemaker:Delete{kind}" for kind in ("Endpoint", "EndpointConfig", "Model")],
            [_arn("sagemaker", f"{kind}/*") for kind in ("endpoint", "endpoint-config", "model")],
            OURS,
        ),
        said(
            allow(["sagemaker:DescribeEndpoint"], _arn("sagemaker", "endpoint/*")),
            "without the tag: what is gone has none, and that it is gone is what must be seen",
        ),
        said(
            allow(
                ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"],
                "*",
            ),
            "AWS admits only * here: these actions only list",
        ),
        allow(
            ["application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeregisterScalableTarget"],
            _arn("application-autoscaling", "scalable-target/*"),
            {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}},
        ),
        allow(
            ["logs:DeleteDataProtectionPolicy", "logs:DeleteLogGroup", "logs:DeleteRetentionPolicy"],
            [_arn("logs", f"log-group:/aws/{part}/{name}:*") for part in parts.values()],
        ),
        allow(["logs:DescribeLogGroups"], _arn("logs", "log-group:*")),
        allow(["cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard"], _global("cloudwatch", f"dashboard/{name}")),
        allow(["budgets:ModifyBudget", "budgets:ViewBudget"], _global("budgets", f"budget/{name}")),
        allow(["scheduler:DeleteSchedule", "scheduler:GetSchedule"], _arn("scheduler", f"schedule/default/{name}-*")),
        allow(
            [f"iam:{action}" for action in OF_A_ROLE],
            [_global("iam", f"role/{name}-{part}Role-*") for part in parts],
        ),
    ]


def _of_lambda() -> list[Node]:
    """The function, the API and its key."""
    kinds = ("restapis", "apikeys", "usageplans")
    api = "arn:${AWS::Partition}:apigateway:${AWS::Region}::"
    return [
        allow(
            ["lambda:DeleteFunction", "lambda:GetFunction", "lambda:RemovePermission"],
            _arn("lambda", "function:${AWS::StackName}-Function-*"),
        ),
        said(allow(["ec2:DescribeNetworkInterfaces"], "*"), "AWS admits only * here: this action only lists"),
        allow(["apigateway:DELETE"], [{"Fn::Sub": f"{api}/{kind}/*"} for kind in kinds], OURS),
        said(
            allow(["apigateway:PATCH"], {"Fn::Sub": f"{api}/usageplans/*"}, OURS),
            "a usage plan is deleted once it has let go of its stages",
        ),
        said(
            allow(["apigateway:GET"], [{"Fn::Sub": f"{api}/{kind}/*"} for kind in kinds]),
            "without the tag: what is gone has none",
        ),
    ]


def _of_callers() -> list[Node]:
    """The policy of whoever calls, taken from them first: one that somebody still has cannot be deleted."""
    policy = _global("iam", "policy/${AWS::StackName}-CallersPolicy-*")
    verbs = ("DeletePolicy", "DeletePolicyVersion", "GetPolicy", "ListEntitiesForPolicy", "ListPolicyVersions")
    return [
        allow([f"iam:{verb}" for verb in verbs], policy),
        allow(
            [f"iam:Detach{kind}Policy" for kind in ("Group", "Role", "User")],
            [_global("iam", f"{kind}/*") for kind in ("group", "role", "user")],
            {"ArnLike": {"iam:PolicyARN": policy}},
        ),
    ]


def _of_components() -> list[Node]:
    """The copies of the model, and the alarm that wakes the first."""
    return [
        allow(
            ["sagemaker:DeleteInferenceComponent", "sagemaker:DeleteTags"],
            _arn("sagemaker", "inference-component/*"),
            OURS,
        ),
        said(
            allow(["sagemaker:DescribeInferenceComponent"], _arn("sagemaker", "inference-component/*")),
            "without the tag: what is gone has none",
        ),
        allow(["cloudwatch:DeleteAlarms"], _arn("cloudwatch", "alarm:${AWS::StackName}-*")),
        allow(["cloudwatch:DescribeAlarms"], _arn("cloudwatch", "alarm:*")),
    ]


def _arn(service: str, name: str) -> Node:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{name}"}


def _global(service: str, name: str) -> Node:
    """Of a service whose names hold in all regions."""
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}::${{AWS::AccountId}}:{name}"}
