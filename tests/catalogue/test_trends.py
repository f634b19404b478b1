from datetime import date
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from breakeven.catalogue.schema import ApiOffer, ApiPrice, MachinePrice
from breakeven.catalogue.trends import RENT_ROSE, api_prices, machine_rents, open_models, steady

LAST = date(2026, 6, 1)


def offer(name, **facts):
    return ApiOffer(provider="p", model=name, mode="chat", source="by-hand", **facts)


def price(name, usd, day, kind="input", **facts):
    return ApiPrice(
        provider="p",
        model=name,
        tier="standard",
        token_kind=kind,
        usd_per_mtok=Decimal(str(usd)),
        effective_from=day,
        date_basis="announced",
        source="by-hand",
        **facts,
    )


def both(name, usd, day, **facts):
    return [price(name, usd, day, kind, **facts) for kind in ("input", "output")]


@pytest.fixture
def falling(with_rows):
    """One level of quality whose least price halves every year, each time by a newer model."""
    names = [f"m{year}" for year in range(2020, 2027)]
    rows = [row for n, name in enumerate(names) for row in both(name, 8 / 2**n, date(2020 + n, 1, 1))]
    return with_rows(api_offers=tuple(offer(name) for name in names), api_prices=tuple(rows)), dict.fromkeys(
        [*names, "top"], 1200.0
    ) | {"top": 1300.0}


def test_a_price_that_halves_every_year_is_found_to_halve_every_year(falling):
    catalogue, scores = falling
    found = api_prices(catalogue, LAST, scores, 0.5).trend(1200.0)
    assert [found.factor(chance) for chance in (0.1, 0.5, 0.9)] == pytest.approx([0.5, 0.5, 0.5])
    assert found.first >= date(2020, 1, 1)
    assert found.last == LAST


def test_nothing_that_lies_after_the_day_is_looked_at(falling):
    catalogue, scores = falling
    dear = (*catalogue.tables.api_prices, *both("m2026", 900, date(2026, 7, 1)))
    later = msgspec.structs.replace(catalogue.tables, api_prices=tuple(sorted(dear, key=lambda r: r.effective_from)))
    from breakeven.catalogue.load import index

    before = api_prices(catalogue, LAST, scores, 0.5).trend(1200.0)
    assert api_prices(index(later, "x"), LAST, scores, 0.5).trend(1200.0) == before


def test_an_offer_that_is_retired_no_longer_holds_the_price_down(falling, with_rows):
    catalogue, scores = falling
    offers = tuple(
        msgspec.structs.replace(row, retired_on=date(2024, 1, 1)) if row.model != "m2020" else row
        for row in catalogue.tables.api_offers
    )
    gone = with_rows(api_offers=offers, api_prices=catalogue.tables.api_prices)
    assert api_prices(gone, LAST, scores, 0.5).trend(1200.0).factor(0.9) > 1


def test_too_short_a_history_has_no_trend(falling):
    catalogue, scores = falling
    assert api_prices(catalogue, date(2021, 3, 1), scores, 0.5).trend(1200.0) is None
    assert api_prices(catalogue, LAST, {}, 0.5).trend(1200.0) is None


def test_a_rent_that_never_moved_may_still_rise_as_rents_have(with_rows):
    row = MachinePrice(
        machine="p5.48xlarge",
        service="ec2",
        region="us-east-1",
        term="on-demand",
        usd_per_hour=Decimal(10),
        effective_from=date(2021, 1, 1),
        date_basis="observed",
        source="by-hand",
    )
    found = machine_rents(with_rows(machine_prices=(row,)), LAST, "us-east-1")
    assert (found.factor(0.05), found.factor(0.5), found.factor(0.9)) == pytest.approx((1.0, 1.0, RENT_ROSE))
    assert found.series == 1


def test_the_shipped_history_says_what_the_page_on_ranges_says(shipped):
    """New qualities have fallen about tenfold a year, settled ones far less: the direction, not the digits."""
    scores = {model: row.score for model, row in shipped.scores("lmarena-text").items()}
    apis, models = api_prices(shipped, shipped.last_day, scores, 0.75), open_models(shipped, shipped.last_day, scores)
    settled, young = apis.trend(1300.0), apis.trend(1475.0)
    assert young.factor(0.5) < 0.5 < settled.factor(0.5) < 1
    assert young.factor(0.1) < 0.1
    assert models.trend(1300.0).factor(0.5) <= 1
    rents = machine_rents(shipped, shipped.last_day, "us-east-1")
    assert rents.series > 15
    assert rents.factor(0.02) < 0.8


def test_steady_stays():
    assert np.all(steady(LAST).at(np.linspace(0, 1, 5)) == 0)
