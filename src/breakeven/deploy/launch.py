"""A stack made, watched and removed through CloudFormation. Its state is what AWS says and the stack's own tags.

Every step looks first at what is there, so that a call that was interrupted is simply made again. The clients are
arguments: this room opens no connection of its own.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from breakeven.errors import SpecError

Client = Any
"""A client of boto3; it has no types."""
Tell = Callable[[str], None]
STATE_TAG = "breakeven-stack:option"
POLL_S = 10.0
POLLS = 720
"""Two hours: an endpoint has one to pass its health check, and AWS may take as long to roll back."""
IN_REVIEW = "REVIEW_IN_PROGRESS"
"""A change set waits to be executed; nothing is created yet, and the stack has no tags."""
SETTLED = 6
"""Polls after which a state that has not changed is taken for the end: AWS takes up what it was told a moment later."""
STUCK = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
RETAINED, POLICY = "RemovalRole", "removal"
BEGUN = "User Initiated"
NO_CHANGE = "didn't contain changes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What AWS says of a stack."""

    id: str
    status: str
    tags: dict[str, str]
    outputs: dict[str, str]
    parameters: dict[str, str]

    @property
    def moves(self) -> bool:
        """Whether AWS is still at work on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != IN_REVIEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to stand: the text, its parameters, and the tags that say whose it is."""

    name: str
    template: str
    parameters: dict[str, str]
    tags: dict[str, str]

    @property
    def change_set(self) -> str:
        """A name that is the same for the same order, so that an interrupted one is found again."""
        text = "\n".join([self.template, *(f"{key}={value}" for key, value in sorted(self.parameters.items()))])
        return f"breakeven-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def found(cloudformation: Client, name: str) -> Stack | None:
    """The stack of that name (or id); ``None`` if there is none."""
    try:
        raw = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except cloudformation.exceptions.ClientError as wrong:
        if "does not exist" in str(wrong):
            return None
        raise
    return Stack(
        id=raw["StackId"],
        status=raw["StackStatus"],
        tags={tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])},
        outputs={one["OutputKey"]: one["OutputValue"] for one in raw.get("Outputs", [])},
        parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in raw.get("Parameters", [])},
    )


def launch(cloudformation: Client, order: Order, tell: Tell, pause: Callable[[float], None]) -> Stack:
    """Make the stack, or bring the one that is there to what was ordered.

    Raises:
        SpecError: another's stack has that name, or it is in a state from which it can only be removed.
    """
    there = found(cloudformation, order.name)
    if there and there.moves:
        tell(f"{order.name} is {there.status}: waiting for it first")
        there = watched(cloudformation, there.id, tell, pause)
    if there is not None and there.status != IN_REVIEW:
        _refuse_stranger(order.name, there)
        if there.status in STUCK:
            raise SpecError(
                f"{order.name} is {there.status}",
                expected="a stack that can be changed",
                do=_DESTROY.format(order.name),
            )
    new = there is None or there.status == IN_REVIEW
    tell(f"change set {order.change_set}")
    if not _change_set(cloudformation, order, pause, new=new):
        tell("nothing differs from what stands")
        return _there(cloudformation, order.name)
    before = _there(cloudformation, order.name)
    cloudformation.execute_change_set(StackName=order.name, ChangeSetName=order.change_set)
    return watched(cloudformation, before.id, tell, pause, before.status)


def destroy(cloudformation: Client, iam: Client, name: str, tell: Tell, pause: Callable[[float], None]) -> None:
    """Remove the stack, and the role that its own end would have left behind.

    Raises:
        SpecError: there is no such stack and never was, or it is not one of ours.
    """
    there = found(cloudformation, name)
    if there is None:
        gone = _gone(cloudformation, name)
        if gone is None:
            raise SpecError(f"no stack {name!r}", expected="the name of a stack", do="`breakeven status` lists them")
        tell(f"{name} is gone already")
        stack_id = gone
    else:
        _refuse_stranger(name, there)
        stack_id = there.id
        if there.status != "DELETE_IN_PROGRESS":
            cloudformation.delete_stack(StackName=stack_id)
        watched(cloudformation, stack_id, tell, pause, there.status)
    _remove_role(iam, _retained(cloudformation, stack_id), tell)


def ours(cloudformation: Client) -> tuple[tuple[str, Stack], ...]:
    """Every stack that carries our tag, by name."""
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    names = [
        raw["StackName"]
        for page in pages
        for raw in page["Stacks"]
        if any(tag["Key"] == STATE_TAG for tag in raw.get("Tags", []))
    ]
    return tuple((name, stack) for name in sorted(names) if (stack := found(cloudformation, name)))


def watched(
    cloudformation: Client, stack_id: str, tell: Tell, pause: Callable[[float], None], before: str | None = None
) -> Stack:
    """Wait until AWS has finished, and tell what each resource comes to. ``before``: the state it shall leave.

    Raises:
        SpecError: it ended in failure, or did not end.
    """
    seen: dict[str, str] = {}
    for poll in range(POLLS):
        for line in _news(cloudformation, stack_id, seen):
            tell(line)
        there = _there(cloudformation, stack_id)
        waits = there.status == before and (before == IN_REVIEW or poll < SETTLED)
        if not there.moves and not waits:
            return _ended_well(cloudformation, there)
        pause(POLL_S)
    raise SpecError(
        f"{stack_id} has not come to an end",
        expected="an end within two hours",
        do="It goes on without this command; `breakeven status` says how it stands",
    )


_DESTROY = "Remove it with `breakeven destroy {}`, then deploy again"


def _ended_well(cloudformation: Client, there: Stack) -> Stack:
    if there.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"):
        first = _first_failure(cloudformation, there.id)
        raise SpecError(
            f"the stack ended as {there.status}: {first}", expected="it to stand", do="Mend that, try again"
        )
    return there


def _first_failure(cloudformation: Client, stack_id: str) -> str:
    """What failed first since the last thing that somebody asked for; what came after was cancelled for it."""
    first = "AWS gives no reason"
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        for event in page["StackEvents"]:  # the newest first
            status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "no reason given")
            if event.get("PhysicalResourceId") == stack_id and status.endswith("_IN_PROGRESS") and reason == BEGUN:
                return first
            if status.endswith("_FAILED"):
                first = f"{event['LogicalResourceId']}: {reason}"
    return first


def _news(cloudformation: Client, stack_id: str, seen: dict[str, str]) -> Iterator[str]:
    """A line for each resource whose state is another than when we looked last."""
    for resource in cloudformation.describe_stack_resources(StackName=stack_id)["StackResources"]:
        name, status = resource["LogicalResourceId"], resource["ResourceStatus"]
        if seen.get(name) != status:
            seen[name] = status
            yield f"{status.lower().replace('_', ' '):<22} {name}"


def _change_set(cloudformation: Client, order: Order, pause: Callable[[float], None], *, new: bool) -> bool:
    """Have it made, or find the one that an interrupted call left; whether it changes anything."""
    named = {"StackName": order.name, "ChangeSetName": order.change_set}
    with suppress(cloudformation.exceptions.AlreadyExistsException):
        cloudformation.create_change_set(
            **named,
            ChangeSetType="CREATE" if new else "UPDATE",
            TemplateBody=order.template,
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in order.parameters.items()],
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": key, "Value": value} for key, value in order.tags.items()],
        )
    for _ in range(POLLS):
        made = cloudformation.describe_change_set(**named)
        if made["Status"] == "CREATE_COMPLETE":
            return True
        if made["Status"] == "FAILED":
            cloudformation.delete_change_set(**named)
            reason = made.get("StatusReason", "no reason given")
            if NO_CHANGE in reason:
                return False
            raise SpecError(f"AWS refuses the change set: {reason}", expected="one it takes", do="Mend that, try again")
        pause(POLL_S)
    raise SpecError("the change set is not ready", expected="one within two hours", do="Call the same command again")


def _there(cloudformation: Client, name: str) -> Stack:
    there = found(cloudformation, name)
    if there is None:
        raise SpecError(
            f"the stack {name} is gone", expected="it to stand", do="Somebody else removed it; deploy again"
        )
    return there


def _refuse_stranger(name: str, there: Stack) -> None:
    if STATE_TAG not in there.tags:
        raise SpecError(
            f"the stack {name!r} was not made by breakeven",
            expected=f"a name of your own, or a stack with the tag {STATE_TAG}",
            do="Choose another --stack",
        )


def _gone(cloudformation: Client, name: str) -> str | None:
    """The id of the last deleted stack of that name: AWS remembers for 90 days."""
    pages = cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    return next((one["StackId"] for page in pages for one in page["StackSummaries"] if one["StackName"] == name), None)


def _retained(cloudformation: Client, stack_id: str) -> str | None:
    """The name of the role that outlives the stack."""
    resources = cloudformation.describe_stack_resources(StackName=stack_id)["StackResources"]
    return next((r.get("PhysicalResourceId") for r in resources if r["LogicalResourceId"] == RETAINED), None)


def _remove_role(iam: Client, role: str | None, tell: Tell) -> None:
    if role is None:
        return
    with suppress(iam.exceptions.NoSuchEntityException):
        iam.delete_role_policy(RoleName=role, PolicyName=POLICY)
    with suppress(iam.exceptions.NoSuchEntityException):
        iam.delete_role(RoleName=role)
    tell(f"removed               {role}")
