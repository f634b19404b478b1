"""`breakeven catalogue history` and `diff`: what they print fits 100 columns, and JSON says the same."""

import json
from datetime import date

import pytest

LAST = "2026-11-24"
"""A day that the shipped catalogue knows; what it says of earlier days does not change."""


def _widest(out):
    return max(len(line.rstrip()) for line in out.splitlines())


@pytest.mark.parametrize(
    "name",
    [
        "openai/gpt-4o",
        "deepseek-chat",
        "p5.48xlarge",
        "ml.p5.48xlarge",
        "lambda",
        "apigateway",
        "llama-3.3-70b",
        "gpt-4-32k",
    ],
)
def test_a_history_is_drawn_and_told_row_by_row_within_100_columns(breakeven, name):
    code, out, _ = breakeven("history", name, "--as-of", LAST)
    found = json.loads(breakeven("history", name, "--as-of", LAST, "--json", "-")[1])
    rows = [row for entry in found["entries"] for series in entry["series"] for row in series["rows"]]
    assert code == 0
    assert _widest(out) <= 100
    assert "└──" in out
    assert "USD per " in out
    assert sum(out.count(f"   {day}") for day in {row["effective_from"] for row in rows}) >= len(rows)
    assert {row["source"] for row in rows} == {source["id"] for source in found["sources"]}
    assert "SOURCES AND NOTES" in out


def test_the_legend_gives_the_first_and_the_last_price_and_the_rows_their_change(breakeven):
    out = breakeven("history", "ml.p5.48xlarge", "--as-of", LAST)[1]
    assert "ml.p5.48xlarge on-demand 113.068 > 63.296" in out
    assert "-44 %" in out
    assert " = " in out, "a price read again and found the same"


def test_one_day_is_no_line_and_is_not_drawn(breakeven):
    out = breakeven("history", "openai/gpt-4o", "--as-of", "2024-05-14")[1]
    assert "└──" not in out
    assert "2024-05-14" in out


def test_a_wide_range_of_prices_has_a_logarithmic_axis_with_plain_numbers(breakeven):
    out = breakeven("history", "deepseek-chat", "--as-of", LAST)[1]
    assert "10^" not in out
    assert any(line.rstrip().endswith("│ 0.1") for line in out.splitlines())


def test_what_the_chart_leaves_out_is_counted(breakeven):
    out = breakeven("history", "openai/gpt-4o", "--as-of", LAST)[1]
    assert "more of its prices are not drawn: --tier and --kind choose" in out
    assert "not drawn" not in breakeven("history", "openai/gpt-4o", "--tier", "batch", "--as-of", LAST)[1]


def test_a_retired_offer_says_so_beside_its_days(breakeven):
    assert "; retired on 2025-06-06" in breakeven("history", "openai/gpt-4-32k", "--as-of", LAST)[1]


@pytest.mark.parametrize("days", [("2023-01-01", "2024-01-01"), ("2025-05-01", "2025-12-01"), ("2026-09-01", LAST)])
def test_a_diff_is_told_within_100_columns_the_largest_changes_first(breakeven, days):
    code, out, _ = breakeven("diff", *days, "--top", "1000")
    found = json.loads(breakeven("diff", *days, "--json", "-")[1])
    assert code == 0
    assert _widest(out) <= 100
    assert f"PRICES CHANGED: {len(found['changed']):,}" in out
    assert f"OFFERS THAT CAME: {len(found['offers_came']):,}" in out
    assert f"OFFERS THAT WENT: {len(found['offers_went']):,}" in out
    sizes = [round(max(1 + one["change"], 1 / (1 + one["change"])), 9) for one in found["changed"]]
    assert sizes == sorted(sizes, reverse=True)


def test_a_diff_shows_so_many_and_counts_the_rest(breakeven):
    out = breakeven("diff", "2026-09-01", LAST, "--top", "2")[1]
    changed = int(next(line for line in out.splitlines() if line.startswith("PRICES CHANGED")).split()[2])
    assert f"and {changed - 2} more: --top {changed}" in out


def test_the_cut_of_june_2025_is_found(breakeven):
    found = json.loads(breakeven("diff", "2025-05-01", "2025-12-01", "--name", "p5.48xlarge", "--json", "-")[1])
    assert {(one["name"], one["old"], one["new"], one["since"]) for one in found["changed"]} == {
        ("p5.48xlarge", 98.32, 55.04, "2025-06-23"),
        ("ml.p5.48xlarge", 113.068, 63.296, "2025-06-23"),
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("history", "gpt4o"), "Did you mean: gpt-4o"),
        (("history", "openai/gpt-4o", "--as-of", "2023-01-01"), "no price of openai/gpt-4o is known on 2023-01-01."),
        (("history", "openai/gpt-4o", "--since", "May"), "--since May is not a day. Expected: a date like"),
        (("history", "flan-ul2"), "which have no price of their own."),
        (("diff", "2025-01-01", "2024-01-01"), "2025-01-01 lies after 2024-01-01."),
        (("diff", "1999-01-01", "2024-01-01"), "1999-01-01 lies before the first known price."),
        (("diff", "2024-01-01", "today"), "the second day today is not a day."),
        (("diff", "2024-01-01", "2025-01-01", "--provider", "openapi"), "Did you mean: openai"),
    ],
)
def test_bad_input_is_one_clear_message(breakeven, arguments, told):
    code, out, err = breakeven(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("breakeven: ")
    assert told in err
    assert err.count("Expected: ") == 1


def test_json_goes_to_a_file_beside_what_is_printed(breakeven, tmp_path):
    target = tmp_path / "history.json"
    out = breakeven("history", "ml.p5.48xlarge", "--as-of", LAST, "--json", str(target))[1]
    assert "MACHINE OVER TIME" in out
    assert date.fromisoformat(json.loads(target.read_text(encoding="utf-8"))["as_of"]) == date.fromisoformat(LAST)
