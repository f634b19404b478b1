"""The page: complete, self-contained, well formed, and equal to the plan to the last digit."""

import base64
import hashlib
import re
import subprocess
import sys
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from breakeven import plan as planned
from breakeven.catalogue.overlay import with_overlay
from breakeven.cli import main
from breakeven.cli.plans import plans_of
from breakeven.errors import SpecError
from breakeven.report import page as page_module
from breakeven.report.answer import bill_band
from breakeven.report.page import html_page
from breakeven.report.spread import band_of, target_words
from breakeven.workload.policy import FixedCost, People, Policy
from breakeven.workload.profile import Slo, Workload, spread

ROOT = Path(__file__).parents[2]
LARGEST_BYTES = 2_000_000
VOID = {"meta", "link", "br", "wbr", "img", "input", "hr"}
LOADING = {"src", "srcset", "href", "xlink:href", "action", "formaction", "poster", "data", "background", "ping"}
WORKLOAD = Workload.of(requests_per_day=300_000, input_tokens=1_000, output_tokens=200)
WEEK = tuple(1.0 + (hour % 24) / 8 for hour in range(168))
HOSTILE = "</title></svg><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;"


class Read(HTMLParser):
    """A page as it was read: its elements, its text, and whether every element was closed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.bills: dict[str, list[Decimal]] = {}
        self.texts: list[str] = []
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.wrong: list[str] = []
        self.feed(html)
        self.close()
        self.wrong += [f"<{tag}> is never closed" for tag, _ in self.open]

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if len(found) < len(attrs):
            self.wrong.append(f"<{tag}> has an attribute twice")
        self.elements.append((tag, found))
        if tag == "data":
            self._note(found["value"])
        if tag not in VOID:
            self.open.append((tag, found))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop()[0] != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()} closes something else")

    def handle_data(self, data):
        self.texts.append(data)

    def _note(self, value):
        tables = [found.get("class") for tag, found in self.open if tag == "table"]
        option = next((found["data-bill"] for _, found in self.open if "data-bill" in found), None)
        if option and tables[-1] == "bill":
            self.bills.setdefault(option, []).append(Decimal(value))

    def named(self, *tags):
        return [(tag, found) for tag, found in self.elements if tag in tags]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def cases(plan_small):
    """Plans of every kind that a page has to show."""
    weekly = msgspec.structs.replace(WORKLOAD, requests_per_hour=spread(300_000, WEEK), slo=Slo(ttft_s=2.0))
    floor = {"at_least": 1180.0}
    people = {"people": People(hours_per_month=Decimal(20), usd_per_hour=Decimal(90))}
    return {
        "floor": [plan_small(WORKLOAD, **floor)],
        "no floor": [plan_small(WORKLOAD)],
        "API only": [plan_small(WORKLOAD, kinds=("api",), **floor)],
        "hosted only": [plan_small(WORKLOAD, kinds=("hosted",), **floor)],
        "encode": [plan_small(Workload.of(requests_per_day=9_000, input_tokens=300))],
        "target": [plan_small(weekly, **floor, **people)],
        "no crossover": [plan_small(WORKLOAD, at_least=1250.0, models=("llama-70b",))],
        "several": [plan_small(WORKLOAD, **floor), plan_small(weekly), plan_small(WORKLOAD, kinds=("api",))],
    }


@pytest.fixture(scope="module")
def pages(cases):
    """Each page, written when first asked for."""
    written: dict[str, tuple[bytes, Read]] = {}

    def write(name: str) -> tuple[bytes, Read]:
        if name not in written:
            raw = html_page(cases[name], [3] * len(cases[name]))
            written[name] = raw, Read(raw.decode())
        return written[name]

    return write


CASES = ["floor", "no floor", "API only", "hosted only", "encode", "target", "no crossover", "several"]
every_case = pytest.mark.parametrize("case", CASES)
every_single_case = pytest.mark.parametrize("case", [case for case in CASES if case != "several"])


@every_case
def test_the_page_is_well_formed_and_small(pages, case):
    raw, read = pages(case)
    assert raw.startswith(b"<!DOCTYPE html>")
    assert len(raw) < LARGEST_BYTES
    assert read.wrong == []
    ids = [found["id"] for _, found in read.elements if "id" in found]
    assert len(ids) == len(set(ids))


@every_case
def test_the_page_asks_no_host_for_anything_and_runs_nothing(pages, case):
    raw, read = pages(case)
    for tag, found in read.elements:
        for name in LOADING & found.keys():
            assert (found[name] or "").startswith(("#", "data:,")), (tag, name, found[name])
        assert not [name for name in found if name.startswith("on") or name == "style"], (tag, found)
    assert {tag for tag, _ in read.elements} & {"script", "iframe", "object", "embed", "base", "form", "img"} == set()
    style = re.search(r"<style>(.*?)</style>", raw.decode(), re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert set(re.findall(r"url\(([^)]*)\)", raw.decode())) <= {f"#{i}" for _, e in read.elements if (i := e.get("id"))}


@every_case
def test_the_policy_lets_through_this_style_and_nothing_else(pages, case):
    raw, read = pages(case)
    style = re.search(r"<style>(.*?)</style>", raw.decode(), re.DOTALL)[1]
    policy = next(e["content"] for _, e in read.elements if e.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in policy
    assert "unsafe" not in policy


@every_case
def test_headings_are_in_order_and_every_section_is_named_by_one(pages, case):
    _, read = pages(case)
    levels = [int(tag[1]) for tag, _ in read.named("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    ids = {found["id"] for _, found in read.elements if "id" in found}
    for tag, found in read.elements:
        named = (found.get("aria-labelledby") or "").split()
        assert set(named) <= ids, (tag, found)
        assert tag != "section" or named
    links = {found["href"][1:] for tag, found in read.named("a") if found["href"].startswith("#")}
    assert links <= ids


@every_case
def test_every_picture_has_a_title_and_a_description_and_its_numbers_as_a_table(pages, case):
    raw, read = pages(case)
    pictures = re.findall(r"<svg [^>]*>(?:<title [^>]*>(.*?)</title>)?(?:<desc [^>]*>(.*?)</desc>)?", raw.decode())
    assert pictures
    assert all(title and description for title, description in pictures)
    assert all(found["role"] == "img" for _, found in read.named("svg"))
    figures = len(read.named("figure"))
    tables = [found for tag, found in read.named("details") if found.get("class") == "data"]
    assert len(tables) == figures


@every_case
def test_tables_have_captions_and_headers_with_a_scope(pages, case):
    _, read = pages(case)
    assert len(read.named("caption")) == len(read.named("table"))
    assert all(found.get("scope") for _, found in read.named("th"))


@every_single_case
def test_every_number_of_the_shown_bills_stands_in_the_page_exactly(pages, cases, case):
    _, read = pages(case)
    (plan,) = cases[case]
    verdicts = plan.verdicts(3)
    assert verdicts
    for verdict in verdicts:
        shown = read.bills[verdict.option.id]
        expected = [n for line in verdict.bill.lines for n in (line.quantity, line.usd_per_unit, line.usd)]
        assert shown[: len(expected)] == [n for n in expected if n is not None]
        assert verdict.bill.usd_per_day in shown[len(expected) :]
        assert verdict.bill.usd_per_month in shown[len(expected) :]


@every_case
def test_every_cited_source_stands_in_the_table_with_its_day(pages, cases, case):
    _, read = pages(case)
    for plan in cases[case]:
        cited = {source for v in plan.verdicts(3) for line in v.bill.lines for source in line.source}
        for source in (plan.catalogue.sources[name] for name in cited if name in plan.catalogue.sources):
            assert source.title in read.text
            assert str(source.read) in read.text
    rows = [found["id"] for tag, found in read.named("tr") if re.fullmatch(r"s\d+", found.get("id") or "")]
    marks = {found["href"][1:] for tag, found in read.named("a") if found.get("class") == "mark"}
    assert rows == [f"s{n}" for n in range(1, len(rows) + 1)]
    assert marks == set(rows), "nothing is listed that no figure cites"


@every_case
def test_what_was_ruled_out_and_assumed_and_how_fresh_the_prices_are_is_told(pages, cases, case):
    _, read = pages(case)
    for plan in cases[case]:
        assert plan.catalogue_digest in read.text
        assert str(plan.as_of) in read.text
        for reason in plan.rejected:
            assert reason.because in read.text
            assert f"{reason.count:,}" in read.text
        for assumption in plan.assumptions:
            assert "".join(assumption.replace("`", "").split()) in "".join(read.text.split())
        assert str(plan.freshness(3).oldest_effective_from) in read.text


def test_the_answer_is_one_sentence_with_its_dollars(pages, cases):
    _, read = pages("floor")
    winner = cases["floor"][0].winner
    lead = read.text.split("Answer", 2)[2]
    sentence = lead[: lead.index(". ") + 1]
    assert winner.option.model in sentence
    assert f"${float(winner.bill.usd_per_day):,.2f} a day" in sentence
    assert "a month" in sentence


def test_the_band_of_a_bill_stands_in_the_answer_and_on_its_card():
    examples = Path(__file__).parents[2] / "examples"
    plans = plans_of(examples / "chat-assistant.yaml", {"": {}})
    read, band = Read(html_page(plans, [3]).decode()), bill_band(plans[0].winner)
    assert "80 % band: $" in band
    lead, _, card = read.text.split("Answer", 2)[2].partition("the cheapest way")
    assert band in lead
    assert band in card


def test_without_a_floor_each_class_has_its_cheapest_and_there_is_no_winner(pages, cases):
    _, read = pages("no floor")
    assert "cheap weak model does not beat a good one" in read.text
    assert "The cheapest of each class of quality" in read.text
    for envelope in cases["no floor"][0].envelopes:
        assert f"lmarena-text {envelope.group}" in read.text


def test_a_latency_that_is_not_known_is_told_beside_the_price(pages):
    _, read = pages("target")
    assert "Its latency is not known here" in read.text
    assert "never counted as keeping the target" in read.text
    assert "(latency not known)" in read.text


def test_a_page_without_self_hosting_has_no_load_and_no_link_to_one(pages):
    for case, has in (("API only", False), ("hosted only", True)):
        _, read = pages(case)
        assert ("Load against capacity" in read.text) is has
        assert any(found["href"] == "#p1-loads" for _, found in read.named("a")) is has


def test_several_plans_are_one_page_with_a_section_each_and_one_table_of_sources(pages):
    _, read = pages("several")
    assert len(read.named("article")) == 3
    assert [found.get("id") for _, found in read.named("h2")][-1] == "sources-name"
    assert read.text.count("What the figures of this page were read from") == 1


def test_names_from_outside_stay_text(plan_small, small_catalogue, tmp_path):
    overlay = tmp_path / "hostile.yaml"
    entry = {"source": HOSTILE, "read": "2026-01-01", "effective_from": "2026-01-01"}
    accelerator = next(a.name for a in small_catalogue.tables.accelerators if a.generation == "hopper")
    machine = {"name": HOSTILE, "accelerator": accelerator, "accelerator_count": 8, "usd_per_hour": 0.01}
    machine |= {"vcpus": 64, "memory_gib": 512, "interconnect": "nvlink"}
    price = {"provider": HOSTILE, "model": HOSTILE, "canonical": "llama-70b", "input": 0.5, "output": 1.0}
    overlay.write_bytes(msgspec.yaml.encode({**entry, "machines": [machine], "api_prices": [price]}))
    workload = msgspec.structs.replace(WORKLOAD, name=HOSTILE, assumptions=(HOSTILE,))
    costs = (FixedCost(name=HOSTILE, usd_per_month=Decimal(1), applies_to="all"),)
    catalogue = with_overlay(small_catalogue, overlay)
    plan = plan_small(workload, catalogue=catalogue, at_least=1180.0, fixed_costs=costs)
    raw = html_page([plan], [5])
    read = Read(raw.decode())
    assert read.wrong == []
    assert not read.named("script", "img")
    assert not [e for _, e in read.elements if any(name.startswith("on") for name in e)]
    assert HOSTILE in read.text, "the name itself is shown"
    ids = {v.option.id for v in plan.verdicts(5)}
    assert any(HOSTILE in name for name in ids)
    assert read.bills.keys() == ids


def test_the_same_plan_gives_the_same_page(cases):
    assert html_page(cases["floor"], [2]) == html_page(cases["floor"], [2])


def test_the_bundled_example_is_a_page_of_its_own_prices():
    (plan,) = plans_of(ROOT / "examples" / "chat-assistant.yaml", {"": {"as_of": "2026-11-24"}})
    raw = html_page([plan], [10])
    read = Read(raw.decode())
    assert read.wrong == []
    assert len(raw) < LARGEST_BYTES
    assert len(read.bills) == len(plan.verdicts(10))
    assert "hour by hour of the week (UTC)" in read.text


def test_without_the_extra_the_message_says_what_to_install(cases, monkeypatch):
    monkeypatch.setattr(page_module, "find_spec", lambda name: None if name == "altair" else object())
    with pytest.raises(SpecError, match=r"altair is not installed.*breakeven\[report\]"):
        html_page(cases["floor"], [2])


def test_the_command_writes_the_page_of_every_document_of_a_spec(monkeypatch, capsys, tmp_path):
    target = tmp_path / "page.html"
    arguments = ["breakeven", "compare", str(ROOT / "examples/article-2023.yaml"), "--html", str(target)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert "ANSWER" in capsys.readouterr().out, "the terminal shows the answer too"
    read = Read(target.read_text(encoding="utf-8"))
    assert read.wrong == []
    assert len(read.named("article")) == 3
    assert list(tmp_path.iterdir()) == [target], "nothing half-written is left behind"


def test_without_a_page_nothing_that_draws_is_loaded():
    code = (
        "import sys; from breakeven.cli.app import app\n"
        "app(['compare', '--requests-per-day', '1000', '--words-per-request', '100'], standalone_mode=False)\n"
        "sys.exit(bool({'altair', 'jinja2', 'vl_convert'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_a_folder_that_is_not_there_is_one_clear_message(monkeypatch, capsys, tmp_path):
    arguments = ["--requests-per-day", "1000", "--words-per-request", "100", "--as-of", "2023-04-24"]
    target = tmp_path / "no" / "page.html"
    monkeypatch.setattr(sys, "argv", ["breakeven", "compare", *arguments, "--html", str(target)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_ranking_on_the_page_tells_the_band_and_how_sure_the_target_is(shipped, shipped_ranges, shipped_plan):
    slow = Workload.of(requests_per_day=1e6, input_tokens=1500, output_tokens=400, slo=Slo(ttft_s=1.0, tpot_s=0.05))
    promised = planned(slow, shipped, Policy(at_least=1380.0))
    html = html_page([promised], [3]).decode()
    sure = target_words(promised.winner)
    assert f'<td class="target">{sure}</td>' in html
    assert f'<td class="num">{band_of(promised.winner, None)}</td>' in html
    drawn = html_page([shipped_plan], [3], [shipped_ranges]).decode()
    assert f'<td class="num">{band_of(shipped_plan.winner, shipped_ranges)}</td>' in drawn
    assert '<td class="target">' not in drawn  # no target was promised
