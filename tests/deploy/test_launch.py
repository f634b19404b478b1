"""A stack made, resumed and removed: every request validated by botocore, every answer one that AWS gives.

The answers are scripted. This shows what is asked, in which order, and what is made of the answers; not that AWS
gives them.
"""

import boto3
import pytest
from botocore.stub import Stubber

from breakeven.deploy.launch import STATE_TAG, Order, destroy, found, launch, ours
from breakeven.errors import SpecError

ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/chat/1"
ORDER = Order(
    name="chat", template="Resources: {}", parameters={"ExpiresAt": "2027-01-31T18:00:00"}, tags={STATE_TAG: "host:x"}
)
OURS = [{"Key": STATE_TAG, "Value": "host:x"}]
NAMED = {"StackName": "chat", "ChangeSetName": ORDER.change_set}


class Script:
    """Clients of AWS whose answers are written down in advance."""

    def __init__(self):
        keys = {"region_name": "us-east-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}
        self.cloudformation, self.iam = boto3.client("cloudformation", **keys), boto3.client("iam", **keys)
        self.stub, self.iam_stub = Stubber(self.cloudformation), Stubber(self.iam)
        self.told, self.paused = [], 0

    def __enter__(self):
        self.stub.activate()
        self.iam_stub.activate()
        return self

    def __exit__(self, *wrong):
        if not any(wrong):
            self.stub.assert_no_pending_responses()
            self.iam_stub.assert_no_pending_responses()

    def pause(self, _):
        self.paused += 1

    def stands(self, status, name="chat", tags=OURS):
        raw = {
            "StackId": ID,
            "StackName": "chat",
            "StackStatus": status,
            "CreationTime": "2026-11-29T00:00:00",
            "Tags": tags,
        }
        self.stub.add_response("describe_stacks", {"Stacks": [raw]}, {"StackName": name})

    def absent(self):
        said = "Stack with id chat does not exist"
        self.stub.add_client_error("describe_stacks", "ValidationError", said, expected_params={"StackName": "chat"})

    def resources(self, **states):
        rows = [
            {
                "LogicalResourceId": name,
                "PhysicalResourceId": f"chat-{name}",
                "ResourceStatus": status,
                "ResourceType": "AWS::X::Y",
                "Timestamp": "2026-11-29T00:00:00",
            }
            for name, status in states.items()
        ]
        self.stub.add_response("describe_stack_resources", {"StackResources": rows}, {"StackName": ID})

    def change_set(self, kind, status="CREATE_COMPLETE", reason=""):
        asked = {
            **NAMED,
            "ChangeSetType": kind,
            "TemplateBody": ORDER.template,
            "Parameters": [{"ParameterKey": "ExpiresAt", "ParameterValue": "2027-01-31T18:00:00"}],
            "Capabilities": ["CAPABILITY_IAM"],
            "Tags": OURS,
        }
        self.stub.add_response("create_change_set", {"Id": "a", "StackId": ID}, asked)
        self.stub.add_response("describe_change_set", {"Status": status, "StatusReason": reason}, NAMED)

    def launch(self):
        return launch(self.cloudformation, ORDER, self.told.append, self.pause)


def test_a_new_stack_is_made_through_a_change_set_and_watched_to_its_end():
    with Script() as aws:
        aws.absent()
        aws.change_set("CREATE")
        aws.stands("REVIEW_IN_PROGRESS")
        aws.stub.add_response("execute_change_set", {}, NAMED)
        for status, state in (("REVIEW", ""), ("CREATE", "CREATE_IN_PROGRESS"), ("CREATE", "CREATE_IN_PROGRESS")):
            aws.resources(**({"Endpoint": state} if state else {}))
            aws.stands(f"{status}_IN_PROGRESS", ID)
        aws.resources(Endpoint="CREATE_COMPLETE")
        aws.stands("CREATE_COMPLETE", ID)
        assert aws.launch().status == "CREATE_COMPLETE"
        assert [line.split()[-1] for line in aws.told[1:]] == ["Endpoint", "Endpoint"]
        assert aws.paused == 3


def test_an_interrupted_change_set_is_found_again_and_executed():
    with Script() as aws:
        aws.stands("REVIEW_IN_PROGRESS", tags=[])
        aws.stub.add_client_error("create_change_set", "AlreadyExistsException", expected_params=None)
        aws.stub.add_response("describe_change_set", {"Status": "CREATE_IN_PROGRESS"}, NAMED)
        aws.stub.add_response("describe_change_set", {"Status": "CREATE_COMPLETE"}, NAMED)
        aws.stands("REVIEW_IN_PROGRESS", tags=[])
        aws.stub.add_response("execute_change_set", {}, NAMED)
        aws.resources()
        aws.stands("CREATE_COMPLETE", ID)
        assert aws.launch().status == "CREATE_COMPLETE"


def test_a_stack_that_is_being_made_is_waited_for_and_not_made_twice():
    with Script() as aws:
        aws.stands("CREATE_IN_PROGRESS")
        aws.resources(Endpoint="CREATE_COMPLETE")
        aws.stands("CREATE_COMPLETE", ID)
        aws.change_set("UPDATE", "FAILED", "The submitted information didn't contain changes.")
        aws.stub.add_response("delete_change_set", {}, NAMED)
        aws.stands("CREATE_COMPLETE")
        assert aws.launch().status == "CREATE_COMPLETE"
        assert aws.told[-1] == "nothing differs from what stands"


def test_what_failed_is_named_with_its_reason_and_not_what_was_cancelled_for_it():
    with Script() as aws:
        aws.absent()
        aws.change_set("CREATE")
        aws.stands("REVIEW_IN_PROGRESS")
        aws.stub.add_response("execute_change_set", {}, NAMED)
        aws.resources(Endpoint="CREATE_FAILED")
        aws.stands("ROLLBACK_COMPLETE", ID)
        events = [
            _event("ApiStage", "CREATE_FAILED", "Resource creation cancelled"),
            _event("Endpoint", "CREATE_FAILED", "ResourceLimitExceeded: 0 instances of ml.g6e.xlarge"),
            _event("chat", "CREATE_IN_PROGRESS", "User Initiated", ID),
            _event("Model", "CREATE_FAILED", "of an earlier attempt"),
        ]
        aws.stub.add_response("describe_stack_events", {"StackEvents": events}, {"StackName": ID})
        with pytest.raises(SpecError, match="Endpoint: ResourceLimitExceeded"):
            aws.launch()


def test_a_stack_that_rolled_back_can_only_be_removed():
    with Script() as aws:
        aws.stands("ROLLBACK_COMPLETE")
        with pytest.raises(SpecError, match="breakeven destroy chat"):
            aws.launch()


def test_somebody_elses_stack_is_neither_changed_nor_removed():
    with Script() as aws:
        aws.stands("CREATE_COMPLETE", tags=[])
        with pytest.raises(SpecError, match="was not made by breakeven"):
            aws.launch()
    with Script() as aws:
        aws.stands("CREATE_COMPLETE", tags=[])
        with pytest.raises(SpecError, match="was not made by breakeven"):
            destroy(aws.cloudformation, aws.iam, "chat", aws.told.append, aws.pause)


def test_removing_takes_the_stack_and_then_the_role_that_stays_behind():
    with Script() as aws:
        aws.stands("CREATE_COMPLETE")
        aws.stub.add_response("delete_stack", {}, {"StackName": ID})
        for status in ("CREATE_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"):
            aws.resources(Endpoint="DELETE_IN_PROGRESS", RemovalRole="DELETE_SKIPPED")
            aws.stands(status, ID)
        _role_goes(aws)
        destroy(aws.cloudformation, aws.iam, "chat", aws.told.append, aws.pause)
        assert aws.paused == 2


def test_a_removal_that_was_interrupted_goes_on_and_takes_the_role_of_a_stack_that_is_gone():
    with Script() as aws:
        aws.absent()
        gone = {
            "StackId": ID,
            "StackName": "chat",
            "CreationTime": "2026-11-29T00:00:00",
            "StackStatus": "DELETE_COMPLETE",
        }
        aws.stub.add_response("list_stacks", {"StackSummaries": [gone]}, {"StackStatusFilter": ["DELETE_COMPLETE"]})
        _role_goes(aws)
        destroy(aws.cloudformation, aws.iam, "chat", aws.told.append, aws.pause)
    with Script() as aws:
        aws.stands("DELETE_IN_PROGRESS")
        aws.resources(RemovalRole="DELETE_SKIPPED")
        aws.stands("DELETE_COMPLETE", ID)
        _role_goes(aws)
        destroy(aws.cloudformation, aws.iam, "chat", aws.told.append, aws.pause)


def test_a_name_that_never_was_is_told():
    with Script() as aws:
        aws.absent()
        aws.stub.add_response("list_stacks", {"StackSummaries": []}, {"StackStatusFilter": ["DELETE_COMPLETE"]})
        with pytest.raises(SpecError, match="breakeven status"):
            destroy(aws.cloudformation, aws.iam, "chat", aws.told.append, aws.pause)


def test_only_our_stacks_are_listed():
    with Script() as aws:
        rows = [
            {"StackName": name, "StackStatus": "CREATE_COMPLETE", "CreationTime": "2026-11-29T00:00:00", "Tags": tags}
            for name, tags in (("other", []), ("chat", OURS))
        ]
        aws.stub.add_response("describe_stacks", {"Stacks": rows}, {})
        aws.stands("CREATE_COMPLETE")
        assert [name for name, _ in ours(aws.cloudformation)] == ["chat"]


def test_what_aws_refuses_for_another_reason_is_not_taken_for_absence():
    with Script() as aws:
        aws.stub.add_client_error("describe_stacks", "AccessDenied", "not authorized")
        with pytest.raises(aws.cloudformation.exceptions.ClientError, match="not authorized"):
            found(aws.cloudformation, "chat")


def _role_goes(aws):
    aws.resources(RemovalRole="DELETE_SKIPPED")
    aws.iam_stub.add_response("delete_role_policy", {}, {"RoleName": "chat-RemovalRole", "PolicyName": "removal"})
    aws.iam_stub.add_response("delete_role", {}, {"RoleName": "chat-RemovalRole"})


def _event(name, status, reason, physical="x"):
    return {
        "PhysicalResourceId": physical,
        "StackId": ID,
        "EventId": name,
        "StackName": "chat",
        "LogicalResourceId": name,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": "2026-11-29T00:00:00",
    }


def test_the_role_that_is_removed_by_name_is_the_one_that_the_template_keeps(resources_of, direct):
    from breakeven.deploy.launch import POLICY, RETAINED

    resources = resources_of(direct)
    assert resources[RETAINED]["DeletionPolicy"] == "Retain"
    assert resources["RemovalPolicy"]["Properties"]["PolicyName"] == POLICY
