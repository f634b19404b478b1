"""A gateway's store is a log: what it cost, and which workload it shows."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.gateway.bookkeeping import USD, cluster, opened, postgres, record
from typer.testing import CliRunner

from breakeven.catalogue.load import load_catalogue
from breakeven.cli.app import app
from breakeven.errors import SpecError
from breakeven.gateway.books.meter import row_of
from breakeven.gateway.books.store import Batch
from breakeven.logs.log import Asked, Log
from breakeven.logs.names import Names
from breakeven.logs.price import price
from breakeven.logs.tariffs import Tariffs

__all__ = ["cluster", "postgres"]  # fixtures
MINI = {"provider": "openai", "upstream_model": "gpt-4o-mini", "model": "fast"}
PICO_USD = {"input": 150_000, "cached_input": 75_000, "output": 600_000}
"""gpt-4o-mini, as OpenAI's price page has it since July 2024; a test holds it to the catalogue."""
FIRST_US = round(datetime(2026, 9, 7, tzinfo=UTC).timestamp() * 1e6)


def api_row(number, **facts):
    tokens = {"input_tokens": 1000 + number, "cached_input_tokens": number % 7 * 100, "output_tokens": 50 + number % 13}
    fresh = tokens["input_tokens"] - tokens["cached_input_tokens"]
    cost = (
        fresh * PICO_USD["input"]
        + tokens["cached_input_tokens"] * PICO_USD["cached_input"]
        + tokens["output_tokens"] * PICO_USD["output"]
    )
    at = {"at_us": FIRST_US + number * 600_000_000, "key": f"key_{number % 3}", "team": f"team-{number % 2}"}
    return record(number, **MINI, **tokens, cost_pico_usd=cost, **at, **facts)


OWN = {"provider": None, "upstream_model": "llama-3.1-8b", "cost_basis": "own machine", "cost_pico_usd": USD // 50}
REFUSED = {"outcome": "refused", "status": 429, "input_tokens": None, "output_tokens": None, "cost_pico_usd": None}


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path) -> str:
    return request.getfixturevalue("postgres") if request.param == "postgres" else str(tmp_path / "gateway.db")


@pytest.fixture
def kept(place):
    """Records in a store, as the meter writes them."""

    def keep(*records):
        store = opened(place)
        store.write("gw", Batch(1, [row_of(one) for one in records]))
        store.close()
        return place

    return keep


def priced(path, by=("model",)):
    tariffs = Tariffs(load_catalogue())
    with Log(Asked(paths=(path,))) as log:
        return price(log, list(by), tariffs, Names(tariffs.offers))


def test_what_the_store_cost_is_the_sum_of_what_its_requests_cost(kept):
    rows = [api_row(number) for number in range(300)]
    found = priced(kept(*rows))
    whole = sum(one.cost_pico_usd for one in rows)
    assert found.total.usd == Decimal(whole) / USD
    assert found.total.logged_usd == pytest.approx(Decimal(whole) / USD)
    assert not found.problems


def test_requests_of_own_machines_are_never_priced_as_an_api(kept):
    rows = [api_row(1), record(2, **OWN), record(3, **REFUSED), record(4, outcome="failed", status=502)]
    found = priced(kept(*rows))
    assert found.total.usd == Decimal(rows[0].cost_pico_usd) / USD
    assert sum(found.unpriced.values()) == 1
    assert "own machine" in next(iter(found.unpriced))
    assert found.failed == 2


def test_costs_are_told_by_key_and_team(kept):
    found = priced(kept(*(api_row(number) for number in range(6))), by=("team", "key"))
    assert {label: cost.requests for label, cost in found.costs.items()} == {
        (f"team-{number % 2}", f"key_{number % 3}"): 1 for number in range(6)
    }


def test_a_store_gives_a_workload(kept, tmp_path):
    rows = [api_row(number) for number in range(300)]
    path = kept(*rows, record(301, **REFUSED))
    ran = CliRunner().invoke(app, ["workload", path, "-o", str(tmp_path / "spec.yaml")], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    assert "breakeven gateway store: 1 file, 300 requests" in ran.output
    assert "1 more failed" in ran.output
    spec = (tmp_path / "spec.yaml").read_text()
    assert "postgres:" not in spec
    compared = CliRunner().invoke(app, ["compare", str(tmp_path / "spec.yaml"), "--as-of", "2026-11-24"])
    assert compared.exit_code == 0, compared.output


def test_an_embedding_without_output_tokens_is_a_request(kept, asked):
    path = kept(record(1, path="/v1/embeddings", output_tokens=None))
    assert asked(path).workloads[0].requests == 1


def test_a_request_whose_tokens_nobody_knows_is_told_and_not_guessed(kept, asked):
    found = asked(kept(record(1), record(2, input_tokens=None, outcome="cut_by_upstream")))
    assert found.workloads[0].requests == 1
    assert [one.count for one in found.problems] == [1]


def test_a_folder_with_a_store_that_is_open_holds_one_log(tmp_path, asked):
    with closing(sqlite3.connect(tmp_path / "gateway.db")):
        store = opened(str(tmp_path / "gateway.db"))
        store.write("gw", Batch(1, [row_of(record(1))]))
        assert (tmp_path / "gateway.db-wal").exists()
        found = asked(str(tmp_path))
        store.close()
    assert (found.files, found.problems) == (1, ())


def test_what_is_no_store_of_the_gateway_is_named(tmp_path, asked):
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE usage (a)")
    opened(str(tmp_path / "empty.db")).close()
    with pytest.raises(SpecError) as told:
        asked(str(tmp_path / "other.db"), str(tmp_path / "empty.db"))
    assert "no store of the gateway" in str(told.value)
    assert "without usage records" in str(told.value)
    assert "usage.parquet" not in str(told.value)


def test_a_server_that_does_not_answer_is_one_message_without_the_password(asked):
    with pytest.raises(SpecError, match="cannot be read") as told:
        asked("postgresql://ann:s3cret@127.0.0.1:1/usage")
    assert "s3cret" not in str(told.value)


def test_the_price_that_these_tests_use_is_in_the_catalogue():
    rows = [
        row for row in load_catalogue().tables.api_prices
        if (row.provider, row.model, row.tier) == ("openai", "gpt-4o-mini", "standard") and row.token_kind in PICO_USD
    ]  # fmt: skip
    assert {row.token_kind: row.usd_per_mtok * USD / 10**6 for row in rows} == PICO_USD
