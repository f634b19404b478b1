"""`breakeven deploy`, `status` and `destroy`, as they are called; AWS itself is never called here."""

import boto3
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from breakeven.cli.app import app
from breakeven.errors import BreakevenError

OPTION = "host:qwen3.5-35b-a3b:fp8:ml.g6e.xlarge:tp1:lambda-rest-stream"
AGREED = ("--yes", "--expires", "2027-01-31T18:00:00", "--alarm-email", "ops@example.com")


def run(*words):
    found = CliRunner().invoke(app, list(words))
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return " ".join(found.output.split())


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    file = tmp_path_factory.mktemp("plan") / "plan.json"
    run(
        *("compare", "examples/chat-assistant.yaml", "--as-of", "2026-11-29", "--no-bands", "--top", "3"),
        *("--explain", OPTION, "--json", str(file)),
    )
    return str(file)


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """A shell without credentials, and without a machine that would hand some out."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.mark.usefixtures("nobody")
def test_without_yes_and_without_credentials_it_says_what_would_be_created_and_that_no_quota_was_asked_for(plan):
    told = run("deploy", plan, "--option", OPTION)
    for word in (
        "2 to 2 x ml.g6e.xlarge",
        "an hour",
        "1 x SageMaker::Endpoint",
        "endpoint usage: this needs 2; AWS was not asked",
        "no credentials for AWS",
        "Not run",
    ):
        assert word in told
    assert "Nothing was called" in run("destroy", "chat")
    assert "Not run on AWS" in run("destroy", "chat")


@pytest.fixture
def account(monkeypatch):
    """An account with these quotas; whatever else is called fails the test."""

    def have(machines, calls=1000.0):
        keys = {"region_name": "us-east-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}
        client = boto3.client("service-quotas", **keys)
        stub = Stubber(client)
        for service, name, value in (
            ("sagemaker", "ml.g6e.xlarge for endpoint usage", machines),
            ("lambda", "Concurrent executions", calls),
        ):
            quota = {"QuotaName": name, "QuotaCode": "L-12345678", "Value": value}
            stub.add_response("list_service_quotas", {"Quotas": [quota]}, {"ServiceCode": service})
        stub.activate()

        def only(service, **_):
            return client if service == "service-quotas" else pytest.fail(f"{service} was called")

        monkeypatch.setattr(boto3, "client", only)
        return stub

    return have


@pytest.mark.parametrize(("machines", "told"), [(8.0, "you have 8, this needs 2"), (0.0, "--yes would be refused")])
def test_with_credentials_a_dry_run_asks_for_the_quotas_and_for_nothing_else(plan, account, machines, told):
    stub = account(machines)
    assert told in run("deploy", plan, "--option", OPTION)
    stub.assert_no_pending_responses()


def test_a_quota_of_zero_is_one_message_and_nothing_is_created(plan, account):
    account(0.0)
    with pytest.raises(BreakevenError) as refused:
        run("deploy", plan, "--option", OPTION, *AGREED, "--code", "s3://acme/f.zip")
    assert "ml.g6e.xlarge for endpoint usage: you have 0 in us-east-1" in str(refused.value)
    assert "--quota-code L-12345678 --desired-value 2" in str(refused.value)


def test_a_quota_that_may_not_be_read_is_told_and_the_stack_is_made_all_the_same(plan, monkeypatch):
    keys = {"region_name": "us-east-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}
    quotas, formation = boto3.client("service-quotas", **keys), boto3.client("cloudformation", **keys)
    with Stubber(quotas) as closed, Stubber(formation) as reached:
        closed.add_client_error("list_service_quotas", "AccessDeniedException", "not authorized to list quotas")
        reached.add_client_error("describe_stacks", "AccessDenied", "this far")
        monkeypatch.setattr(
            boto3, "client", lambda name, **_: {"service-quotas": quotas, "cloudformation": formation}[name]
        )
        with pytest.raises(BreakevenError, match="this far"):
            run("deploy", plan, "--option", OPTION, *AGREED, "--code", "s3://acme/f.zip")


def test_more_than_allowed_an_hour_is_refused_before_anything_is_said(plan):
    with pytest.raises(BreakevenError, match="--max-usd-per-hour"):
        run("deploy", plan, "--option", OPTION, "--max-usd-per-hour", "1")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--stack", "1st"), "a letter first"),
        (("--stack", "a" * 33), "1 to 32 letters"),
        (("--yes",), "--yes without --expires and --alarm-email"),
        (AGREED, "--yes without --code"),
        ((*AGREED, "--code", "s3://acme/f.zip", "--parameter", "oops"), "NAME=VALUE"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_created(plan, words, told):
    with pytest.raises(BreakevenError) as refused:
        run("deploy", plan, "--option", OPTION, *words)
    assert told in str(refused.value)


@pytest.mark.usefixtures("nobody")
def test_without_credentials_it_is_one_message(plan):
    with pytest.raises(BreakevenError, match="no credentials for AWS"):
        run("deploy", plan, "--option", OPTION, *AGREED, "--code", "s3://acme/f.zip")
    with pytest.raises(BreakevenError, match="no credentials for AWS"):
        run("status")


def test_without_boto3_it_is_one_message(monkeypatch):
    import importlib

    def without(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(BreakevenError, match=r"breakeven\[aws\]"):
        run("status")


def test_how_a_stack_stands_is_told_without_its_secret(monkeypatch):
    client = boto3.client(
        "cloudformation", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
    )
    stub = Stubber(client)
    stack = {
        "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/chat/1",
        "StackName": "chat",
        "StackStatus": "CREATE_COMPLETE",
        "CreationTime": "2026-11-29T00:00:00",
        "Tags": [{"Key": "breakeven-stack:option", "Value": OPTION}],
        "Parameters": [
            {"ParameterKey": "ExpiresAt", "ParameterValue": "2027-01-31T18:00:00"},
            {"ParameterKey": "HuggingFaceToken", "ParameterValue": "****"},
        ],
        "Outputs": [{"OutputKey": "BaseUrl", "OutputValue": "https://example.com/v1"}],
    }
    stub.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": "chat"})
    stub.add_client_error("describe_stacks", "ValidationError", "Stack with id gone does not exist")
    stub.add_client_error("describe_stacks", "AccessDenied", "not authorized to describe")
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
    with stub:
        told = run("status", "chat")
        assert "Not run on AWS" in told
        for word in ("chat create complete", OPTION, "2027-01-31T18:00:00", "https://example.com/v1"):
            assert word in told
        assert "HuggingFaceToken" not in told
        assert "no stack 'gone'" in run("status", "gone")
        with pytest.raises(BreakevenError, match=r"AWS says: .*not authorized"):
            run("status", "chat")
