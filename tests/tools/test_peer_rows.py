"""Which rows the peer is asked, and with which arguments; and how both are scored on the same rows."""

import numpy as np
import pytest

from bench_accuracy import WAYS, Compared, behind, in_short
from breakeven import load_catalogue
from breakeven.performance.hardware import measured_devices, measured_models
from breakeven.performance.measured import COMPUTE
from peer_rows import BACKENDS, MODELS, SYSTEMS, WEIGHTS, Listed, ask

ROW = {
    "id": "a_file:1",
    "mode": "closed",
    "scenario": "",
    "gpu": "H200",
    "model": "minimax-m2.5",
    "compute_format": "fp8",
    "kv_bytes_per_element": "2",
    "engine": "vllm-v1",
    "tensor_parallel": "4",
    "data_parallel": "1",
    "pipeline_parallel": "1",
    "replicas": "1",
    "input_tokens": "921.6",
    "output_tokens": "128",
    "concurrency": "16",
    "requests": "",
    "ttft_s": "0.205557",
    "tpot_s": "0.0177891",
}
RUN = {
    "mode": "agg",
    "system": "h200_sxm",
    "tp_size": "4",
    "pp_size": "1",
    "attention_dp_size": "",
    "moe_tp_size": "2",
    "moe_ep_size": "2",
    "batch_size": "16",
    "gemm_quant_mode": "fp8_block",
    "moe_quant_mode": "",
    "silicon_ttft_ms": "205.55675526484265",
    "silicon_tpot_ms": "17.789099860809017",
}
NONE_LISTED = Listed(())


def test_a_row_is_asked_with_its_own_lengths_clients_and_formats():
    asked = ask(ROW, NONE_LISTED)
    first = asked.ways[0]
    assert (asked.kind, asked.listed) == ("agg", False)
    assert (first["model_path"], first["system_name"], first["backend_name"]) == (
        "MiniMaxAI/MiniMax-M2.5",
        "h200_sxm",
        "vllm",
    )
    assert (first["isl"], first["osl"], first["batch_size"]) == (922, 128, 16)
    assert (first["gemm_quant_mode"], first["kvcache_quant_mode"]) == ("fp8", "bfloat16")


def test_a_run_of_the_peers_own_list_is_found_by_what_was_measured():
    asked = ask(ROW, Listed([RUN]))
    assert asked.listed
    assert (asked.ways[0]["moe_tp_size"], asked.ways[0]["moe_ep_size"], asked.ways[0]["attention_dp_size"]) == (2, 2, 1)
    assert asked.ways[0]["gemm_quant_mode"] == "fp8_block"


@pytest.mark.parametrize(
    "other",
    [
        {"silicon_tpot_ms": "17.9"},
        {"system": "h100_sxm"},
        {"tp_size": "8"},
        {"mode": "disagg"},
        {"silicon_ttft_ms": ""},
    ],
)
def test_another_run_is_not_taken_for_it(other):
    assert not ask(ROW, Listed([RUN | other])).listed


@pytest.mark.parametrize(
    "other",
    [
        {"gpu": "A10G"},
        {"gpu": "A100-40"},
        {"engine": "llama.cpp"},
        {"model": "llama2-70b"},
        {"mode": "open"},
        {"scenario": "server"},
        {"compute_format": "int8"},
    ],
)
def test_what_the_peer_does_not_know_is_not_asked(other):
    assert ask(ROW | other, NONE_LISTED) is None


def test_clients_are_spread_over_replicas_attention_ranks_and_stages():
    spread = {"concurrency": "100", "replicas": "2", "data_parallel": "4", "pipeline_parallel": "2"}
    assert ask(ROW | spread, NONE_LISTED).ways[0]["batch_size"] == 7


def test_work_handed_over_at_once_is_not_limited_where_no_number_is_told():
    offline = {"mode": "offline", "concurrency": ""}
    assert ask(ROW | offline, NONE_LISTED).ways[0]["batch_size"] == 0
    assert ask(ROW | offline | {"requests": "100"}, NONE_LISTED).ways[0]["batch_size"] == 100


@pytest.mark.parametrize("ranks", ["1", "4"])
def test_the_experts_are_laid_over_all_gpus_of_a_replica(ranks):
    for way in ask(ROW | {"data_parallel": ranks}, NONE_LISTED).ways:
        assert way["moe_tp_size"] * way["moe_ep_size"] == way["tp_size"] * way["attention_dp_size"]


def test_a_dense_model_has_no_experts_to_split():
    assert all("moe_tp_size" not in way for way in ask(ROW | {"model": "qwen3-32b"}, NONE_LISTED).ways)


def test_a_checkpoint_stands_in_only_for_rows_in_its_own_format():
    """Else the peer would be judged on a row in fp8 by what it says of bf16."""

    def formats_left_open(**row):
        return any("gemm_quant_mode" not in way for way in ask(ROW | row, NONE_LISTED).ways)

    assert formats_left_open(model="deepseek-v3", compute_format="fp8")
    assert not formats_left_open(model="deepseek-v3", compute_format="fp4")
    assert not formats_left_open(model="llama3-70b", compute_format="fp8")


def test_every_name_is_one_of_our_table():
    catalogue = load_catalogue()
    assert set(MODELS) <= set(measured_models(catalogue))
    assert set(SYSTEMS) <= set(measured_devices(catalogue))
    assert set(WEIGHTS) <= set(COMPUTE)
    assert set(BACKENDS.values()) == {"vllm", "sglang", "trtllm"}


class TestTheScore:
    def test_counts_only_rows_on_which_everyone_has_the_figure(self):
        compared = self.compared(peer=[110.0, np.nan, 50.0], ours=[100.0, 100.0, 120.0])
        count, medians = compared.medians(0, np.ones(3, dtype=np.bool_))
        assert count == 2
        assert medians["peer"] == pytest.approx(0.3)
        assert medians["never seen"] == pytest.approx(0.1)

    def test_says_where_the_peer_is_ahead(self):
        rows = np.ones(40, dtype=np.bool_)
        compared = self.compared(peer=[101.0] * 40, ours=[120.0] * 40)
        assert behind(compared, [("all", rows)]) == ["all: tokens/s 1.0 % against 20.0 %"]
        assert behind(self.compared(peer=[120.0] * 40, ours=[101.0] * 40), [("all", rows)]) == []

    def test_does_not_judge_by_a_handful_of_rows(self):
        compared = self.compared(peer=[101.0] * 3, ours=[120.0] * 3)
        assert behind(compared, [("few", np.ones(3, dtype=np.bool_))]) == []

    def test_tells_a_reason_without_the_paths_of_a_machine(self):
        told = "PerfDataNotAvailableError: MoE data missing for MoeKey { quant: fp4 } at /somewhere/data"
        assert in_short(told) == "MoE data missing for MoeKey"

    def compared(self, peer, ours):
        def only_rates(values):
            none = np.full(len(values), np.nan)
            return np.stack([np.array(values), none, none])

        predicted = dict(zip(WAYS, (only_rates(peer), only_rates(ours), only_rates(ours)), strict=True))
        return Compared(observed=only_rates([100.0] * len(peer)), predicted=predicted)
