"""cfn-lint has nothing to say of what is written, and it would: faults that are planted are found."""

import pytest

from breakeven.deploy.choice import on_sagemaker
from breakeven.deploy.server import Weights
from breakeven.deploy.stack import template

from .conftest import ANY, warnings_of, wishes

BUCKET = Weights(place="s3://acme-models/chat/", quantized=True)
MATRIX = [
    ("chat-assistant", "direct", 0, {}),
    ("chat-assistant", "direct", 7, {"weights": BUCKET}),
    ("chat-assistant", "direct", 0, {"to_zero": True, "expires_at": None}),
    ("chat-assistant", "lambda", 0, {}),
    ("chat-assistant", "lambda", 7, {"weights": BUCKET, "expires_at": None}),
    ("chat-assistant", "lambda", 0, {"to_zero": True}),
    ("nightly-batch", "direct", 0, {}),
    ("nightly-batch", "lambda", 3, {"context_tokens": 7000}),
    ("support-tickets", "direct", 1, {"to_zero": True, "weights": BUCKET}),
    ("support-tickets", "lambda", 0, {}),
]


LONGEST_BODY = 51_200
"""Bytes of a template that a call may hold; a longer one would have to lie in a bucket (botocore, TemplateBody)."""


@pytest.mark.parametrize(("example", "path", "number", "given"), MATRIX)
def test_cfn_lint_has_nothing_to_say(planned, example, path, number, given):
    found = planned(example, path)
    text = template(on_sagemaker(found.plans, found.best(number)), wishes(**given))
    assert warnings_of(text) == []
    assert len(text.encode()) <= LONGEST_BODY


FAULTS = {
    "an instance type that does not exist": ("InstanceType: ml.", "InstanceType: ml.x"),
    "a metric that does not exist": ("PerModelHighResolution", "PerModelHighRes"),
    "a misspelt property": ("TargetValue:", "TargetValu:"),
    "drivers that do not exist": ("inference-gpu-4-1", "inference-gpu-9-9"),
    "a transfer mode that does not exist": ("ResponseTransferMode: STREAM", "ResponseTransferMode: STREAMED"),
    "a reference to nothing": ("!Ref FunctionLogs", "!Ref FunctionLog"),
    "a dimension that does not exist": ("variant:DesiredInstanceCount", "variant:DesiredInstances"),
    "a retention that does not exist": ("RetentionInDays: 30", "RetentionInDays: 31"),
    "a type that does not exist": ("AWS::Scheduler::Schedule", "AWS::Scheduler::Plan"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(by_lambda, fault):
    right, wrong = FAULTS[fault]
    text = template(by_lambda, wishes())
    assert right in text
    assert warnings_of(text.replace(right, wrong)) != []


def test_the_same_plan_gives_the_same_bytes(by_lambda):
    assert template(by_lambda, wishes()) == template(by_lambda, wishes(weights=ANY))
