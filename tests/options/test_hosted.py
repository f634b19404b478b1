from datetime import date

import msgspec
import pytest

from breakeven import Policy, Workload, plan
from breakeven.errors import BreakevenError, UnknownNameError
from breakeven.workload.policy import Only
from breakeven.workload.usage import TokenMix, TokenShape, TokenUsage

WORK = Workload.of(requests_per_day=1000, input_tokens=500, output_tokens=100)
ENCODE = Workload.of(requests_per_day=1000, input_tokens=200)


def why(stage):
    return {found.because: found for found in stage.ruling.rejected}


def kept(stage, column="models"):
    rows = stage.speed.rows
    if column == "models":
        return {stage.grid.models[stage.grid.model[row]].name for row in rows}
    return {stage.grid.formats[stage.grid.number_format[row]].name for row in rows}


def test_the_grid_weighs_each_replica_by_the_ways_to_rent_its_hardware(stages):
    found = stages(WORK, models=("llama-8b",), formats=("bf16",), machines=("g5.xlarge", "ml.g5.xlarge"))
    # EC2 on demand and reserved, SageMaker direct and two paths through Lambda
    assert found.grid.weight.tolist() == [2 + 3]


def test_an_encoder_does_not_generate_text(stages):
    assert why(stages(WORK))["the model does not generate text"].examples[0] == "bert-base: encoder"


def test_a_generator_does_not_encode(stages):
    found = stages(ENCODE)
    assert kept(found) == {"bert-base"}
    assert "the model does not encode text into vectors or labels" in why(found)


def test_weights_that_are_not_public_cannot_be_hosted(stages):
    assert set(why(stages(WORK))["the weights are not public"].examples) == {"closed-7b"}


def test_a_model_whose_size_nobody_read_is_ruled_out_by_name(stages, with_rows, small_catalogue):
    rows = tuple(
        msgspec.structs.replace(row, params_total=None, params_active=None) if row.name == "llama-8b" else row
        for row in small_catalogue.tables.models
    )
    found = stages(WORK, catalogue=with_rows(models=rows))
    assert "llama-8b" in why(found)["parameter count not known"].examples


@pytest.mark.parametrize(
    ("day", "offered"), [(date(2024, 4, 17), False), (date(2024, 4, 18), True), (date(2026, 6, 1), True)]
)
def test_a_model_is_offered_from_the_day_of_its_release(stages, day, offered):
    found = stages(WORK, as_of=day, models=("llama-8b",))
    assert ("llama-8b" in kept(found)) is offered
    assert offered or any("released 2024-04-18" in e for r in why(found).values() for e in r.examples)


def test_a_model_without_a_known_release_is_taken_to_be_out_once_the_newest_known_one_is(stages):
    assert "undated-7b" in kept(stages(WORK))
    assert "undated-7b" not in kept(stages(WORK, as_of=date(2023, 7, 1)))


def test_narrowing_to_a_model_without_a_known_release_does_not_move_it_into_the_past(stages):
    assert kept(stages(WORK, as_of=date(2023, 7, 1), models=("undated-7b",))) == set()


def test_the_longest_request_must_fit_the_context(stages):
    mix = TokenMix(
        shapes=(
            TokenShape(share=0.99, usage=TokenUsage(input=500, output=100)),
            TokenShape(share=0.01, usage=TokenUsage(input=2000, output=100)),
        )
    )
    found = why(stages(msgspec.structs.replace(WORK, mix=mix), models=("flan-ul2",)))["context too short"]
    assert set(found.examples) == {"flan-ul2: 2,048 tokens against 2,100"}


def test_a_gap_in_the_datasheet_rules_a_machine_out_it_is_never_guessed(stages):
    found = why(stages(WORK, models=("llama-8b",)))["datasheet figure not known"]
    assert found.examples[0] == "llama-8b bf16 on Riddle"


def test_a_format_runs_only_on_hardware_that_has_it(stages):
    found = why(stages(WORK, models=("llama-8b",)))
    assert found["no fp8 on this hardware"].examples[0] == "fp8 on T4 (llama-8b)"
    assert any("A10G" in e for e in found["no fp8 on this hardware"].examples)
    assert found["no bf16 on this hardware"].examples == ("bf16 on Xeon 8175M (4 vCPU) (llama-8b)",)


def test_the_newest_engine_of_the_day_is_taken(stages):
    def engine(day):
        found = stages(WORK, as_of=day, models=("mixtral-8x7b",), formats=("bf16",))
        return found.grid.engines[found.grid.engine[found.grid_row("mixtral-8x7b", "bf16", "A10G", 4)]]

    assert (engine(date(2023, 1, 1)).name, engine(date(2023, 7, 1)).version) == ("transformers", "0.1")
    assert engine(date(2026, 1, 1)).version == "0.8"


def test_a_format_that_no_engine_of_the_day_runs_is_ruled_out(stages):
    found = why(stages(WORK, as_of=date(2024, 5, 1), models=("llama-8b",)))
    assert "no serving engine of the day runs it on this hardware" in found  # int4 came with vLLM 0.8 here
    assert "no serving engine of the day runs it on this hardware" not in why(stages(WORK, models=("llama-8b",)))


def test_attention_heads_divide_over_the_devices(stages, with_rows, small_catalogue):
    rows = tuple(
        msgspec.structs.replace(row, attention_heads=30) if row.name == "llama-8b" else row
        for row in small_catalogue.tables.models
    )
    found = why(stages(WORK, catalogue=with_rows(models=rows), models=("llama-8b",)))
    assert all("30 heads" in e for e in found["attention heads do not divide over the devices"].examples)


def test_formats_are_the_published_one_and_narrower_never_wider(stages):
    found = stages(WORK, models=("window-20b",))
    formats = {found.grid.formats[n].name for n in found.grid.number_format}
    assert formats == {"mxfp4", "fp32", "bf16"}  # mxfp4 on accelerators; fp32 and bf16 on a CPU


def test_a_score_holds_for_the_published_format_and_down_to_eight_bits_not_below(stages):
    found = stages(WORK, at_least=1000)
    assert "int4" not in kept(found, "formats")
    assert {"bf16", "int8"} <= kept(found, "formats")
    unknown = why(found)["quality not known on lmarena-text, so it cannot pass the floor"]
    assert any("int4" in example for example in unknown.examples)
    # mxfp4 is how window-20b was published, and how it was scored
    assert "window-20b" in kept(stages(WORK, at_least=1270))


def test_a_model_below_the_floor_is_told_with_its_score(stages):
    found = why(stages(WORK, at_least="llama-70b"))
    below = next(r for because, r in found.items() if because.startswith("below the quality floor"))
    assert all(example.split(": ")[1] in {"1180", "1198", "1170"} for example in below.examples)


def test_narrowing_by_licence_takes_only_models_of_that_licence(stages):
    assert kept(stages(WORK, licences=("llama",))) == {"llama-8b", "llama-70b"}
    with pytest.raises(UnknownNameError, match="licence"):
        stages(WORK, licences=("lama",))


def test_a_number_format_that_nobody_knows_is_refused(stages):
    with pytest.raises(UnknownNameError, match="number format"):
        stages(WORK, formats=("fp7",))


def test_asking_for_paid_apis_alone_considers_no_machine(plan_small):
    answer = plan_small(WORK, kinds=("api",))
    assert answer.options_considered == len(answer.snapshot.tariffs)
    assert {c.kind for c in answer.ranking.contenders} == {"api"}


def test_the_shipped_catalogue_offers_no_model_before_its_release(shipped):
    day = max(date(2023, 4, 24), shipped.first_day)
    try:
        answer = plan(WORK, shipped, Policy(as_of=day, only=Only(kinds=("hosted",))))
    except BreakevenError:
        return  # the history begins later than any machine
    rows = answer.grid.model[answer.speed.rows]
    assert all((answer.grid.models[row].released or day) <= day for row in set(rows.tolist()))


def test_heads_of_keys_and_values_divide_over_the_devices_or_the_devices_over_them(stages, with_rows, small_catalogue):
    # ten of them run on 1, 2 or 5 devices, or on 20, never on 4 or 8 (so vLLM's own check)
    rows = tuple(
        msgspec.structs.replace(row, attention_heads=40, kv_heads=10) if row.name == "llama-8b" else row
        for row in small_catalogue.tables.models
    )
    found = stages(WORK, catalogue=with_rows(models=rows), models=("llama-8b",), machines=("p5.48xlarge",))
    degrees = {found.grid.fleet.hardware[n].tensor_parallel for n in found.grid.hardware[found.speed.rows]}
    assert degrees == {1, 2}
