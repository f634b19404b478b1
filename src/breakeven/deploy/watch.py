"""What keeps an eye on it: logs that end, a budget that alarms at the plan's dollars, a dashboard."""

import json
from decimal import Decimal

from breakeven.deploy.choice import Chosen
from breakeven.deploy.endpoint import COMPONENT_NAME, VARIANT
from breakeven.deploy.tags import STACK_TAG
from breakeven.deploy.text import Node, said

RETENTION_DAYS = 30
"""As the bill has it; see `cost.standing`."""
CENT = Decimal("0.01")
WARN_AT_PERCENT = 80
PERIOD_S = 60
TALL, WIDE = 6, 12
OF_VARIANT = ["EndpointName", "${AWS::StackName}", "VariantName", VARIANT]
Resources = dict[str, Node]


def logs(*, by_lambda: bool) -> Resources:
    """Log groups of our own, so that they end: the ones that AWS makes by itself are kept for ever."""
    names = {"ServerLogs": "/aws/sagemaker/Endpoints/${AWS::StackName}"}
    if by_lambda:
        names["FunctionLogs"] = "/aws/lambda/${AWS::StackName}"
    return {
        key: {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": {"Fn::Sub": name},
                "RetentionInDays": said(RETENTION_DAYS, "as the line 'logs kept' has it"),
            },
        }
        for key, name in names.items()
    }


def budget(usd_per_month: Decimal) -> Resources:
    """Mail when the month is forecast to cost more than the plan, and when it has.

    Costs are told apart by the stack's tag once it is activated for billing; until then the whole account counts,
    which alarms too early rather than never.
    """
    notify = [
        _notification("FORECASTED", 100),
        _notification("ACTUAL", WARN_AT_PERCENT),
        _notification("ACTUAL", 100),
    ]
    ours = {"TagKeyValue": [{"Fn::Join": ["$", [f"user:{STACK_TAG}", {"Ref": "AWS::StackName"}]]}]}
    return {
        "Budget": {
            "Type": "AWS::Budgets::Budget",
            "Properties": {
                "Budget": {
                    "BudgetName": {"Ref": "AWS::StackName"},
                    "BudgetType": "COST",
                    "TimeUnit": "MONTHLY",
                    "BudgetLimit": {
                        "Amount": said(
                            float(usd_per_month.quantize(CENT)), "the plan's bill at AWS for a month of 730 hours"
                        ),
                        "Unit": "USD",
                    },
                    "CostFilters": {"Fn::If": ["TagIsActive", ours, {"Ref": "AWS::NoValue"}]},
                },
                "NotificationsWithSubscribers": notify,
            },
        }
    }


def _notification(kind: str, percent: int) -> Node:
    return {
        "Notification": {
            "NotificationType": kind,
            "ComparisonOperator": "GREATER_THAN",
            "Threshold": percent,
            "ThresholdType": "PERCENTAGE",
        },
        "Subscribers": [{"SubscriptionType": "EMAIL", "Address": {"Ref": "AlarmEmail"}}],
    }


def dashboard(chosen: Chosen, *, by_lambda: bool, to_zero: bool) -> Resources:
    """Requests in flight against the plan's limit, latency, errors and how full the GPUs are."""
    charts = [_in_flight(chosen, to_zero=to_zero), *_of_variant(), *(_of_function() if by_lambda else [])]
    for n, chart in enumerate(charts):
        chart |= {"x": n % 2 * WIDE, "y": n // 2 * TALL, "width": WIDE, "height": TALL}
    body = '{"widgets": [\n' + ",\n".join(json.dumps(chart) for chart in charts) + "\n]}"
    return {
        "Dashboard": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {"DashboardName": {"Ref": "AWS::StackName"}, "DashboardBody": {"Fn::Sub": body}},
        }
    }


def _in_flight(chosen: Chosen, *, to_zero: bool) -> dict[str, Node]:
    """What the autoscaling reads, with the line from which on the plan adds a replica."""
    each = chosen.setup.in_flight
    if to_zero:
        metric = ("AWS/SageMaker", "ConcurrentRequestsPerCopy", ["InferenceComponentName", COMPONENT_NAME])
        return _chart("Requests in flight on each copy", [(*metric, "Maximum")], line=each)
    metric = ("AWS/SageMaker", "ConcurrentRequestsPerModel", OF_VARIANT)
    return _chart("Requests in flight on each machine", [(*metric, "Maximum")], line=each * chosen.per_machine)


def _of_variant() -> list[dict[str, Node]]:
    return [
        _chart("Requests", [("AWS/SageMaker", "Invocations", OF_VARIANT, "Sum")]),
        _chart(
            "Model latency, microseconds",
            [("AWS/SageMaker", "ModelLatency", OF_VARIANT, stat) for stat in ("p50", "p95")],
        ),
        _chart(
            "Errors",
            [("AWS/SageMaker", name, OF_VARIANT, "Sum") for name in ("Invocation4XXErrors", "Invocation5XXErrors")],
        ),
        _chart(
            "GPU, percent",
            [
                ("/aws/sagemaker/Endpoints", name, OF_VARIANT, "Average")
                for name in ("GPUUtilization", "GPUMemoryUtilization")
            ],
        ),
    ]


def _of_function() -> list[dict[str, Node]]:
    function = ["FunctionName", "${Function}"]
    metrics = [("AWS/Lambda", "ConcurrentExecutions", function, "Maximum"), ("AWS/Lambda", "Errors", function, "Sum")]
    return [_chart("Function: calls at a time, and errors", metrics)]


def _chart(title: str, metrics: list[tuple[str, str, list[str], str]], line: float | None = None) -> dict[str, Node]:
    properties: dict[str, Node] = {
        "title": title,
        "region": "${AWS::Region}",
        "period": PERIOD_S,
        "metrics": [[namespace, name, *dimensions, {"stat": stat}] for namespace, name, dimensions, stat in metrics],
    }
    if line is not None:
        properties["annotations"] = {"horizontal": [{"label": "the plan adds a replica", "value": round(line, 2)}]}
    return {"type": "metric", "properties": properties}
