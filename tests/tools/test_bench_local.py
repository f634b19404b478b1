"""Beside the local model's measurement stands a prediction, whether or not the catalogue knows the processor."""

import re

import pytest

import bench_local
from breakeven.bench.outcome import Outcome
from breakeven.bench.summary import summarised
from breakeven.catalogue.load import load_catalogue
from breakeven.performance.hardware import cpu_device
from breakeven.workload.profile import Slo


@pytest.fixture
def loaded():
    """A load of 4 in flight, measured: prompts of 150 tokens and answers of 16."""
    outcome = Outcome(
        planned_s=0.0, sent_s=0.0, first_s=1.0, last_s=2.0, ended_s=2.0, asked_input_tokens=150, asked_output_tokens=16,
        input_tokens=150, output_tokens=16, frames=16,
    )  # fmt: skip
    return summarised([outcome] * 4, Slo(), asked=4, load=("closed", 4, None))


def test_a_processor_is_known_by_its_datasheet_whatever_marks_its_name_has():
    catalogue = load_catalogue()
    assert bench_local.known_cpu("AMD EPYC 7R13 48-Core Processor", catalogue).name == "AMD EPYC 7R13"
    told = "Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz"
    assert bench_local.known_cpu(told, catalogue).name == "Intel Xeon Platinum 8488C"


@pytest.mark.parametrize("hidden", ["AMD EPYC", "", "Intel Xeon Processor"])
def test_a_name_that_says_too_little_is_no_processor_of_the_catalogue(hidden):
    assert bench_local.known_cpu(hidden, load_catalogue()) is None


def test_a_processor_without_a_datasheet_is_predicted_by_what_it_was_measured_to_do(monkeypatch, capsys, loaded):
    monkeypatch.setattr(bench_local, "SIDE", 256)
    monkeypatch.setattr(bench_local, "COPIED_BYTES", 1 << 20)
    monkeypatch.setattr(bench_local, "TRIES", 3)
    device = bench_local.measured_device("AMD EPYC", 2)
    assert "no datasheet in the catalogue; measured now" in capsys.readouterr().out
    assert device.flops_per_s["fp32"] > 1e8
    assert device.bandwidth_bytes_per_s > 1e8
    words = bench_local.predicted_words(loaded, device, load_catalogue())
    assert "4 in flight on AMD EPYC, as measured now" in words
    assert float(re.search(r"([\d.,]+) output tokens/s", words)[1].replace(",", "")) > 0


def test_twice_the_memory_bandwidth_and_arithmetic_is_predicted_faster(loaded):
    catalogue = load_catalogue()
    cpu = catalogue.cpus["AMD EPYC 7R13"]
    small, large = (bench_local.predicted_words(loaded, cpu_device(cpu, vcpus, 16.0), catalogue) for vcpus in (2, 4))
    rate = [float(re.search(r"([\d.,]+) output tokens/s", words)[1].replace(",", "")) for words in (small, large)]
    assert rate[0] < rate[1]
