"""The uncertain inputs of a plan in words: what they are, where they come from, and what was assumed."""

from collections.abc import Sequence

import numpy as np

from breakeven.catalogue.trends import Trend
from breakeven.decision.contest import Contest, Trends
from breakeven.decision.rank import Contender
from breakeven.decision.tornado import HIGH, LOW, Swing, alike
from breakeven.planner.drawing import base_of
from breakeven.planner.spine import Plan
from breakeven.planner.spread import InputRange, SwingRange
from breakeven.wording import joined, worded
from breakeven.workload.uncertainty import Growth, Uncertainty

GIVEN = "your spec"
ASSUMED = "assumption (`uncertainty` in the spec)"


def configuration(plan: Plan, contender: Contender) -> str:
    """A contender's machines as one would benchmark them: ``llama-3.3-70b fp8 on p5.48xlarge (tp8)``."""
    number = base_of(plan, contender)
    row = int(plan.speed.rows[plan.hosted.options.row[number]])
    offer = plan.hosted.options.offers[plan.hosted.options.offer[number]]
    degree = plan.grid.fleet.hardware[plan.grid.hardware[row]].tensor_parallel
    split = f" (tp{degree})" if degree > 1 else ""
    return worded(
        "{model} {format} on {device}{degree}",
        model=plan.grid.models[plan.grid.model[row]].name,
        format=plan.grid.formats[plan.grid.number_format[row]].name,
        device=offer.machine,
        degree=split,
    )


def inputs_of(plan: Plan, trends: Sequence[tuple[str, Trends]]) -> tuple[InputRange, ...]:
    """Every uncertain input with its range; prices of equal quality once for each class."""
    unknown = plan.policy.uncertainty
    growth = unknown.growth
    spread = unknown.tokens_spread
    found = [
        InputRange(
            name="traffic",
            low=growth.low,
            mid=growth.mid,
            high=growth.high,
            unit="factor a year",
            because=ASSUMED if growth == Growth() else GIVEN,
        ),
        InputRange(
            name="mean input and output tokens, each for itself",
            low=1 / spread,
            mid=1.0,
            high=spread,
            unit="factor",
            because=ASSUMED if spread == Uncertainty().tokens_spread else GIVEN,
        ),
    ]
    for group, moves in trends:
        where = worded(" ({group})", group=group) if len(trends) > 1 else ""
        found += _trended(worded("API prices at equal quality{where}", where=where), moves.api, "levels of quality")
        found += _trended(
            worded("size of open models at equal quality{where}", where=where), moves.models, "levels of quality"
        )
    rents = trends[0][1].rents if trends else None
    return (*found, *_trended("machine rents", rents, "accelerators"))


def _trended(name: str, trend: Trend | None, what: str) -> list[InputRange]:
    if trend is None:
        return []
    return [
        InputRange(
            name=name,
            low=trend.factor(LOW),
            mid=trend.factor(0.5),
            high=trend.factor(HIGH),
            unit="factor a year",
            because=worded(
                "{windows} years of {series} {what} in the catalogue, {first} to {last}",
                windows=trend.windows,
                series=trend.series,
                what=what,
                first=trend.first,
                last=trend.last,
            ),
        )
    ]


def assumptions_of(plan: Plan, most: int) -> tuple[str, ...]:
    """What nobody stated and the bands take anyway."""
    unknown = plan.policy.uncertainty
    growth = unknown.growth
    found: list[str] = [
        worded(
            "bands are of the mean cost of the next {months} months; 80 of 100 cases lie inside; "
            "drawn for the {most} cheapest of each class",
            months=unknown.horizon_months,
            most=most,
        )
    ]
    if growth == Growth():
        found.append(
            worded(
                "traffic changes by a factor of {low:g} to {high:g} in a year, {mid:g} in the middle "
                "(uncertainty.growth)",
                low=growth.low,
                high=growth.high,
                mid=growth.mid,
            )
        )
    if unknown.tokens_spread == Uncertainty().tokens_spread:
        found.append(
            worded(
                "mean input and output tokens are known to a factor of {factor:g} (uncertainty.tokens_spread)",
                factor=unknown.tokens_spread,
            )
        )
    if unknown.price_scenarios:
        found.append(
            "prices move as they did in the catalogue's own history; an API is left for a cheaper one of equal "
            "quality, and a machine serves a smaller open model of equal quality as soon as there is one "
            "(uncertainty.price_scenarios: false holds today's)"
        )
    if any(option.provisioned for option in plan.api.options):
        found.append(
            "provisioned throughput: its hours follow the prices of APIs at equal quality, its commitments keep theirs"
        )
    if not np.isfinite(plan.speed.half_width).any() and len(plan.speed.rows):
        found.append(
            "the band of these speeds is not known: self-hosting has none, and chances and regret take its speed as "
            "given"
        )
    return tuple(found)


def swing_range(plan: Plan, contest: Contest, swing: Swing, chosen: int, ids: Sequence[str]) -> SwingRange:
    """One bar of the tornado in words."""
    name, *words = _ends(plan, contest, swing)
    ends = zip(words, swing.margins_usd_per_day, (ids[n] for n in swing.winners), strict=True)
    # What is drawn of a speed is the time that work takes, so its low end is the high one of the speed.
    (low, low_usd, low_winner), (high, high_usd, high_winner) = list(ends)[:: 1 if swing.of is None else -1]
    return SwingRange(
        input=name,
        low=low,
        high=high,
        margin_usd_per_day_low=low_usd,
        margin_usd_per_day_high=high_usd,
        winner_low=low_winner,
        winner_high=high_winner,
        changes=any(not alike(contest, winner, chosen) for winner in swing.winners),
    )


def _ends(plan: Plan, contest: Contest, swing: Swing) -> tuple[str, str, str]:
    unknown = plan.policy.uncertainty
    if swing.of is not None:
        factor = float(np.exp(contest.errors.deviation[swing.of] * 1.2816))
        name = configuration(plan, contest.contenders[swing.of])
        return worded("speed of {name}", name=name), f"x{factor:.2g}", f"x{1 / factor:.2g}"
    if swing.input in ("log_input", "log_output"):
        spread = unknown.tokens_spread
        return f"{swing.input.removeprefix('log_')} tokens", f"x{1 / spread:.2g}", f"x{spread:.2g}"
    if swing.input == "log_growth_per_year":
        return "traffic, a year", f"x{unknown.growth.low:.2g}", f"x{unknown.growth.high:.2g}"
    if swing.input == "rent":
        rents = contest.trends.rents
        low, high = (f"x{rents.factor(chance):.2g}" if rents else "x1" for chance in (LOW, HIGH))
        return "machine rents, a year", low, high
    both = {"API price": contest.trends.api, "size of open model": contest.trends.models}
    moving = {what: trend for what, trend in both.items() if trend is not None and trend.factor(LOW) != 1.0}
    low, high = (" / ".join(f"x{trend.factor(chance):.2g}" for trend in moving.values()) for chance in (LOW, HIGH))
    return worded("{what} at equal quality, a year", what=joined(" and ", moving) if moving else "prices"), low, high
