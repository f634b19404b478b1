from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.cost.bill import Charge, bill_of, tiered_usd, total_usd_per_day


def charge(name, quantity, price, source="by-hand"):
    return Charge(
        name=name,
        unit="piece",
        quantity_per_day=np.array([float(quantity)]),
        usd_per_unit=np.array([float(price)]),
        source=lambda _: (source,),
    )


def test_a_line_is_quantity_times_unit_price_with_its_source():
    (line,) = bill_of([charge("machines", 24, 2.03)], 0).lines
    assert (line.quantity, line.usd_per_unit, line.usd) == (Decimal("24.0"), Decimal("2.03"), Decimal("48.72"))
    assert (line.name, line.unit, line.source) == ("machines", "piece", ("by-hand",))


def test_ml_m5_xlarge_costs_5_52_usd_a_day_not_a_rounding_error_more():
    assert bill_of([charge("machines", 24, 0.23)], 0).usd_per_day == Decimal("5.52")


def test_what_is_not_used_has_no_line():
    assert bill_of([charge("requests", 0, 1.0), charge("machines", 1, 1.0)], 0).lines[0].name == "machines"


def test_an_unknown_price_is_told_and_the_bill_is_at_least_what_it_says():
    bill = bill_of([charge("machines", 24, 1.0), charge("logs", 5, np.nan)], 0)
    assert bill.usd_per_day == Decimal(24)
    assert bill.unpriced == ("logs",)
    assert [line.usd for line in bill.lines] == [Decimal(24), None]


def test_an_unknown_price_of_nothing_is_no_gap():
    assert bill_of([charge("logs", 0, np.nan)], 0).unpriced == ()


def test_a_month_has_730_hours():
    assert bill_of([charge("machines", 24, 1.0)], 0).usd_per_month == pytest.approx(Decimal(730), rel=Decimal("1e-12"))


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(1e-9, 1e4)), max_size=12))
def test_the_lines_add_up_to_the_total_to_the_last_digit_and_to_what_is_ranked(lines):
    charges = [charge(f"line {n}", quantity, price) for n, (quantity, price) in enumerate(lines)]
    bill = bill_of(charges, 0)
    assert bill.usd_per_day == sum((line.usd for line in bill.lines), Decimal(0))
    ranked = total_usd_per_day(charges, 1)[0]
    assert float(bill.usd_per_day) == pytest.approx(ranked, rel=1e-11, abs=1e-8 * max(len(lines), 1))


def _tiers(small_catalogue, service, item):
    return small_catalogue.on(small_catalogue.last_day, "us-east-1").service_tiers[service, item]


@pytest.mark.parametrize(
    ("millions", "usd"),
    [(1, 1.00), (30, 30.0), (300, 300.0), (301, 300.9), (600, 300 * 1.0 + 300 * 0.9)],
)
def test_the_http_api_costs_1_usd_a_million_up_to_300_million_a_month_and_0_90_above(small_catalogue, millions, usd):
    requests = np.array([millions * 1e6])
    assert requests * tiered_usd(_tiers(small_catalogue, "apigateway", "HTTP API requests"), requests) == pytest.approx(
        usd
    )


def test_a_price_without_tiers_holds_for_every_amount(small_catalogue):
    amounts = np.array([0.0, 1.0, 1e12])
    assert tiered_usd(_tiers(small_catalogue, "lambda", "requests"), amounts).tolist() == [0.0000002] * 3


def test_a_service_without_a_known_price_is_unknown_not_free():
    assert np.isnan(tiered_usd((), np.array([5.0])))[0]


def _transfer(with_rows, small_catalogue):
    """The tiers of data transfer as they were once read: the last one ends and what follows is not known."""
    import msgspec

    rows = [
        msgspec.structs.replace(row, tier_to=51_200.0) if row.tier_from == 10_240 else row
        for row in small_catalogue.tables.service_prices
    ]
    catalogue = with_rows(service_prices=tuple(rows))
    return catalogue, _tiers(catalogue, "data-transfer", "out to internet")


def test_an_amount_beyond_the_last_known_tier_never_costs_less_than_one_within_it(with_rows, small_catalogue):
    _, tiers = _transfer(with_rows, small_catalogue)
    within, beyond = np.array([51_200.0]), np.array([51_201.0])
    most = (within * tiered_usd(tiers, within))[0]
    assert most == pytest.approx(10_240 * 0.09 + 40_960 * 0.085)
    unpriced = np.isnan(tiered_usd(tiers, beyond)[0])
    charged = total_usd_per_day(
        [Charge(name="x", unit="GB", quantity_per_day=beyond, usd_per_unit=tiered_usd(tiers, beyond), source=str)], 1
    )[0]
    assert charged >= most, "free" if unpriced else "cheaper"


@given(st.floats(0, 1e12), st.floats(1, 10))
def test_more_of_a_service_never_costs_less(small_catalogue, amount, more):
    for key in (
        ("apigateway", "HTTP API requests"),
        ("apigateway", "REST API requests"),
        ("data-transfer", "out to internet"),
    ):
        tiers = _tiers(small_catalogue, *key)
        little, much = (np.array([a]) for a in (amount, amount * more))
        assert (little * tiered_usd(tiers, little))[0] <= (much * tiered_usd(tiers, much))[0] * (1 + 1e-12)
