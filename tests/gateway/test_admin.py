"""The admin API: what it promises in its own description, and what it does to keys."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette
from tests.gateway.bookkeeping import USD, opened, record, wait_until

from breakeven.errors import SpecError
from breakeven.gateway.admin import admin
from breakeven.gateway.admin_asked import LONGEST_BODY
from breakeven.gateway.books.budget import Amount
from breakeven.gateway.books.store import Place
from breakeven.gateway.ledger import Refused

TOKEN = "a long random token"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path) -> str:
    return request.getfixturevalue("postgres") if request.param == "postgres" else str(tmp_path / "gateway.db")


class Client:
    """Calls of the admin API, in this process, through ASGI."""

    def __init__(self, app) -> None:
        self.app = app

    def __call__(self, method, path, token=TOKEN, **how):
        async def call():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            headers = {"authorization": f"Bearer {token}"} if token is not None else {}
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as client:
                return await client.request(method, f"/admin{path}", **how)

        return asyncio.run(call())


@pytest.fixture
def open_books(books, place):
    return books(place)


@pytest.fixture
def ask(open_books):
    return Client(Starlette(routes=[admin(open_books, TOKEN)]))


def admit(open_books, secret, most=USD // 100, model="small"):
    return asyncio.run(open_books.admit(secret, model=model, most_pico_usd=most))


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", "naïve"])
def test_without_the_token_nothing_is_told(ask, token):
    for method, path in (("GET", "/keys"), ("POST", "/keys"), ("GET", "/openapi.json"), ("GET", "/nothing")):
        headers = {} if token is None else {"authorization": f"Bearer {token}".encode()}
        found = ask(method, path, token=None, headers=headers)
        assert found.status_code == 401
        assert found.json()["error"]["code"] == "invalid_admin_token"
        assert found.headers["www-authenticate"] == "Bearer"


def test_an_empty_token_opens_no_admin_api(open_books):
    with pytest.raises(SpecError, match="admin token is empty"):
        admin(open_books, "  ")


def test_a_key_that_is_made_works_at_once_and_its_secret_is_shown_once(ask, open_books):
    ask("POST", "/teams", json={"id": "research"})
    made = ask("POST", "/keys", json={"name": "night jobs", "team": "research", "budget": {"usd": "0.05"}})
    assert made.status_code == 201
    secret, key = made.json()["secret"], made.json()["key"]
    assert admit(open_books, secret).team == "research"
    assert key["budget"] == {"usd": "0.05", "requests": None, "period": "month"}
    assert secret.endswith(key["hint"])
    for path in ("/keys", f"/keys/{key['id']}"):
        assert secret not in ask("GET", path).text


def test_a_key_can_be_changed_disabled_and_deleted(ask, open_books):
    made = ask("POST", "/keys", json={"name": "a", "limits": {"concurrent_requests": 5}}).json()
    secret, path = made["secret"], f"/keys/{made['key']['id']}"
    changed = ask("PATCH", path, json={"models": ["large"], "limits": None, "name": "b"}).json()
    assert (changed["models"], changed["limits"]["concurrent_requests"], changed["name"]) == (["large"], None, "b")
    with pytest.raises(Refused, match="may not call"):
        admit(open_books, secret)
    ask("PATCH", path, json={"disabled": True})
    with pytest.raises(Refused, match="disabled"):
        admit(open_books, secret, model="large")
    assert ask("DELETE", path).status_code == 204
    assert (
        ask("GET", path).status_code
        == ask("DELETE", path).status_code
        == ask("PATCH", path, json={}).status_code
        == 404
    )
    with pytest.raises(Refused, match="not known"):
        admit(open_books, secret)


def test_what_a_key_has_used_is_shown_in_dollars(ask, open_books):
    made = ask("POST", "/keys", json={"name": "a", "budget": {"usd": "1", "requests": 10, "period": "day"}}).json()
    admission = admit(open_books, made["secret"])
    open_books.settle(admission, record(key=admission.key))
    path = f"/keys/{made['key']['id']}"
    wait_until(lambda: ask("GET", path).json()["used"]["spent_usd"] == "0.01")
    used = ask("GET", path).json()["used"]
    assert used["spent_requests"] == 1
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    assert used["renews_at"] == f"{tomorrow}T00:00:00Z"


def test_spend_adds_up_by_key_team_model_and_hour(ask, open_books):
    hour_us, day = 3_600_000_000, datetime(2026, 11, 3, 10, tzinfo=UTC)
    at_us = round(day.timestamp() * 1e6)
    rows = [
        {"key": "k1", "team": "a", "model": "small", "at_us": at_us},
        {"key": "k1", "team": "a", "model": "large", "at_us": at_us + hour_us, "cost_pico_usd": 3 * USD},
        {"key": "k2", "team": "b", "model": "small", "at_us": at_us + hour_us, "cost_pico_usd": None},
        {"key": "k2", "team": "b", "model": "small", "at_us": at_us, "outcome": "refused", "attempts": 0,
         "cost_pico_usd": None},
        {"key": "k2", "team": "b", "model": "small", "at_us": at_us - hour_us},
    ]  # fmt: skip
    for number, row in enumerate(rows):
        open_books.settle(None, record(number, **row))
    wait_until(lambda: open_books.counters.records_written == 5)
    span = {"since": "2026-11-03T10:00:00Z", "until": "2026-11-03T12:00:00Z"}

    def spend(by, **more):
        found = ask("GET", "/spend", params={"by": by, **span, **more}).json()
        return {tuple(row["labels"].values()): (row["requests"], row["usd"]) for row in found["rows"]}

    assert spend("key") == {("k1",): (2, "3.01"), ("k2",): (2, "0")}
    assert spend("team,model") == {("a", "large"): (1, "3"), ("a", "small"): (1, "0.01"), ("b", "small"): (2, "0")}
    assert spend("hour", team="a") == {("2026-11-03T10:00:00Z",): (1, "0.01"), ("2026-11-03T11:00:00Z",): (1, "3")}
    whole = ask("GET", "/spend", params={"by": "key", "key": "k2", **span}).json()["rows"][0]
    assert (whole["refused"], whole["requests_of_unknown_cost"]) == (1, 1)


def test_a_sum_beyond_nine_million_dollars_is_exact(ask, open_books):
    for number in range(3):
        open_books.settle(None, record(number, key="k", cost_pico_usd=2**63 - 1))
    wait_until(lambda: open_books.counters.records_written == 3)
    assert ask("GET", "/spend").json()["rows"][0]["usd"] == "27670116.110564327421"


@pytest.mark.parametrize(
    ("method", "path", "how", "told"),
    [
        ("POST", "/keys", {"json": {"name": "a", "budget": {"usd": 5}}}, "budget.usd"),
        ("POST", "/keys", {"json": {"name": "a", "budget": {"usd": "9999999"}}}, "at most 9,000,000"),
        ("POST", "/keys", {"json": {"nam": "a"}}, "nam"),
        ("POST", "/keys", {"content": b"{"}, "does not fit"),
        ("POST", "/keys", {"content": b"\xff"}, "does not fit"),
        ("GET", "/keys", {"params": {"teem": "a"}}, "Did you mean: team?"),
        ("GET", "/spend", {"params": {"by": "colour"}}, "by=colour"),
        ("GET", "/spend", {"params": {"since": "yesterday"}}, "since=yesterday"),
    ],
)
def test_what_does_not_fit_is_told_in_openais_shape(ask, method, path, how, told):
    found = ask(method, path, **how)
    assert found.status_code == 400
    assert told in found.json()["error"]["message"]
    assert set(found.json()["error"]) == {"message", "type", "code", "param"}


def test_a_team_must_be_there_before_its_keys(ask):
    ask("POST", "/teams", json={"id": "research"})
    found = ask("POST", "/keys", json={"name": "a", "team": "reserch"})
    assert (found.status_code, found.json()["error"]["code"]) == (404, "team_not_found")
    assert "Did you mean: research?" in found.json()["error"]["message"]


def test_a_body_that_is_too_long_is_not_read_to_its_end(ask):
    assert ask("POST", "/keys", content=b" " * (LONGEST_BODY + 1)).status_code == 413


def test_a_team_goes_when_it_has_no_keys(ask):
    assert ask("POST", "/teams", json={"id": "a", "name": "A team"}).status_code == 201
    assert ask("POST", "/teams", json={"id": "a"}).status_code == 409
    key = ask("POST", "/keys", json={"name": "k", "team": "a"}).json()["key"]
    assert ask("DELETE", "/teams/a").status_code == 409
    ask("DELETE", f"/keys/{key['id']}")
    assert ask("DELETE", "/teams/a").status_code == 204
    assert ask("DELETE", "/teams/a").status_code == 404
    assert ask("GET", "/teams").json() == {"teams": []}


def test_a_team_is_given_a_budget_and_shows_what_its_keys_have_used(ask, open_books):
    made = ask("POST", "/teams", json={"id": "a", "budget": {"usd": "0.02", "requests": 50, "period": "day"}})
    assert made.json()["budget"] == {"usd": "0.02", "requests": 50, "period": "day"}
    secrets = [ask("POST", "/keys", json={"name": name, "team": "a"}).json()["secret"] for name in "kl"]
    for secret in secrets:
        open_books.settle(admit(open_books, secret), record())
    wait_until(lambda: ask("GET", "/teams/a").json()["used"]["spent_usd"] == "0.02")
    (listed,) = ask("GET", "/teams").json()["teams"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    assert (listed["used"]["spent_requests"], listed["used"]["renews_at"]) == (2, f"{tomorrow}T00:00:00Z")
    with pytest.raises(Refused, match="team's budget"):
        admit(open_books, secrets[0])
    changed = ask("PATCH", "/teams/a", json={"name": "A team", "budget": {"usd": "5", "period": "day"}}).json()
    assert (changed["name"], changed["budget"]["usd"], changed["used"]["spent_usd"]) == ("A team", "5", "0.02")
    assert admit(open_books, secrets[0], most=USD), "at once, at the gateway that was asked"
    assert ask("PATCH", "/teams/a", json={"budget": None}).json()["budget"] is None
    assert admit(open_books, secrets[1], most=100 * USD)


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/release")])
def test_a_team_that_is_not_there_is_404(ask, method, path):
    found = ask(method, f"/teams/nobody{path}", **({"json": {}} if method == "PATCH" else {}))
    assert (found.status_code, found.json()["error"]["code"]) == (404, "team_not_found")


def test_what_dead_gateways_had_of_a_teams_budget_is_shown_in_doubt_and_released(ask, place):
    ask("POST", "/teams", json={"id": "a", "budget": {"usd": "1", "period": "total"}})
    store = opened(place)
    assert store.lease("dead", Place("team:a", "total"), Amount(USD), Amount(USD // 4), Amount(USD // 4))[0]
    store._database.run("UPDATE gateways SET seen_us = 0 WHERE id = 'dead'")
    store.close()
    assert ask("GET", "/teams/a").json()["used"]["in_doubt_usd"] == "0.25"
    assert ask("POST", "/teams/a/release").json() == {"slices": 1}
    assert ask("GET", "/teams/a").json()["used"]["held_usd"] == "0"


def test_only_keys_of_a_team_are_listed_if_one_is_named(ask):
    ask("POST", "/teams", json={"id": "a"})
    ask("POST", "/keys", json={"name": "one", "team": "a"})
    ask("POST", "/keys", json={"name": "two"})
    assert [key["name"] for key in ask("GET", "/keys").json()["keys"]] == ["one", "two"]
    assert [key["name"] for key in ask("GET", "/keys", params={"team": "a"}).json()["keys"]] == ["one"]


def test_the_state_of_the_books_is_told(ask, open_books):
    open_books.settle(None, record())
    wait_until(lambda: ask("GET", "/state").json()["records_written"] == 1)
    assert ask("GET", "/state").json()["held_usd"] == "0"


def test_while_the_store_is_away_the_admin_api_says_so(cluster, postgres, books):
    ask = Client(Starlette(routes=[admin(books(postgres), TOKEN)]))
    cluster.stop()
    found = ask("GET", "/keys")
    assert (found.status_code, found.json()["error"]["code"]) == (503, "books_unavailable")
    assert ask("GET", "/state").status_code == 200
    cluster.start()
    wait_until(lambda: ask("GET", "/keys").status_code == 200)


def test_another_method_is_405_and_says_which_are_allowed(ask):
    found = ask("PUT", "/keys")
    assert found.status_code == 405
    assert set(found.headers["allow"].split(", ")) >= {"GET", "POST"}
    assert ask("GET", "/nothing").json()["error"]["code"] == "not_found"
