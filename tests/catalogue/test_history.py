"""Prices over time: every dated row of a name in order, and what changed between two days."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalogue.diff import diff
from breakeven.catalogue.history import Series, Span, history
from breakeven.catalogue.schema import ApiOffer, ApiPrice, MachinePrice
from breakeven.errors import NoDataError, SpecError, UnknownNameError

HOME = "us-east-1"
FIRST, SALE, RISE, TODAY = date(2023, 1, 10), date(2024, 6, 1), date(2025, 3, 1), date(2026, 6, 1)


def _api(model, kind, usd, day, **facts):
    plain = {"tier": "standard", "date_basis": "announced", "source": "by-hand"}
    return ApiPrice(
        provider="acme", model=model, token_kind=kind, usd_per_mtok=Decimal(usd), effective_from=day, **plain | facts
    )


def _machine(name, usd, day, term="on-demand", **facts):
    plain = {"region": HOME, "date_basis": "observed", "source": "by-hand"}
    return MachinePrice(
        machine=name,
        service="sagemaker" if name.startswith("ml.") else "ec2",
        term=term,
        usd_per_hour=Decimal(usd),
        effective_from=day,
        **plain | facts,
    )


PRICES = (
    _api("rocket", "input", "4", FIRST),
    _api("rocket", "output", "8", FIRST),
    _api("rocket", "input", "2", SALE),
    _api("rocket", "input", "1", SALE, tier="batch"),
    _api("rocket", "input", "3", SALE, above_input_tokens=200_000, until=date(2024, 9, 1)),
    _api("rocket", "output", "1", SALE, window="off_peak"),
    _api("rocket", "input", "5", RISE),
    _api("relic", "input", "9", FIRST),
    _api("novelty", "input", "0.5", RISE),
    _api("novelty", "output", "1.5", RISE),
)
MACHINES = (
    _machine("g5.xlarge", "1.006", FIRST),
    _machine("ml.g5.xlarge", "1.624", FIRST),
    _machine("ml.g5.xlarge", "1.408", SALE),
    _machine("g5.xlarge", "0.634", SALE, "reserved-1y"),
    _machine("p5.48xlarge", "55.04", RISE),
)
OFFERS = tuple(
    ApiOffer(provider="acme", model=model, mode="chat", source="by-hand", **facts)
    for model, facts in (
        ("rocket", {"canonical": "flan-ul2"}),
        ("relic", {"delisted_by": date(2025, 1, 1)}),
        ("novelty", {}),
    )
)


@pytest.fixture(scope="module")
def catalogue(with_rows):
    by_day = {"key": lambda row: row.effective_from}
    return with_rows(
        api_offers=OFFERS, api_prices=tuple(sorted(PRICES, **by_day)), machine_prices=tuple(sorted(MACHINES, **by_day))
    )


@pytest.fixture(scope="module")
def over_time(catalogue):
    """The prices of a name: ``over_time("rocket", tier="batch")``, as label: [(day, USD)]."""

    def read(name, **span):
        (entry,) = history(catalogue, name, Span(**{"as_of": TODAY, "region": HOME} | span)).entries
        return {one.label: [(row.effective_from, _usd(row)) for row in one.rows] for one in entry.series}

    return read


def _usd(row):
    return str(row.usd_per_mtok if isinstance(row, ApiPrice) else row.usd_per_hour)


# history


def test_each_price_of_an_offer_is_a_series_the_oldest_row_first(over_time):
    assert over_time("acme/rocket") == {
        "input": [(FIRST, "4"), (SALE, "2"), (RISE, "5")],
        "output": [(FIRST, "8")],
        "output, off-peak": [(SALE, "1")],
        "input, input>200K": [(SALE, "3")],
        "input, batch": [(SALE, "1")],
    }


def test_a_machine_and_its_hosted_twin_stand_together_by_term(over_time):
    assert over_time("g5.xlarge") == {
        "g5.xlarge on-demand": [(FIRST, "1.006")],
        "g5.xlarge reserved-1y": [(SALE, "0.634")],
        "ml.g5.xlarge on-demand": [(FIRST, "1.624"), (SALE, "1.408")],
    }
    assert over_time("ML.g5.xlarge") == {"ml.g5.xlarge on-demand": [(FIRST, "1.624"), (SALE, "1.408")]}


def test_tiers_kinds_and_days_narrow_what_is_told(over_time):
    assert list(over_time("rocket", tier="batch")) == ["input, batch"]
    assert list(over_time("rocket", token_kind="output")) == ["output", "output, off-peak"]
    assert over_time("rocket", as_of=date(2024, 12, 31))["input"] == [(FIRST, "4"), (SALE, "2")]


def test_from_a_day_on_the_price_then_in_force_comes_first(over_time):
    assert over_time("rocket", since=date(2024, 12, 31))["input"] == [(SALE, "2"), (RISE, "5")]
    assert over_time("rocket", since=SALE)["input"] == [(SALE, "2"), (RISE, "5")]


def test_every_row_is_told_with_its_source(catalogue):
    found = history(catalogue, "rocket", Span(as_of=TODAY, region=HOME))
    assert [source.id for source in found.sources] == ["by-hand"]
    assert sum(len(series.rows) for series in found.entries[0].series) == sum(row.model == "rocket" for row in PRICES)


def test_an_open_model_stands_for_its_offers(catalogue):
    found = history(catalogue, "flan-ul2", Span(as_of=TODAY, region=HOME))
    assert [entry.name for entry in found.entries] == ["acme/rocket"]


def test_an_offer_that_is_gone_says_since_when(catalogue):
    relic = history(catalogue, "relic", Span(as_of=TODAY, region=HOME)).entries[0]
    assert (relic.gone_on, relic.status) == (date(2025, 1, 1), "no longer listed on 2025-01-01")
    earlier = history(catalogue, "relic", Span(as_of=SALE, region=HOME)).entries[0]
    assert (earlier.gone_on, earlier.status) == (None, "")


def test_a_change_is_the_new_price_over_the_old(catalogue):
    series = history(catalogue, "rocket", Span(as_of=TODAY, region=HOME)).entries[0].series[0]
    assert series.changes == (None, Decimal("-0.5"), Decimal("1.5"))


def test_a_price_that_had_ended_has_no_change_to_the_next():
    rows = (_api("rocket", "input", "4", FIRST, until=SALE), _api("rocket", "input", "2", RISE))
    assert Series(label="input", unit="Mtok", rows=rows).changes == (None, None)
    at_once = (_api("rocket", "input", "4", FIRST, until=SALE), _api("rocket", "input", "2", SALE))
    assert Series(label="input", unit="Mtok", rows=at_once).changes == (None, Decimal("-0.5"))


def test_a_price_holds_as_a_step_until_the_next_one_or_until_it_ends(catalogue):
    series = {one.label: one for one in history(catalogue, "rocket", Span(as_of=TODAY, region=HOME)).entries[0].series}
    assert series["input"].steps(TODAY) == (
        *((FIRST, Decimal(4)), (SALE, Decimal(4))),
        *((SALE, Decimal(2)), (RISE, Decimal(2))),
        *((RISE, Decimal(5)), (TODAY, Decimal(5))),
    )
    ended = date(2024, 9, 1)
    assert series["input, input>200K"].steps(TODAY) == ((SALE, Decimal(3)), (ended, Decimal(3)), (ended, None))


@given(
    st.lists(st.tuples(st.dates(FIRST, TODAY), st.integers(1, 9)), min_size=1, max_size=6, unique_by=lambda p: p[0]),
    st.dates(FIRST, TODAY),
)
def test_on_every_day_the_step_is_the_price_of_that_day(with_rows, dated, day):
    dated.sort()
    rows = tuple(_machine("g5.xlarge", str(usd), since) for since, usd in dated)
    steps = Series(label="x", unit="hour", rows=rows).steps(TODAY)
    begun = [usd for since, usd in steps if since <= day]
    held = (
        with_rows(machine_prices=rows, api_prices=PRICES[:1], api_offers=OFFERS)
        .on(day, HOME)
        .machine_prices.get(("g5.xlarge", "on-demand"))
    )
    assert (begun[-1] if begun else None) == (held.usd_per_hour if held else None)


@pytest.mark.parametrize(
    ("name", "span", "error", "told"),
    [
        ("rockt", {}, UnknownNameError, "name 'rockt' is not in the catalogue. Expected: one of"),
        ("g5.xlarg", {}, UnknownNameError, "Did you mean: g5.xlarge"),
        ("llama-70b", {}, NoDataError, "llama-70b is one of the models, which have no price of their own."),
        (
            "rocket",
            {"as_of": date(2022, 1, 1)},
            NoDataError,
            "no price of rocket is known on 2022-01-01. Expected: a day from 2023-01-10 on",
        ),
        (
            "rocket",
            {"tier": "flex"},
            NoDataError,
            "no flex price of rocket is known. Expected: one of: standard, batch.",
        ),
        ("rocket", {"tier": "cheap"}, SpecError, "--tier is cheap. Expected: one of standard, batch, flex, priority."),
        ("rocket", {"token_kind": "in"}, SpecError, "--kind is in. Expected: one of input, cached_input"),
        (
            "g5.xlarge",
            {"region": "mars"},
            NoDataError,
            "no mars price of g5.xlarge is known. Expected: one of: us-east-1.",
        ),
        (
            "rocket",
            {"since": TODAY, "as_of": FIRST},
            SpecError,
            "2026-06-01 lies after 2023-01-10. Expected: the earlier day",
        ),
    ],
)
def test_what_cannot_be_told_is_one_clear_message(over_time, name, span, error, told):
    with pytest.raises(error) as wrong:
        over_time(name, **span)
    assert told in str(wrong.value)


# diff


def _changes(found):
    return [(one.name, one.price, str(one.old), str(one.new)) for one in found.changed]


def test_the_largest_changes_come_first_up_or_down(catalogue):
    found = diff(catalogue, (FIRST, TODAY), HOME)
    assert _changes(found) == [
        ("acme/rocket", "input", "4", "5"),
        ("ml.g5.xlarge", "on-demand", "1.624", "1.408"),
    ]
    assert found.changed[0].change == Decimal("0.25")
    assert _changes(diff(catalogue, (FIRST, SALE), HOME))[0] == ("acme/rocket", "input", "4", "2")


def test_a_halving_is_as_large_as_a_doubling(with_rows):
    rows = [
        _machine(name, usd, day)
        for name, old, new in (("a", "2", "1"), ("b", "1", "3"), ("c", "1", "2"))
        for usd, day in ((old, FIRST), (new, RISE))
    ]
    found = diff(
        with_rows(
            machine_prices=tuple(sorted(rows, key=lambda row: row.effective_from)),
            api_offers=OFFERS,
            api_prices=PRICES[:1],
        ),
        (FIRST, TODAY),
        HOME,
    )
    assert [one.name for one in found.changed] == ["b", "a", "c"]


def test_offers_that_came_and_went_are_told_with_price_and_reason(catalogue):
    found = diff(catalogue, (SALE, TODAY), HOME)
    (came,) = found.offers_came
    assert (came.name, came.since, came.prices) == (
        "acme/novelty",
        RISE,
        {"input": Decimal("0.5"), "output": Decimal("1.5")},
    )
    (went,) = found.offers_went
    assert (went.name, went.because) == ("acme/relic", "no longer listed on 2025-01-01")


def test_an_offer_whose_price_ended_went_although_nobody_retired_it(with_rows):
    rows = (_api("novelty", "input", "1", FIRST, until=RISE), _api("rocket", "input", "4", FIRST))
    (went,) = diff(with_rows(api_offers=OFFERS, api_prices=rows), (FIRST, TODAY), HOME).offers_went
    assert (went.name, went.because) == ("acme/novelty", "its price ended")


def test_machines_that_came_are_told_with_their_price(catalogue):
    (came,) = diff(catalogue, (SALE, TODAY), HOME).machines_came
    assert (came.name, came.prices) == ("p5.48xlarge", {"on-demand": Decimal("55.04")})


def test_new_tiers_and_lengths_of_an_offer_are_counted_and_not_taken_for_changes(catalogue):
    found = diff(catalogue, (FIRST, SALE), HOME)
    assert found.prices_came == 4  # batch, longer prompts, off-peak; and g5.xlarge for a year
    assert diff(catalogue, (SALE, TODAY), HOME).prices_went == 1  # longer prompts


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"provider": "acme"}, {"acme/rocket"}),
        ({"provider": "AC*"}, {"acme/rocket"}),
        ({"name": "ml."}, {"ml.g5.xlarge"}),
        ({"name": "*.xlarge"}, {"ml.g5.xlarge"}),
        ({"name": "ROCKET"}, {"acme/rocket"}),
        ({"provider": "acme", "name": "novelty"}, set()),
    ],
)
def test_providers_and_names_narrow_what_is_compared(catalogue, fields, names):
    assert {one.name for one in diff(catalogue, (FIRST, TODAY), HOME, **fields).changed} == names


def test_between_days_without_news_nothing_changed(catalogue):
    found = diff(catalogue, (date(2025, 3, 1), date(2025, 3, 2)), HOME)
    assert found.changed == found.offers_came == found.offers_went == found.machines_came == ()
    assert (found.prices_came, found.prices_went) == (0, 0)
    assert found.unchanged > 0


@given(st.dates(FIRST, TODAY), st.dates(FIRST, TODAY))
def test_what_changed_explains_the_whole_difference(catalogue, one, other):
    if one == other:
        return
    days = min(one, other), max(one, other)
    found = diff(catalogue, days, HOME)
    for changed in found.changed:
        assert changed.old != changed.new
        assert changed.old * (1 + changed.change) == pytest.approx(changed.new)
        assert days[0] < changed.since <= days[1]
    assert not {line.name for line in found.offers_came} & {line.name for line in found.offers_went}


@pytest.mark.parametrize(
    ("days", "fields", "error", "told"),
    [
        ((TODAY, FIRST), {}, SpecError, "2026-06-01 lies after 2023-01-10. Expected: the earlier day first."),
        ((TODAY, TODAY), {}, SpecError, "both days are 2026-06-01. Expected: two days."),
        (
            (date(2020, 1, 1), TODAY),
            {},
            NoDataError,
            "2020-01-01 lies before the first known price. Expected: a day from 2023-01-10 on.",
        ),
        (
            (FIRST, TODAY),
            {"provider": "acne"},
            UnknownNameError,
            "provider 'acne' is not in the catalogue. Expected: one of 1 known providers. Did you mean: acme?",
        ),
        ((FIRST, TODAY), {"name": "p5.48xlrge"}, UnknownNameError, "Did you mean: p5.48xlarge, g5.xlarge?"),
        ((FIRST, TODAY), {"provider": "acme", "name": "p5"}, UnknownNameError, "name 'p5' is not in the catalogue"),
    ],
)
def test_days_and_names_that_do_not_fit_are_one_clear_message(catalogue, days, fields, error, told):
    with pytest.raises(error) as wrong:
        diff(catalogue, days, HOME, **fields)
    assert told in str(wrong.value)


def test_a_catalogue_of_a_made_up_future_keeps_its_past(catalogue, with_rows):
    later = msgspec.structs.replace(PRICES[0], effective_from=TODAY, usd_per_mtok=Decimal(9))
    grown = with_rows(
        api_offers=OFFERS,
        api_prices=(*catalogue.tables.api_prices, later),
        machine_prices=catalogue.tables.machine_prices,
    )
    days = (FIRST, RISE)
    assert diff(grown, days, HOME).changed == diff(catalogue, days, HOME).changed
