"""From counted documents to a workload spec: one document is one request."""

import json
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from breakeven.documents.find import shown
from breakeven.documents.measure import DocumentsReport
from breakeven.documents.tokenizers import tokenizer_table
from breakeven.errors import SpecError, refuse_odd_number
from breakeven.workload.profile import Task

BOUNDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Quantiles between which documents are one shape: fine where they are long, since long requests cost most."""


def refuse_no_answer(output_tokens: float | None, output_share: float | None, task: Task | None) -> None:
    """Refuse documents without a word on how long their answers are: a folder cannot tell.

    Raises:
        SpecError: if nothing, two things or nonsense is said.
    """
    refuse_odd_number("--output-tokens", output_tokens)
    if output_share is not None and not 0 <= output_share < 1:
        raise SpecError(
            f"--output-share is {output_share:g}",
            expected="a share of the request's tokens from 0 to below 1",
            do="Write 0.5 for answers as long as the document, 0.09 for a tenth of it",
        )
    said = [name for name, value in (("tokens", output_tokens), ("share", output_share)) if value is not None]
    some = (output_tokens or 0) > 0 or (output_share or 0) > 0
    if len(said) == 2:
        raise SpecError("--output-tokens and --output-share are both given", expected="one of them", do="Leave one out")
    if task == "encode" and some:
        raise SpecError(
            "task is encode, but answers are given", expected="no output tokens", do="Leave one of them out"
        )
    if task != "encode" and not some:
        raise SpecError(
            f"the answers have {'0' if said else 'no stated number of'} output tokens",
            expected="how long an answer is: --output-tokens or --output-share, or --task encode for none",
            do="Add one of them; documents tell the input, not the output",
        )


def documents_spec_yaml(
    report: DocumentsReport,
    *,
    output_tokens: float | None = None,
    output_share: float | None = None,
    task: Task | None = None,
    prompt_tokens: float = 0.0,
    requests_per_day: float | None = None,
) -> str:
    """The spec as YAML: one request a document, its length in the tokens of ``report.tokenizer``.

    ``output_share`` is the share of a request's tokens that is output. ``prompt_tokens``: instructions sent with
    each document. Without ``requests_per_day`` the spec has an empty line for it: a folder does not tell traffic.

    Raises:
        SpecError: if how long an answer is was not said, or a figure makes no sense.
    """
    refuse_no_answer(output_tokens, output_share, task)
    refuse_odd_number("--prompt-tokens", prompt_tokens)
    refuse_odd_number("--requests-per-day", requests_per_day, above_zero=True)
    lines = [f"# {line}" for line in _head(report, prompt_tokens)]
    lines += [f"name: {json.dumps(shown(report.folder.resolve().name) or 'documents', ensure_ascii=False)}"]
    lines += [f"task: {task or 'generate'}", "traffic:"]
    if requests_per_day is None:
        lines += ["  requests_per_day:  # FILL IN: documents on a mean day; the folder does not tell"]
    else:
        lines += [f"  requests_per_day: {_number(requests_per_day)}"]
    lines += ["tokens:", "  shapes:"]
    for share, tokens in shapes(report.tokens[report.tokenizer]):
        given = tokens + prompt_tokens
        answer = given * output_share / (1 - output_share) if output_share is not None else output_tokens or 0.0
        lines += [f"    - {{share: {share:.6g}, input: {_number(given)}, output: {_number(answer)}}}"]
    return "\n".join(lines) + "\n"


def shapes(counts: NDArray[np.int64]) -> list[tuple[float, float]]:
    """Share and mean tokens of documents of like length. The mean over all stays, the longest is one of its own.

    >>> shapes(np.array([100, 100, 100, 900]))
    [(0.75, 100.0), (0.25, 900.0)]
    """
    lengths = np.sort(counts)
    total = len(lengths)
    edges = sorted({round(bound * (total - 1)) for bound in BOUNDS} | {total})
    found: list[tuple[float, float]] = []
    for low, high in pairwise(edges):
        share, mean = (high - low) / total, float(lengths[low:high].mean())
        if found and found[-1][1] == mean:
            share += found.pop()[0]
        found.append((share, mean))
    return found


def _head(report: DocumentsReport, prompt_tokens: float) -> list[str]:
    """What a reader of the spec must know of its figures."""
    table, used = tokenizer_table(), report.tokenizer
    others = [f"{name} {report.against_baseline(name):+.1%}" for name in report.tokens if name != table.baseline]
    prompt = f" and {_number(prompt_tokens)} tokens of instructions" if prompt_tokens else ", without instructions"
    lines = [
        f"Measured by `breakeven workload --documents`: {len(report.documents):,} documents, each a request with its "
        f"text{prompt}.",
        f"Tokens of {used} ({table.own[used].title}).",
    ]
    if others:
        lines += [f"The same documents beside {table.baseline}: {', '.join(others)}."]
    if report.not_read:
        lines += [f"Not read and not counted: {len(report.not_read):,} files or folders."]
    return lines


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
