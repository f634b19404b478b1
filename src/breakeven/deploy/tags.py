"""Tags: whose each resource is, and which plan and option it came from. They carry the state of a stack."""

from collections.abc import Mapping

from breakeven.deploy.choice import Chosen
from breakeven.deploy.text import Node, Said

STACK_TAG = "breakeven:stack"
TAGGED = {
    "AWS::SageMaker::Model": "Tags",
    "AWS::SageMaker::EndpointConfig": "Tags",
    "AWS::SageMaker::Endpoint": "Tags",
    "AWS::SageMaker::InferenceComponent": "Tags",
    "AWS::IAM::Role": "Tags",
    "AWS::Lambda::Function": "Tags",
    "AWS::ApiGateway::RestApi": "Tags",
    "AWS::ApiGateway::Stage": "Tags",
    "AWS::ApiGateway::ApiKey": "Tags",
    "AWS::ApiGateway::UsagePlan": "Tags",
    "AWS::Logs::LogGroup": "Tags",
    "AWS::Budgets::Budget": "ResourceTags",
    "AWS::CloudWatch::Alarm": "Tags",
}
"""The property that holds the tags, by type; the others of a stack take none."""


def tagged(resources: Mapping[str, Node], chosen: Chosen) -> dict[str, Node]:
    """The same resources with their tags."""
    return {name: _tagged(resource, chosen) for name, resource in resources.items()}


def _tagged(resource: Node, chosen: Chosen) -> Node:
    if isinstance(resource, Said):
        return Said(_tagged(resource.value, chosen), resource.why)
    place = TAGGED.get(resource["Type"])
    if place is None:
        return resource
    return resource | {"Properties": {**resource.get("Properties", {}), place: _tags(chosen)}}


def _tags(chosen: Chosen) -> list[Node]:
    return [
        {"Key": STACK_TAG, "Value": {"Ref": "AWS::StackName"}},
        {"Key": "breakeven:option", "Value": chosen.verdict.option.id},
        {"Key": "breakeven:catalogue", "Value": chosen.plan.catalogue_digest},
        {"Key": "breakeven:as-of", "Value": chosen.plan.as_of},
    ]
