"""How long published runs held new requests back on purpose, so that answers under way go on undisturbed.

Two settings do it, and no table of measurements has a column for them: the benchmark's scripts tell
(``data/held_back.csv``). A plan and runs of other publishers hold nothing back.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from importlib import resources

import numpy as np

from breakeven.options.columns import Floats, Mask

SHARE_WAITED: dict[str, Callable[[Floats], Floats]] = {
    "poll": lambda meanwhile: np.full_like(meanwhile, 0.5),
    "batch": lambda meanwhile: (1 + meanwhile / 2) / (1 + meanwhile),
}
"""Of the steps, by the number of requests that come meanwhile: the engine looks for new ones every so many (SGLang's
``scheduler_recv_interval``), or waits so many for a fuller batch of prompts (TensorRT-LLM's
``batch_wait_timeout_iters``)."""
SAME = ("gpu", "engine", "model", "compute_format")
RANGES = {
    "tensor_parallel": ("least_tensor_parallel", "most_tensor_parallel"),
    "input_tokens": ("input_tokens", "input_tokens"),
    "output_tokens": ("output_tokens", "output_tokens"),
    "clients": ("least_clients", "most_clients"),
}
"""The columns of a run, and the least and the most of them that a setting is for; empty: any."""


def held_back_steps(publishers: Sequence[str], texts: Mapping[str, list[str]], numbers: Mapping[str, Floats]) -> Floats:
    """Decode steps that a new request of each run waits in the mean before its prompt is read; 0 where none is told."""
    found = np.zeros(len(publishers))
    numbers = {**numbers, "clients": numbers["concurrency"] / numbers["replicas"]}
    closed = np.array([mode == "closed" for mode in texts["mode"]], dtype=np.bool_)
    for setting in _settings():
        rows = closed & _equal(publishers, setting["publisher"])
        for column in SAME:
            rows &= _equal(texts[column], setting[column])
        for column, (least, most) in RANGES.items():
            rows &= numbers[column] >= float(setting[least] or "-inf")
            rows &= numbers[column] <= float(setting[most] or "inf")
        arrivals = (numbers["clients"][rows] - 1) / np.maximum(numbers["output_tokens"][rows], 1.0)
        found[rows] = mean_wait(setting["way"], float(setting["steps"]), arrivals)
    return found


def mean_wait(way: str, steps: float, arrivals_per_step: Floats) -> Floats:
    """Steps that a request waits in the mean; none where nobody else is served, whose answers would be disturbed.

    Polled: half of the interval, though a prompt that is read in between has the engine look at once. In a batch: the
    first request waits the whole time, those that come meanwhile half of it, n (1 + a n/2)/(1 + a n) with ``a``
    arrivals a step, though a batch that is full goes earlier.

    >>> float(mean_wait("poll", 30.0, np.array(0.1))), float(mean_wait("batch", 20.0, np.array(0.05)))
    (15.0, 15.0)
    """
    return np.where(arrivals_per_step > 0, steps * SHARE_WAITED[way](arrivals_per_step * steps), 0.0)


def _settings() -> list[dict[str, str]]:
    file = resources.files("breakeven.performance").joinpath("data", "held_back.csv")
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def _equal(names: Sequence[str], name: str) -> Mask:
    return np.array([n == name for n in names], dtype=np.bool_)
