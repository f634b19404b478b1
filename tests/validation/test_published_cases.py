"""Published calculations, done again by the product's own functions: what was right agrees, what was wrong is shown.

``cases.csv`` holds each case with its source, the published figure, ours, how near they should be, and the verdict.
docs/validation.md tells the same in words, and which published cases the product cannot express.
"""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from breakeven import Policy, Workload, plan
from breakeven.catalogue.history import change
from breakeven.catalogue.overlay import Owned, with_overlay
from breakeven.catalogue.schema import ApiOffer, ApiPrice, MachinePrice
from breakeven.cost.bill import Bill, Charge, bill_of
from breakeven.performance.attention import kv_bytes
from breakeven.performance.roofline import Replica, prefill
from breakeven.report.document import usd_per_mtok
from breakeven.units import (
    BYTES_PER_GB,
    DAYS_PER_MONTH,
    FLOPS_PER_TFLOPS,
    HOURS_PER_MONTH,
    HOURS_PER_YEAR,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    TOKENS_PER_MTOK,
)
from breakeven.workload.policy import Only, Stated
from breakeven.workload.usage import TOKENS_PER_WORD, TokenMix, TokenUsage

ROOT = Path(__file__).parents[2]
CASES = list(csv.DictReader((Path(__file__).parent / "cases.csv").read_text(encoding="utf-8").splitlines()))
WRONG = "published wrong"
SEARCHED = 1e-3
"""The break-even is searched to a tenth of a percent."""
DAY = date(2026, 6, 1)


@pytest.fixture(scope="module")
def api_bill(with_rows):
    """What a day's requests cost at an API with these prices: ``api_bill(usage, 1000, input="2", output="2")``."""

    def planned(usage, requests=1.0, tier="standard", **usd_per_mtok):
        rows = tuple(
            ApiPrice(
                provider="published",
                model="model",
                tier=tier,
                token_kind=kind,
                usd_per_mtok=Decimal(usd),
                effective_from=DAY,
                date_basis="stated",
                source="by-hand",
            )
            for kind, usd in usd_per_mtok.items()
        )
        mode = "chat" if usage.output else "embedding"
        whole_day = {"max_input_tokens": 10**12, "max_output_tokens": 10**12}  # as one request
        offer = ApiOffer(provider="published", model="model", mode=mode, source="by-hand", **whole_day)
        workload = Workload(
            name="published",
            task="generate" if usage.output else "encode",
            mix=TokenMix.of(usage),
            requests_per_hour=(requests / 24,) * 24,
            deferrable=True,
        )
        answer = plan(workload, with_rows(api_offers=(offer,), api_prices=rows), Policy(only=Only(kinds=("api",))))
        return answer.explain("published/model" + ("" if tier == "standard" else f"@{tier}")).bill

    return planned


def lines(*charges: tuple[str, float, float]) -> Bill:
    """A bill of lines, each a name, a quantity and USD a unit."""
    made = [
        Charge(
            name=name,
            unit="unit",
            quantity_per_day=np.array([float(quantity)]),
            usd_per_unit=np.array([float(usd)]),
            source=lambda _: ("published",),
        )
        for name, quantity, usd in charges
    ]
    return bill_of(made, 0)


@pytest.fixture(scope="module")
def hosted(small_catalogue, tmp_path_factory):
    """A plan with one machine of one's own at a published price and response time, in whole requests at a time."""

    def planned(usd_per_hour, workload, response_s, concurrency=1, more=""):
        path = tmp_path_factory.mktemp("overlay") / "published.yaml"
        machine = f"{{name: box, accelerator: A10G, accelerator_count: 1, usd_per_hour: {usd_per_hour}}}"
        path.write_text(f"source: published\nread: 2026-06-01\nmachines: [{machine}]\n{more}", encoding="utf-8")
        catalogue = with_overlay(small_catalogue, path)
        models = ("llama-8b", "published") if more else ("llama-8b",)
        only = Only(models=models, machines=("box",), formats=("bf16",), kinds=() if more else ("hosted",))
        stated = Stated(response_s=response_s, concurrency=concurrency)
        return plan(workload, catalogue, Policy(only=only, stated=stated))

    return planned


def _requests(per_day, tokens_in=0, tokens_out=1000):
    """Requests that may wait, so that they use a machine to the full: no head-room, as in the published sums."""
    work = Workload.of(requests_per_day=per_day, input_tokens=tokens_in, output_tokens=tokens_out)
    return msgspec.structs.replace(work, deferrable=True)


def _at_speed(hosted, usd_per_hour, tokens_per_s, used=1.0):
    """USD a million tokens of a machine that makes so many tokens a second for a share of the day."""
    response_s = 1000 / tokens_per_s
    answer = hosted(usd_per_hour, _requests(used * SECONDS_PER_DAY / response_s), response_s)
    (contender,) = answer.ranking.contenders
    return usd_per_mtok(answer.verdict(contender).bill, answer)


def _month(usd_per_hour):
    return lines(("machines", 24, usd_per_hour)).usd_per_month


def _owned_month(**owned):
    return lines(
        ("machines", 24, Owned(**{name: Decimal(str(v)) for name, v in owned.items()}).usd_per_hour())
    ).usd_per_month


def _prefill_usd(pflops):
    """A million tokens through a model of 1e12 parameters, 60 % of the peak used, at 3.2 USD an hour."""
    one, nothing = np.ones(1), np.zeros(1)
    columns = dict.fromkeys(Replica.__dataclass_fields__, nothing)
    ones = ("tensor_parallel", "data_parallel", "pipeline_parallel", "kv_shards", "pace", "prompt", "first", "bulk")
    rates = ("bandwidth_bytes_per_s", "kv_bytes_per_s", "expert_bytes_per_s", "link_bytes_per_s")
    columns |= dict.fromkeys((*ones, *rates), one)
    columns |= {"prefill_params": one * 1e12, "flops_per_s": one * pflops * 1000 * FLOPS_PER_TFLOPS * 0.6}
    replica = Replica(**columns | {"context_tokens": 0.0})
    return replica, 3.2


def _hourly(usd, day):
    row = {"machine": "h100", "service": "own", "region": "", "term": "reserved-1y", "date_basis": "observed"}
    return MachinePrice(**row, usd_per_hour=Decimal(usd), effective_from=day, source="published")


def _cached(api_bill, usd_input, share, hit, write):
    """What a cache saves of a bill of 1000 USD at 5 USD a million tokens of input, of which ``usd_input`` is input."""
    tokens = usd_input / 5 * TOKENS_PER_MTOK
    rest = {"output": (1000 - usd_input) / 25 * TOKENS_PER_MTOK}
    prices = {"input": "5", "output": "25"}
    plain = api_bill(TokenUsage(input=tokens, **rest), **prices)
    usage = TokenUsage(input=tokens, cached_input=tokens * share * hit, cache_write=tokens * share * (1 - hit), **rest)
    return plain.usd_per_day - api_bill(usage, **prices, cached_input="0.5", cache_write=write).usd_per_day


WORDS = 1_000_000
ARTICLE = TokenUsage(input=500, output=167)
"""667 tokens a request, question and answer at one price."""
DEEPSEEK = TokenUsage(input=608e9, cached_input=342e9, output=168e9)
DEEPSEEK_USD = {"input": "0.55", "cached_input": "0.14", "output": "2.19"}
DEEPSEEK_MACHINES = ("node hours", 226.75 * 24, 8 * 2.0)
OPUS = TokenUsage(input=5000, output=800)
GPT_4O_MINI = "api_prices: [{provider: openai, model: published, input: 0.15, output: 0.6, canonical: llama-8b}]\n"


def _article(requests):
    return lines(("machines", 24, 6.25), ("Lambda", requests, 10e-6), ("API Gateway", requests, 1e-6)).usd_per_day


def _machines_of_the_article(hosted):
    (contender,) = (answer := hosted(2.03, _requests(1e6, 500, 167), response_s=5)).ranking.contenders
    return answer.verdict(contender).capacity.peak_machines


def _nodes_of_deepseek(hosted):
    """Nodes at work on average: requests a second x the node-seconds of each."""
    requests = 1e9
    seconds = 608e9 / requests / 73_700 + 168e9 / requests / 14_800
    work = _requests(requests, 608e9 / requests, 168e9 / requests)
    return hosted(16, work, response_s=seconds).sizing.load_of(0)[0]


def _in_batches(hosted):
    work = _requests(1000, tokens_in=1, tokens_out=1)
    answer = hosted(1, work, response_s=10, concurrency=25)
    (contender,) = answer.ranking.contenders
    return answer.verdict(contender).performance.output_tokens_per_s.mid


def _embedding_against_api(use):
    api = use.api_bill(TokenUsage(input=TOKENS_PER_MTOK), input="0.4").usd_per_day
    return api / _at_speed(use.hosted, 1.2, 9000)


def _replies_a_month(hosted):
    """From which traffic on a machine of 30 USD a month is cheaper than the API: the plan's break-even."""
    usd_per_hour = 30 / HOURS_PER_MONTH
    work = _requests(1000, 5000, 300)
    (found,) = hosted(usd_per_hour, work, response_s=1, concurrency=200, more=GPT_4O_MINI).crossovers
    return found.requests_per_day * DAYS_PER_MONTH


def _machine_hours(replica_and_usd):
    (replica, usd), parameters = replica_and_usd
    seconds = float(prefill(replica, TOKENS_PER_MTOK, parameters).compute_s[0])
    return lines(("machine hours", seconds / SECONDS_PER_HOUR, usd)).usd_per_day


def _flop_of_a_token(parameters):
    replica, _ = _prefill_usd(1)
    one = np.ones(1)
    columns = {name: getattr(replica, name) for name in Replica.__dataclass_fields__}
    shape = Replica(**columns | {"prefill_params": one * 70e9, "flops_per_s": one * BYTES_PER_GB})
    return float(prefill(shape, 1, parameters).compute_s[0])


def _deepseek(use):
    return use.api_bill(DEEPSEEK, **DEEPSEEK_USD).usd_per_day


EXPRESSED = {
    "TDS-1": lambda use: use.api_bill(ARTICLE, 1000, input="2", output="2").usd_per_day,
    "TDS-2": lambda use: use.api_bill(ARTICLE, 1e6, input="2", output="2").usd_per_day,
    "TDS-2 year": lambda use: use.api_bill(ARTICLE, 365e6, input="2", output="2").usd_per_day,
    "TDS-4": lambda _: _article(1000),
    "TDS-5": lambda _: _article(1e6),
    "TDS-5 machines": lambda use: _machines_of_the_article(use.hosted),
    "TDS-6": lambda _: lines(("machines", 24, 5)).usd_per_day,
    "TDS-7": lambda _: lines(("machines", 24, 0.23)).usd_per_day,
    "DS-1": lambda _: lines(DEEPSEEK_MACHINES).usd_per_day,
    "DS-2": _deepseek,
    "DS-3": lambda use: 100 * (_deepseek(use) / lines(DEEPSEEK_MACHINES).usd_per_day - 1),
    "DS-4": lambda use: _nodes_of_deepseek(use.hosted),
    "ANY-1": _embedding_against_api,
    "ANY-2": lambda use: _in_batches(use.hosted),
    "ANY-3": lambda use: use.api_bill(TokenUsage(input=WORDS * TOKENS_PER_WORD), input="30").usd_per_day,
    "TF-2": lambda use: use.api_bill(TokenUsage(input=6e9, output=9e9), input="30", output="120").usd_per_day,
    "CURL-1": lambda use: (
        use.api_bill(TokenUsage(input=10_000, output=3000), 1e6, input="1.25", output="10").usd_per_day
    ),
    "DREAM-1": lambda use: _at_speed(use.hosted, 2.5, 700),
    "DREAM-2": lambda use: _at_speed(use.hosted, 2.5, 700, used=0.1),
    "LEARN-2": lambda use: _at_speed(use.hosted, 4 * 1.6, 3400),
    "TANU-1 T4": lambda _: _month(0.2),
    "TANU-1 A10": lambda _: _month(0.44),
    "TANU-1 L40S": lambda _: _month(0.99),
    "TANU-1 H100": lambda _: _month(2.99),
    "DART-1": lambda use: _replies_a_month(use.hosted),
    "AIP-1": lambda _: _owned_month(usd=2800, life_years=3, watts=700 * 8 / 24, usd_per_kwh=0.3),
    "UNP-1 A100": lambda _: _owned_month(usd=12_000, life_years=3),
    "UNP-1 two": lambda _: _owned_month(usd=24_000, life_years=3),
    "UNP-1 H100": lambda _: _owned_month(usd=60_000, life_years=3),
    "SYS-1": lambda _: lines(("machine hours", 0.02655, 2)).usd_per_day,
    "GW-1 FP8": lambda use: _machine_hours((_prefill_usd(5), use.parameters)),
    "GW-1 FP4": lambda use: _machine_hours((_prefill_usd(10), use.parameters)),
    "GW-2": lambda _: Owned(
        usd=Decimal(50_000), life_years=Decimal(3), usd_per_month=Decimal(50_000) / 3 / 5 / 12
    ).usd_per_hour(),
    "H100-1": lambda _: 100 * change(_hourly("1.70", date(2025, 10, 1)), _hourly("2.35", date(2026, 3, 1))),
    "NPT-1 request": lambda use: use.api_bill(OPUS, input="4", output="20").usd_per_day,
    "NPT-1 standard": lambda use: use.api_bill(OPUS, 10_000, input="4", output="20").usd_per_day,
    "NPT-1 batch": lambda use: use.api_bill(OPUS, 10_000, tier="batch", input="2", output="10").usd_per_day,
    "CURS-1 KV": lambda use: kv_bytes(use.llama_70b, 1) / 1024,
    "CURS-1 FLOP": lambda use: _flop_of_a_token(use.parameters),
    "CACHE-1": lambda use: _cached(use.api_bill, 500, 0.6, 0.8, write="6.25"),
    "CACHE-1 input": lambda use: _cached(use.api_bill, 1000, 0.6, 0.8, write="5"),
}


@pytest.fixture(scope="module")
def use(hosted, api_bill, ideal, small_catalogue):
    """What some expressions need beside their figures."""

    class Use:
        llama_70b = small_catalogue.models["llama-70b"]
        parameters = ideal

    Use.hosted, Use.api_bill = staticmethod(hosted), staticmethod(api_bill)
    return Use


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_the_product_comes_to_our_figure(use, case):
    ours = float(EXPRESSED[case["case"]](use))
    near = SEARCHED if case["case"] == "DART-1" else 1e-5
    assert ours == pytest.approx(float(case["recomputed"]), rel=near), f"{case['title']} ({case['source']})"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_what_was_published_agrees_or_is_shown_wrong(case):
    published, ours = float(case["published"]), float(case["recomputed"])
    apart = abs(published / ours - 1)
    told = f"{case['title']}: published {published:g}, ours {ours:g} {case['unit']} ({case['source']})"
    assert (apart > float(case["within"])) == case["verdict"].startswith(WRONG), told


def test_every_case_has_its_expression_source_and_verdict():
    assert [case["case"] for case in CASES] == list(EXPRESSED)
    assert all(case["source"] and case["title"] and case["date"] and case["verdict"] for case in CASES)


def test_the_page_on_validation_tells_every_case_with_both_figures():
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")] for line in page.splitlines() if line.startswith("| ")]
    told = {row[1]: row for row in rows}
    for case in CASES:
        row = told[case["case"]]
        assert case["published"] in row, case
        assert any(cell.startswith(case["recomputed"][:6]) for cell in row), case


def test_a_year_has_8760_hours_in_these_sums():
    assert HOURS_PER_YEAR == 8760
