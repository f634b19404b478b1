"""How the model server is started: weights, number format, parallelism, batch limit and context of the plan."""

from dataclasses import dataclass

from breakeven.deploy.choice import Chosen
from breakeven.deploy.text import Node, said
from breakeven.errors import NoDataError, SpecError
from breakeven.wording import quoting

CONTEXT_STEP = 1024
ROOM_FOR_LONGER = 2
"""A kind of request is a mean over many: some of them are longer."""
WITHOUT_BFLOAT16 = ("turing", "volta")
BUCKET = "s3://"
Settings = dict[str, Node]
"""Arguments of vLLM by name, in words with dashes, each with where it comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What to load. ``None``: as the catalogue has it."""

    place: str | None = None
    """A repository on the Hugging Face hub (``owner/name``), or a folder in a bucket (``s3://.../``)."""
    quantized: bool = False
    """Whether they are in the plan's number format already."""


def place_of(chosen: Chosen, weights: Weights) -> str:
    """Where the weights are.

    Raises:
        NoDataError: neither the user nor the catalogue says.
    """
    found = weights.place or chosen.setup.weights
    if found is None:
        raise NoDataError(
            quoting("where the weights of {model} are published is not known here", model=chosen.verdict.option.model),
            expected="a repository on the Hugging Face hub, or a folder in a bucket",
            do="Give it with `--weights owner/name` or `--weights s3://bucket/folder/`",
        )
    if found.startswith(BUCKET) and not found.endswith("/"):
        raise SpecError(
            quoting("--weights {found} is not a folder", found=found),
            expected="s3://bucket/folder/ with its last /",
            do="Add the /",
        )
    return found


def settings(chosen: Chosen, weights: Weights, context_tokens: int | None) -> Settings:
    """The arguments of vLLM that do not depend on where it runs.

    Raises:
        SpecError: the number format cannot be had from these weights, or the context is more than fits.
    """
    option = chosen.verdict.option
    found: Settings = {
        "served-model-name": said(option.model, "the model by the plan's name"),
        "tensor-parallel-size": said(chosen.tensor_parallel, "option.tensor_parallel"),
        "max-num-seqs": said(chosen.concurrency, "performance.largest_concurrency: more would break the promise"),
        "max-model-len": _context(chosen, context_tokens),
        "dtype": said(
            "float16" if chosen.setup.generation in WITHOUT_BFLOAT16 else "bfloat16", "of what is not narrow"
        ),
    }
    share = chosen.setup.memory_share
    if share is not None:
        found["gpu-memory-utilization"] = said(share, "setup.memory_share, which the plan counts on")
    method = _quantization(chosen, weights)
    if method:
        found["quantization"] = said(method, f"option.number_format: {option.number_format}, narrowed while loading")
    return found


def _quantization(chosen: Chosen, weights: Weights) -> str | None:
    """What vLLM is told of the number format; nothing where the weights are in it already."""
    wanted, native = chosen.verdict.option.number_format, chosen.setup.native_format
    if weights.quantized or wanted == native:
        return None
    if wanted == "fp8" and native == "bf16":
        return "fp8"
    raise SpecError(
        quoting(
            "the plan serves {model} in {wanted}; its weights are published in {native}, and "
            "vLLM does not turn one into the other while loading",
            model=chosen.verdict.option.model,
            wanted=wanted,
            native=native,
        ),
        expected=quoting("weights in {wanted}", wanted=wanted),
        do="Give them with `--weights PLACE --quantized`, or plan with `only: {formats: [bf16, fp8]}`",
    )


def _context(chosen: Chosen, asked: int | None) -> Node:
    """The longest request that is taken: the workload's with room, or what was asked for, within what fits."""
    setup = chosen.setup
    limits = [limit for limit in (setup.model_context_tokens, setup.kv_cache_tokens) if limit is not None]
    if asked is not None and limits and not 0 < asked <= min(limits):
        raise SpecError(
            quoting("--max-model-len is {asked}", asked=asked),
            expected=quoting(
                "1 to {most}, what the model takes and the memory beside its weights holds", most=min(limits)
            ),
            do="Correct it",
        )
    steps = -(-setup.longest_request_tokens * ROOM_FOR_LONGER // CONTEXT_STEP)
    tokens = asked or min([steps * CONTEXT_STEP, *limits])
    longest = f"the longest kind of request has {setup.longest_request_tokens:,} tokens (setup.longest_request_tokens)"
    return said(tokens, "as asked for" if asked else f"{longest}; twice that, for those above its mean")
