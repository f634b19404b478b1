from datetime import date, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalogue.load import ANYWHERE, Catalogue, catalogue_of, in_force, load_catalogue
from breakeven.errors import CatalogueError, NoDataError, UnknownNameError

HOME = "us-east-1"
DAYS = st.dates(date(2020, 1, 1), date(2026, 12, 31))


@pytest.fixture(scope="module")
def dated(small_catalogue):
    """A catalogue with other rows than the small one: ``dated(machine_prices=[...])`` changes its first row."""
    first = {name: getattr(small_catalogue.tables, name)[0] for name in ("api_prices", "machine_prices")}
    first["service_prices"] = small_catalogue.tables.service_prices[0]
    return lambda table, **fields: msgspec.structs.replace(first[table], **fields)


@given(st.lists(DAYS, max_size=8, unique=True), DAYS)
def test_the_row_in_force_is_the_newest_that_is_not_later(dated, days, today):
    rows = [dated("machine_prices", effective_from=day) for day in days]
    found = in_force(rows, today)
    begun = [day for day in days if day <= today]
    assert (found.effective_from if found else None) == (max(begun) if begun else None)


@given(st.lists(st.tuples(DAYS, st.integers(1, 99)), min_size=1, max_size=8, unique_by=lambda pair: pair[0]), DAYS)
def test_a_snapshot_holds_the_prices_of_its_day_whatever_came_later(with_rows, dated, history, today):
    history.sort()
    catalogue = with_rows(
        machine_prices=tuple(
            dated("machine_prices", machine="m", term="on-demand", usd_per_hour=Decimal(usd), effective_from=day)
            for day, usd in history
        ),
        api_prices=(dated("api_prices", effective_from=date(2020, 1, 1)),),
    )
    held = catalogue.on(today, HOME).machine_prices.get(("m", "on-demand"))
    begun = [usd for day, usd in history if day <= today]
    assert (held.usd_per_hour if held else None) == (begun[-1] if begun else None)


def test_a_past_day_is_answered_with_that_days_price(small_catalogue):
    price = ("p5.48xlarge", "on-demand")
    assert price not in small_catalogue.on(date(2023, 7, 25), HOME).machine_prices
    assert small_catalogue.on(date(2023, 7, 26), HOME).machine_prices[price].usd_per_hour == Decimal("98.32")
    assert small_catalogue.on(date(2025, 5, 31), HOME).machine_prices[price].usd_per_hour == Decimal("98.32")
    assert small_catalogue.on(date(2025, 6, 1), HOME).machine_prices[price].usd_per_hour == Decimal("55.04")


def test_a_day_before_the_first_price_is_an_error_that_names_that_day(small_catalogue):
    with pytest.raises(NoDataError) as wrong:
        small_catalogue.on(date(2022, 5, 31), HOME)
    assert str(wrong.value) == (
        "--as-of 2022-05-31 lies before the first known price. Expected: a day from 2022-06-01 on. "
        "Take a later day; the history begins on 2022-06-01."
    )
    assert small_catalogue.on(date(2022, 6, 1), HOME).tariffs


def test_no_api_is_offered_before_its_first_price(small_catalogue):
    before, after = (small_catalogue.on(day, HOME) for day in (date(2026, 4, 30), date(2026, 5, 1)))
    assert "later" in {offer.model for offer in before.not_yet}
    assert "later" not in {tariff.offer.model for tariff in before.tariffs}
    assert "later" in {tariff.offer.model for tariff in after.tariffs}
    assert "later" not in {offer.model for offer in after.not_yet}


def test_a_price_that_ended_is_not_offered_and_its_model_is_not_called_new(with_rows, dated):
    ended = dated("api_prices", effective_from=date(2023, 1, 1), until=date(2024, 1, 1))
    catalogue = with_rows(api_prices=(ended,))
    assert catalogue.on(date(2023, 12, 31), HOME).tariffs[0].prices
    after = catalogue.on(date(2024, 1, 1), HOME)
    assert after.tariffs == ()
    assert ended.model not in {offer.model for offer in after.not_yet}


def test_tiers_of_different_days_are_never_mixed(with_rows, dated):
    def tier(day: date, usd: str, low: float, high: float | None):
        return dated("service_prices", effective_from=day, usd=Decimal(usd), tier_from=low, tier_to=high)

    old, new = date(2023, 1, 1), date(2025, 1, 1)
    catalogue = with_rows(
        service_prices=(  # three tiers became two
            tier(new, "0.7", 50, None),
            tier(old, "1.0", 0, 10),
            tier(old, "0.8", 100, None),
            tier(new, "0.9", 0, 50),
            tier(old, "0.9", 10, 100),
        )
    )
    (before,) = catalogue.on(date(2024, 12, 31), HOME).service_tiers.values()
    (after,) = catalogue.on(new, HOME).service_tiers.values()
    assert [(row.usd, row.tier_from) for row in before] == [
        (Decimal(1), 0),
        (Decimal("0.9"), 10),
        (Decimal("0.8"), 100),
    ]
    assert [(row.usd, row.tier_from) for row in after] == [(Decimal("0.9"), 0), (Decimal("0.7"), 50)]


def test_peak_hours_are_those_of_the_day(small_catalogue, with_rows):
    (window,) = small_catalogue.tables.peak_windows
    later = msgspec.structs.replace(window, hours_of_week_utc=(1, 2), effective_from=date(2025, 1, 1))
    catalogue = with_rows(peak_windows=(later, window))
    assert catalogue.on(date(2024, 12, 31), HOME).windows["night"] == window
    assert catalogue.on(date(2025, 1, 1), HOME).windows["night"] == later
    assert catalogue.windows["night"] == later


def test_a_region_without_prices_is_an_error_that_names_the_regions(small_catalogue):
    with pytest.raises(NoDataError) as wrong:
        small_catalogue.on(date(2026, 1, 1), "mars-north-1")
    told = str(wrong.value)
    assert told.startswith("no machine price is known in the region 'mars-north-1'. Expected: one of: us-east-1.")
    assert "overlay" in told


def test_prices_of_another_region_do_not_count(with_rows, dated):
    catalogue = with_rows(
        machine_prices=(
            dated("machine_prices", machine="here", region=HOME),
            dated("machine_prices", machine="there", region="eu-west-1"),
            dated("machine_prices", machine="mine", region=ANYWHERE),
        ),
        service_prices=(dated("service_prices", region="eu-west-1"),),
    )
    here = catalogue.on(date(2026, 1, 1), HOME)
    assert {machine for machine, _ in here.machine_prices} == {"here", "mine"}
    assert here.service_tiers == {}
    assert {machine for machine, _ in catalogue.on(date(2026, 1, 1), "mars").machine_prices} == {"mine"}


def test_a_day_is_looked_up_once(small_catalogue):
    day = date(2026, 1, 1)
    assert small_catalogue.on(day, HOME) is small_catalogue.on(day, HOME)
    assert small_catalogue.on(day, HOME) is not small_catalogue.on(day + timedelta(1), HOME)


def test_today_is_the_newest_day_on_which_a_source_was_read(small_catalogue, with_rows):
    (source,) = small_catalogue.tables.sources
    older = msgspec.structs.replace(source, id="older", read=date(2020, 1, 1))
    assert with_rows(sources=(source, older)).last_day == source.read


def test_scores_are_those_of_one_scale(small_catalogue, with_rows):
    rows = small_catalogue.tables.scores
    other = msgspec.structs.replace(rows[0], scale="mine", score=1.0)
    catalogue = with_rows(scores=(*rows, other))
    assert catalogue.scores("mine") == {other.model: other}
    assert other not in catalogue.scores("lmarena-text").values()
    with pytest.raises(UnknownNameError, match=r"quality scale 'lmarena-txt' .* Did you mean: lmarena-text\?"):
        catalogue.scores("lmarena-txt")


@pytest.fixture(scope="module")
def built(small_catalogue) -> bytes:
    return msgspec.msgpack.encode(small_catalogue.tables)


def test_a_built_file_becomes_the_catalogue_it_was_built_from(built, small_catalogue):
    found = catalogue_of(built)
    assert found.tables == small_catalogue.tables
    assert found.models["flan-ul2"].layers == 32


def test_the_digest_tells_one_catalogue_from_another(built, small_catalogue):
    dearer = list(small_catalogue.tables.machine_prices)
    dearer[0] = msgspec.structs.replace(dearer[0], usd_per_hour=dearer[0].usd_per_hour + Decimal("0.000001"))
    other = msgspec.msgpack.encode(msgspec.structs.replace(small_catalogue.tables, machine_prices=tuple(dearer)))
    assert catalogue_of(built).digest == catalogue_of(built).digest
    assert catalogue_of(built).digest != catalogue_of(other).digest


SPOILED = {
    "empty": lambda _: b"",
    "truncated": lambda raw: raw[:-1],
    "half": lambda raw: raw[: len(raw) // 2],
    "longer": lambda raw: raw + b"x",
    "a web page": lambda _: b"<html>404</html>",
    "other fields": lambda _: msgspec.msgpack.encode({"built_from": "x"}),
    "a list": lambda _: msgspec.msgpack.encode([1, 2]),
    "not UTF-8": lambda raw: raw.replace(b"us-east-1", b"us-\xffast-1"),
    "another table": lambda raw: raw.replace(b"machine_prices", b"machine_spices"),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_built_file_that_is_truncated_or_not_ours_is_one_message(built, spoiled):
    with pytest.raises(CatalogueError) as wrong:
        catalogue_of(SPOILED[spoiled](built))
    told = str(wrong.value)
    assert told.startswith("the catalogue file cannot be read: ")
    assert told.endswith("Expected: a file built by `make catalogue`. Build it again or reinstall breakeven.")


@given(st.data())
def test_a_built_file_with_one_byte_changed_is_read_or_refused_by_our_own_message(built, data):
    place = data.draw(st.integers(0, len(built) - 1))
    raw = bytearray(built)
    raw[place] = data.draw(st.integers(0, 255))
    try:
        assert isinstance(catalogue_of(bytes(raw)), Catalogue)
    except CatalogueError as wrong:
        assert "cannot be read" in str(wrong)


def test_a_price_of_0_does_not_come_in_through_the_built_file(built):
    assert built.count(b"98.32") == 1
    with pytest.raises(CatalogueError, match="a price is above 0"):
        catalogue_of(built.replace(b"98.32", b"00.00"))


def test_the_catalogue_that_ships_is_read_once():
    assert load_catalogue() is load_catalogue()


def test_the_catalogue_that_ships_has_prices_today(shipped):
    today = shipped.on(shipped.last_day, HOME)
    assert today.tariffs
    assert today.machine_prices
    assert today.service_tiers
    assert max(row.effective_from for row in today.machine_prices.values()) <= shipped.last_day
