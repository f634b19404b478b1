from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalogue.load import Catalogue
from breakeven.catalogue.overlay import Owned, with_overlay
from breakeven.errors import UnknownNameError
from breakeven.workload.profile import Workload

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "own-machines.overlay.yaml"
HOME = "us-east-1"
HEAD = "source: my invoice\nread: 2026-05-20\n"
RACK = "machines:\n- name: rack\n  accelerator: H100\n  accelerator_count: 2\n"


@pytest.fixture
def laid(small_catalogue, tmp_path):
    """The small catalogue with an overlay of this text (source and day stand before it)."""

    def over(text: str, head: str = HEAD, name: str = "mine.yaml") -> Catalogue:
        path = tmp_path / name
        path.write_text(head + text, encoding="utf-8")
        return with_overlay(small_catalogue, path)

    return over


@pytest.fixture
def refusal(refused, small_catalogue):
    """The one message that refuses an overlay of this text over the small catalogue."""
    return lambda text, head=HEAD: refused(head + text, lambda path: with_overlay(small_catalogue, path))


def test_the_example_lays_its_machines_and_its_api_over_the_catalogue_that_ships(shipped):
    found = with_overlay(shipped, EXAMPLE)
    prices = found.on(found.last_day, HOME).machine_prices
    # 250,000 USD over 4 years of 8,760 h, 8 kW at 0.12 USD, 900 USD a month: 7.134703 + 0.96 + 1.232877 an hour
    assert prices["rack-8xh100", "owned"].usd_per_hour == Decimal("9.327580")
    assert prices["other-cloud-l40s", "on-demand"].usd_per_hour == Decimal("1.05")
    assert found.instances["rack-8xh100"].count == 1
    assert found.instances["other-cloud-l40s"].count is None
    contract = {row.token_kind: row.usd_per_mtok for row in found.tables.api_prices if row.provider == "contract"}
    assert contract == {"input": Decimal(2), "cached_input": Decimal(1), "output": Decimal(8)}


def test_an_overlay_changes_the_digest_and_not_the_catalogue(shipped):
    before = shipped.tables
    found = with_overlay(shipped, EXAMPLE)
    assert found.digest != shipped.digest
    assert shipped.tables is before
    assert "rack-8xh100" not in shipped.instances
    assert all(row.service != "own" for row in shipped.tables.machine_prices)


def test_the_digest_tells_one_overlay_from_another(laid, small_catalogue):
    one, same, other = (laid(f"{RACK}  usd_per_hour: {usd}\n").digest for usd in ("1.00", "1.00", "1.01"))
    assert one == same
    assert len({one, other, small_catalogue.digest}) == 3


@pytest.mark.parametrize(
    ("owned", "usd_per_hour"),
    [
        ({"usd": 8760, "life_years": 1}, "1.000000"),
        ({"usd": 35040, "life_years": 4, "watts": 500, "usd_per_kwh": "0.20"}, "1.100000"),
        ({"usd": 8760, "life_years": 1, "usd_per_month": 730}, "2.000000"),
        ({"usd": 8760, "life_years": 1, "watts": 1000, "usd_per_kwh": "0.000001"}, "1.000001"),
    ],
)
def test_a_machine_that_was_bought_costs_its_price_over_its_life_its_power_and_its_rack(owned, usd_per_hour):
    assert msgspec.convert(owned, Owned, strict=False).usd_per_hour() == Decimal(usd_per_hour)


@given(st.decimals(1, 10**6, places=2), st.integers(1, 10), st.integers(1, 10), st.decimals(0, 10**4, places=2))
def test_a_longer_life_never_costs_more_and_more_power_never_less(usd, years, more, watts):
    def hour(life: int, drawn: Decimal) -> Decimal:
        return Owned(usd=usd, life_years=Decimal(life), watts=drawn, usd_per_kwh=Decimal("0.2")).usd_per_hour()

    assert hour(years + more, watts) <= hour(years, watts) <= hour(years, watts + more)


def test_a_machine_of_ones_own_is_ranked_at_its_own_price_in_every_region(laid, plan_small):
    found = laid(f"{RACK}  count: 2\n  usd_per_hour: 3.00\n")
    work = Workload.of(requests_per_day=1000, input_tokens=500, output_tokens=100)
    plan = plan_small(work, catalogue=found, machines=("rack",), models=("llama-8b",), region="mars-north-1")
    assert plan.catalogue_digest == found.digest
    (best, *_) = [verdict for verdict in plan.verdicts() if verdict.option.kind == "hosted"]
    assert best.option.machine == "rack"
    assert any(line.usd_per_unit == Decimal("3.00") for line in best.bill.lines)


def test_every_row_of_an_overlay_names_the_overlay_as_its_source(laid):
    found = laid(
        f"{RACK}  usd_per_hour: 1\n"
        "accelerators: [{name: New, vendor: v, generation: hopper, memory_gib: 9, bandwidth_gb_per_s: 9, "
        "bf16_dense_tflops: 9}]\n"
        "api_prices: [{provider: p, model: m, input: 1}]\n"
        "scores: [{model: m, scale: mine, score: 5}]\n",
        name="quotes.yaml",
    )
    source = found.sources["overlay-quotes"]
    assert (source.kind, source.title, source.read) == ("user", "my invoice", date(2026, 5, 20))
    rows = [
        found.instances["rack"],
        found.accelerators["New"],
        found.scores("mine")["m"],
        *(row for row in found.tables.machine_prices if row.machine == "rack"),
        *(row for row in found.tables.api_offers if row.provider == "p"),
        *(row for row in found.tables.api_prices if row.provider == "p"),
    ]
    assert len(rows) == 6
    assert {row.source for row in rows} == {"overlay-quotes"}


@pytest.mark.parametrize(("since", "first"), [("", "2026-05-20"), ("effective_from: 2024-02-01\n", "2024-02-01")])
def test_its_prices_hold_from_the_day_it_says_or_the_day_it_was_read(laid, since, first):
    found = laid(f"{RACK}  usd_per_hour: 1\n", head=HEAD + since)
    (price,) = [row for row in found.tables.machine_prices if row.machine == "rack"]
    assert price.effective_from == date.fromisoformat(first)
    assert (price.date_basis, price.service, price.term) == ("stated", "own", "on-demand")


def test_what_an_overlay_leaves_out_is_not_known(laid):
    found = laid("api_prices: [{provider: p, model: m, input: 1, output: 2}]\n")
    assert {row.token_kind for row in found.tables.api_prices if row.provider == "p"} == {"input", "output"}


def test_a_machine_of_the_same_name_replaces_the_catalogues_with_all_its_prices(laid, small_catalogue):
    text = (
        "machines:\n- {name: g5.xlarge, accelerator: H100, accelerator_count: 1, owned: {usd: 8760, life_years: 1}}\n"
    )
    found = laid(text)
    assert found.instances["g5.xlarge"].accelerator == "H100"
    terms = {
        term: row.usd_per_hour
        for (machine, term), row in found.on(date(2026, 6, 1), HOME).machine_prices.items()
        if machine == "g5.xlarge"
    }
    assert terms == {"owned": Decimal(1)}  # not what the cloud takes for another machine of that name
    others = [row for row in small_catalogue.tables.machine_prices if row.machine != "g5.xlarge"]
    assert [row for row in found.tables.machine_prices if row.machine != "g5.xlarge"] == others


def test_an_api_at_ones_own_price_replaces_the_list_price(laid, small_catalogue):
    found = laid("api_prices: [{provider: acme, model: big, canonical: llama-70b, input: 0.5, output: 2}]\n")
    prices = {row.token_kind: row.usd_per_mtok for row in found.tables.api_prices if row.model == "big"}
    assert prices == {"input": Decimal("0.5"), "output": Decimal(2)}
    others = [row for row in small_catalogue.tables.api_prices if row.model != "big"]
    assert [row for row in found.tables.api_prices if row.model != "big"] == others


def test_a_score_of_ones_own_replaces_the_one_on_that_scale_alone(laid):
    found = laid(
        "scores: [{model: llama-8b, scale: lmarena-text, score: 1000}, {model: llama-8b, scale: mine, score: 7}]\n"
    )
    assert found.scores("lmarena-text")["llama-8b"].score == 1000
    assert found.scores("lmarena-text")["llama-70b"].score == 1260
    assert found.scores("mine").keys() == {"llama-8b"}


def test_a_machine_may_hold_an_accelerator_that_the_overlay_describes(laid):
    found = laid(
        "accelerators: [{name: New, vendor: v, generation: hopper, memory_gib: 9, bandwidth_gb_per_s: 9, "
        "bf16_dense_tflops: 9}]\n"
        "machines: [{name: box, accelerator: New, accelerator_count: 1, usd_per_hour: 1}]\n"
    )
    assert found.accelerators["New"].fp8_dense_tflops == 0
    assert found.instances["box"].own


SLIPS = {
    "no source": ("", "read: 2026-05-20\n", "line 1, the document: the field source is missing"),
    "an empty source": ("", "source: ' '\nread: 2026-05-20\n", "line 1, source: this is empty"),
    "no day": ("", "source: x\n", "line 1, the document: the field read is missing"),
    "no hardware": ("machines:\n- {name: a, usd_per_hour: 1}\n", HEAD, "line 4, machines.0: the machine a has neither"),
    "no count": (
        "machines:\n- {name: a, accelerator: H100, usd_per_hour: 1}\n",
        HEAD,
        "line 4, machines.0: accelerator_count is 0 for the machine a",
    ),
    "no cores": (
        "machines:\n- {name: a, cpu: Xeon 8175M, usd_per_hour: 1}\n",
        HEAD,
        "line 4, machines.0: the machine a has 0 vcpus and 0 GiB of memory",
    ),
    "no price": (RACK, HEAD, "line 4, machines.0: the machine rack has no price"),
    "two prices": (
        f"{RACK}  usd_per_hour: 1\n  owned: {{usd: 1, life_years: 1}}\n",
        HEAD,
        "line 4, machines.0: the machine rack has two prices",
    ),
    "a price of 0": (f"{RACK}  usd_per_hour: 0\n", HEAD, "line 7, machines.0.usd_per_hour: this is 0"),
    "a negative price": (f"{RACK}  usd_per_hour: -1\n", HEAD, "line 7, machines.0.usd_per_hour: this is -1"),
    "no number": (f"{RACK}  usd_per_hour: .nan\n", HEAD, "line 7, machines.0.usd_per_hour: this is NaN"),
    "no life": (
        f"{RACK}  owned:\n    usd: 1\n    life_years: 0\n",
        HEAD,
        "line 9, machines.0.owned.life_years: this is 0",
    ),
    "a life of a blink": (
        f"{RACK}  owned: {{usd: 1, life_years: 1e-50}}\n",
        HEAD,
        "line 7, machines.0.owned.usd: this is 1 over 1E-50 years",
    ),
    "a price that rounds to 0": (
        f"{RACK}  owned: {{usd: 0.001, life_years: 10}}\n",
        HEAD,
        "line 7, machines.0.owned.usd: this is 0.001 over 10 years",
    ),
    "negative power": (
        f"{RACK}  owned: {{usd: 1, life_years: 1, watts: -1}}\n",
        HEAD,
        "line 7, machines.0.owned.watts: this is -1",
    ),
    "none of them": (f"{RACK}  count: 0\n  usd_per_hour: 1\n", HEAD, "line 7, machines.0.count: this is 0"),
    "a free API": (
        "api_prices:\n- {provider: p, model: m, input: 1, output: 0}\n",
        HEAD,
        "line 4, api_prices.0.output: this is 0",
    ),
    "an accelerator without memory": (
        "accelerators: [{name: a, vendor: v, generation: g, memory_gib: 0, bandwidth_gb_per_s: 1, "
        "bf16_dense_tflops: 1}]\n",
        HEAD,
        "line 3, accelerators.0.memory_gib: this is 0",
    ),
    "an endless score": ("scores: [{model: m, scale: s, score: .inf}]\n", HEAD, "line 3, scores.0.score: this is inf"),
    "a machine twice": (
        f"{RACK}  usd_per_hour: 1\n- {{name: rack, accelerator: H100, accelerator_count: 1, usd_per_hour: 2}}\n",
        HEAD,
        "the machine rack is given twice",
    ),
    "an API twice": (
        "api_prices: [{provider: p, model: m, input: 1}, {provider: p, model: m, input: 2}]\n",
        HEAD,
        "the API p/m is given twice",
    ),
    "two overlays": (f"---\n{HEAD}", HEAD, "slip.yaml holds 2 overlays"),
    "an unknown field": (f"{RACK}  usd_an_hour: 1\n", HEAD, "line 7, machines.0.usd_an_hour: there is no such field"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_with_file_line_and_field(refusal, slip):
    text, head, given_ = SLIPS[slip]
    told = refusal(text, head)
    assert told.startswith("slip.yaml")
    assert given_ in told


def test_an_unknown_field_is_told_with_the_one_that_was_meant(refusal):
    assert refusal(f"{RACK}  usd_an_hour: 1\n").endswith("Did you mean: usd_per_hour?")


@pytest.mark.parametrize(
    ("machine", "told"),
    [
        ("accelerator: H10, accelerator_count: 1", r"accelerator 'H10' .* Did you mean: H100\?"),
        ("cpu: Xeon 8175, vcpus: 4, memory_gib: 9", r"cpu 'Xeon 8175' .* Did you mean: Xeon 8175M\?"),
        ("cpu: abacus, vcpus: 4, memory_gib: 9", r"cpu 'abacus' .* `breakeven catalogue list cpus` lists them\."),
    ],
)
def test_hardware_that_nobody_describes_is_told_with_what_looks_like_it(laid, machine, told):
    with pytest.raises(UnknownNameError, match=told):
        laid(f"machines: [{{name: a, {machine}, usd_per_hour: 1}}]\n")


def test_an_empty_overlay_adds_its_source_and_nothing_else(laid, small_catalogue):
    found = laid("")
    same = msgspec.structs.replace(found.tables, sources=small_catalogue.tables.sources)
    assert same == small_catalogue.tables
