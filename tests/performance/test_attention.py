"""What layers keep of a context and what they read of it."""

import numpy as np
import pytest

from breakeven import Workload, load_catalogue
from breakeven.performance.attention import index_bytes, kv_bytes, kv_elements
from breakeven.performance.roofline import decode_step, prefill
from breakeven.units import BYTES_PER_GIB

MILLION_TOKENS = 2**20
WIDE_BYTES = 2
CONTEXT = 40_000


@pytest.fixture(scope="module")
def long(stages, ideal):
    return stages(Workload.of(requests_per_day=1000, input_tokens=CONTEXT - 50, output_tokens=100), parameters=ideal)


def of_device(found, model):
    entry = found.at(model, "bf16", "H100")
    everyone = np.ones(len(found.speed.rows))
    return entry, decode_step(found.speed.replica, everyone, found.speed.parameters), found.speed.replica


@pytest.mark.parametrize(("name", "published_gib"), [("deepseek-v3.2", 83.9), ("deepseek-v4-pro", 9.62)])
def test_a_million_tokens_of_sparse_and_compressed_attention_keep_what_vllm_published(name, published_gib):
    # vLLM's post on DeepSeek-V4 (2026-04-24) counts the keys of the indexer in 16 bits, engines keep them in 8
    model = load_catalogue().models[name]
    kept = kv_elements(model)
    keys = model.index_layers * model.index_head_dim / model.tokens_per_selected_entry
    each = (kept.whole + kept.selected + keys) * WIDE_BYTES
    assert each * MILLION_TOKENS / BYTES_PER_GIB == pytest.approx(published_gib, rel=0.001)


def test_layers_that_select_keep_the_whole_context_and_their_index(small_catalogue):
    model = small_catalogue.models["selecting-16b"]
    assert index_bytes(model) == 10 * (128 + 4)
    assert kv_bytes(model, 100_000) == 100_000 * (20 * 576 * WIDE_BYTES + 10 * (128 + 4))


def test_layers_that_select_read_what_was_selected_and_the_index_of_everything(long):
    entry, step, replica = of_device(long, "selecting-16b")
    read = 2048 * 20 * 576 * WIDE_BYTES + CONTEXT * 10 * (128 + 4)
    assert step.kv_s[entry] == pytest.approx(read / replica.kv_bytes_per_s[entry])


def test_a_prompt_is_compared_with_what_was_selected_and_its_index_with_everything_before(long):
    entry, _, replica = of_device(long, "selecting-16b")
    band = 2048 * (CONTEXT - 2048 / 2) * 20 * 16 * 192
    index = CONTEXT**2 / 2 * 10 * 64 * 128
    flops = 2 * 2_400_000_000 * CONTEXT + 4 * (band + index)
    found = prefill(replica, float(CONTEXT), long.speed.parameters)
    assert found.compute_s[entry] == pytest.approx(flops / replica.flops_per_s[entry])


def test_below_what_is_selected_sparse_attention_reads_everything(stages, ideal):
    found = stages(Workload.of(requests_per_day=1000, input_tokens=900, output_tokens=200), parameters=ideal)
    entry, step, replica = of_device(found, "selecting-16b")
    assert step.kv_s[entry] == pytest.approx(1000 * (20 * 576 * WIDE_BYTES + 1320) / replica.kv_bytes_per_s[entry])
