"""`breakeven catalogue`: lists, shows and searches; bad input is one clear message and exit code 2."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import msgspec
import pytest

from breakeven.catalogue import load
from breakeven.catalogue.kinds import KINDS
from breakeven.catalogue.schema import ApiOffer, ApiPrice, PeakWindow
from breakeven.catalogue.search import facts

REGION = "us-east-1"


@pytest.fixture
def shipped():
    return load.load_catalogue()


def _price(token_kind, usd, day, **more):
    row = {
        "provider": "acme",
        "model": "rocket-1",
        "tier": "standard",
        "date_basis": "announced",
        "source": "acme-page",
    }
    return ApiPrice(**{**row, **more}, token_kind=token_kind, usd_per_mtok=Decimal(usd), effective_from=day)


@pytest.fixture
def acme(monkeypatch, shipped):
    """The shipped catalogue with one made-up provider, whose prices moved twice, in place of all APIs."""
    old, new = date(2023, 1, 10), date(2024, 6, 1)
    prices = (
        _price("input", "4", old),
        _price("output", "8", old),
        _price("input", "2.5", new),
        _price("output", "7.125", new, note="halved at the [spring] sale"),
        _price("output", "3.5", new, window="off_peak"),
        _price("input", "5", new, above_input_tokens=200_000, until=date(2024, 9, 1)),
        _price("input", "1.25", new, tier="batch", date_basis="first_observed"),
    )
    offers = (
        ApiOffer(provider="acme", model="rocket-1", mode="chat", canonical="flan-ul2", source="acme-page"),
        ApiOffer(provider="acme", model="relic", mode="chat", delisted_by=date(2025, 1, 1), source="acme-page"),
    )
    veteran = ApiOffer(provider="acme", model="veteran", mode="chat", retired_on=date(2026, 2, 2), source="acme-page")
    relic = _price("input", "9", date(2022, 1, 1), model="relic")
    page = msgspec.structs.replace(shipped.tables.sources[0], id="acme-page", title="Acme's price page")
    tables = msgspec.structs.replace(
        shipped.tables,
        sources=(*shipped.tables.sources, page),
        api_offers=(*offers, veteran),
        api_prices=tuple(
            sorted((relic, _price("input", "9", new, model="veteran"), *prices), key=lambda row: row.effective_from)
        ),
        peak_windows=(PeakWindow(provider="acme", hours_of_week_utc=tuple(range(24)), source="acme-page"),),
    )
    made = load.index(tables, "acme-digest")
    monkeypatch.setattr(load, "load_catalogue", lambda: made)
    return made


def _widest(out):
    return max(len(line.rstrip()) for line in out.splitlines())


def _row(out, *starts):
    """The cells of the first table line that begins so."""
    line = next(line for line in out.splitlines() if line.split()[: len(starts)] == list(starts))
    return line.split()


# list


def test_without_a_kind_every_kind_stands_with_its_count_under_digest_and_days(breakeven, shipped):
    code, out, _ = breakeven("list")
    assert code == 0
    assert all(str(fact) in out for fact in (shipped.digest, shipped.first_day, shipped.last_day))
    assert {line.split()[0] for line in out.splitlines() if line.startswith(" ") and line.strip()} >= set(KINDS)
    assert f" {len(shipped.models)} " in next(line for line in out.splitlines() if line.startswith(" models "))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_table_that_fits_100_columns_and_leaves_no_line_out(breakeven, kind):
    code, out, _ = breakeven("list", kind)
    lines = json.loads(breakeven("list", kind, "--json", "-")[1])["lines"]
    assert code == 0
    assert _widest(out) <= 100
    assert f"{kind.upper()}: {len(lines):,}" in out
    squeezed = re.sub(r"\s", "", out)
    assert all(line["name"].replace(" ", "")[:20] in squeezed for line in lines)


@pytest.mark.parametrize("as_of", ["2023-04-24", "2024-06-01"])
def test_no_cell_of_a_table_is_cut_off(breakeven, as_of):
    out = breakeven("list", "offers", "--provider", "openai", "--as-of", as_of)[1]
    lines = json.loads(breakeven("list", "offers", "--provider", "openai", "--as-of", as_of, "--json", "-")[1])["lines"]
    assert out.count("unknown") == sum(line[column] is None for line in lines for column in KINDS["offers"].columns)


@pytest.mark.parametrize(
    ("word", "kind"), [("gpu", "accelerators"), ("APIs", "offers"), ("machine", "machines"), ("source", "sources")]
)
def test_a_kind_is_understood_in_other_words(breakeven, word, kind):
    assert json.loads(breakeven("list", word, "--json", "-")[1])["kind"] == kind


def test_a_machine_stands_with_its_prices_to_the_last_digit(breakeven, shipped):
    prices = shipped.on(shipped.last_day, REGION).machine_prices
    out = breakeven("list", "machines", "--name", "g5.4xlarge", "--as-of", str(shipped.last_day))[1]
    cells = _row(out, "g5.4xlarge")
    assert cells[1:4] == ["1", "x", "A10G"]
    assert Decimal(cells[-3]) == prices["g5.4xlarge", "on-demand"].usd_per_hour
    assert Decimal(cells[-2]) == prices["ml.g5.4xlarge", "on-demand"].usd_per_hour


def test_what_is_not_known_is_called_unknown_and_null_in_json(breakeven, shipped):
    priced = {row.machine for row in shipped.tables.machine_prices}
    name = next((name for name in shipped.instances if name not in priced and f"ml.{name}" not in priced), None)
    if name is None:
        pytest.skip("every machine has a price")
    cells = _row(breakeven("list", "machines", "--name", name)[1], name)
    line = json.loads(breakeven("list", "machines", "--name", name, "--json", "-")[1])["lines"][0]
    assert cells[-3:] == ["unknown"] * 3
    assert line["ec2_usd_per_hour"] is None


@pytest.mark.usefixtures("acme")
def test_an_offer_stands_at_the_price_of_the_day_asked_for(breakeven):
    then = _row(breakeven("list", "offers", "--as-of", "2023-12-31")[1], "acme/rocket-1")
    now = _row(breakeven("list", "offers", "--as-of", "2024-06-01")[1], "acme/rocket-1")
    assert then[1:4] == ["4.00", "unknown", "8.00"]
    assert now[1:4] == ["2.50", "unknown", "7.125"]
    assert "batch" in " ".join(now)


def test_no_offer_is_listed_before_its_first_price(breakeven, shipped):
    first = {}
    for row in shipped.tables.api_prices:
        first.setdefault(f"{row.provider}/{row.model}", row.effective_from)
    day = sorted(first.values())[len(first) // 2]
    lines = json.loads(breakeven("list", "offers", "--retired", "--as-of", str(day), "--json", "-")[1])["lines"]
    assert lines
    assert all(first[line["name"]] <= day for line in lines)


@pytest.mark.usefixtures("acme")
def test_what_is_no_longer_sold_is_listed_only_on_demand(breakeven):
    assert "acme/relic" not in breakeven("list", "offers", "--as-of", "2025-06-01")[1]
    assert "acme/relic" in breakeven("list", "offers", "--as-of", "2024-12-31")[1]
    assert "no longer" in breakeven("list", "offers", "--as-of", "2025-06-01", "--retired")[1]


def test_filters_keep_what_fits_and_stars_stand_for_anything(breakeven):
    lines = json.loads(breakeven("list", "machines", "--accelerator", "a10g", "--name", "g5.*xlarge", "--json", "-")[1])
    assert {line["accelerator"] for line in lines["lines"]} == {"A10G"}
    assert "g5.4xlarge" in {line["name"] for line in lines["lines"]}


@pytest.mark.usefixtures("acme")
def test_money_in_json_is_the_exact_number(breakeven):
    raw = breakeven("list", "offers", "--name", "rocket", "--as-of", "2024-06-01", "--json", "-")[1]
    line = json.loads(raw, parse_float=Decimal)["lines"][0]
    assert line["output_usd_per_mtok"] == Decimal("7.125")


def test_json_goes_whole_into_a_file(breakeven, tmp_path, shipped):
    code, out, _ = breakeven("list", "models", "--json", str(tmp_path / "models.json"))
    assert code == 0
    assert "MODELS" in out
    assert len(json.loads((tmp_path / "models.json").read_text())["lines"]) == len(shipped.models)


def test_a_machine_of_ones_own_stands_at_its_own_price(breakeven, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "source: a contract\nread: 2026-01-02\n"
        "machines: [{name: my-box, accelerator: A10G, accelerator_count: 2, usd_per_hour: 1.07}]\n"
    )
    assert _row(breakeven("list", "machines", "--name", "my-box", "--overlay", str(mine))[1], "my-box")[-1] == "1.07"
    assert "a contract" in breakeven("show", "my-box", "--overlay", str(mine))[1]


# show


def test_a_machine_is_shown_with_price_day_basis_source_and_note(breakeven, shipped):
    _, out, _ = breakeven("show", "ml.g5.4xlarge")
    rows = [row for row in shipped.tables.machine_prices if row.machine == "ml.g5.4xlarge"]
    assert _widest(out) <= 100
    assert _row(out, "2022-06-23", "ml.g5.4xlarge")[2:6] == ["sagemaker", "on-demand", "2.03", "derived"]
    assert all(str(row.effective_from) in out for row in rows)
    told = re.sub(r"\s", "", out)
    assert all(re.sub(r"\s", "", shipped.sources[row.source].title) in told for row in rows)
    assert all(re.sub(r"\s", "", row.note) in told for row in rows)


def test_a_machine_by_its_plain_name_shows_both_services_and_by_its_ml_name_one(breakeven):
    assert {" ec2 ", " sagemaker "} == {
        word for word in (" ec2 ", " sagemaker ") if word in breakeven("show", "g5.xlarge")[1]
    }
    assert " ec2 " not in breakeven("show", "ML.g5.xlarge")[1]


def test_every_machine_with_a_price_is_found_by_the_name_it_is_rented_under(shipped):
    known = {name for fact in facts(shipped) for name in fact.names}
    assert {row.machine for row in shipped.tables.machine_prices} <= known


@pytest.mark.usefixtures("acme")
def test_an_offer_is_shown_with_the_prices_in_force_and_those_before(breakeven):
    _, out, _ = breakeven("show", "rocket-1", "--as-of", "2024-07-01")
    now, before = out.split("History")
    assert _row(now, "2024-06-01", "standard")[2:6] == ["2.50", "unknown", "unknown", "7.125"]
    assert "4.00" not in now
    assert _row(before, "2023-01-10", "standard")[2:5] == ["4.00", "8.00", "announced"]
    assert re.search(r"batch +1\.25 .*first", now)
    assert re.search(r"input>200K +5\.00", now)
    assert re.search(r"off-peak .*3\.50", now)
    assert "Acme's price page" in out
    assert "halved at the [spring] sale" in out


@pytest.mark.usefixtures("acme")
def test_a_price_that_ended_stands_in_the_history_alone_with_its_last_day(breakeven):
    now, before = breakeven("show", "rocket-1", "--as-of", "2024-09-01")[1].split("History")
    assert "input>200K" not in now
    assert "input>200K" in before
    assert "2024-09-01" in before


@pytest.mark.usefixtures("acme")
def test_what_is_no_longer_sold_is_shown_as_such(breakeven):
    assert "though no longer listed on 2025-01-01" in breakeven("show", "relic", "--as-of", "2025-06-01")[1]
    assert "though retired on 2026-02-02" in breakeven("show", "veteran", "--as-of", "2026-03-01")[1]
    assert "though" not in breakeven("show", "veteran", "--as-of", "2026-02-01")[1]


def test_every_dated_price_of_the_longest_history_is_shown(breakeven, shipped):
    rows = defaultdict(list)
    for row in shipped.tables.api_prices:
        rows[f"{row.provider}/{row.model}"].append(row)
    name = max(rows, key=lambda key: len({row.effective_from for row in rows[key]}))
    code, out, _ = breakeven("show", name)
    assert code == 0
    assert _widest(out) <= 100
    assert all(str(row.effective_from) in out and str(row.usd_per_mtok.normalize())[:6] in out for row in rows[name])


@pytest.mark.usefixtures("acme")
def test_a_name_that_is_an_open_model_and_an_offer_shows_both(breakeven):
    _, out, _ = breakeven("show", "flan-ul2", "--as-of", "2024-07-01")
    assert "MODEL  flan-ul2" in out
    assert "THE SAME MODEL AT OTHER APIS: 1" in out
    assert "acme/rocket-1" in out
    assert "to host oneself" in breakeven("show", "acme/rocket-1", "--as-of", "2024-07-01")[1]


def test_a_score_is_shown_with_scale_day_and_conditions(breakeven, shipped):
    score = next(row for row in shipped.tables.scores if row.model in shipped.models and row.ci95)
    _, out, _ = breakeven("show", score.model)
    for told in (
        score.scale,
        f"{score.score:,g}",
        f" {score.ci95:g} ",
        str(score.observed),
        score.conditions.split()[0],
    ):
        assert told in out


def test_a_model_without_a_score_says_so(breakeven, shipped):
    scored = {row.model for row in shipped.tables.scores}
    name = next(name for name in shipped.models if name not in scored)
    assert "Quality unknown" in breakeven("show", name)[1]


def test_a_machine_without_accelerators_has_no_device_memory_rather_than_an_unknown_one(breakeven):
    assert re.search(r"device memory +none", breakeven("show", "m5.xlarge")[1])


def test_an_accelerator_tells_its_machines_and_what_it_cannot(breakeven):
    _, out, _ = breakeven("show", "a10g")
    assert re.search(r"machines +g5\.xlarge", out)
    assert re.search(r"fp8 dense +none", out)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_listed_can_be_shown(breakeven, kind):
    lines = json.loads(breakeven("list", kind, "--json", "-")[1])["lines"]
    for name in (lines[0]["name"], lines[-1]["name"]):
        code, out, err = breakeven("show", name)
        assert (code, err) == (0, "")
        assert name in out
        assert _widest(out) <= 100


@pytest.mark.usefixtures("acme")
def test_peak_hours_are_told_as_days_and_times(breakeven):
    assert "Mon 00:00-24:00 UTC" in breakeven("show", "acme", "--as-of", "2024-07-01")[1]


@pytest.mark.usefixtures("acme")
def test_a_source_names_what_rests_on_it(breakeven):
    assert re.search(r"offers +acme/rocket-1", breakeven("show", "acme-page", "--as-of", "2024-07-01")[1])


@pytest.mark.usefixtures("acme")
def test_before_its_first_row_a_name_is_an_error_that_names_the_first_day(breakeven):
    code, out, err = breakeven("show", "ml.g5.4xlarge", "--as-of", "2023-01-10")
    assert code == 0, "known since 2022"
    code, out, err = breakeven("show", "acme/rocket-1", "--as-of", "2023-01-09")
    assert (code, out) == (2, "")
    assert "2023-01-10" in err


def test_a_sagemaker_price_is_not_known_before_its_first_row(breakeven, shipped):
    first = min(row.effective_from for row in shipped.tables.machine_prices if row.machine == "ml.g5.4xlarge")
    if shipped.first_day >= first:
        pytest.skip("the whole catalogue begins later")
    code, _, err = breakeven("show", "ml.g5.4xlarge", "--as-of", str(first - timedelta(days=1)))
    assert code == 2
    assert str(first) in err


# search


def test_hits_are_grouped_by_kind_with_their_count_and_the_name_itself_first(breakeven):
    _, out, _ = breakeven("search", "l4", "--json", "-")
    hits = json.loads(out)
    assert hits["accelerators"][0]["name"] == "L4"
    assert "g6.xlarge" in {hit["name"] for hit in hits["machines"]}
    assert f"MACHINES: {len(hits['machines'])}" in breakeven("search", "l4")[1]


@pytest.mark.usefixtures("acme")
def test_a_search_needs_every_word_and_looks_into_price_notes(breakeven):
    assert "price note: halved at the [spring] sale" in breakeven("search", "[spring]", "sale")[1]
    assert breakeven("search", "spring", "autumn")[0] == 2


def test_only_the_first_few_hits_are_shown_and_the_rest_are_counted(breakeven):
    total = len(json.loads(breakeven("search", "g5.", "--json", "-")[1])["machines"])
    _, out, _ = breakeven("search", "g5.", "--top", "2")
    assert f"and {total - 2} more: --top {total}" in out
    assert out.split("MACHINES")[1].split("more")[0].count("g5.") == 2


# bad input


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("list", "machins"), "machines"),
        (("list", "machines", "--provider", "openai"), "have no provider"),
        (("list", "machines", "--accelerator", "A10"), "Did you mean: A10G"),
        (("list", "--name", "g5"), "without a kind"),
        (("list", "--as-of", "24.4.2023"), "a date like 2023-04-24"),
        (("list", "--as-of", "1999-12-31"), "before the first known price"),
        (("list", "machines", "--region", "mars-north-1"), REGION),
        (("list", "models", "--scale", "vibes"), "quality scale"),
        (("list", "--overlay", "no-such-file.yaml"), "no file"),
        (("list", "models", "--json", "/no/such/folder/x.json"), "cannot be written"),
        (("show", "ml.g5.4xlargee"), "Did you mean: ml.g5.4xlarge"),
        (("show", "flan-ul"), "flan-ul2"),
        (("show", "[/bold]"), "[/bold]"),
        (("show", ""), "not in the catalogue"),
        (("search", "qwn3"), "qwen3"),
        (("search", "zzzzzz"), "nothing in the catalogue matches"),
        (("search", " "), "empty"),
        (("search",), "Missing argument"),
    ],
)
def test_bad_input_is_one_clear_message_and_exit_code_2(breakeven, arguments, told):
    code, out, err = breakeven(*arguments)
    assert code == 2
    assert told in err
    assert "Traceback" not in out + err
    assert not out


def test_the_command_answers_without_loading_the_planner():
    code = "import sys; sys.argv = ['breakeven', 'catalogue', 'list'];" + (
        "from breakeven.cli import main\ntry: main()\n"
        "except SystemExit: print(sorted({'numpy', 'uniplot'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == "[]"


def test_a_promised_uptime_is_listed_shown_and_not_known_before_its_day(breakeven):
    assert _row(breakeven("list", "uptimes", "--as-of", "2023-01-01")[1], "ec2")[1:3] == ["0.995", "all"]
    assert "openai" not in breakeven("list", "sla", "--as-of", "2023-01-01")[1]
    shown = breakeven("show", "openai", "--as-of", "2026-11-29")[1]
    assert "PROVIDER  openai" in shown
    assert "UPTIME  openai" in shown
    before = breakeven("show", "openai", "--as-of", "2023-01-01")[1]
    assert "PROVIDER  openai" in before
    assert "UPTIME  openai" not in before
