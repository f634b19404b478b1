"""Refreshing API prices from public tables: what is new becomes a dated row, what is doubtful is refused and shown."""

import json
from copy import deepcopy
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

import build_catalogue
import refresh_prices
from breakeven.catalogue.load import catalogue_of
from breakeven.evidence import Source
from refresh import genai_table

RECORDED = Path(__file__).parent / "recorded"
DAY = date(2026, 11, 25)
ON = date(2026, 10, 20)
"""Since when the prices in the fixture stand."""


@pytest.fixture
def litellm():
    return json.loads((RECORDED / "litellm-1.110.2.json").read_text(encoding="utf-8"))


@pytest.fixture
def genai():
    return json.loads((RECORDED / "genai-prices-0.2.3.json").read_text(encoding="utf-8"))


def _standing(folder, day=DAY):
    tables = catalogue_of(build_catalogue.build(folder)).on(day, "us-east-1")
    return {(t.offer.model, t.tier, *key): row for t in tables.tariffs for key, row in t.prices.items()}


# tables


def test_two_tables_that_agree_move_a_price_and_the_old_row_stays(run, folder, litellm, genai, rows):
    before = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    code, out, _ = run("--write", litellm=litellm, genai=genai)
    assert code == 0
    assert (
        "mistral/mistral-large-4 | in 1.36 -> 0.7\ncached none -> 0.07\nout 4.18 -> 2.1 | two tables that agree" in out
    )
    old, new = rows("api_prices", model="mistral-large-4", token_kind="input")
    assert old["usd_per_mtok"] == "1.36"
    assert {name: new[name] for name in ("usd_per_mtok", "effective_from", "date_basis", "source")} == {
        "usd_per_mtok": "0.7",
        "effective_from": "2026-11-25",
        "date_basis": "observed",
        "source": next(row["id"] for row in rows("sources") if row["id"].startswith("litellm-2026-11-24-")),
    }
    assert all((folder / name).read_bytes().startswith(content) for name, content in before.items())
    assert _standing(folder, date(2026, 11, 24))["mistral-large-4", "standard", "input", "", 0].usd_per_mtok == Decimal(
        "1.36"
    )
    assert _standing(folder)["mistral-large-4", "standard", "input", "", 0].usd_per_mtok == Decimal("0.7")


def test_the_source_of_a_new_row_is_described_with_both_its_days(run, litellm, rows):
    run("--write", litellm=litellm)
    source = rows("sources")[-1]
    assert source["id"].startswith("litellm-2026-11-24-")
    assert (source["published"], source["read"], source["kind"]) == ("2026-11-24", "2026-11-25", "price_table")
    assert "litellm.json, SHA-256 " in source["title"]


def test_without_write_nothing_is_changed(run, folder, litellm, genai):
    before = {path.name: path.read_bytes() for path in folder.glob("*")}
    code, out, _ = run(litellm=litellm, genai=genai)
    assert code == 0
    assert "nothing is written: --write adds these rows" in out
    assert {path.name: path.read_bytes() for path in folder.glob("*")} == before


def test_the_same_tables_read_again_add_nothing(run, folder, litellm, genai):
    run("--write", litellm=litellm, genai=genai)
    before = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    code, out, _ = run("--write", litellm=litellm, genai=genai)
    assert code == 0
    assert "ADDED: 0" in out
    assert {path.name: path.read_bytes() for path in folder.glob("*.csv")} == before


def test_another_price_on_the_same_day_does_not_replace_the_row_of_that_day(run, litellm, rows):
    run("--write", litellm=litellm)
    litellm["together_ai/Qwen/Qwen3.7-Max"]["output_cost_per_token"] = 8e-6
    litellm["gpt-4o"]["output_cost_per_token"] = 9e-6
    code, out, _ = run("--write", litellm=litellm)
    assert code == 0
    assert "litellm: out 8\nstanding: out 7.5 | a price of this very day stands already" in out
    assert len(rows("api_prices", model="Qwen/Qwen3.7-Max", token_kind="output")) == 2
    assert len([row for row in rows("sources") if row["id"].startswith("litellm-")]) == 2, (
        "another table, another source"
    )


def test_one_table_may_move_a_price_a_little(run, litellm, rows):
    code, out, _ = run("--write", litellm=litellm)
    assert code == 0
    assert "together/Qwen/Qwen3.7-Max | in 1.5 -> 2.5\ncached none -> 0.5\nout 4.5 -> 7.5 | one table" in out
    assert [row["usd_per_mtok"] for row in rows("api_prices", model="Qwen/Qwen3.7-Max", token_kind="output")] == [
        "4.5",
        "7.5",
    ]


def test_one_table_that_moves_a_price_more_than_fivefold_is_refused_with_all_of_that_tier(run, litellm, rows):
    litellm["together_ai/Qwen/Qwen3.7-Max"]["output_cost_per_token"] = 45e-6
    code, out, _ = run("--write", litellm=litellm)
    assert code == 0
    assert "litellm: out 45\nstanding: out 4.5 | one table alone moves it by more than 5 times" in out
    assert "another price of its tier, by the same table, is refused" in out
    assert len(rows("api_prices", model="Qwen/Qwen3.7-Max")) == 2


def test_a_fivefold_cut_is_as_sudden_as_a_fivefold_rise(run, litellm):
    litellm["together_ai/Qwen/Qwen3.7-Max"]["input_cost_per_token"] = 0.2e-6
    assert "one table alone moves it by more than 5 times" in run(litellm=litellm)[1]


def test_two_tables_may_move_a_price_more_than_fivefold(run, litellm, genai, rows):
    for kind, column, usd in (("input", "input_mtok", 0.1), ("output", "output_mtok", 0.3)):
        litellm["gpt-4o"][f"{kind}_cost_per_token"] = usd / 1e6
        _model(genai, "gpt-4o")["prices"][column] = usd
    run("--write", litellm=litellm, genai=genai)
    assert rows("api_prices", model="gpt-4o", tier="standard", token_kind="output")[-1]["usd_per_mtok"] == "0.3"


def _model(genai, name):
    return next(model for provider in genai for model in provider["models"] if model["id"] == name)


def test_a_model_that_a_table_prices_at_0_is_refused_and_keeps_its_price(run, litellm, rows):
    free = {"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0}
    code, out, _ = run("--write", litellm={"claude-sonnet-4-20250514": free, **litellm})
    assert code == 0
    told = "litellm: a price of $0: what a table does not know is not free"
    assert f"anthropic/claude-sonnet-4-20250514 | $0 for standard input, standard output | {told}" in out
    assert [row["usd_per_mtok"] for row in rows("api_prices", model="claude-sonnet-4-20250514")] == ["3", "15"]


def test_a_figure_of_0_beside_real_ones_is_refused_and_the_rest_is_read(run, litellm):
    out = run(litellm=litellm)[1]
    assert "deepseek/deepseek-flash | $0 for standard cache_write" in out


def test_genai_prices_free_models_are_refused_too(run, genai, rows):
    _model(genai, "claude-sonnet-4-0")["prices"] = {"input_mtok": 0.0, "output_mtok": 0.0}
    out = run("--write", genai=genai)[1]
    assert "anthropic/claude-sonnet-4-20250514 | $0 for standard input, standard output | genai-prices: a price" in out
    assert len(rows("api_prices", model="claude-sonnet-4-20250514")) == 2


def test_of_several_batch_prices_the_first_that_has_begun_holds(run, genai):
    """genai-prices lists those of mistral-large-4 newest first, each from a day on."""
    out = run(genai=genai)[1]
    assert "mistral/mistral-large-4 (batch) | genai-prices: in 0.35, cached 0.035, out 1.05 | a tier" in out


def test_an_embedding_has_no_price_of_output_and_that_is_no_price_of_0(run, litellm):
    assert "text-embedding-3-small | $0" not in run(litellm=litellm)[1]


@pytest.mark.parametrize("table", ["litellm", "genai"])
def test_a_batch_price_that_one_table_alone_knows_is_refused(run, request, table, rows):
    """claude-sonnet-4-5 has no batch row here, as a provider has none that does not sell it."""
    code, out, _ = run("--write", **{table: request.getfixturevalue(table)})
    assert code == 0
    assert "anthropic/claude-sonnet-4-5 (batch)" in out
    assert "a tier that nobody priced before; one table is not enough" in out
    assert rows("api_prices", model="claude-sonnet-4-5", tier="batch") == []


def test_a_tier_that_two_tables_know_is_added(run, litellm, genai, rows):
    run("--write", litellm=litellm, genai=genai)
    batch = rows("api_prices", model="claude-sonnet-4-5", tier="batch", above_input_tokens="")
    assert {row["token_kind"]: row["usd_per_mtok"] for row in batch} == {
        "input": "1.5",
        "cached_input": "0.15",
        "cache_write": "1.875",
        "output": "7.5",
    }


def test_a_price_that_ended_is_not_brought_back_by_the_one_table_that_still_shows_it(run, genai, rows):
    code, out, _ = run("--write", genai=genai)
    assert code == 0
    told = "it ended on 2026-10-21; one table is not enough to bring it back"
    assert f"anthropic/claude-sonnet-4-5 (input>200K) | genai-prices: in 6 | {told}" in out
    assert len(rows("api_prices", model="claude-sonnet-4-5", above_input_tokens="200000")) == 1


def test_a_snapshot_older_than_the_standing_price_is_refused_as_stale(run, folder, litellm):
    code, out, _ = run("--write", litellm=litellm, of="2026-10-19")
    assert code == 0
    told = "older than the standing price, which is of 2026-10-20"
    assert f"mistral/mistral-large-4 | litellm: in 0.7, out 2.1\nstanding: in 1.36, out 4.18 | {told}" in out
    assert _standing(folder)["mistral-large-4", "standard", "input", "", 0].usd_per_mtok == Decimal("1.36")


def test_a_stale_figure_does_not_second_a_fresh_one(run, tmp_path, litellm, genai):
    stale = tmp_path / "stale.json"
    stale.write_text(json.dumps(genai), encoding="utf-8")
    out = run("--genai-prices", f"{stale}@2026-10-19", litellm=litellm)[1]
    assert "mistral/mistral-large-4 | in 1.36 -> 0.7\nout 4.18 -> 2.1 | one table" in out


def test_a_table_does_not_overrule_the_providers_own_figure_but_is_shown(run, folder, tables, litellm, genai, put):
    page = Source(id="page", kind="list_price", title="the provider's page", read=ON)
    put("sources", (*tables.sources, page))
    own = [
        msgspec.structs.replace(row, source="page") if row.model == "mistral-large-4" else row
        for row in tables.api_prices
    ]
    put("api_prices", own)
    code, out, _ = run("--write", litellm=litellm, genai=genai)
    assert code == 0
    assert "standing: in 1.36, out 4.18 | the provider's own figure stands" in out
    assert _standing(folder)["mistral-large-4", "standard", "output", "", 0].usd_per_mtok == Decimal("4.18")


def test_when_tables_disagree_the_one_that_the_standing_price_seconds_is_kept(run, litellm, genai, rows):
    _model(genai, "gpt-4o")["prices"]["output_mtok"] = 11.0
    code, out, _ = run("--write", litellm=litellm, genai=genai)
    assert code == 0
    assert "openai/gpt-4o | litellm: out 10\ngenai-prices: out 11 | as it stands, like litellm" in out
    assert len(rows("api_prices", model="gpt-4o", tier="standard", token_kind="output")) == 1


def test_when_tables_disagree_with_each_other_and_with_the_standing_price_none_is_taken(run, litellm, genai, rows):
    litellm["gpt-4o"]["output_cost_per_token"] = 9e-6
    _model(genai, "gpt-4o")["prices"]["output_mtok"] = 11.0
    code, out, _ = run("--write", litellm=litellm, genai=genai)
    assert code == 0
    assert "litellm: out 9\ngenai-prices: out 11 | none: the tables disagree, and neither is the standing price" in out
    assert len(rows("api_prices", model="gpt-4o", tier="standard", token_kind="output")) == 1


def test_a_price_by_the_hours_of_the_day_is_left_to_a_person(run, litellm, genai, rows):
    code, out, _ = run("--write", litellm=litellm, genai=genai)
    assert code == 0
    assert "deepseek/deepseek-flash | prices by the hour | genai-prices: priced by hours of the day" in out
    assert "the catalogue prices it by hours of the day: enter it by hand, with its hours" in out
    assert len(rows("api_prices", model="deepseek-flash")) == 2


def test_offers_that_are_retired_or_that_nobody_described_are_passed_over_and_counted(run, litellm, rows):
    gone = {"litellm_provider": "xai", "mode": "chat", "input_cost_per_token": 9e-6}
    out = run("--write", litellm={**litellm, "xai/grok-gone": gone, "xai/grok-unheard": gone})[1]
    assert "2 of models that the catalogue does not hold, or that are no longer sold" in out
    assert "1 of providers that the catalogue does not hold" in out
    assert len(rows("api_prices", provider="xai")) == 1


def test_a_model_under_two_names_at_two_prices_contradicts_its_own_table(run, litellm):
    other = deepcopy(litellm["mistral/mistral-large-4"]) | {"input_cost_per_token": 8e-7}
    out = run(litellm={**litellm, "mistral-large-4": other})[1]
    assert "mistral/mistral-large-4 input | 0.7 and 0.8 | litellm: it gives two prices for one thing" in out


@pytest.mark.parametrize("odd", [-1e-6, "2.5", True, [1]])
def test_what_is_no_price_is_refused(run, litellm, odd, rows):
    litellm["gpt-4o"]["input_cost_per_token"] = odd
    code, out, _ = run("--write", litellm=litellm)
    assert code == 0
    assert "openai/gpt-4o | input_cost_per_token: " in out
    assert " | litellm: not a price" in out
    assert len(rows("api_prices", model="gpt-4o", tier="standard", token_kind="input")) == 1


def test_a_table_of_prices_that_begin_later_gives_none_for_a_day_before(run, genai, rows):
    """genai-prices' own reader answers a day before its data with its first price; here that is refused."""
    model = _model(genai, "mistral-large-4")
    model["prices"] = [{"constraint": {"start_date": "2026-12-01"}, "prices": {"input_mtok": 0.7, "output_mtok": 2.1}}]
    code, out, _ = run("--write", genai=genai)
    assert code == 0
    told = "genai-prices: none of its prices held on 2026-11-25"
    assert f"mistral/mistral-large-4 | prices of other days only | {told}" in out
    assert len(rows("api_prices", model="mistral-large-4", token_kind="input")) == 1


@pytest.mark.parametrize(("day", "usd"), [("2026-10-19", 0.68), ("2026-10-28", 1.36), ("2026-10-29", 0.7)])
def test_of_prices_with_a_beginning_the_last_that_has_begun_holds(genai, day, usd):
    found = genai_table.in_force(_model(genai, "mistral-large-4")["prices"], date.fromisoformat(day))
    assert found["input_mtok"] == usd


# the day, and what is given


@pytest.mark.parametrize(
    ("day", "told"),
    [
        ("2022-05-31", "2022-05-31 lies before the first known price."),
        ("2025-01-01", "2025-01-01 lies before 2026-06-01, when the catalogue's newest source was read."),
    ],
)
def test_a_day_before_the_data_is_one_clear_message(run, put, api_price, day, told):
    put("api_prices", [api_price("openai/gpt-4o", "input", "9", effective_from=date(2022, 6, 1))])
    code, out, err = run(litellm={}, day=day, of="2022-01-01")
    assert (code, out) == (2, "")
    assert err.startswith(f"refresh_prices: {told} Expected: ")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("prices.json", "does not say of which day the table is"),
        ("prices.json@yesterday", "'yesterday' is not a day"),
        ("prices.json@2026-11-26", "is of a day after 2026-11-25"),
        ("missing.json@2026-11-24", "missing.json cannot be read"),
        ("half.json@2026-11-24", "half.json is not whole JSON"),
        ("not-a.whl@2026-11-24", "not-a.whl cannot be read"),
        ("list.json@2026-11-24", "does not look like the table of litellm"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_clear_message(run, tmp_path, monkeypatch, litellm, given, told):
    monkeypatch.chdir(tmp_path)
    Path("prices.json").write_text(json.dumps(litellm), encoding="utf-8")
    Path("half.json").write_text(json.dumps(litellm)[:400], encoding="utf-8")
    Path("not-a.whl").write_text("not a wheel", encoding="utf-8")
    Path("list.json").write_text("[1, 2]", encoding="utf-8")
    code, _, err = run("--litellm", given)
    assert code == 2
    assert told in err
    assert err.count("Expected: ") == 1


def test_no_source_at_all_is_one_clear_message(run):
    code, _, err = run()
    assert code == 2
    assert err.startswith("refresh_prices: no source is given. Expected: one or more of --aws, --litellm FILE@DAY")


def test_an_installed_package_reads_like_its_published_json():
    class Step:
        def __init__(self, **fields):
            self.__dict__.update(fields)

    clause = Step(or_=[Step(equals="gpt-4o"), Step(starts_with="gpt-4o-2024")])
    tiers = Step(base=Decimal("2.5"), tiers=[Step(start=200_000, price=Decimal(5))])
    model = Step(
        id="gpt-4o",
        match=clause,
        description=None,
        prices=[Step(constraint=Step(start_date=date(2026, 1, 1)), prices=Step(input_mtok=tiers))],
    )
    assert genai_table.plain([model]) == [
        {
            "id": "gpt-4o",
            "match": {"or": [{"equals": "gpt-4o"}, {"starts_with": "gpt-4o-2024"}]},
            "prices": [
                {
                    "constraint": {"start_date": "2026-01-01"},
                    "prices": {
                        "input_mtok": {"base": Decimal("2.5"), "tiers": [{"start": 200_000, "price": Decimal(5)}]}
                    },
                }
            ],
        }
    ]


def test_a_row_that_the_catalogue_would_refuse_leaves_every_file_as_it_was(run, folder, litellm, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    monkeypatch.setattr(refresh_prices.files, "_cell", lambda _: "not a figure")
    code, _, err = run("--write", litellm=litellm)
    assert code == 2
    assert "is refused: " in err
    assert {path.name: path.read_bytes() for path in folder.glob("*.csv")} == before
    assert sorted(path.name for path in folder.parent.iterdir() if path.is_dir()) == ["data"]
