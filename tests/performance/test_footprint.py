import msgspec
import numpy as np
import pytest

from breakeven import Workload
from breakeven.performance.attention import kv_bytes
from breakeven.units import BYTES_PER_GIB
from breakeven.workload.usage import TokenMix, TokenShape, TokenUsage

WORK = Workload.of(requests_per_day=1000, input_tokens=500, output_tokens=100)
ENCODE = Workload.of(requests_per_day=1000, input_tokens=200)


def weights(stage, model, number_format, device="H100", degree=1):
    return stage.memory.weights_bytes[stage.grid_row(model, number_format, device, degree)]


def why(stage):
    return {found.because: found for found in stage.ruling.rejected}


def test_flan_ul2_weighs_39_gb_in_16_bits(stages):
    # 19,591,209,984 parameters x 2 bytes = 39.18 GB
    assert weights(stages(WORK), "flan-ul2", "bf16") == 2 * 19_591_209_984


def test_llama_70b_weighs_141_gb_in_16_bits(stages):
    assert weights(stages(WORK), "llama-70b", "bf16") == 2 * 70_553_706_496


def test_a_narrow_format_keeps_the_embeddings_in_16_bits(stages):
    # input and output embeddings, untied: 2 x 128,256 x 8,192; the rest at 8 bits
    embeddings = 2 * 128_256 * 8192
    expected = 2 * embeddings + (70_553_706_496 - embeddings)
    assert weights(stages(WORK), "llama-70b", "fp8") == expected


def test_tied_embeddings_are_one_table(stages):
    # w8a16 BERT: 30,522 x 768 at 16 bits, the rest at 8
    table = 30_522 * 768
    assert weights(stages(ENCODE), "bert-base", "w8a16") == 2 * table + (109_482_240 - table)


def test_a_format_for_experts_alone_leaves_the_rest_in_16_bits(stages):
    experts, rest = 19_100_000_000, 20_900_000_000 - 19_100_000_000
    assert weights(stages(WORK), "window-20b", "mxfp4") == pytest.approx(experts * 4.25 / 8 + rest * 2)


def test_a_token_of_llama_70b_takes_327680_bytes_of_kv_cache(small_catalogue):
    # 80 layers x 8 heads x 128 x (key and value) x 2 bytes
    assert kv_bytes(small_catalogue.models["llama-70b"], 1) == 80 * 8 * 128 * 2 * 2 == 327_680


def test_latent_attention_keeps_one_vector_of_576_for_all_heads(small_catalogue):
    assert kv_bytes(small_catalogue.models["latent-16b"], 1000) == 1000 * 27 * 576 * 2


def test_windowed_layers_stop_growing_at_their_window(small_catalogue):
    model = small_catalogue.models["window-20b"]
    per_layer = 2 * 8 * 64 * 2  # key and value x heads x head_dim x bytes
    assert kv_bytes(model, 100) == (12 + 12) * 100 * per_layer
    assert kv_bytes(model, 10_000) == (12 * 10_000 + 12 * 128) * per_layer


def test_an_encoder_keeps_no_kv_cache_and_is_limited_by_its_batch(stages):
    found = stages(ENCODE, models=("bert-base",))
    assert set(found.memory.kv_bytes_per_request) == {0.0}
    assert set(found.speed.largest_concurrency) <= set(range(1, int(found.speed.parameters.encoder_batch_limit) + 1))


def test_an_encoder_decoder_keeps_the_input_for_cross_attention_beside_its_own_answer(stages):
    # each decoder layer: 16 heads x 256 x key and value x 2 bytes, for 500 encoded and 100 generated tokens
    found = stages(WORK, models=("flan-ul2",), formats=("bf16",))
    row = found.grid_row("flan-ul2", "bf16", "H100")
    assert found.memory.kv_bytes_per_request[row] == (500 + 100) * 32 * 16 * 256 * 2 * 2


def test_requests_in_flight_are_what_fits_beside_the_weights(stages, ideal):
    # 8 x 80 GiB less 141.1 GB of weights; a request ends with 600 tokens of 327,680 bytes
    found = stages(WORK, parameters=ideal, models=("llama-70b",), formats=("bf16",), machines=("p5.48xlarge",))
    free = 8 * 80 * BYTES_PER_GIB - 2 * 70_553_706_496
    fit = free // (600 * 327_680)
    assert fit > ideal.batch_limit  # so the engine's own limit binds
    assert found.memory.largest_concurrency[found.grid_row("llama-70b", "bf16", "H100", 8)] == ideal.batch_limit
    two = 2 * 80 * BYTES_PER_GIB - 2 * 70_553_706_496
    expected = two // (600 * 327_680)
    assert found.memory.largest_concurrency[found.grid_row("llama-70b", "bf16", "H100", 2)] == expected == 156


def test_the_usual_share_and_the_runtime_are_taken_off_before(stages):
    found = stages(WORK, models=("llama-8b",), formats=("bf16",), machines=("g5.xlarge",))
    p = found.speed.parameters
    kept = p.overhead["gib"] * p.engine_overhead["vllm-v1"] * (24 / 80) ** p.overhead["memory"]
    free = (24 * p.usable_memory_share - kept) * BYTES_PER_GIB - 2 * 8_030_261_248
    expected = free // (600 * 32 * 2048 * 2)
    assert found.memory.largest_concurrency[found.grid_row("llama-8b", "bf16", "A10G")] == expected


def test_a_latent_cache_is_kept_whole_by_every_device(stages):
    found = stages(WORK, models=("latent-16b",), formats=("bf16",), machines=("p5.48xlarge",))
    assert found.memory.kv_shards[found.grid_row("latent-16b", "bf16", "H100", 8)] == 1


def test_a_cache_of_eight_heads_is_spread_over_at_most_eight_devices(stages, with_rows, small_catalogue):
    rows = tuple(
        msgspec.structs.replace(row, kv_heads=4, kv_elements_per_token_layer=1024) if row.name == "llama-8b" else row
        for row in small_catalogue.tables.models
    )
    found = stages(WORK, catalogue=with_rows(models=rows), models=("llama-8b",), formats=("bf16",))
    shards = {n: found.memory.kv_shards[found.grid_row("llama-8b", "bf16", "H100", n)] for n in (1, 2, 4, 8)}
    assert shards == {1: 1, 2: 2, 4: 4, 8: 4}


def test_weights_that_do_not_fit_are_told_in_gb(stages):
    found = why(stages(WORK, models=("flan-ul2",), formats=("bf16",), machines=("g5.xlarge",)))
    (example,) = found["weights do not fit"].examples
    assert example.startswith("flan-ul2 bf16 on A10G: weights 39.2 GB do not fit ")


def test_a_reason_never_says_that_less_does_not_fit_into_more(stages):
    # 16.1 GB of weights on a T4 of 17.2 GB: what is short is the usable part of the memory
    found = why(stages(WORK, models=("llama-8b",), formats=("bf16",), machines=("g4dn.xlarge",)))
    for example in found["weights do not fit"].examples:
        need, have = (float(word) for word in example.split() if word.replace(".", "").isdigit())
        assert need > have, example


def test_a_model_that_fits_without_room_for_one_request_is_ruled_out(stages):
    long = Workload.of(requests_per_day=1000, input_tokens=120_000, output_tokens=100)
    found = why(stages(long, models=("llama-8b",), formats=("bf16",), machines=("g5.xlarge",)))
    # 120,100 tokens x 131,072 bytes = 15.7 GB; A10G x 0.9 - 1.5 GiB - 16.1 GB = 5.5 GB
    (example,) = next(
        r for because, r in found.items() if because.startswith("no memory left for the KV cache")
    ).examples
    assert "15.7 GB needed" in example


def test_the_longest_kind_of_request_must_find_room_too_not_only_the_mean_one(stages):
    mix = TokenMix(
        shapes=(
            TokenShape(share=0.99, usage=TokenUsage(input=500, output=100)),
            TokenShape(share=0.01, usage=TokenUsage(input=120_000, output=100)),
        )
    )
    mixed = msgspec.structs.replace(WORK, mix=mix)
    found = stages(mixed, models=("llama-8b",), formats=("bf16",), machines=("g5.xlarge",))
    assert len(found.speed.rows) == 0


def test_more_devices_never_hold_fewer_requests(stages):
    found = stages(WORK, formats=("bf16", "int8"), machines=("p5.48xlarge",))
    for model in ("llama-8b", "llama-70b", "mixtral-8x7b", "latent-16b"):
        held = [found.memory.largest_concurrency[found.grid_row(model, "bf16", "H100", n)] for n in (1, 2, 4, 8)]
        assert held == sorted(held), model


def test_the_shipped_footprints_are_finite_and_no_entry_holds_less_than_one_request(shipped):
    from breakeven import Policy, plan
    from breakeven.workload.policy import Only

    answer = plan(WORK, shipped, Policy(only=Only(models=("llama*", "gpt-oss*", "deepseek*"))))
    held = answer.speed.largest_concurrency
    assert np.all(np.isfinite(held))
    assert held.min() >= 1
    assert np.all(answer.speed.memory.weights_bytes[answer.speed.rows] > 0)
