"""What a benchmark measured, in the terminal: a column for each load, with its target, its failures and its price."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from breakeven.bench.rows import Point
from breakeven.bench.summary import ERRORS_TOLD, Measured, Spread
from breakeven.report.words import WIDTH, seconds, share, usd
from breakeven.workload.profile import Slo

NOT_KNOWN = "unknown"
NOTABLY_OFF = 0.02
NOTABLY_LATE_S = 0.01


def print_measured(found: Sequence[Measured], slo: Slo, console: Console | None = None) -> None:
    """Every load as a column, at most 100 columns wide, and below it what has to be known of the figures."""
    console = console or Console(width=WIDTH, highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for one in found:
        table.add_column(load_words(one), justify="right")
    for name, cells in rows(found, slo):
        table.add_row(name, *cells)
    console.print(table)
    for note in notes(found, slo):
        console.print(note, markup=False)


def load_words(one: Measured | Point) -> str:
    """The load in a few words."""
    if one.mode == "closed":
        return f"{one.concurrency or 0:g} in flight"
    return "open" if one.request_rate_per_s is None else f"{one.request_rate_per_s:.3g} requests/s"


def rows(found: Sequence[Measured], slo: Slo) -> list[tuple[str, list[str]]]:
    """The lines of the table: a name, and a cell for each load."""
    told = [
        ("requests answered of sent", [f"{one.good} of {one.sent}" for one in found]),
        ("tokens in, out", [f"{_tokens(one.input_tokens)}, {_tokens(one.output_tokens)}" for one in found]),
        *_spreads("TTFT", [one.ttft_s for one in found]),
        *_spreads("TPOT", [one.tpot_s for one in found]),
        ("output tokens/s", [_figure(one.output_tokens_per_s) for one in found]),
    ]
    if slo.named:
        told.append((f"goodput: {target_words(slo)}", [_goodput(one) for one in found]))
    if any(one.price_basis for one in found):
        told.append(("USD per million output tokens", [_price(one.usd_per_mtok_output) for one in found]))
        told.append(("USD per million tokens, in and out", [_price(one.usd_per_mtok_total) for one in found]))
    return told


def target_words(slo: Slo) -> str:
    """The target of a request."""
    parts = [f"{name} ≤ {seconds(value)}" for name, value in (("TTFT", slo.ttft_s), ("TPOT", slo.tpot_s)) if value]
    return ", ".join(parts)


def _spreads(name: str, found: Sequence[Spread | None]) -> list[tuple[str, list[str]]]:
    quantiles = next((list(one.at) for one in found if one is not None), [])
    lines = [(f"{name} {q}", [seconds(one.at[q]) if one else NOT_KNOWN for one in found]) for q in quantiles]
    return [(f"{name} mean", [seconds(one.mean) if one else NOT_KNOWN for one in found]), *lines]


def _tokens(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:,.0f}"


def _figure(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def _goodput(one: Measured) -> str:
    if one.goodput_share is None or one.goodput_per_s is None:
        return NOT_KNOWN
    return f"{share(one.goodput_share)}, {one.goodput_per_s:.3g}/s"


def _price(value: object) -> str:
    return NOT_KNOWN if value is None else usd(value)  # type: ignore[arg-type]


def notes(found: Sequence[Measured], slo: Slo) -> list[str]:
    """What has to be known of the figures: failures, lengths that came out otherwise, an end before the end."""
    said = [note for one in found for note in _notes(one, slo)]
    return list(dict.fromkeys(said))


def _notes(one: Measured, slo: Slo) -> list[str]:
    load = load_words(one)
    said = [f"{load}: {count} failed: {why}" for why, count in list(one.errors.items())[:ERRORS_TOLD]]
    if len(one.errors) > ERRORS_TOLD:
        said.append(f"{load}: and {len(one.errors) - ERRORS_TOLD} more kinds of failure.")
    if one.ended:
        said.append(f"{load}: {one.ended}, after {one.sent} of {one.asked} requests.")
    if one.goodput_share is not None:
        kept = "is kept" if one.goodput_share >= slo.quantile else "is missed"
        said.append(f"{load}: the target at p{slo.quantile * 100:g} {kept} ({share(one.goodput_share)} of requests).")
    said += _length_notes(one, load)
    if one.late_s > NOTABLY_LATE_S:
        said.append(f"{load}: this machine sent requests up to {seconds(one.late_s)} late (p95): it was too busy.")
    if one.price_basis:
        said.append(f"Dollars: {one.price_basis}.")
    return said


def _length_notes(one: Measured, load: str) -> list[str]:
    said = []
    if one.input_tokens is None and one.good:
        said.append(f"{load}: the server does not count input tokens; prompts had {one.asked_input_tokens:.0f} words.")
    for name, came, asked in (
        ("in", one.input_tokens, one.asked_input_tokens),
        ("out", one.output_tokens, one.asked_output_tokens),
    ):
        if came is not None and asked and abs(came / asked - 1) > NOTABLY_OFF:
            said.append(f"{load}: {asked:.0f} tokens {name} were asked for, {came:.0f} came.")
    if not one.output_tokens_counted:
        said.append(f"{load}: the server does not count output tokens; frames of its stream are counted instead.")
    if one.cached_tokens:
        said.append(f"{load}: the server read {one.cached_tokens:.0f} tokens a request from its cache.")
    return said


def print_points(points: Sequence[Point], console: Console | None = None) -> None:
    """Measurements that another tool took."""
    console = console or Console(width=WIDTH, highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("measured by", "load", "in", "out", "requests", "failed", "TTFT", "TPOT", "output tokens/s"):
        table.add_column(name, justify="left" if name in ("measured by", "load") else "right", no_wrap=True)
    for one in points:
        table.add_row(
            one.tool,
            load_words(one),
            f"{one.input_tokens:,.0f}",
            f"{one.output_tokens:,.0f}",
            NOT_KNOWN if one.requests is None else str(one.requests),
            NOT_KNOWN if one.failed is None else str(one.failed),
            NOT_KNOWN if one.ttft_s is None else seconds(one.ttft_s),
            NOT_KNOWN if one.tpot_s is None else seconds(one.tpot_s),
            _figure(one.output_tokens_per_s),
        )
    console.print(table)
