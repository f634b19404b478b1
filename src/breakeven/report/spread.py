"""The range of an answer in sentences: its band, what it hangs on, the next step, and whether to commit."""

from breakeven.planner.spread import (
    ClassRange,
    Commitment,
    CrossoverRange,
    InputRange,
    Measurement,
    OptionRange,
    Ranges,
)
from breakeven.planner.verdict import Verdict
from breakeven.report.words import count, share, usd, usd_range
from breakeven.units import MONTHS_PER_YEAR

NOTEWORTHY = 0.01
"""A chance of less is not told."""
NAMED = 3
WORTH_A_DAY_USD = 100.0
"""Below this over the horizon a benchmark is told to be not worth its while."""


def range_sentences(found: ClassRange, months: int) -> tuple[str, ...]:
    """What is told of one class, in order: the choice, the chances, the break-even, the next step, the commitment."""
    parts = [
        _choice(found, months),
        _chances(found),
        break_even_range(found.crossover),
        next_step(found.measurements, months),
        "" if found.commitment is None else commitment_sentence(found.commitment),
    ]
    return tuple(part for part in parts if part)


def band_words(option: OptionRange | None) -> str:
    """The 80 % band over the horizon; ``unknown`` where the speed has no band, ``-`` where nothing was drawn.

    >>> band_words(None)
    '-'
    """
    if option is None:
        return "-"
    low, high = option.usd_per_day_low, option.usd_per_day_high
    if low is None:
        return "unknown"
    return f"≥ {usd(low)}" if high is None else usd_range(low, high)


def band_of(verdict: Verdict, ranges: Ranges | None) -> str:
    """The 80 % band of a bill: over the horizon where ranges were drawn, else that of the speed alone."""
    if ranges is not None:
        return band_words(ranges.of(verdict.option.id))
    low, high = verdict.usd_per_day_low, verdict.usd_per_day_high
    return "-" if low is None or high is None else usd_range(low, high)


def target_words(verdict: Verdict) -> str:
    """Whether the target is kept, with which chance where the speed has a band, and whether that was predicted."""
    if verdict.meets_slo is None:
        return "unknown"
    if not verdict.meets_slo:
        return "missed"
    if verdict.meets_slo_probability is not None:
        return f"{verdict.meets_slo_probability:.0%} sure"
    return "predicted" if verdict.basis in ("extrapolated", "calibrated") else "kept"


def _choice(found: ClassRange, months: int) -> str:
    chosen = found.of(found.chosen)
    if chosen is None:
        return ""
    if chosen.usd_per_day_low is None:
        band = "its band is not known, because that of its speed is not"
    else:
        band = f"{band_words(chosen)} a day in 80 of 100 cases, {usd(chosen.usd_per_day_mid)} in the middle"
    regret, others = "", len(found.options) - 1
    if others and chosen.chance_cheapest == 1.0:
        regret = f"; in no case is another of the {len(found.options)} drawn cheaper"
    elif others and found.regret_usd_per_day is not None:
        regret = (
            f"; choosing it now is expected to cost {usd(found.regret_usd_per_day)} a day more than the best in "
            "hindsight"
        )
    sentence = f"Over the next {months} months {found.chosen} costs {band}{regret}."
    if found.cheapest_on_average != found.chosen:
        sentence += f" On the mean of all cases {found.cheapest_on_average} is cheaper."
    return sentence


def _chances(found: ClassRange) -> str:
    likely = sorted(found.options, key=lambda option: -option.chance_cheapest)[:NAMED]
    named = [f"{o.option} in {share(o.chance_cheapest)}" for o in likely if o.chance_cheapest >= NOTEWORTHY]
    return f"The cheapest of the {len(found.options)} drawn is {', '.join(named)} of the cases." if named[1:] else ""


def break_even_range(found: CrossoverRange | None) -> str:
    """The break-even with its band."""
    if found is None:
        return ""
    low, mid, high = found.requests_per_day_low, found.requests_per_day_mid, found.requests_per_day_high
    if low is None:
        return f"In {share(found.chance_never)} of the cases self-hosting never stays cheaper."
    middle = "" if mid is None else f", {count(mid)} in the middle"
    if high is None:
        never = f"; in {share(found.chance_never)} of the cases self-hosting never stays cheaper"
        return f"Over these months the break-even lies at {count(low)} requests a day or more{middle}{never}."
    return f"Over these months the break-even lies at {count(low)} to {count(high)} requests a day{middle}."


def next_step(measurements: tuple[Measurement, ...], months: int) -> str:
    """The benchmark that is worth most, and what the others are worth."""
    if not measurements:
        return ""
    first, *rest = measurements
    over = "the year" if months == MONTHS_PER_YEAR else f"{months} months"
    if not first.usd_over_horizon:
        return "Next step: no benchmark would change the choice; the speeds do not decide this."
    if first.usd_over_horizon < WORTH_A_DAY_USD:
        return (
            f"Next step: no benchmark is worth more than {usd(first.usd_over_horizon)} over {over}; the speeds do not "
            "decide this."
        )
    others = ""
    if rest:
        below, second = _rounded_up(rest[0].usd_over_horizon), rest[0].usd_over_horizon
        apart = below <= first.usd_over_horizon  # else a round figure would hide that the next one is worth as much
        others = f"; everything else under {usd(below)}" if apart else f"; the next best up to {usd(second)}"
    return f"Next step: benchmark {first.configuration}: worth up to {usd(first.usd_over_horizon)} over {over}{others}."


def signed_usd(amount: float) -> str:
    """Dollars with the sign in front.

    >>> signed_usd(-17.96), signed_usd(5.0)
    ('-$17.96', '$5.00')
    """
    return f"-{usd(-amount)}" if amount < 0 else usd(amount)


def _rounded_up(amount: float) -> float:
    """The next 1, 2 or 5 times a power of ten that is at least 10.

    >>> _rounded_up(695.0), _rounded_up(0.0)
    (1000.0, 10.0)
    """
    step = 10.0
    while step < amount:
        step *= 2.5 if str(int(step))[0] == "2" else 2.0
    return step


def commitment_sentence(found: Commitment) -> str:
    """Whether to commit for a year now or to wait, in one sentence with its figures."""
    now, later = found.now_usd_per_year, found.later_usd_per_year
    never = found.wait_months == MONTHS_PER_YEAR
    months = f"{found.wait_months} month{'' if found.wait_months == 1 else 's'}"
    way = "no commitment within the year" if never else f"{months} on demand and the decision then"
    figures = f"the year costs {usd(now)} on the mean when committed now, {usd(later)} with {way}"
    pays = f"waiting pays in {share(found.chance_waiting_pays)} of the cases"
    if later >= now:
        return f"Commitment: take {found.reserved} now: {figures}; {pays}."
    why = "" if never else ", because by then its real speed is known and prices have moved"
    return f"Commitment: wait with {found.reserved}: {figures}; {pays}{why}."


def input_words(found: InputRange) -> str:
    """One uncertain input with its range and what it rests on."""
    ends = f"x{found.low:.2g} to x{found.high:.2g}"
    return f"{found.name}: {ends} ({found.unit}, x{found.mid:.2g} in the middle); {found.because}"


def range_foot(found: Ranges) -> tuple[str, ...]:
    """What the bands were drawn from, and what they take for granted."""
    drawn = f"{found.scenarios} scenarios, seed {found.seed}"
    return (*found.assumptions, *(input_words(one) for one in found.inputs), f"bands drawn from {drawn}")
