"""The spend page says what the gateway's books hold, exactly, and writes nothing; a store that is away is told."""

import sqlite3
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.gateway.bookkeeping import cluster, postgres
from tests.ui.metered import NOW, write_store

__all__ = ["cluster", "postgres"]

from breakeven.gateway.books.database import StoreAway, connect
from breakeven.ui.app import application
from breakeven.ui.guard import Door
from breakeven.ui.meter import Meter, StoreSilentError
from breakeven.ui.site import Site

SPAN = "since=2026-11-22&until=2026-11-24"


@pytest.fixture
def asked(planner):
    """A client of a site over another store, or none."""

    def ask(place: str | None, path: str):
        meter = None if place is None else Meter(place=place, now=lambda: NOW)
        app = application(Site(planner, meter=meter), Door(host="127.0.0.1"))
        with TestClient(app, base_url="http://127.0.0.1") as client:
            return client.get(path)

    return ask


def _rows(client, query: str) -> dict[tuple[str | None, ...], dict]:
    found = client.get(f"/api/v1/spend?{query}")
    assert found.status_code == 200, found.text
    return {tuple(row["labels"].values()): row for row in found.json()["rows"]}


def test_dollars_are_exact_to_the_picodollar(client):
    rows = _rows(client, f"by=key&{SPAN}")
    assert rows["key_ann",]["usd"] == "1234.250000000001"
    assert "$1,234.250000000001" in client.get(f"/spend?{SPAN}").text


def test_requests_of_unknown_cost_are_counted_and_never_nothing(client):
    rows = _rows(client, f"by=upstream&{SPAN}")
    assert rows["acme",]["requests_of_unknown_cost"] == 1
    page = client.get(f"/spend?by=upstream&{SPAN}").text
    assert "≥ $1,234.250000000001" in page
    assert "1 of unknown cost, not in the sum" in page
    alone = client.get("/spend?by=model&since=2026-11-24&until=2026-11-24&key=key_bob").text
    assert "$0" not in alone.partition('<h2 id="machines"')[0]
    assert "not known" in alone


def test_failed_and_refused_requests_and_tokens_are_told(client):
    ((total,),) = [_rows(client, f"by=model&{SPAN}").values()]
    assert (total["requests"], total["failed"], total["refused"]) == (5, 1, 1)
    assert (total["input_tokens"], total["output_tokens"]) == (5000, 800)
    assert "5 requests, 1 of them failed, 1 refused" in client.get(f"/spend?{SPAN}").text


@pytest.mark.parametrize("by", ["key", "team", "model", "upstream", "provider", "hour", "day", "team,day"])
def test_every_grouping_sums_up_to_the_same_requests(client, by):
    assert sum(row["requests"] for row in _rows(client, f"by={by}&{SPAN}").values()) == 5
    assert client.get(f"/spend?by={by}&{SPAN}").status_code == 200


def test_a_day_as_the_end_of_a_span_counts_whole(client):
    assert set(_rows(client, "by=day&since=2026-11-23&until=2026-11-23")) == {("2026-11-23T00:00:00Z",)}


def test_without_a_span_the_last_thirty_days_are_shown(client):
    assert sum(row["requests"] for row in _rows(client, "by=key").values()) == 5
    assert sum(row["requests"] for row in _rows(client, "by=key&since=2026-09-01").values()) == 6


def test_one_key_or_one_team_can_be_asked_for(client):
    assert set(_rows(client, f"by=upstream&{SPAN}&key=key_bob")) == {("acme",), ("own-1",)}
    assert set(_rows(client, f"by=key&{SPAN}&team=search")) == {("key_ann",)}


def test_own_machines_tell_idle_time_apart(client):
    (row,) = client.get(f"/api/v1/machines?{SPAN}").json()["rows"]
    assert row == {"upstream": "own-1", "hours": 1.0, "usd": "3", "served_usd": "0.5", "idle_usd": "2.5"}
    page = client.get(f"/spend?{SPAN}").text
    assert all(text in page for text in ("$3.00", "$0.50", "$2.50", "idle, USD"))


def test_the_chart_is_drawn_by_hour_in_a_short_span_and_by_day_in_a_long_one(client):
    assert "USD by hour (UTC) from 2026-11-22 09:00" in client.get(f"/spend?{SPAN}").text
    assert "USD by day (UTC) from 2026-11-22" in client.get("/spend").text


def test_a_name_from_the_store_is_text_and_no_markup(client):
    page = client.get(f"/spend?by=team&{SPAN}").text
    assert "<b>ads</b>" not in page
    assert "&lt;b&gt;ads" in page


def test_a_span_in_which_nothing_was_booked_is_told(client):
    page = client.get("/spend?since=2020-01-01&until=2020-01-02")
    assert page.status_code == 200
    assert "No request was booked" in page.text
    assert "No own machine stood" in page.text


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("by=colour", "grouping &#39;colour&#39;"),
        ("since=yesterday", "since is yesterday"),
        ("since=2026-11-24T00:00:00", "a moment with its zone"),
        ("since=0001-01-01", "since is 0001-01-01"),
        ("until=9999-12-31", "until is 9999-12-31"),
        ("since=2026-11-02&until=2026-11-01", "a span that begins before it ends"),
        ("key=a&key=b", "key is given twice"),
        ("key=%00", "cannot be printed"),
        ("sinse=2026-11-02", "Did you mean: since"),
    ],
)
def test_what_cannot_be_asked_is_told_and_stays_in_the_form(client, query, told):
    page = client.get(f"/spend?{query}")
    assert page.status_code == 422
    assert told in page.text
    found = client.get(f"/api/v1/spend?{query}")
    assert found.status_code == 422
    assert set(found.json()) == {"error", "given", "expected", "do"}


def test_the_page_is_there_in_chinese(client):
    page = client.get(f"/spend?lang=zh&{SPAN}").text
    assert "自有机器" in page
    assert "Own machines" not in page


def test_without_a_store_the_page_says_how_to_get_one(asked):
    page = asked(None, "/spend")
    assert page.status_code == 200
    assert "breakeven ui --store gateway.db" in page.text
    assert "BREAKEVEN_STORE" in page.text
    found = asked(None, "/api/v1/spend")
    assert found.status_code == 422
    assert "--store" in found.json()["do"]


@pytest.mark.parametrize("path", ["/spend", "/api/v1/spend", "/api/v1/machines"])
def test_a_store_that_is_not_there_is_one_message_and_is_not_made(asked, tmp_path, path):
    place = tmp_path / "none.db"
    found = asked(str(place), path)
    assert found.status_code == 503
    assert "the store does not answer" in found.text.lower()
    assert "there is no file" in found.text
    assert not place.exists()


@pytest.mark.parametrize("kind", ["database", "text", "empty"])
def test_a_file_that_is_no_gateway_s_store_is_told_and_left_as_it_is(asked, tmp_path, kind):
    file = tmp_path / "other.db"
    file.write_bytes(b"hello " * 1000 if kind == "text" else b"")
    if kind == "database":
        sqlite3.connect(file).execute("CREATE TABLE notes (text)").connection.close()
    before = file.read_bytes()
    found = asked(str(file), "/spend")
    assert found.status_code == 503
    assert "is not a database that a gateway made" in found.text
    assert file.read_bytes() == before


def test_a_database_without_the_gateway_s_tables_is_told(asked, tmp_path):
    connect(str(tmp_path / "bare.db")).close()
    assert "has no table usage" in asked(str(tmp_path / "bare.db"), "/spend").text


def test_a_server_that_is_away_is_told_without_its_password(asked):
    pytest.importorskip("psycopg", reason="a store in PostgreSQL needs the extra `postgres`")
    found = asked("postgresql://ann:secret@127.0.0.1:1/usage", "/spend")
    assert found.status_code == 503
    assert "postgresql://127.0.0.1:1/usage" in found.text
    assert "secret" not in found.text


def test_a_store_in_postgresql_says_the_same_and_refuses_to_be_written(asked, postgres, client):
    from psycopg import errors

    assert "has no table usage" in asked(postgres, "/spend").text
    write_store(postgres)
    for path in (f"/api/v1/spend?by=team,day&{SPAN}", f"/api/v1/machines?{SPAN}"):
        assert asked(postgres, path).json() == client.get(path).json()
    assert "$1,234.250000000001" in asked(postgres, "/spend").text
    with pytest.raises(errors.ReadOnlySqlTransaction):
        Meter(place=postgres).ask(lambda database: database.run("DELETE FROM usage"))


def test_the_store_is_never_written(client, store):
    def write(database):
        database.run("DELETE FROM usage")

    with pytest.raises(StoreSilentError, match="readonly"):
        Meter(place=store).ask(write)
    before = Path(store).read_bytes()
    assert client.get(f"/spend?{SPAN}").status_code == 200
    assert Path(store).read_bytes() == before


def test_a_gateway_writes_while_the_page_reads(store):
    def read(_):
        other = connect(store, existing=True)
        other.run("UPDATE books SET value = value WHERE name = 'version'")
        other.close()

    try:
        Meter(place=store).ask(read)
    except StoreAway as wrong:
        pytest.fail(f"the page held the gateway up: {wrong}")
