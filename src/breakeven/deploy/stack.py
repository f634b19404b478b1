"""One CloudFormation document for an option of a plan: every part from its own room, in the order they depend on."""

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal

from breakeven.deploy.bill import at_aws_usd_per_month
from breakeven.deploy.choice import Chosen, path_of
from breakeven.deploy.endpoint import AMI, OLDER_AMIS, component, endpoint, endpoint_config, model
from breakeven.deploy.front import outputs, through_lambda
from breakeven.deploy.removal import removal
from breakeven.deploy.roles import callers_policy, function_role, server_role
from breakeven.deploy.scaling import machines_of, scaling
from breakeven.deploy.server import BUCKET, Weights, place_of, settings
from breakeven.deploy.tags import tagged
from breakeven.deploy.text import Node, bare, said, to_yaml
from breakeven.deploy.watch import budget, dashboard, logs

Resources = dict[str, Node]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the plan does not say."""

    weights: Weights
    context_tokens: int | None = None
    """``None``: room for the workload's longest kind of request."""
    to_zero: bool = False
    """Whether the last machine may go too."""
    expires_at: str | None = None
    """UTC, ``2027-01-31T18:00:00``; ``None``: asked for when the stack is made."""


def template(chosen: Chosen, wishes: Wishes) -> str:
    """The document as YAML. The same plan and wishes give the same bytes."""
    return to_yaml(document(chosen, wishes), _heading(chosen))


def document(chosen: Chosen, wishes: Wishes) -> dict[str, Node]:
    """The document as a structure, with comments."""
    by_lambda = path_of(chosen.verdict) == "lambda"
    place = place_of(chosen, wishes.weights)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{chosen.verdict.option.id}, as breakeven planned it on {chosen.plan.as_of}"[:1024],
        "Parameters": _parameters(place, wishes, by_lambda=by_lambda),
        "Conditions": _conditions(place),
        "Resources": resources(chosen, wishes, place, by_lambda=by_lambda),
        "Outputs": outputs(by_lambda=by_lambda),
    }


def resources(chosen: Chosen, wishes: Wishes, place: str, *, by_lambda: bool) -> Resources:
    """Every resource, tagged: the end first, then what is watched, who may what, the endpoint, and the way in."""
    zero = wishes.to_zero
    found: Resources = {
        **removal(by_lambda=by_lambda, to_zero=zero),
        **logs(by_lambda=by_lambda),
        **budget(at_aws_usd_per_month(chosen.verdict.bill)),
        **server_role(place),
        **_endpoint(chosen, wishes, place),
        **scaling(chosen, to_zero=zero),
    }
    if by_lambda:
        found |= {**function_role(to_zero=zero), **through_lambda(chosen, to_zero=zero)}
    else:
        found |= callers_policy(to_zero=zero)
    return tagged(found | dashboard(chosen, by_lambda=by_lambda, to_zero=zero), chosen)


def _endpoint(chosen: Chosen, wishes: Wishes, place: str) -> Resources:
    """Model, configuration and endpoint; what cannot change in place has a name that changes with it."""
    server = settings(chosen, wishes.weights, wishes.context_tokens)
    if chosen.per_machine > 1 and not wishes.to_zero:
        server["data-parallel-size"] = said(chosen.per_machine, "option.replicas_per_machine: one server, all replicas")
    container = model(server, place)
    config = endpoint_config(chosen, machines_of(chosen), to_zero=wishes.to_zero)
    config = _first(config, EndpointConfigName=_named([container, config]))
    container = _first(container, ModelName=_named(container))
    found = {"Model": container, "EndpointConfig": config, "Endpoint": endpoint()}
    return found | ({"Component": component(chosen)} if wishes.to_zero else {})


def _first(resource: Node, **properties: Node) -> Node:
    """The resource with further properties before its own."""
    return resource | {"Properties": properties | resource["Properties"]}


def _named(node: Node) -> Node:
    digest = hashlib.sha256(json.dumps(bare(node), sort_keys=True).encode()).hexdigest()[:10]
    return said({"Fn::Sub": f"${{AWS::StackName}}-{digest}"}, "changes with the properties: it is replaced, not edited")


def _parameters(place: str, wishes: Wishes, *, by_lambda: bool) -> dict[str, Node]:
    """What differs between accounts, and what nobody should write into a file."""
    expiry: dict[str, Node] = {
        "Type": "String",
        "Description": "When the stack is deleted, UTC, like 2027-01-31T18:00:00.",
        "AllowedPattern": r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}",
    }
    if wishes.expires_at:
        expiry["Default"] = wishes.expires_at
    found: dict[str, Node] = {
        "ExpiresAt": expiry,
        "AlarmEmail": {"Type": "String", "Description": "Who is told when it costs more than the plan."},
        "CostTagIsActive": {
            "Type": "String",
            "Description": "Whether breakeven:stack is a cost allocation tag; if not, the whole account counts.",
            "AllowedValues": ["true", "false"],
            "Default": "false",
        },
        "InferenceAmiVersion": {
            "Type": "String",
            "Description": "Drivers of the machines.",
            "AllowedValues": [AMI, *OLDER_AMIS],
            "Default": AMI,
        },
        "SubnetIds": {
            "Type": "CommaDelimitedList",
            "Description": "Subnets for the endpoint; none: no VPC of yours.",
            "Default": "",
        },
        "SecurityGroupIds": {
            "Type": "CommaDelimitedList",
            "Description": "Security groups for the endpoint, with SubnetIds.",
            "Default": "",
        },
    }
    return found | _of_weights(place) | (_of_code() if by_lambda else {})


def _of_weights(place: str) -> dict[str, Node]:
    if place.startswith(BUCKET):
        return {}
    return {
        "Weights": {"Type": "String", "Description": "Repository on the Hugging Face hub.", "Default": place},
        "HuggingFaceToken": {
            "Type": "String",
            "Description": "For gated repositories. Whoever may describe the model in SageMaker can read it.",
            "NoEcho": True,
            "Default": "",
        },
    }


def _of_code() -> dict[str, Node]:
    return {
        "CodeBucket": {"Type": "String", "Description": "Bucket with the function's zip."},
        "CodeKey": {"Type": "String", "Description": "Its key in that bucket."},
    }


def _conditions(place: str) -> dict[str, Node]:
    found: dict[str, Node] = {
        "InVpc": _given({"Fn::Join": ["", {"Ref": "SubnetIds"}]}),
        "TagIsActive": {"Fn::Equals": [{"Ref": "CostTagIsActive"}, "true"]},
    }
    return found if place.startswith(BUCKET) else found | {"Gated": _given({"Ref": "HuggingFaceToken"})}


def _given(value: Node) -> Node:
    return {"Fn::Not": [{"Fn::Equals": [value, ""]}]}


def _heading(chosen: Chosen) -> str:
    plan, bill = chosen.plan, chosen.verdict.bill
    unknown = [line.name for line in bill.lines if line.usd is None]
    least = "at least " if unknown else ""
    dollars = bill.usd_per_day.quantize(Decimal("0.01"))
    return (
        f"{chosen.verdict.option.id}\n"
        f"Written by `breakeven template` from the plan of {plan.as_of} for {plan.workload.name!r}, catalogue "
        f"{plan.catalogue_digest}: {least}{dollars} USD a day in {plan.workload.region}.\n"
        "Checked by cfn-lint and by breakeven's own tests. Not run on AWS.\n"
        "Names in comments are fields of the plan's document."
    )
