"""Serving engines as people name them, and as the calibration does."""

ENGINES = {
    "vllm": ("vllm-v1", "vllm"),
    "sglang": ("sglang", "sglang"),
    "tensorrt-llm": ("trtllm-pytorch", "trtllm"),
    "trtllm": ("trtllm-pytorch", "trtllm"),
    "tgi": ("tgi", "tgi"),
}
"""Engines as people name them: the overhead set, and the name in front of a published version."""
FIRST_V1 = (0, 8)
"""From this version on vLLM is what the calibration calls vllm-v1."""


def stack_of(engine: str, version: str) -> tuple[str, str]:
    """The overhead set of an engine, and its version as measurements spell it."""
    if engine not in ENGINES:
        return engine, version
    name, spelt = ENGINES[engine]
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if engine == "vllm" and numbers and numbers < FIRST_V1:
        return "vllm-v0", f"vLLM {version}"
    return name, f"{spelt} {version}" if version else ""
