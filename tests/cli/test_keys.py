"""`breakeven keys`: keys made without a gateway work in one."""

import asyncio
import re

import pytest
from tests.gateway.bookkeeping import USD
from typer.testing import CliRunner

from breakeven.cli.keys import keys_app
from breakeven.errors import SpecError
from breakeven.gateway.accounts import Accounts
from breakeven.gateway.books.books import Books
from breakeven.gateway.ledger import Refused


@pytest.fixture
def keys(tmp_path):
    """Run `breakeven keys`: what it printed, and what it said beside it."""

    def run(*arguments):
        store = [] if "--store" in arguments else ["--store", str(tmp_path / "gateway.db")]
        ran = CliRunner().invoke(keys_app, [*arguments, *store], catch_exceptions=False)
        assert ran.exit_code == 0, ran.output
        return ran.stdout, ran.stderr

    return run


def made(keys, *arguments) -> tuple[str, str]:
    secret, told = keys("create", *arguments)
    return secret.strip(), re.search(r"key_\w+", told)[0]


def test_a_key_made_on_the_command_line_works_in_a_gateway(keys, tmp_path):
    keys("team", "research")
    secret, key = made(
        keys, "jobs", "--team", "research", "--usd", "25", "--requests", "1000", "--period", "day",
        "--models", "small,llama-*", "--expires", "2999-01-01",
    )  # fmt: skip
    assert secret.startswith("be-")
    books = Books(Accounts(store=str(tmp_path / "gateway.db"))).begin()
    admission = asyncio.run(books.admit(secret, model="llama-3", most_pico_usd=USD))
    books.end()
    assert (admission.key, admission.team, admission.held_pico_usd) == (key, "research", USD)
    shown, _ = keys("list")
    assert key in shown
    assert "$25, 1,000" in shown
    assert "$1, 1" in shown, "what still ran at the end counts as used"
    assert secret not in shown


def test_a_team_is_given_a_budget_that_its_keys_share(keys, tmp_path):
    assert "is made" in keys("team", "research", "--usd", "0.50", "--period", "day")[0]
    assert "is there already" in keys("team", "research")[0]
    assert "$0.5 a day" in keys("teams")[0]
    secret, _ = made(keys, "jobs", "--team", "research")
    books = Books(Accounts(store=str(tmp_path / "gateway.db"))).begin()
    with pytest.raises(Refused, match="team's budget"):
        asyncio.run(books.admit(secret, model="small", most_pico_usd=USD))
    assert asyncio.run(books.admit(secret, model="small", most_pico_usd=USD // 4)).held_pico_usd == USD // 4
    books.end()
    assert "$0.25" in keys("teams")[0]
    assert "has a new budget" in keys("team", "research", "--requests", "1000")[0]
    assert "1,000 requests a month" in keys("teams")[0]
    assert "0 slices" in keys("release", "research")[0]
    assert "has no budget any more" in keys("team", "research", "--no-budget")[0]
    assert "a month" not in keys("teams")[0]


def test_a_key_can_be_disabled_enabled_and_deleted(keys):
    _, key = made(keys, "jobs")
    assert "is disabled" in keys("disable", key)[0]
    assert "disabled" in keys("list")[0]
    keys("enable", key)
    assert "disabled" not in keys("list")[0]
    assert "0 slices" in keys("release", key)[0]
    keys("delete", key)
    assert "There are no keys" in keys("list")[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("create", "a", "--usd", "ten"), "no amount in dollars"),
        (("create", "a", "--period", "week"), "one of day, month, total"),
        (("create", "a", "--team", "nobody"), "no team 'nobody'"),
        (("create", "a", "--expires", "soon"), "not a day"),
        (("team", "No Good"), "no id of a team"),
        (("team", "a", "--usd", "5", "--period", "week"), "one of day, month, total"),
        (("team", "a", "--usd", "5", "--no-budget"), "one of both"),
        (("release", "nobody"), "there is no key 'nobody'"),
        (("disable", "key_0"), "there is no key 'key_0'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(keys, arguments, told):
    made(keys, "one")
    with pytest.raises(SpecError, match=re.escape(told)):
        keys(*arguments)


def test_a_store_that_is_not_there_is_not_made_by_looking_at_it(keys, tmp_path):
    with pytest.raises(SpecError, match="there is no file"):
        keys("list", "--store", str(tmp_path / "none.db"))
    assert not (tmp_path / "none.db").exists()
