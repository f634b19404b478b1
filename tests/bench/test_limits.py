"""Nothing is sent to somebody else's server, and no more than allowed to anybody's, without being told."""

from decimal import Decimal

import pytest

from breakeven.bench.limits import Price, Spending, checked, is_own
from breakeven.bench.schedule import Sized
from breakeven.errors import SpecError

PLANNED = (Sized(input_tokens=1000, output_tokens=100),) * 10
PRICE = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(10))
PAID, OWN = "https://api.example.com/v1", "http://10.0.0.7:8000/v1"


@pytest.mark.parametrize(
    "url", [OWN, "http://localhost:1/v1", "http://[::1]:8000", "http://vllm.models.svc/v1", "http://gpu-box:8000"]
)
def test_ones_own_addresses_are_known(url):
    assert is_own(url)


@pytest.mark.parametrize(
    "url", [PAID, "https://8.8.8.8/v1", "https://api.openai.com/v1", "http://localhost.example.com"]
)
def test_everybody_elses_may_charge(url):
    assert not is_own(url)


def test_ones_own_server_is_asked_without_a_limit():
    checked(OWN, PLANNED, Spending())


def test_another_server_is_not_asked_without_a_limit_and_the_message_says_what_would_be_sent():
    with pytest.raises(SpecError) as told:
        checked(PAID, PLANNED, Spending(price=PRICE))
    assert "10 requests with up to 10,000 tokens in and 1,000 out, $0.03 at most" in str(told.value)
    assert "--max-requests 10" in str(told.value)
    checked(PAID, PLANNED, Spending(max_requests=10))
    checked(PAID, PLANNED, Spending(max_usd=Decimal("0.03"), price=PRICE))


@pytest.mark.parametrize("url", [PAID, OWN])
def test_a_run_beyond_a_limit_is_refused_before_anything_is_sent(url):
    with pytest.raises(SpecError, match="at most --max-requests 9"):
        checked(url, PLANNED, Spending(max_requests=9))
    with pytest.raises(SpecError, match=r"at most --max-usd 0\.02"):
        checked(url, PLANNED, Spending(max_usd=Decimal("0.02"), price=PRICE))


def test_a_limit_in_dollars_needs_a_price():
    with pytest.raises(SpecError, match="but no price"):
        checked(OWN, PLANNED, Spending(max_usd=Decimal(1)))


def test_a_request_that_failed_counts_with_the_most_that_it_can_have_cost():
    from breakeven.bench.outcome import Outcome

    spending = Spending(max_usd=Decimal("0.005"), price=PRICE)
    assert spending.refuses(PLANNED[0]) is None
    spending.settle(Outcome(planned_s=0, sent_s=0, ended_s=1, error="status 500"), PLANNED[0])
    assert spending.usd == Decimal("0.003")
    assert "would be passed" in spending.refuses(PLANNED[0])
