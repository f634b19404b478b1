"""Who may do what: one role for each part, and no more than it does. Where AWS admits only ``*``, a comment says so."""

from breakeven.deploy.endpoint import IMAGE, IMAGE_ACCOUNT
from breakeven.deploy.server import BUCKET
from breakeven.deploy.text import Node, Said, said

Resources = dict[str, Node]
ENDPOINT = {"Ref": "Endpoint"}
COMPONENT = {"Ref": "Component"}
"""Both refer to the ARN."""


def server_role(place: str) -> Resources:
    """What the endpoint does: pull its image, write its log, read its weights, and stand in a VPC if told to."""
    repository = IMAGE.split(":", maxsplit=1)[0]
    statements = [
        said(
            allow(["ecr:GetAuthorizationToken"], "*"),
            "AWS admits only * here: the token is for all registries, the next statement says what it may pull",
        ),
        allow(
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            {"Fn::Sub": f"arn:${{AWS::Partition}}:ecr:${{AWS::Region}}:{IMAGE_ACCOUNT}:repository/{repository}"},
        ),
        _writes("ServerLogs"),
    ]
    if place.startswith(BUCKET):
        bucket, _, folder = place.removeprefix(BUCKET).partition("/")
        arn = f"arn:${{AWS::Partition}}:s3:::{bucket}"
        statements += [
            allow(["s3:GetObject"], {"Fn::Sub": f"{arn}/{folder}*"}),
            allow(["s3:ListBucket"], {"Fn::Sub": arn}, {"StringLike": {"s3:prefix": f"{folder}*"}}),
        ]
    statements += [_if_in_vpc(statement) for statement in _in_vpc()]
    return {
        "ServerRole": role("sagemaker.amazonaws.com"),
        "ServerPolicy": _policy("server", "ServerRole", statements),
    }


def _in_vpc() -> list[Node]:
    """Network interfaces in the subnets that were given."""
    interfaces, subnets, groups = (
        {"Fn::Sub": f"arn:${{AWS::Partition}}:ec2:${{AWS::Region}}:${{AWS::AccountId}}:{kind}/*"}
        for kind in ("network-interface", "subnet", "security-group")
    )
    return [
        allow(
            [
                "ec2:CreateNetworkInterface",
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
            ],
            [interfaces, subnets, groups],
        ),
        said(
            allow(
                [
                    "ec2:DescribeDhcpOptions",
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                ],
                "*",
            ),
            "AWS admits only * here: these actions only list",
        ),
    ]


def _if_in_vpc(statement: Node) -> Node:
    inner = statement.value if isinstance(statement, Said) else statement
    only = {"Fn::If": ["InVpc", inner, {"Ref": "AWS::NoValue"}]}
    return said(only, statement.why) if isinstance(statement, Said) else only


def function_role(*, to_zero: bool) -> Resources:
    """What the function does: call this endpoint and write its log."""
    statements = [_invokes(to_zero=to_zero), _writes("FunctionLogs")]
    return {
        "FunctionRole": role("lambda.amazonaws.com", of_account=False),
        "FunctionPolicy": _policy("function", "FunctionRole", statements),
    }


def callers_policy(*, to_zero: bool) -> Resources:
    """For whoever calls the endpoint itself: attach it to a user, a group or a role."""
    bearer = allow(
        ["sagemaker:CallWithBearerToken"], "*", {"StringEquals": {"aws:ResourceAccount": {"Ref": "AWS::AccountId"}}}
    )
    statements = [
        _invokes(to_zero=to_zero),
        said(
            bearer, "AWS admits only * here: a token is not for one endpoint, the statement above says which it opens"
        ),
    ]
    return {
        "CallersPolicy": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": {"Version": "2012-10-17", "Statement": statements}},
        }
    }


def _invokes(*, to_zero: bool) -> Node:
    actions = ["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointWithResponseStream"]
    return allow(actions, [ENDPOINT, COMPONENT] if to_zero else ENDPOINT)


def _writes(group: str) -> Node:
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::GetAtt": [group, "Arn"]})


def allow(actions: list[str], resource: Node, condition: Node | None = None) -> dict[str, Node]:
    """One statement that allows."""
    found: dict[str, Node] = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return found | ({"Condition": condition} if condition else {})


def role(service: str, *, of_account: bool = True) -> dict[str, Node]:
    """A role for a service of AWS; ``of_account``: only when it acts for this account."""
    trust = allow(["sts:AssumeRole"], None)
    del trust["Resource"]
    trust["Principal"] = {"Service": service}
    if of_account:
        trust["Condition"] = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
    }


def _policy(name: str, of_role: str, statements: list[Node]) -> dict[str, Node]:
    return {
        "Type": "AWS::IAM::Policy",
        "Properties": {
            "PolicyName": name,
            "Roles": [{"Ref": of_role}],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
        },
    }
