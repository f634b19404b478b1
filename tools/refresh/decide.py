"""Which quotes become rows: the rule that is told in ``docs/guides/refresh.md``, in one place."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from breakeven.catalogue.schema import PriceRow
from refresh.quotes import (
    AUTHORITY_WORDS,
    Authority,
    Figures,
    Key,
    Quote,
    Reading,
    Refusal,
    figures_of,
    price_of,
    words_of,
)
from refresh.standing import Standing

SUDDEN = 5
"""One table that moves a price by more than this factor is not believed alone."""
Verdict = Literal["added", "unchanged", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of all that was said of one price."""

    key: Key
    verdict: Verdict
    quotes: tuple[Quote, ...]
    standing: tuple[PriceRow, ...]
    taken: Quote | None = None
    because: str = ""
    shaky: bool = False
    """Whether it casts doubt on the other prices of its tier."""

    @property
    def what(self) -> str:
        """What is priced."""
        return words_of(self.quotes[0].rows[0])

    @property
    def disputed(self) -> bool:
        """Whether the sources of this refresh do not all say the same."""
        return len({quote.figures for quote in self.quotes}) > 1


@dataclass(slots=True, kw_only=True)
class Outcome:
    """The decisions on every price, and what the readers themselves refused."""

    decisions: list[Decision]
    refused: list[Refusal] = field(default_factory=list)

    def of(self, verdict: Verdict) -> list[Decision]:
        """The decisions with that verdict."""
        return [decision for decision in self.decisions if decision.verdict == verdict]

    @property
    def disputed(self) -> list[Decision]:
        """The decisions on prices of which the sources do not say the same."""
        return [decision for decision in self.decisions if decision.disputed]


def decide(readings: Iterable[Reading], standing: Standing) -> Outcome:
    """A decision for every price that any reading quotes."""
    readings = list(readings)
    quotes: dict[Key, list[Quote]] = defaultdict(list)
    for reading in readings:
        for quote in reading.quotes:
            quotes[quote.key].append(quote)
    decisions = [_decide(key, tuple(said), standing) for key, said in quotes.items()]
    return Outcome(
        decisions=_together(decisions),
        refused=[refusal for reading in readings for refusal in reading.refused],
    )


def _decide(key: Key, quotes: tuple[Quote, ...], standing: Standing) -> Decision:
    """Hold quotes of one price against each other and against the standing price."""
    old = standing.rows.get(key, ())
    base = Decision(key=key, verdict="refused", quotes=quotes, standing=old)
    fresh = tuple(quote for quote in quotes if not _stale(quote, old, standing))
    if not fresh:
        return replace(base, because=f"older than the standing price, which is of {standing.day_of(old[0])}")
    support = _support(fresh)
    if old:
        held = figures_of(old)
        if set(support) == {held}:
            return replace(base, verdict="unchanged")
        support[held] = max(standing.authority(key), Authority.TWO_TABLES if held in support else Authority.TABLE)
    best = max(support.values())
    new = [figures for figures, authority in support.items() if authority == best and figures != figures_of(old)]
    if not new:
        agree = [quote.origin.name for quote in fresh if quote.figures == figures_of(old)]
        because = f"as it stands, like {' and '.join(agree)}" if agree else f"{AUTHORITY_WORDS[best]} stands"
        return replace(base, verdict="unchanged" if agree else "refused", because=because)
    if len(new) > 1:
        return replace(base, because="the tables disagree, and neither is the standing price", shaky=True)
    return _weigh(base, next(quote for quote in fresh if quote.figures == new[0]), best, standing)


def _weigh(base: Decision, taken: Quote, authority: Authority, standing: Standing) -> Decision:
    """Take the one new price, unless something speaks against it."""
    sudden = authority == Authority.TABLE and _moved(taken, base.standing) > SUDDEN
    doubt = f"one table alone moves it by more than {SUDDEN} times" if sudden else _doubt(base, authority, standing)
    if doubt:
        return replace(base, because=doubt, shaky=sudden)
    return replace(base, verdict="added", taken=taken, because=AUTHORITY_WORDS[authority])


def _stale(quote: Quote, old: tuple[PriceRow, ...], standing: Standing) -> bool:
    """Whether a quote is of a day before the standing price and says something else."""
    return bool(old) and quote.origin.published < standing.day_of(old[0]) and quote.figures != figures_of(old)


def _support(quotes: tuple[Quote, ...]) -> dict[Figures, Authority]:
    """How much each figure is believed: two tables that agree are worth more than one."""
    support: dict[Figures, Authority] = {}
    for quote in quotes:
        seconded = quote.figures in support and quote.origin.authority == Authority.TABLE
        alone = Authority.TWO_TABLES if seconded else quote.origin.authority
        support[quote.figures] = max(support.get(quote.figures, alone), alone)
    return support


def _moved(quote: Quote, old: tuple[PriceRow, ...]) -> float:
    """By which factor a quote moves the standing price, up or down; 1 where there is none."""
    if not old:
        return 1.0
    ratio = float(price_of(quote.rows[0]) / price_of(old[0]))
    return max(ratio, 1 / ratio)


def _doubt(base: Decision, authority: Authority, standing: Standing) -> str:
    """What speaks against a new price; empty if nothing does."""
    key, old = base.key, base.standing
    if old and old[0].effective_from == standing.day:
        return "a price of this very day stands already"
    if key[0] != "api":
        return ""
    if key[1:3] in standing.hourly and not key[6]:
        return "the catalogue prices it by hours of the day: enter it by hand, with its hours"
    if authority == Authority.TABLE and not old:
        if key in standing.ended:
            return f"it ended on {standing.ended[key].until}; one table is not enough to bring it back"
        if (*key[1:4], key[5]) not in standing.tiers:
            return f"a {'longer prompt' if key[5] else 'tier'} that nobody priced before; one table is not enough"
    return ""


def _together(decisions: list[Decision]) -> list[Decision]:
    """Prices of one tier move together: what one table says is not taken in part."""
    shaken = {decision.key[:4] for decision in decisions if decision.shaky}
    return [
        replace(one, verdict="refused", taken=None, because="another price of its tier, by the same table, is refused")
        if one.verdict == "added" and one.because == AUTHORITY_WORDS[Authority.TABLE] and one.key[:4] in shaken
        else one
        for one in decisions
    ]
