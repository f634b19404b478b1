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
from breakeven.wording import joined, worded

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
        return worded("{share:.0%} sure", share=verdict.meets_slo_probability)
    return "predicted" if verdict.basis in ("extrapolated", "calibrated") else "kept"


def _choice(found: ClassRange, months: int) -> str:
    chosen = found.of(found.chosen)
    if chosen is None:
        return ""
    if chosen.usd_per_day_low is None:
        band = "its band is not known, because that of its speed is not"
    else:
        band = worded(
            "{band} a day in 80 of 100 cases, {usd} in the middle",
            band=band_words(chosen),
            usd=usd(chosen.usd_per_day_mid),
        )
    regret, others = "", len(found.options) - 1
    if others and chosen.chance_cheapest == 1.0:
        regret = worded("; in no case is another of the {n} drawn cheaper", n=len(found.options))
    elif others and found.regret_usd_per_day is not None:
        regret = worded(
            "; choosing it now is expected to cost {usd} a day more than the best in hindsight",
            usd=usd(found.regret_usd_per_day),
        )
    sentence = worded(
        "Over the next {months} months {option} costs {band}{regret}.",
        months=months,
        option=found.chosen,
        band=band,
        regret=regret,
    )
    if found.cheapest_on_average != found.chosen:
        mean = worded("On the mean of all cases {option} is cheaper.", option=found.cheapest_on_average)
        return joined(" ", (sentence, mean))
    return sentence


def _chances(found: ClassRange) -> str:
    likely = sorted(found.options, key=lambda option: -option.chance_cheapest)[:NAMED]
    named = [
        worded("{option} in {share}", option=o.option, share=share(o.chance_cheapest))
        for o in likely
        if o.chance_cheapest >= NOTEWORTHY
    ]
    return (
        worded(
            "The cheapest of the {n} drawn is {named} of the cases.", n=len(found.options), named=joined(", ", named)
        )
        if named[1:]
        else ""
    )


def break_even_range(found: CrossoverRange | None) -> str:
    """The break-even with its band."""
    if found is None:
        return ""
    low, mid, high = found.requests_per_day_low, found.requests_per_day_mid, found.requests_per_day_high
    if low is None:
        return worded("In {share} of the cases self-hosting never stays cheaper.", share=share(found.chance_never))
    middle = "" if mid is None else worded(", {mid} in the middle", mid=count(mid))
    if high is None:
        never = worded("; in {share} of the cases self-hosting never stays cheaper", share=share(found.chance_never))
        return worded(
            "Over these months the break-even lies at {low} requests a day or more{middle}{never}.",
            low=count(low),
            middle=middle,
            never=never,
        )
    return worded(
        "Over these months the break-even lies at {low} to {high} requests a day{middle}.",
        low=count(low),
        high=count(high),
        middle=middle,
    )


def next_step(measurements: tuple[Measurement, ...], months: int) -> str:
    """The benchmark that is worth most, and what the others are worth."""
    if not measurements:
        return ""
    first, *rest = measurements
    over = "the year" if months == MONTHS_PER_YEAR else worded("{n} months", n=months)
    if not first.usd_over_horizon:
        return "Next step: no benchmark would change the choice; the speeds do not decide this."
    if first.usd_over_horizon < WORTH_A_DAY_USD:
        return worded(
            "Next step: no benchmark is worth more than {usd} over {over}; the speeds do not decide this.",
            usd=usd(first.usd_over_horizon),
            over=over,
        )
    others = ""
    if rest:
        below, second = _rounded_up(rest[0].usd_over_horizon), rest[0].usd_over_horizon
        apart = below <= first.usd_over_horizon  # else a round figure would hide that the next one is worth as much
        others = (
            worded("; everything else under {usd}", usd=usd(below))
            if apart
            else worded("; the next best up to {usd}", usd=usd(second))
        )
    return worded(
        "Next step: benchmark {configuration}: worth up to {usd} over {over}{others}.",
        configuration=first.configuration,
        usd=usd(first.usd_over_horizon),
        over=over,
        others=others,
    )


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
    months = worded("{n} month" if found.wait_months == 1 else "{n} months", n=found.wait_months)
    way = (
        "no commitment within the year" if never else worded("{months} on demand and the decision then", months=months)
    )
    figures = worded(
        "the year costs {now} on the mean when committed now, {later} with {way}",
        now=usd(now),
        later=usd(later),
        way=way,
    )
    pays = worded("waiting pays in {share} of the cases", share=share(found.chance_waiting_pays))
    if later >= now:
        return worded(
            "Commitment: take {reserved} now: {figures}; {pays}.", reserved=found.reserved, figures=figures, pays=pays
        )
    why = "" if never else ", because by then its real speed is known and prices have moved"
    return worded(
        "Commitment: wait with {reserved}: {figures}; {pays}{why}.",
        reserved=found.reserved,
        figures=figures,
        pays=pays,
        why=why,
    )


def input_words(found: InputRange) -> str:
    """One uncertain input with its range and what it rests on."""
    ends = worded("x{low:.2g} to x{high:.2g}", low=found.low, high=found.high)
    return worded(
        "{input}: {ends} ({unit}, x{mid:.2g} in the middle); {because}",
        input=found.name,
        ends=ends,
        unit=found.unit,
        mid=found.mid,
        because=found.because,
    )


def range_foot(found: Ranges) -> tuple[str, ...]:
    """What the bands were drawn from, and what they take for granted."""
    drawn = worded("{scenarios} scenarios, seed {seed}", scenarios=found.scenarios, seed=found.seed)
    return (
        *found.assumptions,
        *(input_words(one) for one in found.inputs),
        worded("bands drawn from {drawn}", drawn=drawn),
    )
