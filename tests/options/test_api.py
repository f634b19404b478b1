from datetime import date
from decimal import Decimal

import msgspec
import pytest

from breakeven import Workload
from breakeven.errors import NoDataError, UnknownNameError
from breakeven.options.api import matches
from breakeven.workload.policy import ApiLatency
from breakeven.workload.profile import Slo
from breakeven.workload.usage import TokenMix, TokenShape, TokenUsage

WORK = Workload.of(requests_per_day=1000, input_tokens=1000, output_tokens=100)
DEFERRABLE = msgspec.structs.replace(WORK, deferrable=True)
PROMPT = Workload.of(requests_per_day=1000, input_tokens=1000, output_tokens=100, slo=Slo(ttft_s=1.0))


@pytest.fixture
def apis(plan_small):
    """The plan of paid APIs alone."""
    return lambda workload=WORK, **fields: plan_small(workload, kinds=("api",), by="option", **fields)


def ids(answer):
    return {option.id for option in answer.api.options}


def why(answer):
    return {found.because: found.examples for found in answer.rejected}


def test_an_offer_competes_if_it_is_listed_priced_and_suited(apis):
    assert ids(apis()) == {
        "api:acme/big",
        "api:acme/small",
        "api:night/owl",
        "api:acme/nameless",
        "api:acme/later",
    }


def test_every_other_offer_is_ruled_out_for_a_reason_of_its_own(apis):
    assert why(apis()) == {
        "retired by its provider": ("api:acme/gone: since 2025-01-01",),
        "no longer in the price tables": ("api:acme/unlisted: not listed on 2025-01-01",),
        "fine-tuned model: needs a training run of yours": ("api:acme/tuned",),
        "a price it would need is not known": ("api:acme/half-known: standard output",),
        "not a text generation model": ("api:acme/vectors",),
        "batch tier: answers come within a day, and the workload is not deferrable": ("api:acme/big@batch",),
    }


def test_the_batch_tier_competes_for_work_that_can_wait(apis):
    assert "api:acme/big@batch" in ids(apis(DEFERRABLE))


def test_an_offer_competes_until_the_day_it_was_retired_or_was_gone_from_the_tables(apis):
    before = ids(apis(as_of=date(2024, 12, 31)))
    assert {"api:acme/gone", "api:acme/unlisted"} <= before
    assert not {"api:acme/gone", "api:acme/unlisted"} & ids(apis(as_of=date(2025, 1, 1)))


def test_an_offer_does_not_exist_before_its_first_known_price(apis):
    assert "api:acme/later" not in ids(apis(as_of=date(2026, 4, 30)))
    assert "api:acme/later" in ids(apis(as_of=date(2026, 5, 1)))


def test_asking_for_a_model_before_its_first_known_price_is_an_error_that_names_the_day(apis):
    with pytest.raises(NoDataError, match="2026-05-01"):
        apis(as_of=date(2026, 4, 30), models=("later",))


def test_a_model_or_provider_that_nobody_knows_is_refused_with_near_matches(apis):
    with pytest.raises(UnknownNameError, match="nameless"):
        apis(models=("namelss",))
    with pytest.raises(UnknownNameError, match="acme"):
        apis(providers=("acmee",))


def test_a_model_can_be_named_by_the_name_under_which_it_is_hosted(apis):
    assert ids(apis(models=("llama-8b",))) == {"api:acme/small"}


def test_stars_widen_a_name():
    assert matches("ml.g5.xlarge", ("ml.g5.*",))
    assert not matches("ml.g5.xlarge", ("ml.g6.*", "g5.*"))
    assert matches("anything", ())


def test_an_api_whose_latency_nobody_measured_is_not_known_to_keep_a_target(apis):
    assert {option.meets_slo for option in apis(PROMPT).api.options} == {None}


def test_without_a_target_there_is_nothing_to_keep(apis):
    assert {option.meets_slo for option in apis().api.options} == {True}


def test_a_latency_that_the_user_measured_decides(apis):
    found = apis(PROMPT, api_latency={"acme/*": ApiLatency(ttft_s=0.9), "night/owl": ApiLatency(ttft_s=1.1)})
    assert {option.meets_slo for option in found.api.options if option.id.startswith("api:acme")} == {True}
    assert why(found)["latency target missed, as you measured it"] == ("api:night/owl",)


def test_a_target_is_kept_only_if_every_figure_it_needs_was_measured(apis):
    both = Workload.of(requests_per_day=1000, input_tokens=1000, output_tokens=100, slo=Slo(ttft_s=1.0, tpot_s=0.05))
    found = apis(both, api_latency={"*": ApiLatency(ttft_s=0.9)})
    assert {option.meets_slo for option in found.api.options} == {None}


def test_a_batch_answer_within_a_day_never_counts_as_keeping_a_target_of_seconds(apis):
    prompt = msgspec.structs.replace(PROMPT, deferrable=True)
    found = apis(prompt, api_latency={"*": ApiLatency(ttft_s=0.5)})
    assert True not in {option.meets_slo for option in found.api.options if option.id.endswith("@batch")}


def test_a_prompt_longer_than_the_offer_takes_is_ruled_out_by_the_longest_kind_of_request(
    apis, with_rows, small_catalogue
):
    mix = TokenMix(
        shapes=(
            TokenShape(share=0.99, usage=TokenUsage(input=1000, output=100)),
            TokenShape(share=0.01, usage=TokenUsage(input=400_001, output=100)),
        )
    )
    rows = tuple(
        msgspec.structs.replace(row, max_input_tokens=1_000_000) if row.model == "nameless" else row
        for row in small_catalogue.tables.api_offers
    )
    found = apis(msgspec.structs.replace(WORK, mix=mix), catalogue=with_rows(api_offers=rows))
    assert ids(found) == {"api:acme/nameless"}
    assert "api:acme/big: 400,000 tokens against 400,001" in why(found)["context too short"]


def test_a_long_prompt_meets_no_offer_whose_context_nobody_read(apis):
    short, long = (Workload.of(requests_per_day=1000, input_tokens=n, output_tokens=100) for n in (4096, 4097))
    assert "api:acme/nameless" in ids(apis(short))
    assert "api:acme/nameless" not in ids(apis(long))
    assert "api:acme/nameless: not known against 4,097" in why(apis(long))["context length not known"]


def test_an_answer_longer_than_the_offer_gives_is_ruled_out(apis):
    found = apis(Workload.of(requests_per_day=1000, input_tokens=1000, output_tokens=8001))
    assert why(found)["longest answer too short"] == ("api:acme/big: 8,000 tokens against 8,001",)


def test_an_encoding_workload_meets_embedding_offers_only(apis):
    found = apis(Workload.of(requests_per_day=1000, input_tokens=1000))
    assert ids(found) == {"api:acme/vectors"}
    assert any(because.endswith("embedding model") for because in why(found))


def test_an_unknown_score_never_passes_a_floor_and_the_plan_says_so(apis):
    found = apis(at_least=0)
    assert "api:acme/nameless" not in ids(found)
    assert why(found)["quality not known on lmarena-text, so it cannot pass the floor"] == ("api:acme/nameless",)


def test_a_score_passes_a_floor_that_it_equals(apis):
    found = apis(at_least=1260)
    assert "api:acme/big" in ids(found)
    assert why(found)["below the quality floor (at least 1260 on lmarena-text)"] == ("api:acme/small: 1180",)


def test_a_price_known_only_for_long_prompts_is_not_known_for_short_ones(apis, with_rows, small_catalogue):
    old = small_catalogue.tables.api_prices
    output = next(row for row in old if (row.provider, row.model, row.token_kind) == ("acme", "small", "output"))
    rows = (
        *(row for row in old if row is not output),
        msgspec.structs.replace(output, above_input_tokens=128_000),
    )
    found = apis(catalogue=with_rows(api_prices=rows))
    assert "api:acme/small" not in ids(found)


def test_an_offer_priced_in_off_peak_hours_alone_is_not_free_in_the_others(apis, with_rows, small_catalogue):
    rows = tuple(row for row in small_catalogue.tables.api_prices if row.window != "peak")
    found = apis(catalogue=with_rows(api_prices=rows))
    assert "api:night/owl" not in ids(found)


def test_the_shipped_offers_never_cost_nothing(shipped):
    assert min(row.usd_per_mtok for row in shipped.tables.api_prices) > Decimal(0)
