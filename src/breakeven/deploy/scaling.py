"""When machines come and go: by requests in flight, read every ten seconds, between the plan's fewest and most."""

from breakeven.deploy.choice import Chosen
from breakeven.deploy.endpoint import COMPONENT_NAME, VARIANT
from breakeven.deploy.text import Node, said

MACHINES_METRIC = "SageMakerVariantConcurrentRequestsPerModelHighResolution"
COPIES_METRIC = "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
"""Both count requests that wait and that stream (botocore 1.44, application-autoscaling)."""
OUT_S = 300
"""A machine takes minutes to start: one that is on its way is not asked for again. A larger need is met at once."""
IN_S = 600
"""The plan's hours are the finest it knows; a machine that left after a lull would be started again."""
WAKING_METRIC = "NoCapacityInvocationFailures"
Resources = dict[str, Node]


def machines_of(chosen: Chosen) -> tuple[int, int]:
    """The fewest and the most machines of the plan's hours."""
    each = chosen.per_machine
    return -(-chosen.least_replicas // each), -(-chosen.most_replicas // each)


def scaling(chosen: Chosen, *, to_zero: bool) -> Resources:
    """The scalable target and its policy; nothing for a fleet that is the same at all hours."""
    if to_zero:
        return _copies(chosen)
    least, most = machines_of(chosen)
    if least == most:
        return {}
    name = {"Fn::Sub": f"endpoint/${{Endpoint.EndpointName}}/variant/{VARIANT}"}
    target = _target(name, "sagemaker:variant:DesiredInstanceCount", (least, most))
    per_machine = f" x {chosen.per_machine} replicas a machine" if chosen.per_machine > 1 else ""
    value = said(
        round(chosen.setup.in_flight * chosen.per_machine, 2),
        f"setup.in_flight{per_machine}: with more on each, the plan adds a replica",
    )
    return {"ScalingTarget": target, "ScalingPolicy": _policy(MACHINES_METRIC, value)}


def _copies(chosen: Chosen) -> Resources:
    """Copies of the model between none and the plan's most, and what wakes the first."""
    name = {"Fn::Sub": f"inference-component/{COMPONENT_NAME}"}
    target = {
        "DependsOn": ["Component"],
        **_target(name, "sagemaker:inference-component:DesiredCopyCount", (0, chosen.most_replicas)),
    }
    value = said(chosen.setup.in_flight, "setup.in_flight: with more on each, the plan adds a replica")
    step = {
        "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
        "Properties": {
            "PolicyName": {"Fn::Sub": "${AWS::StackName}-wake"},
            "PolicyType": "StepScaling",
            "ScalingTargetId": {"Ref": "ScalingTarget"},
            "StepScalingPolicyConfiguration": {
                "AdjustmentType": "ChangeInCapacity",
                "MetricAggregationType": "Maximum",
                "Cooldown": OUT_S,
                "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
            },
        },
    }
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": "A request came while no copy stood; until one does, requests fail for minutes.",
            "Namespace": "AWS/SageMaker",
            "MetricName": WAKING_METRIC,
            "Dimensions": [{"Name": "InferenceComponentName", "Value": {"Fn::Sub": COMPONENT_NAME}}],
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "missing",
            "AlarmActions": [{"Ref": "WakingPolicy"}],
        },
    }
    return {
        "ScalingTarget": target,
        "ScalingPolicy": _policy(COPIES_METRIC, value),
        "WakingPolicy": step,
        "WakingAlarm": alarm,
    }


def _target(resource: Node, dimension: str, ends: tuple[int, int]) -> Node:
    least, most = ends
    return {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {
            "ServiceNamespace": "sagemaker",
            "ResourceId": resource,
            "ScalableDimension": dimension,
            "MinCapacity": said(least, "capacity.replicas_by_hour, its fewest" if least else "--scale-to-zero"),
            "MaxCapacity": said(most, "capacity.replicas_by_hour, its most"),
        },
    }


def _policy(metric: str, value: Node) -> Node:
    return {
        "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
        "Properties": {
            "PolicyName": {"Fn::Sub": "${AWS::StackName}-in-flight"},
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": {"Ref": "ScalingTarget"},
            "TargetTrackingScalingPolicyConfiguration": {
                "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
                "TargetValue": value,
                "ScaleOutCooldown": said(OUT_S, "a machine takes minutes to start and is not asked for twice"),
                "ScaleInCooldown": IN_S,
            },
        },
    }
