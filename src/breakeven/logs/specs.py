"""The measurement as a workload spec, with comments that say where each figure comes from, and as a document."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from breakeven.logs.measure import Measured, Measurement
from breakeven.logs.shapes import Kind
from breakeven.logs.times import US_PER_SECOND
from breakeven.logs.traffic import Period, long
from breakeven.workload.profile import MOST_RATE_VARIATION

SCHEMA = "breakeven-workload/1"
SHARE_DIGITS, TOKEN_DIGITS, WEIGHT_DIGITS, BURST_DIGITS = 8, 4, 4, 3


def spec_text(measured: Measured, paths: Sequence[str]) -> str:
    """The YAML of all workloads, parted by ``---``, largest first."""
    return "---\n".join(_document(measured, one, paths) for one in measured.workloads)


def _document(measured: Measured, one: Measurement, paths: Sequence[str]) -> str:
    """One workload as a spec."""
    lines = [f"# {sentence}" for sentence in _comments(measured, one, paths)]
    lines += [f"name: {json.dumps(name_of(one, paths), ensure_ascii=False)}", "traffic:"]
    volume = one.traffic.requests_per_day
    lines.append(f"  requests_per_day: {_plain(volume)}" if volume else "  # requests_per_day: the log cannot tell")
    if one.traffic.profile:
        lines += ["  profile: # hourly weights from (Monday) midnight UTC", *_weights(one.traffic.profile)]
    lines.append(burstiness_line(one))
    lines += ["tokens:", "  shapes:", *(f"    - {line}" for line in shape_lines(one))]
    return "\n".join(lines) + "\n"


def name_of(one: Measurement, paths: Sequence[str]) -> str:
    """What the report will call the workload: its group, else the log's file."""
    if one.group:
        return ", ".join(value or f"no {name}" for name, value in one.group.items())
    return Path(paths[0].rstrip("/*")).name.split(".")[0] or "workload"


def _weights(weights: Sequence[float]) -> list[str]:
    day = 24
    rows = [weights[at : at + day] for at in range(0, len(weights), day)]
    texts = [", ".join(f"{weight:.{WEIGHT_DIGITS}g}" for weight in row) for row in rows]
    opened, closed = "    [", "    ]"
    return [opened, *(f"      {text}," for text in texts), closed]


def shape_lines(one: Measurement) -> list[str]:
    """The kinds of request as flow mappings: shares that add up to 1, parts never above their whole."""
    shares = [round(kind.share, SHARE_DIGITS) for kind in one.kinds]
    largest = shares.index(max(shares))
    shares[largest] = round(1 - math.fsum(shares[:largest] + shares[largest + 1 :]), SHARE_DIGITS)
    return [_shape(kind, share) for kind, share in zip(one.kinds, shares, strict=True)]


def _shape(kind: Kind, share: float) -> str:
    parts = {"cached_input": kind.cached, "cache_write": kind.cache_write, "reasoning": kind.reasoning}
    scale = 10**TOKEN_DIGITS
    told = {name: math.floor(tokens * scale) / scale for name, tokens in parts.items() if tokens}
    whole = {"input": round(kind.input, TOKEN_DIGITS), "output": round(kind.output, TOKEN_DIGITS)}
    fields = ", ".join(f"{name}: {_plain(tokens)}" for name, tokens in {**whole, **told}.items())
    return f"{{share: {share:.{SHARE_DIGITS}f}, {fields}}}"


def _plain(tokens: float) -> str:
    return f"{tokens:.{TOKEN_DIGITS}f}".rstrip("0").rstrip(".")


def _comments(measured: Measured, one: Measurement, paths: Sequence[str]) -> list[str]:
    whose = f" of {name_of(one, paths)}" if one.group else ""
    found = [
        f"Measured from {', '.join(paths)} ({', '.join(measured.layouts)}).",
        f"{one.requests:,} requests{whose}, {when(measured.period)}.",
        f"Input: mean {one.input.mean:,.1f} tokens, p50 {one.input.p50:,.0f}, p95 {one.input.p95:,.0f}. "
        f"Output: mean {one.output.mean:,.1f}, p50 {one.output.p50:,.0f}, p95 {one.output.p95:,.0f}.",
        f"The shapes keep every mean; E[input x output] to {one.kept['input_x_output']:.1%}, E[output^2] to "
        f"{one.kept['output_squared']:.1%}.",
        *parts_told(one),
        *bursts_told(one),
        *(f"The log cannot tell {what}." for what in one.traffic.cannot_tell),
        *(f"Not used: {problem.told}." for problem in measured.problems),
    ]
    if one.failed:
        found.append(f"Failed requests, not counted above: {one.failed:,}.")
    return [" ".join(sentence.split()) for sentence in found]


def parts_told(one: Measurement) -> list[str]:
    """What is known of caches, reasoning and retries, in sentences; what the log does not say is said too."""
    found = []
    if one.reusable_share is not None:
        found.append(
            f"Reusable prefixes: {one.reusable_share:.1%} of the input tokens came earlier in the log; cached_input is "
            "what a cache that forgets nothing would have read, so an upper bound."
        )
    for share, what in (
        (one.cached_share, "of the input tokens were read from a cache"),
        (one.cache_write_share, "of the input tokens were written to a cache"),
        (one.reasoning_share, "of the output tokens were reasoning"),
    ):
        found += [f"{share:.1%} {what}."] if share is not None else []
    if one.retries is not None:
        found.append(f"{one.retries:,} retries.")
    absent = [
        name
        for name, said in (
            ("cached tokens", one.cached_share is not None or one.reusable_share is not None),
            ("reasoning", one.reasoning_share is not None),
            ("retries", one.retries is not None),
        )
        if not said
    ]
    return found + ([f"The log does not say: {', '.join(absent)}."] if absent else [])


def bursts_told(one: Measurement) -> list[str]:
    """How the arrivals spread, in a sentence."""
    spread, gaps = one.traffic.dispersion_per_minute, one.traffic.gap_variation
    parts = []
    if spread is not None:
        parts.append(f"variance over mean of the requests a minute {spread:.2f}")
    if gaps is not None:
        parts.append(f"deviation over mean of the time between two requests {gaps:.2f}")
    moves = one.traffic.rate_variation
    rate = "" if moves is None else f"; within an hour the rate moves by {moves:.0%} up and down"
    if one.traffic.rate_stays_s is not None:
        rate += f" and stays for about {one.traffic.rate_stays_s:.2g} s"
    return [f"Bursts: {', '.join(parts)} (both 1 for independent arrivals){rate}."] if parts else []


def burstiness_line(one: Measurement) -> str:
    """The field of the spec. Gaps that vary more than whole minutes do are an effect of coarse times, and cut."""
    dispersion, gaps, rate = one.traffic.dispersion_per_minute, one.traffic.gap_variation, one.traffic.rate_variation
    if dispersion is None or gaps is None or rate is None:
        return "  # burstiness: the log cannot tell"
    if rate > MOST_RATE_VARIATION:
        return f"  # burstiness: within an hour the rate moves by {rate:.0%}; say which work may wait (traffic.batch)"
    near = max(min(gaps, math.sqrt(dispersion)), 1.0)
    stays_s = one.traffic.rate_stays_s
    stays = "" if stays_s is None or not rate else f", rate_stays_s: {stays_s:.{BURST_DIGITS}g}"
    return f"  burstiness: {{gap_variation: {near:.{BURST_DIGITS}g}, rate_variation: {rate:.{BURST_DIGITS}g}{stays}}}"


def when(period: Period) -> str:
    """The period in words."""
    if period.relative:
        return f"over {long(period.length_us)} (times count from the log's beginning)"
    return f"{_minute(period.first_us)} to {_minute(period.last_us)} UTC ({long(period.length_us)})"


def _minute(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us // US_PER_SECOND, UTC):%Y-%m-%d %H:%M}"


def document(measured: Measured, paths: Sequence[str]) -> dict[str, Any]:
    """The measurement for programs: every figure with its unit in its name."""
    built: dict[str, Any] = msgspec.to_builtins(measured)
    for one, found in zip(built["workloads"], measured.workloads, strict=True):
        one["name"] = name_of(found, paths)
    return {"schema": SCHEMA, "paths": list(paths), **built}
