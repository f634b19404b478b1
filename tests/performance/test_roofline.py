from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven import Workload
from breakeven.performance.calibration import typical_parameters
from breakeven.performance.roofline import Step, decode_step, prefill, prompt_of
from breakeven.units import BYTES_PER_GB, FLOPS_PER_TFLOPS

WORK = Workload.of(requests_per_day=1000, input_tokens=500, output_tokens=100)
A10G_BYTES_PER_S, H100_BYTES_PER_S = 600 * BYTES_PER_GB, 3350 * BYTES_PER_GB
H100_FLOPS_PER_S = 989 * FLOPS_PER_TFLOPS


@pytest.fixture(scope="module")
def found(stages, ideal):
    return stages(WORK, parameters=ideal)


def step(found, entry, concurrency=1.0):
    everyone = np.full(len(found.speed.rows), concurrency)
    whole = decode_step(found.speed.replica, everyone, found.speed.parameters)
    return {name: getattr(whole, name)[entry] for name in ("weights_s", "kv_s", "compute_s", "links_s", "total_s")}


def pass_over(found, entry, tokens, prompts=1.0):
    whole = prefill(found.speed.replica, tokens, found.speed.parameters, prompts)
    return {name: getattr(whole, name)[entry] for name in ("weights_s", "compute_s", "links_s", "total_s")}


def test_one_sequence_decodes_in_the_time_it_takes_to_read_the_weights(found):
    entry = found.at("llama-8b", "bf16", "A10G")
    weights_s = 2 * 8_030_261_248 / A10G_BYTES_PER_S  # 26.8 ms
    assert step(found, entry)["total_s"] == pytest.approx(weights_s, rel=0.03)


def test_losses_make_a_real_step_slower_than_an_ideal_one_but_not_by_half(stages, found):
    real = stages(WORK)
    ideal_s = step(found, found.at("llama-8b", "bf16", "A10G"))["total_s"]
    real_s = step(real, real.at("llama-8b", "bf16", "A10G"))["total_s"]
    assert ideal_s < real_s < 1.5 * ideal_s


def test_each_sequence_reads_its_own_kv_cache(found):
    entry = found.at("llama-8b", "bf16", "A10G")
    context = 500 + 100 / 2
    per_sequence_s = context * 32 * 2048 * 2 / A10G_BYTES_PER_S
    assert step(found, entry, 16)["kv_s"] == pytest.approx(16 * per_sequence_s)


def test_compute_is_a_multiply_and_an_add_a_parameter_and_attention_beside(found):
    entry = found.at("llama-8b", "bf16", "A10G")
    attention = 4 * 32 * 32 * 128 * 550  # (q k + p v) x 2 flops x layers x heads x head_dim x context
    expected = 8 * (2 * 8_030_261_248 + attention) / (70 * FLOPS_PER_TFLOPS)
    assert step(found, entry, 8)["compute_s"] == pytest.approx(expected)


def test_tensor_parallel_halves_the_memory_time_and_adds_communication(found):
    one, two = (found.at("llama-8b", "bf16", "H100", n) for n in (1, 2))
    alone, together = step(found, one, 8), step(found, two, 8)
    assert together["weights_s"] == pytest.approx(alone["weights_s"] / 2)
    assert together["kv_s"] == pytest.approx(alone["kv_s"] / 2)
    assert together["compute_s"] == pytest.approx(alone["compute_s"] / 2)
    assert alone["links_s"] == 0
    # two all-reduces a layer; each moves 2 (n-1)/n of 8 x 4096 activations of 2 bytes over 450 GB/s
    moved = 2 * 2 * 8 * 4096 * 0.5
    assert together["links_s"] == pytest.approx(2 * 32 * moved / (450 * BYTES_PER_GB))


def test_each_hop_of_an_all_reduce_takes_time_even_for_little_data(stages, ideal):
    slow = stages(WORK, parameters=replace(ideal, hop_s=dict.fromkeys(ideal.hop_s, 1e-3)))
    quick = stages(WORK, parameters=ideal)
    eight = slow.at("llama-8b", "bf16", "H100", 8)
    # 2 x 32 layers x hop x (1 + log2 8)/2
    assert step(slow, eight)["links_s"] - step(quick, eight)["links_s"] == pytest.approx(64 * 1e-3 * 2)


def test_pcie_is_slower_than_nvlink(found):
    pcie, nvlink = found.at("llama-8b", "bf16", "A10G", 2), found.at("llama-8b", "bf16", "H100", 2)
    assert step(found, pcie)["links_s"] > 10 * step(found, nvlink)["links_s"]


def test_a_latent_cache_is_read_whole_by_every_device(found):
    one, eight = (found.at("latent-16b", "bf16", "H100", n) for n in (1, 8))
    assert step(found, eight, 4)["kv_s"] == pytest.approx(step(found, one, 4)["kv_s"])


def test_one_token_of_a_mixture_reads_its_two_experts_of_eight(found):
    entry = found.at("mixtral-8x7b", "bf16", "H100", 2)
    dense, experts = 2 * (46_702_792_704 - 45_097_156_608), 2 * 45_097_156_608
    expected = (dense + experts * 2 / 8) / (2 * H100_BYTES_PER_S)
    assert step(found, entry)["weights_s"] == pytest.approx(expected)


def test_more_tokens_touch_more_experts_and_many_touch_all(found):
    entry = found.at("mixtral-8x7b", "bf16", "H100", 2)
    everything = 2 * 46_702_792_704 / (2 * H100_BYTES_PER_S)
    times = [step(found, entry, b)["weights_s"] for b in (1, 2, 4, 64)]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(everything, rel=1e-6)


def test_a_mixture_computes_only_its_active_parameters(found):
    entry = found.at("mixtral-8x7b", "bf16", "H100", 2)
    attention = 4 * 32 * 32 * 128 * 550
    assert step(found, entry)["compute_s"] == pytest.approx((2 * 12_879_925_248 + attention) / (2 * H100_FLOPS_PER_S))


def test_prefill_is_bound_by_compute(found):
    entry = found.at("llama-8b", "bf16", "H100")
    # 2 flops a parameter a token, and causal attention: half of 4 x layers x heads x head_dim x tokens^2
    flops = 2 * 8_030_261_248 * 4000 + 2 * 32 * 32 * 128 * 4000**2
    assert pass_over(found, entry, 4000.0)["total_s"] == pytest.approx(flops / H100_FLOPS_PER_S, rel=0.01)


def test_windowed_layers_see_no_more_than_their_window(found):
    entry = found.at("window-20b", "mxfp4", "H100")
    tokens = 100_000
    # 12 layers see everything so far, 12 the last 128 tokens: both half a square and a narrow band
    full = 2 * 12 * 64 * 64 * tokens**2
    band = 4 * 12 * 64 * 64 * tokens * 128
    flops = 2 * 3_600_000_000 * tokens + full + band
    assert pass_over(found, entry, float(tokens))["compute_s"] == pytest.approx(flops / H100_FLOPS_PER_S, rel=0.02)


def test_an_encoder_decoder_decodes_with_its_decoder_alone(found):
    # of 19.6 B parameters the decoder, with its second attention, has more than half
    entry = found.at("flan-ul2", "bf16", "H100")
    decode = step(found, entry)["weights_s"] * H100_BYTES_PER_S
    whole = 2 * 19_591_209_984
    assert 0.5 * whole < decode < 0.65 * whole
    encode = pass_over(found, entry, 500.0)["weights_s"] * H100_BYTES_PER_S
    assert decode + encode == pytest.approx(whole)


def test_an_encoder_sees_both_ways_so_attention_costs_the_whole_square(stages, ideal):
    found = stages(Workload.of(requests_per_day=1000, input_tokens=400), parameters=ideal)
    entry = found.at("bert-base", "bf16", "H100")

    def flops(tokens):
        return pass_over(found, entry, tokens)["compute_s"] * H100_FLOPS_PER_S

    # f(2t) - 2 f(t) leaves the square alone: 2 x 4 x layers x heads x head_dim x t^2
    assert flops(400.0) - 2 * flops(200.0) == pytest.approx(2 * 4 * 12 * 12 * 64 * 200**2)


def test_a_batch_of_prompts_costs_as_much_compute_as_the_prompts_one_by_one(found):
    entry = found.at("llama-8b", "bf16", "H100")
    assert pass_over(found, entry, 300.0, 8.0)["compute_s"] == pytest.approx(
        8 * pass_over(found, entry, 300.0)["compute_s"]
    )


def test_a_cpu_has_the_flops_of_its_cores_and_its_share_of_the_sockets_bandwidth(stages, ideal):
    found = stages(Workload.of(requests_per_day=1000, input_tokens=200), parameters=ideal, machines=("m5.xlarge",))
    entry = found.at("bert-base", "fp32", "Xeon 8175M")
    replica = found.speed.replica
    # 4 vCPU are 2 cores of 24; 64 flops a cycle at 2.5 GHz; 128 GB/s a socket
    assert replica.flops_per_s[entry] == pytest.approx(2 * 64 * 2.5e9)
    assert replica.bandwidth_bytes_per_s[entry] == pytest.approx(128e9 * 2 / 24)


def test_the_slowest_part_names_what_bounds_a_step():
    one = np.ones(2)
    whole = Step(
        weights_s=np.array([3.0, 0.1]),
        kv_s=one,
        compute_s=np.array([2.0, 9.0]),
        links_s=one,
        launches_s=one,
        exponent=2.3,
    )
    assert whole.bound_by() == ["weights", "compute"]


@given(memory=st.floats(1e-4, 1.0), compute=st.floats(1e-4, 1.0))
def test_memory_and_compute_overlap_so_a_step_is_between_the_slower_and_the_sum(memory, compute):
    whole = Step(
        weights_s=np.array([memory]),
        kv_s=np.zeros(1),
        compute_s=np.array([compute]),
        links_s=np.zeros(1),
        launches_s=np.zeros(1),
        exponent=typical_parameters().exponent,
    ).total_s[0]
    assert max(memory, compute) <= whole * (1 + 1e-12)
    assert whole <= (memory + compute) * (1 + 1e-12)


@given(few=st.integers(1, 255), more=st.integers(1, 255))
def test_a_step_for_more_sequences_is_never_faster(found, few, more):
    low, high = (np.full(len(found.speed.rows), float(n)) for n in sorted((few, more)))
    p = found.speed.parameters
    assert np.all(decode_step(found.speed.replica, low, p).total_s <= decode_step(found.speed.replica, high, p).total_s)


def test_a_prompt_that_rides_on_a_step_makes_it_longer_by_less_than_its_own_pass(stages):
    found = stages(WORK)
    replica, p, one = found.speed.replica, found.speed.parameters, np.ones(len(found.speed.rows))
    step_of_one = decode_step(replica, one, p)
    shares = []
    for tokens in (32.0, 4000.0):
        prompt = prompt_of(replica, tokens, p)
        ridden = step_of_one.ridden_s(prompt, one)
        assert np.all((ridden >= 0) & (ridden < prompt.pass_s))
        assert np.all(ridden <= (prompt.compute_s + prompt.wire_s) * replica.pace * (1 + 1e-9))
        shares.append(ridden / prompt.pass_s)
    assert np.all(shares[0] < shares[1])  # the shorter it is, the more is hidden


def test_prompts_beyond_what_a_step_hides_take_all_their_compute(stages):
    found = stages(WORK)
    replica, p, one = found.speed.replica, found.speed.parameters, np.ones(len(found.speed.rows))
    prompt = prompt_of(replica, 500.0, p)
    many = decode_step(replica, one, p).ridden_s(prompt, 1e6 * one)
    assert many == pytest.approx((prompt.compute_s + prompt.wire_s) * replica.pace, rel=0.01)


def in_stages(found, stages):
    several = np.full(len(found.speed.rows), float(stages))
    return replace(found.speed.replica, pipeline_parallel=several)


def test_the_host_of_every_pipeline_stage_looks_at_all_requests(found):
    entry, parameters = found.at("llama-8b", "bf16", "H100"), found.speed.parameters
    timed = replace(
        in_stages(found, 4),
        step_s=np.full(len(found.speed.rows), 1e-3),
        sequence_s=np.full(len(found.speed.rows), 1e-5),
    )
    few, many = (decode_step(timed, np.full(len(found.speed.rows), n), parameters).launches_s for n in (1.0, 64.0))
    assert many[entry] - few[entry] == pytest.approx(4 * 63 * 1e-5)


def test_the_stages_of_a_pipeline_wait_for_the_one_with_the_output_head(found):
    entry, parameters = found.at("llama-8b", "bf16", "H100"), found.speed.parameters
    one, four = (in_stages(found, n) for n in (1, 4))
    head_s = 2 * 128_256 * 4096 / H100_BYTES_PER_S
    for sequences, rounds in ((1.0, 0), (2.0, 1), (64.0, 3)):  # a lone request waits for nobody
        everyone = np.full(len(found.speed.rows), sequences)
        whole, parted = (decode_step(r, everyone, parameters).weights_s[entry] for r in (one, four))
        assert parted - whole == pytest.approx(rounds * head_s, abs=1e-12)
