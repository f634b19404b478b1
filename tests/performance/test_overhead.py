"""What an engine keeps of a device's memory, and how far the largest concurrency is to be trusted for it."""

from dataclasses import replace

import numpy as np
import pytest

from breakeven.errors import SpecError
from breakeven.performance.ask import ask
from breakeven.performance.calibration import typical_parameters
from breakeven.performance.measured import shipped_measurements, table_of
from breakeven.performance.overhead import AS_INSTALLED, band, overhead_gib, published_gib, seen, usable_gib
from breakeven.performance.posterior import updated
from breakeven.performance.question import Question, device_on
from breakeven.performance.table import prepared

P = typical_parameters()


@pytest.fixture(scope="module")
def table(shipped):
    return shipped_measurements(shipped)


@pytest.fixture(scope="module")
def asked(shipped, table):
    return lambda **question: ask(Question(**question), shipped, P, table).largest_concurrency


def kept(memory_gib=80.0, hidden_size=4096.0, devices=1.0, mixture=0.0):
    return float(overhead_gib(*(np.array([x]) for x in (memory_gib, hidden_size, devices, mixture)), P)[0])


def test_an_engine_keeps_more_of_a_larger_device_for_a_wider_model_among_more_devices_and_for_a_mixture():
    assert kept() == pytest.approx(P.overhead["gib"])
    assert min(kept(memory_gib=192), kept(hidden_size=8192), kept(devices=8)) > kept()
    assert kept(devices=8, mixture=1) > kept(devices=8)


def test_what_is_usable_is_the_share_told_to_the_engine_less_what_it_keeps(table):
    kinds = table.runs.kinds
    usable = usable_gib(kinds, P)
    least, most = band(kinds, P)
    assert np.all(usable_gib(kinds, P, most) <= usable)
    assert np.all(usable <= usable_gib(kinds, P, least))
    assert np.all(usable < kinds.by_device(lambda d: d.memory_gib) * P.usable_memory_share)


def test_an_engine_whose_starts_were_never_seen_has_the_wider_band(table):
    kinds = table.runs.kinds
    new = replace(kinds, stacks=tuple(replace(s, name="new") for s in kinds.stacks))
    least, most = band(new, P)
    assert np.all(least == P.overhead["low_unknown"])
    assert np.all(most == P.overhead["high_unknown"])
    assert P.overhead["low_unknown"] <= P.overhead["low"] < 0 < P.overhead["high"] <= P.overhead["high_unknown"]


def test_most_published_runs_are_tuned_so_they_have_the_room_of_an_engine_that_keeps_little(table):
    kinds = table.runs.kinds
    memory = kinds.by_device(lambda d: d.memory_gib)
    as_installed = kinds.by_stack(lambda s: s.name in AS_INSTALLED) > 0
    told = published_gib(kinds, P)
    assert told[~as_installed] == pytest.approx((memory * P.usable_memory_share - P.tuned_overhead_gib)[~as_installed])
    assert as_installed.any()
    assert told[as_installed] == pytest.approx(usable_gib(kinds, P)[as_installed])
    tuned, plain = prepared(kinds, P), prepared(kinds, P, overhead=0.0)
    vllm = (kinds.by_stack(lambda s: s.name == "vllm-v1") > 0) & (kinds.by_model(lambda m: m.hidden_size) >= 4096)
    assert np.all(tuned.room_bytes[vllm] >= plain.room_bytes[vllm])
    assert np.any(tuned.room_bytes[vllm] > plain.room_bytes[vllm])


def test_the_largest_concurrency_has_a_band_around_it(asked):
    found = asked(model="llama3-8b", on="g5.xlarge", input_tokens=2000)
    assert 1 <= found.low < found.mid < found.high
    assert found.basis == "calibrated"
    unknown = asked(model="llama3-8b", on="g5.xlarge", input_tokens=2000, engine="tgi")
    assert unknown.basis == "extrapolated"
    assert unknown.high / unknown.low > found.high / found.low


def test_a_replica_is_chosen_that_has_room_for_a_request(shipped, table):
    found = ask(Question(model="llama3-70b", on="p5.48xlarge", number_format="fp8"), shipped, P, table)
    assert found.tensor_parallel == 2, "one device holds the weights and nothing else"
    assert found.largest_concurrency.low >= 1


def test_where_only_a_frugal_engine_leaves_room_none_is_expected_to_fit(asked):
    found = asked(model="llama3-70b", on="p5.48xlarge", number_format="fp8", tensor_parallel=1)
    assert found.low == found.mid == 0 < found.high


def test_where_nothing_is_left_the_message_says_what_is_missing(asked):
    with pytest.raises(SpecError, match=r"beside its weights of 141\.1 GB nothing is left for the 0\.38 GB"):
        asked(model="llama3-70b", on="H100-SXM", number_format="bf16", tensor_parallel=1)
    with pytest.raises(SpecError, match=r"c7i\.48xlarge has no accelerator"):
        asked(model="llama3-8b", on="c7i.48xlarge")


def test_what_was_measured_is_asked_with_the_room_that_it_had(shipped, table, runs_csv):
    told = {"model": "llama3-70b", "compute_format": "fp8", "weight_bytes_per_param": "1", "concurrency": "3"}
    row = runs_csv({**told, "engine": "vllm-v1", "output_tokens_per_s": "95", "ttft_s": "0.3", "tpot_s": "0.03"})
    mine = updated(P, table_of(row, shipped, "mine.csv"))
    question = Question(
        model="llama3-70b", on="H100-SXM", number_format="fp8", tensor_parallel=1, concurrency=3, input_tokens=1000
    )
    before, after = (ask(question, shipped, p, table) for p in (P, mine))
    assert before.largest_concurrency.mid == 0
    assert after.largest_concurrency.mid >= 3
    assert after.output_tokens_per_s.low < 95 < after.output_tokens_per_s.high


def test_what_was_seen_on_gpus_is_not_said_of_other_devices(table):
    kinds = table.runs.kinds
    other = kinds.by_device(lambda d: d.generation in ("neuron", "gaudi")) > 0
    assert other.any()
    memory = kinds.by_device(lambda d: d.memory_gib)
    assert usable_gib(kinds, P)[other] == pytest.approx((memory * P.usable_memory_share - P.tuned_overhead_gib)[other])
    assert not seen(kinds, P)[other].any()
    assert kept(devices=64, mixture=1) == kept(devices=8, mixture=1)


def test_where_the_engine_admits_fewer_than_fit_the_memory_does_not_matter(asked):
    found = asked(model="llama-3.2-1b", on="H200", input_tokens=100, output_tokens=100)
    assert found.low == found.mid == found.high == P.bulk_batch_limit["vllm-v1"]


def test_a_machine_counts_with_the_memory_that_its_devices_have_there(shipped):
    instance = shipped.instances["g5.xlarge"]
    assert device_on("g5.xlarge", shipped, P) == ("A10G", 1, instance.accelerator_memory_gib_total)
    assert device_on("ml.g5.12xlarge", shipped, P)[2] == pytest.approx(22.35, abs=0.05)
    assert device_on("H100-SXM", shipped, P)[1:] == (8, 80)
    assert device_on("L4", shipped, P)[1:] == (8, 22.5), "error correction takes a sixteenth"
