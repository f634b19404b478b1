import math
from collections import Counter
from datetime import date
from decimal import Decimal

import msgspec
import pytest

from breakeven.catalogue import schema
from breakeven.catalogue.schema import Profile, Row
from breakeven.catalogue.tables import IDENTITY, CatalogueFile

KINDS = Row.__subclasses__()
PRICES = {
    schema.ApiPrice: "usd_per_mtok",
    schema.MachinePrice: "usd_per_hour",
    schema.ServicePrice: "usd",
    schema.ProvisionedPrice: "usd_per_hour",
}
PROFILE = Profile(name="flat", weights=(1.0,) * 24, source="by-hand")

UNITS = schema.ProvisionedPrice(
    provider="acme",
    model="big",
    input_tokens_per_minute=1e5,
    output_tokens_per_minute=2e4,
    usd_per_hour=Decimal(20),
    committed_usd_per_hour=Decimal(12),
    effective_from=date(2026, 11, 1),
    date_basis="stated",
    source="by-hand",
)


@pytest.fixture
def row_of(small_catalogue):
    """A fair row of each kind, out of the catalogue made by hand."""
    tables = [getattr(small_catalogue.tables, name) for name in CatalogueFile.__struct_fields__ if name != "built_from"]
    fair = {type(rows[0]): rows[0] for rows in tables if rows}
    return fair | {Profile: PROFILE, schema.ProvisionedPrice: UNITS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_fact_without_a_source_is_refused(row_of, kind):
    with pytest.raises(ValueError, match="a row without a source"):
        msgspec.structs.replace(row_of[kind], source="")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_fact_without_a_source_is_refused_in_a_built_file_too(row_of, kind):
    cells = msgspec.to_builtins(row_of[kind])
    cells[kind.__struct_fields__.index("source")] = ""
    with pytest.raises(msgspec.ValidationError, match="a row without a source"):
        msgspec.msgpack.decode(msgspec.msgpack.encode(cells), type=kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_fact_survives_being_written_and_read(row_of, kind):
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row_of[kind]), type=kind) == row_of[kind]


@pytest.mark.parametrize("kind", PRICES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("odd", ["0", "-1", "NaN", "sNaN", "Infinity", "-Infinity", "0.000"])
def test_a_price_is_above_0_because_what_is_unknown_is_never_free(row_of, kind, odd):
    with pytest.raises(ValueError, match="a price is above 0"):
        msgspec.structs.replace(row_of[kind], **{PRICES[kind]: Decimal(odd)})
    cells = msgspec.to_builtins(row_of[kind])
    cells[kind.__struct_fields__.index(PRICES[kind])] = odd
    with pytest.raises(msgspec.ValidationError, match="a price is above 0"):
        msgspec.convert(cells, kind)


def test_a_price_of_many_digits_stays_exact(row_of):
    exact = msgspec.structs.replace(row_of[schema.ServicePrice], usd=Decimal("0.00000000000000000000123456789"))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(exact), type=schema.ServicePrice).usd == exact.usd


@pytest.mark.parametrize(
    ("kind", "field", "odd"),
    [
        (schema.ApiPrice, "tier", "cheap"),
        (schema.ApiPrice, "token_kind", "thinking"),
        (schema.ApiPrice, "window", "noon"),
        (schema.ApiPrice, "date_basis", "guessed"),
        (schema.ApiPrice, "effective_from", "2023-02-30"),
        (schema.MachinePrice, "term", "futures"),
        (schema.MachinePrice, "usd_per_hour", "dear"),
        (schema.ModelSpec, "layers", "many"),
        (schema.Instance, "sagemaker_endpoint", "maybe"),
    ],
)
def test_a_word_that_the_schema_does_not_know_is_refused(row_of, kind, field, odd):
    cells = msgspec.to_builtins(row_of[kind])
    cells[kind.__struct_fields__.index(field)] = odd
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(cells, kind)


@pytest.mark.parametrize("hours", [0, 23, 25, 167])
def test_a_profile_is_a_day_or_a_week(hours):
    with pytest.raises(ValueError, match=f"profile flat: {hours} weights, not 24 or 168"):
        msgspec.structs.replace(PROFILE, weights=(1.0,) * hours)


def test_a_fact_cannot_be_changed(row_of):
    for row in row_of.values():
        with pytest.raises(AttributeError):
            row.source = "another"


TABLES = [name for name in CatalogueFile.__struct_fields__ if name != "built_from"]


@pytest.mark.parametrize("table", TABLES)
def test_no_fact_that_ships_stands_twice(shipped, table):
    rows = getattr(shipped.tables, table)
    times = Counter(tuple(getattr(row, field) for field in IDENTITY.get(table, ("name",))) for row in rows)
    assert [key for key, count in times.items() if count > 1] == []


@pytest.mark.parametrize("table", [name for name in TABLES if name != "sources"])
def test_every_fact_that_ships_names_a_source_that_ships(shipped, table):
    assert {row.source for row in getattr(shipped.tables, table)} <= shipped.sources.keys()


def test_nothing_that_ships_was_read_from_memory(shipped):
    used = {row.source for table in TABLES if table != "sources" for row in getattr(shipped.tables, table)}
    assert [source for source in used if "memory" in shipped.sources[source].title.lower().split()] == []


def test_what_a_fact_refers_to_ships_too(shipped):
    tables = shipped.tables
    assert {(row.provider, row.model) for row in tables.api_prices} <= {row.key for row in tables.api_offers}
    assert {row.machine.removeprefix("ml.") for row in tables.machine_prices} <= shipped.instances.keys()
    assert {row.accelerator for row in tables.instances if row.accelerator} <= shipped.accelerators.keys()
    windowed = {row.provider for row in tables.api_prices if row.window}
    assert windowed <= shipped.windows.keys()


def test_a_price_of_a_day_to_come_was_announced(shipped):
    early = [row for row in shipped.tables.api_prices if row.effective_from > shipped.sources[row.source].read]
    assert {row.date_basis for row in early} <= {"announced"}


def test_profiles_that_ship_have_a_mean_of_one(shipped):
    for profile in shipped.tables.profiles:
        assert math.fsum(profile.weights) / len(profile.weights) == pytest.approx(1, abs=1e-3)
        assert min(profile.weights) >= 0
