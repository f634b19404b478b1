"""A replay in the terminal: the answer, the times, the fleet over time, the bill."""

from itertools import pairwise

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from breakeven.report.simulated import Moment, Played, Simulation, Spread
from breakeven.report.words import WIDTH, seconds, share, usd
from breakeven.units import SECONDS_PER_HOUR

BARS = " ▁▂▃▄▅▆▇█"
COLUMNS = 60
"""Of the pictures over time."""


def print_simulation(found: Simulation) -> None:
    """The whole answer, at most 100 columns wide."""
    console = Console(width=WIDTH, highlight=False, markup=False)
    _head(found.played, console)
    _section("ANSWER", console)
    for sentence in answer_of(found):
        console.print(Padding(sentence, (0, 2)))
    if not found.overload:
        _times(found, console)
        _over_time(found.over_time, console)
        _bill(found, console)
    if found.notes:
        _section("TAKEN FOR GRANTED", console)
        for note in found.notes:
            console.print(Padding(f"- {note}", (0, 2)))


def _section(name: str, console: Console) -> None:
    console.print(Text(f"\n{name}", style="bold"))


def _head(played: Played, console: Console) -> None:
    scale = "" if played.scale == 1 else f", {played.scale:g} times the traffic of the log"
    console.print(Text(played.option, style="bold"), soft_wrap=True)
    console.print(
        f"{', '.join(played.logs)}: {played.requests:,} requests in {_long(played.span_s)}, "
        f"{played.requests_per_s:.3g} a second{scale}; {played.input_tokens:,.0f} tokens in, "
        f"{played.output_tokens:,.0f} out"
    )
    each = "" if played.replicas_per_machine == 1 else f" of {played.replicas_per_machine} replicas"
    rules = [
        f"{_many(played.machines, 'machine')}{each}, up to {played.places_per_replica} requests at a time on a replica"
    ]
    if played.autoscaled_to:
        low, high = played.autoscaled_to
        rules.append(f"autoscaled from {low} to {high} at {played.target_in_flight:g} requests a replica")
    if played.queue_limit is not None:
        rules.append(f"at most {played.queue_limit} wait for each replica")
    if played.failures:
        rules.append(_many(played.failures, "failure"))
    console.print(f"{'; '.join(rules)}; seed {played.seed}")


def answer_of(found: Simulation) -> list[str]:
    """What came of it, in sentences."""
    played = found.played
    planned = played.planned_requests_per_s
    told = (
        f"The plan is for {planned:.3g} requests a second in its busiest hour and takes "
        f"{_many(played.planned_machines, 'machine')} for them; the trace brings {played.requests_per_s:.3g} a second."
    )
    if found.overload:
        most = (played.autoscaled_to or (0, played.machines))[1] * played.replicas_per_machine
        return [
            f"The queue grows without limit: this traffic needs at least {_many(found.least_replicas, 'replica')}, and "
            f"there {'is' if most == 1 else 'are'} {most} at most. Its times have no end, so none are told.",
            told,
        ]
    sentences = [_kept(found), told]
    if found.costs and found.costs.overflow_requests:
        sentences.append(_overflow(found))
    if found.too_long:
        sentences.append(f"{found.too_long:,} requests are longer than the memory of a replica; none took them.")
    if found.retried:
        sentences.append(f"{_many(found.retried, 'request')} began again because the replica had failed.")
    return sentences


def _kept(found: Simulation) -> str:
    slo = found.target
    if found.keeps_target is None or slo is None or found.share_within_target is None:
        return f"{found.served:,} requests were answered; the spec sets no latency target."
    parts = [
        f"{name} {seconds(value)}" for name, value in (("TTFT", slo.ttft_s), ("TPOT", slo.tpot_s)) if value is not None
    ]
    verb = "kept" if found.keeps_target else "missed"
    return (
        f"The target ({', '.join(parts)} for {share(slo.quantile)}) is {verb}: {found.share_within_target:.1%} of "
        f"{found.served:,} answered requests are within it."
    )


def _overflow(found: Simulation) -> str:
    costs = found.costs
    assert costs is not None
    away = f"{costs.overflow_requests:,} requests ({costs.overflow_requests / found.played.requests:.1%})"
    if costs.overflow_api is None:
        return f"{away} found the queue at its limit and were refused; --overflow names an API that takes them."
    price = "at a price that is not known" if costs.usd_overflow is None else f"for {usd(costs.usd_overflow)}"
    return f"{away} found the queue at its limit and went to {costs.overflow_api} {price}."


def _times(found: Simulation, console: Console) -> None:
    _section("TIMES", console)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("  ")
    for name in ("mean", "p50", "p90", "p95", "p99"):
        table.add_column(name, justify="right")
    rows: list[tuple[str, Spread | None]] = [
        ("  TTFT, the wait included", found.ttft_s),
        ("  TPOT", found.tpot_s),
        ("  whole answer", found.response_s),
        ("  wait for a place", found.wait_s),
    ]
    for name, spread in rows:
        if spread:
            values = (spread.mean, spread.p50, spread.p90, spread.p95, spread.p99)
            table.add_row(name, *(seconds(value) if value else "0" for value in values))
    console.print(table)
    waited = "" if found.wait_probability is None else f"; {found.wait_probability:.1%} of the requests waited"
    console.print(
        f"  {found.utilisation or 0:.0%} used of what full replicas do, {found.mean_in_flight or 0:.3g} requests in "
        f"service on average{waited}"
    )


def _over_time(moments: tuple[Moment, ...], console: Console) -> None:
    if not moments:
        return
    _section(f"OVER TIME ({_long(moments[-1].at_s)})", console)
    for name, values in (
        ("replicas serving", [m.replicas_serving for m in moments]),
        ("replicas paid", [m.replicas_paid for m in moments]),
        ("in service", [m.in_service for m in moments]),
        ("waiting", [m.waiting for m in moments]),
    ):
        console.print(f"  {name:<17}{sparkline(values)}  {min(values):,} to {max(values):,}")


def sparkline(values: list[int], columns: int = COLUMNS) -> str:
    """Values over time in one line, each column as high as the largest of its share of them.

    >>> sparkline([0, 1, 2, 4, 8], columns=5)
    ' ▁▂▄█'
    """
    wide = min(columns, len(values))
    cuts = [len(values) * n // wide for n in range(wide + 1)]
    tops = [max(values[a:b]) for a, b in pairwise(cuts)]
    highest = max(tops) or 1
    return "".join(BARS[-(-top * (len(BARS) - 1) // highest)] for top in tops)


def _bill(found: Simulation, console: Console) -> None:
    costs = found.costs
    if costs is None:
        return
    _section("COST OF THE REPLAY", console)
    console.print(
        f"  {costs.machine_hours:,.2f} machine-hours at {usd(costs.usd_per_machine_hour)}: {usd(costs.usd_machines)}"
    )
    if costs.overflow_api and costs.overflow_requests:
        console.print(f"  {costs.overflow_requests:,} requests at {costs.overflow_api}: {usd(costs.usd_overflow)}")
    total = costs.usd_machines + (costs.usd_overflow or 0.0)
    served = found.served + (costs.overflow_requests if costs.usd_overflow is not None else 0)
    if served:
        console.print(f"  {usd(total / served * 1000)} for a thousand answers ({served:,} in all)")


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _long(length_s: float) -> str:
    if length_s < 2 * SECONDS_PER_HOUR:
        return f"{length_s / 60:.0f} minutes" if length_s >= 120 else f"{length_s:.0f} seconds"
    return f"{length_s / SECONDS_PER_HOUR:.1f} hours"
