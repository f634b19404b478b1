"""What the account may have, beside what is needed. Requests are validated by botocore's model of Service Quotas.

The answers are scripted: moto knows the quotas of VPC alone.
"""

import boto3
import pytest
from botocore.stub import Stubber

from breakeven.deploy.intent import Quota
from breakeven.deploy.quotas import ALLOWED, LISTS, refuse_short, standings
from breakeven.errors import SpecError

MACHINES = Quota(service="SageMaker", name="ml.g6e.xlarge for endpoint usage", needed=2)
CALLS = Quota(service="Lambda", name="Concurrent executions", needed=160)
REGION = "us-east-1"


def listed(*named):
    return [{"QuotaName": name, "QuotaCode": f"L-{n}", "Value": value} for n, (name, value) in enumerate(named)]


@pytest.fixture
def aws():
    """A client whose answers are written down in advance: (operation, service, quotas, token in, token out)."""
    client = boto3.client("service-quotas", region_name=REGION, aws_access_key_id="none", aws_secret_access_key="none")
    stub = Stubber(client)

    def answer(operation, service, quotas, token=None, more=None):
        asked = {"ServiceCode": service} | ({"NextToken": token} if token else {})
        stub.add_response(operation, {"Quotas": quotas} | ({"NextToken": more} if more else {}), asked)

    client.answer = answer
    with stub:
        yield client
        stub.assert_no_pending_responses()


def test_what_the_account_has_is_found_on_whatever_page_it_stands(aws):
    aws.answer(LISTS[0], "sagemaker", listed(("ml.g6e.xlarge for training job usage", 9.0)), more="next")
    aws.answer(LISTS[0], "sagemaker", listed(("x", 1.0), ("ml.g6e.xlarge for endpoint usage", 4.0)), token="next")
    aws.answer(LISTS[0], "lambda", listed(("Concurrent executions", 1000.0)))
    machines, calls = standings(aws, (MACHINES, CALLS))
    assert (machines.have, machines.code, machines.short) == (4.0, "L-1", False)
    assert (calls.have, calls.short) == (1000.0, False)
    refuse_short((machines, calls), REGION)


def test_where_nothing_was_ever_applied_aws_s_default_counts(aws):
    aws.answer(LISTS[0], "sagemaker", [])
    aws.answer(LISTS[1], "sagemaker", listed(("ml.g6e.xlarge for endpoint usage", 0.0)))
    (found,) = standings(aws, (MACHINES,))
    assert (found.have, found.short) == (0.0, True)


def test_too_little_is_one_message_with_all_that_lacks_and_what_to_ask_for(aws):
    aws.answer(LISTS[0], "sagemaker", listed(("ml.g6e.xlarge for endpoint usage", 0.0)))
    aws.answer(LISTS[0], "lambda", listed(("Concurrent executions", 10.0)))
    with pytest.raises(SpecError) as refused:
        refuse_short(standings(aws, (MACHINES, CALLS)), REGION)
    for word in (
        "ml.g6e.xlarge for endpoint usage: you have 0; Lambda, Concurrent executions: you have 10 in us-east-1",
        "at least 2; at least 160",
        "--service-code sagemaker --quota-code L-0 --desired-value 2",
        "--service-code lambda --quota-code L-0 --desired-value 160",
    ):
        assert word in str(refused.value)


def test_as_much_as_is_needed_is_enough(aws):
    aws.answer(LISTS[0], "sagemaker", listed(("ml.g6e.xlarge for endpoint usage", 2.0)))
    refuse_short(standings(aws, (MACHINES,)), REGION)


def test_a_machine_that_the_region_has_no_quota_for_while_others_have_is_told_as_missing_there(aws):
    others = (("ml.g6e.2xlarge for endpoint usage", 4.0), ("ml.g6e.xlarge for training job usage", 4.0))
    aws.answer(LISTS[0], "sagemaker", listed(*others))
    aws.answer(LISTS[1], "sagemaker", [])
    found = standings(aws, (MACHINES,))
    with pytest.raises(SpecError) as refused:
        refuse_short(found, "eu-west-9")
    assert "eu-west-9 has no quota 'ml.g6e.xlarge for endpoint usage'" in str(refused.value)
    assert "such as ml.g6e.2xlarge." in str(refused.value)


def test_a_list_without_any_quota_of_the_kind_is_unknown_and_neither_zero_nor_missing(aws):
    for listing in LISTS:
        aws.answer(listing, "sagemaker", [])
    for listing in LISTS:
        aws.answer(listing, "lambda", listed(("Elastic network interfaces per VPC", 250.0)))
    found = standings(aws, (MACHINES, CALLS))
    assert [(one.have, one.short, one.others) for one in found] == [(None, False, ())] * 2
    refuse_short(found, REGION)


def test_the_rights_that_asking_takes_are_those_of_the_calls(aws):
    called = {aws.meta.method_to_api_mapping[name] for name in LISTS}
    assert {right.partition(":")[2] for right in ALLOWED} == called
