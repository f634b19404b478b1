from dataclasses import replace

import numpy as np
import pytest

from breakeven.performance import held_back
from breakeven.performance.calibration import typical_parameters
from breakeven.performance.effects import logs_of
from breakeven.performance.measured import shipped_measurements, table_of
from breakeven.performance.table import predict_runs


@pytest.fixture
def predicted(shipped, runs_csv):
    """Predictions for rows that differ from a good one."""

    def run(*rows, parameters=None):
        table = table_of(runs_csv(*rows), shipped, "table.csv")
        return predict_runs(table.runs, parameters or typical_parameters())

    return run


FREE = {"output_tokens_per_s": "", "ttft_s": "", "tpot_s": ""}


def rows_of(name, values, **fixed):
    return [{**FREE, **fixed, name: str(value)} for value in values]


def test_more_clients_give_more_tokens_and_later_ones(predicted):
    found = predicted(*rows_of("concurrency", [1, 4, 16, 64]))
    assert np.all(np.diff(found.output_tokens_per_s) > 0)
    assert np.all(np.diff(found.tpot_s) > 0)
    assert np.all(np.diff(found.ttft_s) > 0)


def test_answers_are_stretched_by_those_that_the_engine_lets_in_not_by_clients_that_wait_outside(predicted):
    few, many, crowd = predicted(*rows_of("concurrency", [16, 5000, 50000])).tpot_s
    assert few < many
    assert crowd == pytest.approx(many, rel=0.001)


def test_beyond_the_engines_own_limit_clients_wait_for_their_first_token_and_stretch_no_answer(predicted):
    short = {"gpu": "H200", "input_tokens": "100", "output_tokens": "100"}
    found = predicted(*rows_of("concurrency", [1024, 4096], **short))
    assert found.tpot_s[1] == pytest.approx(found.tpot_s[0], rel=0.001)
    assert found.ttft_s[1] > 10 * found.ttft_s[0]


def test_how_long_the_first_of_unknown_many_requests_waits_is_unknown(predicted):
    bulk = {**FREE, "mode": "offline", "concurrency": ""}
    found = predicted({**bulk, "requests": ""}, {**bulk, "requests": "1000"})
    assert np.isnan(found.ttft_s).tolist() == [True, False]
    assert np.isfinite(found.output_tokens_per_s).all()


def test_in_a_closed_run_clients_and_response_give_the_output(predicted):
    found = predicted({**FREE, "concurrency": "16"})
    response = found.ttft_s + 299 * found.tpot_s
    assert found.output_tokens_per_s == pytest.approx(16 * 300 / response)


def test_two_replicas_with_twice_the_clients_give_twice_the_tokens(predicted):
    found = predicted({**FREE}, {**FREE, "replicas": "2", "concurrency": "32"})
    assert found.output_tokens_per_s[1] == pytest.approx(2 * found.output_tokens_per_s[0])


def test_below_its_capacity_an_open_run_puts_out_what_arrives(predicted):
    found = predicted({**FREE, "mode": "open", "concurrency": "", "request_rate_per_s": "0.5", "requests": "100"})
    assert found.output_tokens_per_s == pytest.approx([150.0])


def test_a_request_of_a_short_open_run_meets_fewer_others(predicted):
    base = {**FREE, "mode": "open", "concurrency": "", "request_rate_per_s": "20"}
    few, many, endless = predicted(*({**base, "requests": n} for n in ("20", "2000", ""))).tpot_s
    assert few < 0.95 * many
    assert many == pytest.approx(endless, rel=0.05)


def test_lengths_drawn_up_to_a_nominal_one_are_counted_at_the_nominal_one(predicted):
    found = predicted({**FREE, "input_tokens": "921.6", "output_tokens": "460.8"})
    response = found.ttft_s + 459.8 * found.tpot_s
    assert found.output_tokens_per_s == pytest.approx(16 * 512 / response)


def test_layers_on_several_devices_in_a_row_pay_for_more_memory_with_no_more_speed(predicted):
    plain = replace(typical_parameters(), effects={}, bands={})
    one, four = {**FREE, "concurrency": "1"}, {**FREE, "concurrency": "1", "gpus_used": "4"}
    found = predicted(one, four, parameters=plain)
    assert found.tpot_s[0] < found.tpot_s[1] < 1.5 * found.tpot_s[0]


def test_the_middle_request_of_an_open_run_waits_only_for_what_came_before_it(predicted):
    base = {**FREE, "mode": "open", "concurrency": "", "request_rate_per_s": "200", "requests": "300"}
    shorter, longer = predicted(base, {**base, "requests": "900"}).ttft_s
    slower = predicted({**base, "request_rate_per_s": "5"}).ttft_s
    assert longer > 2 * shorter
    assert shorter > 2 * slower


def test_clients_that_move_together_wait_longer_and_then_decode_undisturbed(predicted):
    plain = replace(typical_parameters(), cohort=0.0, effects={}, bands={})
    apart = predicted({**FREE}, parameters=plain)
    together = predicted({**FREE}, parameters=replace(plain, cohort=2.0))
    assert together.ttft_s > 1.3 * apart.ttft_s
    assert together.tpot_s < apart.tpot_s
    assert together.output_tokens_per_s == pytest.approx(apart.output_tokens_per_s, rel=0.03)


def test_beyond_its_capacity_an_open_run_makes_a_queue_that_grows_with_the_run(predicted):
    over = {**FREE, "mode": "open", "concurrency": "", "request_rate_per_s": "500"}
    short, long = predicted({**over, "requests": "1000"}, {**over, "requests": "4000"}).ttft_s
    assert long > 2 * short > 2


def test_work_handed_over_at_once_runs_at_least_as_fast_as_with_few_clients(predicted):
    found = predicted({**FREE}, {**FREE, "mode": "offline", "concurrency": "", "requests": "2000"})
    assert found.output_tokens_per_s[1] > found.output_tokens_per_s[0]


def test_a_mixture_with_data_parallel_attention_fits_where_it_has_the_memory(predicted):
    wide = {**FREE, "model": "deepseek-v3", "compute_format": "fp8", "weight_bytes_per_param": "1", "gpu": "B200"}
    found = predicted({**wide, "tensor_parallel": "1", "data_parallel": "8", "concurrency": "256"})
    assert np.isfinite(found.output_tokens_per_s).all()


def test_an_unknown_row_has_no_prediction(predicted):
    assert np.isnan(predicted({}, {"model": "llama-9"}).output_tokens_per_s).tolist() == [False, True]


def test_a_level_that_was_never_measured_has_no_effect(shipped):
    table = shipped_measurements(shipped)
    p = typical_parameters()
    unknown = tuple(replace(stack, name="new", version="", mode="new") for stack in table.runs.kinds.stacks)
    kinds = replace(table.runs.kinds, stacks=unknown)
    known, new = logs_of(table.runs.kinds, p)["pace"], logs_of(kinds, p)["pace"]
    assert np.ptp(new) < np.ptp(known)


def test_the_fit_is_close_to_what_it_was_fitted_on(shipped):
    table = shipped_measurements(shipped)
    found = predict_runs(table.runs)
    error = np.abs(found.output_tokens_per_s / table.observed["output_tokens_per_s"] - 1)
    assert np.nanmedian(error) < 0.10


NEURON = {
    **FREE,
    "mode": "static",
    "gpu": "Inferentia2-core",
    "gpus_used": "12",
    "model": "llama2-13b",
    "engine": "djl-neuron",
    "engine_version": "djl-inference:0.26.0-neuronx-sdk2.16.0",
    "tensor_parallel": "12",
    "input_tokens": "1000",
    "output_tokens": "50",
    "concurrency": "4",
}


def test_an_engine_compiled_for_a_batch_serves_more_requests_in_rounds_of_it(predicted):
    two, four, five, eight = predicted(*({**NEURON, "concurrency": n} for n in ("2", "4", "5", "8"))).tpot_s
    assert two == four == five == eight, "every step costs the compiled batch"
    four, five, eight = predicted(*({**NEURON, "concurrency": n} for n in ("4", "5", "8"))).output_tokens_per_s
    assert eight == pytest.approx(four, rel=0.1), "two rounds, apart from what each request takes beside them"
    assert five < 0.95 * four


def test_a_prompt_costs_the_whole_bucket_that_an_engine_was_compiled_for(predicted):
    short, long = predicted({**NEURON, "input_tokens": "100"}, {**NEURON, "input_tokens": "4000"}).ttft_s
    assert short == long


def test_what_is_longer_than_the_bucket_is_read_token_by_token(predicted):
    old = {**NEURON, "engine_version": "djl-inference:0.24.0-neuronx-sdk2.14.1", "concurrency": "1"}
    found = predicted({**old, "input_tokens": "2048"}, {**old, "input_tokens": "2548"})
    assert found.ttft_s[1] - found.ttft_s[0] == pytest.approx(500 * found.tpot_s[0], rel=0.2)
    assert typical_parameters().compiled["djl-neuron",].prompt_tokens == 4096


def test_a_load_generator_that_holds_six_requests_runs_eight_in_two_rounds(predicted):
    base = {**FREE, "mode": "static", "engine": "tgi", "engine_version": ""}
    six, eight = predicted(*({**base, "concurrency": n} for n in ("6", "8"))).output_tokens_per_s
    assert eight < 0.85 * six


def test_an_engine_that_never_evicts_lets_fewer_in_than_one_that_does(predicted):
    base = {**FREE, "mode": "offline", "model": "llama3-70b", "gpu": "A100-40", "gpus_used": "4", "concurrency": ""}
    base |= {
        "tensor_parallel": "4",
        "engine": "trtllm-cpp",
        "engine_version": "",
        "requests": "1000",
        "input_tokens": "128",
        "output_tokens": "2000",
    }
    p = typical_parameters()
    evicting = replace(p, reserved_output={})
    keeps, evicts = (predicted(base, parameters=q).output_tokens_per_s[0] for q in (p, evicting))
    assert keeps < 0.9 * evicts


def test_a_cache_of_8_bit_floats_is_slow_where_a_device_must_convert_it(predicted):
    base = {**FREE, "mode": "static", "engine": "vllm-2024", "engine_version": "", "model": "llama3-8b"}
    base |= {"input_tokens": "2048", "output_tokens": "2048", "concurrency": "16"}

    def gain(gpu):
        wide, narrow = predicted({**base, "gpu": gpu}, {**base, "gpu": gpu, "kv_bytes_per_element": "1"}).tpot_s
        return wide / narrow

    assert gain("A100-80") < 0.8
    assert gain("H100-SXM") > 1.0


def test_without_flash_attention_many_heads_read_the_cache_of_their_group_each_for_itself(predicted):
    base = {**FREE, "mode": "static", "engine": "vllm-2024", "engine_version": "", "model": "qwen2-7b"}
    base |= {"input_tokens": "2048", "output_tokens": "2048"}

    def leap(**fields):  # from 18 x 28 = 504 heads to 19 x 28 = 532, beyond vLLM's 512
        few, many = predicted(*({**base, **fields, "concurrency": n} for n in ("18", "19"))).tpot_s
        return many / few

    assert leap(gpu="MI300X") > 1.3
    assert leap(gpu="H100-SXM") < 1.05
    assert leap(gpu="MI300X", engine="vllm-v1") < 1.05
    assert leap(gpu="MI300X", model="llama2-7b") < 1.1, "each query head has a cache of its own there"


def test_what_passes_through_the_host_crosses_the_bus_twice(predicted):
    base = {**FREE, "mode": "static", "engine": "tgi", "engine_version": "", "model": "llama2-70b", "gpu": "A10G"}
    base |= {"tensor_parallel": "8", "gpus_used": "8", "input_tokens": "3000", "output_tokens": "10"}
    p = typical_parameters()
    direct = replace(p, crossings={})
    staged_s, direct_s = (predicted({**base, "concurrency": "1"}, parameters=q).ttft_s[0] for q in (p, direct))
    assert staged_s > 1.3 * direct_s
    one = {**base, "tensor_parallel": "1", "gpus_used": "1", "model": "llama3-8b"}
    alone = [predicted({**one, "concurrency": "1"}, parameters=q).ttft_s[0] for q in (p, direct)]
    assert alone[0] == alone[1], "a single device passes nothing on"


def test_stages_read_prompts_beside_each_other(predicted):
    base = {
        **FREE,
        "mode": "offline",
        "engine": "trtllm-cpp",
        "engine_version": "",
        "concurrency": "",
        "requests": "500",
    }
    base |= {
        "model": "llama3-70b",
        "input_tokens": "4000",
        "output_tokens": "100",
        "tensor_parallel": "2",
        "gpu": "H200",
    }
    one, four = predicted(
        {**base, "gpus_used": "2"}, {**base, "gpus_used": "8", "pipeline_parallel": "4"}
    ).output_tokens_per_s
    assert 2 * one < four < 5 * one


FASTER_TRANSFORMER = {
    **FREE,
    "mode": "static",
    "engine": "ft",
    "engine_version": "",
    "model": "llama3-70b",
    "gpu": "A100-80",
    "input_tokens": "128",
    "output_tokens": "1",
    "tensor_parallel": "8",
}


def test_faster_transformer_passes_a_batch_whole_that_its_stages_do_not_divide_and_cuts_a_long_one_by_halves(predicted):
    base = {**FASTER_TRANSFORMER, "gpus_used": "24", "pipeline_parallel": "3"}
    # 8 prompts of 128 tokens are 1,024: whole. 9 are three for each stage. 64 become parts of 8, which overlap
    whole, even, cut = (predicted({**base, "concurrency": n}).output_tokens_per_s[0] for n in ("8", "9", "64"))
    assert even > 1.3 * whole
    assert cut > 1.5 * whole
    # two prompts are fewer than the stages, and are not parted either: they share each reading of the weights
    short = {**base, "input_tokens": "8"}
    one, two = (predicted({**short, "concurrency": n}).ttft_s[0] for n in ("1", "2"))
    assert two < 1.2 * one  # apart the second would be a third of a pass behind


def test_other_engines_part_a_batch_evenly(predicted):
    base = {**FASTER_TRANSFORMER, "engine": "vllm-v1", "gpus_used": "24", "pipeline_parallel": "3"}
    eight, nine = (predicted({**base, "concurrency": n}).output_tokens_per_s[0] for n in ("8", "9"))
    assert nine == pytest.approx(eight * 9 / 8, rel=0.1)


MLPERF = {
    **FREE,
    "mode": "offline",
    "engine": "mlperf",
    "engine_version": "",
    "model": "llama2-70b",
    "compute_format": "fp8",
    "weight_bytes_per_param": "1",
    "concurrency": "",
    "input_tokens": "294",
    "output_tokens": "294",
    "tensor_parallel": "8",
    "gpus_used": "8",
}


def test_a_benchmarks_latency_limit_takes_more_from_a_slow_device_than_from_a_quick_one(predicted):
    def kept(gpu, parameters):
        runs = ({**MLPERF, "gpu": gpu, "scenario": name} for name in ("", "interactive"))
        free, held = predicted(*runs, parameters=parameters).output_tokens_per_s
        return held / free

    typical = typical_parameters()
    without = replace(typical, limits={})
    for gpu in ("L40S", "H200"):
        assert kept(gpu, typical) <= kept(gpu, without)
    assert kept("L40S", typical) < 0.8 * kept("L40S", without)
    assert kept("H200", typical) > kept("L40S", typical)


def test_a_tighter_limit_never_leaves_more_and_one_that_nobody_keeps_leaves_one_request(predicted):
    def under(factor):
        limits = {
            name: replace(limit, ttft_s=limit.ttft_s * factor, tpot_s=limit.tpot_s * factor)
            for name, limit in typical_parameters().limits.items()
        }
        parameters = replace(typical_parameters(), limits=limits)
        held = {**MLPERF, "gpu": "L40S", "scenario": "interactive"}
        return predicted(held, parameters=parameters).output_tokens_per_s[0]

    found = [under(factor) for factor in (1e-6, 0.5, 1.0, 2.0, 1e6)]
    assert found == sorted(found)
    alone = predicted({**MLPERF, "gpu": "L40S", "mode": "closed", "concurrency": "1", "scenario": ""})
    assert found[0] == pytest.approx(alone.output_tokens_per_s[0], rel=0.5)


IN_TABLE, OWN = "aic_silicon_agg:test", "mine:1"
LLAMA_TRT = {
    **FREE,
    "id": IN_TABLE,
    "gpu": "H200",
    "engine": "trtllm-pytorch",
    "engine_version": "trtllm",
    "model": "llama3-70b",
    "compute_format": "fp8",
    "weight_bytes_per_param": "1",
    "kv_bytes_per_element": "1",
    "input_tokens": "921.6",
    "output_tokens": "921.6",
    "concurrency": "4",
}
DEEPSEEK_SGLANG = {
    **LLAMA_TRT,
    "gpu": "B200",
    "engine": "sglang",
    "engine_version": "sglang 0.5.9",
    "model": "deepseek-v3",
    "tensor_parallel": "8",
    "gpus_used": "8",
}


def test_a_run_that_held_requests_back_for_a_fuller_batch_has_its_first_tokens_that_many_steps_later(predicted):
    held, longer = predicted(LLAMA_TRT, {**LLAMA_TRT, "output_tokens": "7372.8"}).ttft_s
    spread = predicted(*({**LLAMA_TRT, "tensor_parallel": n, "gpus_used": n} for n in ("4", "8")))
    assert held > longer + 15 * predicted(LLAMA_TRT).tpot_s[0]
    assert spread.ttft_s[0] > spread.ttft_s[1] + 15 * spread.tpot_s[0]


def test_who_looks_for_requests_every_so_many_steps_has_them_wait_half_of_that(predicted):
    plain = replace(typical_parameters(), effects={}, bands={})

    def waited(clients, gpu="B200", **other):
        told, own = ({**DEEPSEEK_SGLANG, **other, "gpu": gpu, "concurrency": clients, "id": n} for n in (IN_TABLE, OWN))
        found = predicted(told, own, parameters=plain)
        return (found.ttft_s[0] - found.ttft_s[1]) / found.tpot_s[1]

    assert waited("15") == pytest.approx(5, rel=0.1)
    assert waited("16") == pytest.approx(15, rel=0.1)
    assert waited("32", replicas="4") == pytest.approx(5, rel=0.1)
    assert waited("16", gpu="H200") == waited("16", mode="static") == 0


def test_nobody_is_held_back_for_the_sake_of_answers_that_nobody_waits_for(predicted):
    alone, own = predicted({**LLAMA_TRT, "concurrency": "1"}, {**LLAMA_TRT, "concurrency": "1", "id": OWN}).ttft_s
    plain = replace(typical_parameters(), effects={}, bands={})
    told, mine = predicted(LLAMA_TRT, {**LLAMA_TRT, "id": OWN}, parameters=plain).ttft_s
    assert alone == own
    assert told > mine


def test_nothing_is_held_back_in_runs_of_other_publishers(predicted):
    mine = {**LLAMA_TRT, "id": OWN}
    plain = replace(typical_parameters(), effects={}, bands={})
    held, own = (predicted(row, parameters=plain) for row in (LLAMA_TRT, mine))
    assert own.tpot_s == pytest.approx(held.tpot_s)
    assert held.ttft_s - own.ttft_s == pytest.approx(20 * own.tpot_s, rel=0.1)


def test_every_setting_that_a_benchmarks_scripts_tell_is_of_runs_in_the_table(shipped, monkeypatch):
    told = held_back._settings()
    for setting in told:
        monkeypatch.setattr(held_back, "_settings", lambda one=setting: [one])
        assert np.any(shipped_measurements(shipped).runs.held_back_steps > 0), setting
    assert told
