"""What a paid API charges for the workload, for all offers at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from breakeven.catalogue.schema import ApiPrice, ChargedRow, PeakWindow
from breakeven.cost.bill import Charge, sources_of, total_usd_per_day
from breakeven.cost.fixed import SPEC_SOURCE
from breakeven.options.api import ApiOption
from breakeven.options.columns import Floats
from breakeven.units import HOURS_PER_DAY, TOKENS_PER_MTOK
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Workload
from breakeven.workload.usage import TokenShape

KINDS = ("input", "cached_input", "cache_write", "output")
NAMES = {
    "input": "input tokens",
    "cached_input": "cached input tokens",
    "cache_write": "cache-write tokens",
    "output": "output tokens",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ApiCosts:
    """Charges and totals of the API options, in their order."""

    options: tuple[ApiOption, ...]
    charges: tuple[Charge, ...]
    usd_per_day: Floats


def api_costs(
    options: tuple[ApiOption, ...],
    workload: Workload,
    policy: Policy,
    windows: dict[str, PeakWindow],
    fixed: Sequence[Charge] = (),
    requests_per_hour: Floats | None = None,
) -> ApiCosts:
    """Tokens of each kind x the price in force for that kind, tier, length of prompt and hour of the week.

    Cached tokens are part of the input; a discount by caching never touches output. A negotiated discount is a line
    of its own. ``requests_per_hour``: another traffic for each option (options x hours); the workload's without it.
    """
    hours = np.tile(workload.requests_per_hour, (len(options), 1)) if requests_per_hour is None else requests_per_hour
    peak = [
        _peak_share(row, windows.get(option.tariff.offer.provider)) for row, option in zip(hours, options, strict=True)
    ]
    requests = HOURS_PER_DAY * hours.mean(axis=1) if requests_per_hour is not None else workload.requests_per_day
    charges = [_token_charge(kind, options, workload, peak, requests) for kind in KINDS]
    charges += _batch_charge(options, workload, peak, charges)
    charges.append(_discount(options, policy, total_usd_per_day(charges, len(options))))
    charges.extend(fixed)
    return ApiCosts(options=options, charges=tuple(charges), usd_per_day=total_usd_per_day(charges, len(options)))


def _token_charge(
    kind: str,
    options: tuple[ApiOption, ...],
    workload: Workload,
    peak: Sequence[float],
    requests_per_day: Floats | float,
) -> Charge:
    """All tokens of one kind, at the mean price of their prompts' lengths and hours."""
    shapes = workload.mix.shapes
    amounts = [
        np.broadcast_to(requests_per_day * share * _amount(shape, kind) / TOKENS_PER_MTOK, len(options))
        for share, shape in zip(workload.mix.shares, shapes, strict=True)
    ]
    lengths = [shape.usage.input for shape in shapes if _amount(shape, kind)]
    tokens = np.where([option.provisioned is None for option in options], np.sum(amounts, axis=0), 0.0)
    usd = np.zeros(len(options))
    if lengths:
        usd = tokens * [_usd_per_mtok(o, kind, 0.0, peak[n]) for n, o in enumerate(options)]
        for n in (n for n, o in enumerate(options) if max(o.tariff.thresholds, default=0)):
            usd[n] = sum(
                amount[n] * _usd_per_mtok(options[n], kind, shape.usage.input, peak[n])
                for amount, shape in zip(amounts, shapes, strict=True)
            )

    def prices(i: int) -> tuple[ApiPrice, ...]:
        return _rows(options[i], kind, lengths, peak[i])

    return Charge(
        name=NAMES[kind],
        unit="million tokens",
        quantity_per_day=tokens,
        usd_per_unit=np.divide(usd, tokens, out=np.full(len(options), np.nan), where=tokens > 0),
        source=lambda i: sources_of(prices(i)),
        prices=prices,
    )


def _batch_charge(
    options: tuple[ApiOption, ...], workload: Workload, peak: Sequence[float], listed: Sequence[Charge]
) -> list[Charge]:
    """What the work that may wait a day costs less at the batch prices of the same model."""
    if workload.batch is None or not any(option.batch for option in options):
        return []
    requests = workload.requests_per_day
    twins = tuple(replace(option, tariff=option.batch or option.tariff) for option in options)
    there = [_token_charge(kind, twins, workload, peak, requests) for kind in KINDS]
    known = ~np.any([np.isnan(c.usd_per_unit) & (c.quantity_per_day > 0) for c in there], axis=0)
    usd = (total_usd_per_day(there, len(options)) - total_usd_per_day(listed, len(options))) / requests

    def prices(i: int) -> tuple[ChargedRow, ...]:
        return tuple(row for charge in there for row in charge.prices(i))

    return [
        Charge(
            name="batch prices for work that may wait",
            unit="request",
            quantity_per_day=np.where(known & (usd < 0), workload.batch.requests_per_day, 0.0),
            usd_per_unit=usd,
            source=lambda i: sources_of(prices(i)),
            prices=prices,
        )
    ]


def _amount(shape: TokenShape, kind: str) -> float:
    usage = shape.usage
    return {
        "input": usage.fresh_input,
        "cached_input": usage.cached_input,
        "cache_write": usage.cache_write,
        "output": usage.output,
    }[kind]


def _usd_per_mtok(option: ApiOption, kind: str, prompt_tokens: float, peak_share: float) -> float:
    """The price of one kind for a prompt of that length, averaged over peak and other hours; NaN: not known."""
    usd = 0.0
    for hours, share in (("peak", peak_share), ("off_peak", 1 - peak_share)):
        row = option.tariff.row(kind, prompt_tokens, hours)
        if share:
            usd += share * float(row.usd_per_mtok) if row else float("nan")
    return usd


def _peak_share(requests_per_hour: Floats, window: PeakWindow | None) -> float:
    """The share of requests that fall into a provider's peak hours."""
    if window is None or not requests_per_hour.any():
        return 1.0
    week = np.resize(requests_per_hour, 7 * HOURS_PER_DAY)
    return float(week[list(window.hours_of_week_utc)].sum() / week.sum())


def usd_per_request_by_hour(
    options: tuple[ApiOption, ...], workload: Workload, policy: Policy, windows: dict[str, PeakWindow]
) -> Floats:
    """What one request costs in each of the workload's hours, options x hours."""
    hours = len(workload.requests_per_hour)
    week = [windows.get(option.tariff.offer.provider) for option in options]
    inside = np.ones((len(options), 7 * HOURS_PER_DAY))
    for row, window in zip(inside, week, strict=True):
        if window is not None:
            row[:] = 0.0
            row[list(window.hours_of_week_utc)] = 1.0
    share = inside.reshape(len(options), 7 * HOURS_PER_DAY // hours, hours).mean(axis=1)
    usd = [api_costs(options, workload, policy, windows, (), times).usd_per_day for times in (inside, 1 - inside)]
    peak, other = (
        np.divide(cost, times.mean(axis=1) * HOURS_PER_DAY, out=np.zeros(len(options)), where=times.any(axis=1))
        for cost, times in zip(usd, (inside, 1 - inside), strict=True)
    )
    by_hour: Floats = other[:, None] + (peak - other)[:, None] * share
    return by_hour


def _discount(options: tuple[ApiOption, ...], policy: Policy, listed: Floats) -> Charge:
    """The negotiated share off the list price, as a line of its own: the lines above keep what their source says."""
    cut = policy.api_discount
    shares = [cut.get(o.tariff.offer.provider, cut.get("*", 0.0)) for o in options]
    off = np.array(shares, dtype=np.float64)
    return Charge(
        name="negotiated discount",
        unit="USD at list price",
        quantity_per_day=np.where(off > 0, listed, 0.0),
        usd_per_unit=-off,
        source=lambda _: (SPEC_SOURCE,),
    )


def _rows(option: ApiOption, kind: str, lengths: Sequence[float], peak_share: float) -> tuple[ApiPrice, ...]:
    """The rows by which a kind of token is charged in prompts of these lengths, in the hours that have requests."""
    hours = [name for name, share in (("peak", peak_share), ("off_peak", 1 - peak_share)) if share]
    found = (option.tariff.row(kind, length, name) for length in lengths for name in hours)
    return tuple(dict.fromkeys(row for row in found if row))


def requests_usd(option: ApiOption, input_tokens: Floats, cached_tokens: Floats, output_tokens: Floats) -> float | None:
    """What requests cost one by one at the list price; where peak hours have another, at the dearer.

    ``None``: a price that they need is not known. Each request pays by the length of its own prompt.
    """
    amounts = {"input": input_tokens - cached_tokens, "cached_input": cached_tokens, "output": output_tokens}
    edges = np.array(sorted(option.tariff.thresholds), dtype=np.float64)
    band = np.searchsorted(edges, input_tokens, side="left")
    usd = 0.0
    for kind, tokens in amounts.items():
        sums = np.bincount(band, weights=tokens, minlength=len(edges) + 1)
        for place in np.flatnonzero(sums):
            length = float(edges[place - 1]) + 1 if place else 0.0
            rows = [row for hours in ("peak", "off_peak") if (row := option.tariff.row(kind, length, hours))]
            if not rows:
                return None
            dearest = max(row.usd_per_mtok for row in rows)
            usd += float(sums[place]) / TOKENS_PER_MTOK * float(dearest)
    return usd
