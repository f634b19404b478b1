"""What every number of a page says when it is pointed at: its source, its date and its basis."""

from collections.abc import Sequence
from dataclasses import dataclass

from breakeven.cost.bill import CostLine
from breakeven.decision.crossover import Crossover
from breakeven.planner import Plan
from breakeven.planner.spread import Ranges, SwingRange
from breakeven.planner.verdict import Verdict
from breakeven.report.cited import Figure, Sources
from breakeven.report.words import usd
from breakeven.ui.now import Choice, Now
from breakeven.ui.texts import Texts

LINES_NAMED = 3


@dataclass(frozen=True, slots=True)
class Tips:
    """The sentences of one plan in one language."""

    t: Texts
    plan: Plan
    cited: Sources

    @property
    def _day(self) -> str:
        return str(self.plan.as_of)

    def sources(self, ids: Sequence[str]) -> str:
        """Title, kind and day of every source."""
        cited = self.cited.cite(ids)
        told = [self.t("tips.source", title=self.t.say(one.title), read=self.t.say(one.provenance)) for one in cited]
        return self.t.say("; ").join(told) or self.t("tips.no_source")

    def basis(self, basis: str) -> str:
        """A basis in the words of the language."""
        return self.t.known(f"basis.{basis}", self.t.say(basis))

    def told(self, key: str) -> str:
        """What several numbers beside each other rest on: those of a sentence, a table or a picture."""
        catalogue, scale = self.plan.catalogue.digest, self.plan.quality.scale
        return self.t(f"tips.{key}", day=self._day, catalogue=catalogue, scale=scale)

    def lead(self, now: Now) -> str:
        """What the main sentence rests on."""
        if now.winner is None or now.winner_basis is None:
            return self.told("classes")
        return self.t("tips.lead", option=now.winner.option, day=self._day, basis=self.basis(now.winner_basis))

    def drawn(self, key: str, ranges: Ranges | None) -> str:
        """What numbers rest on that were drawn over the scenarios of the coming months."""
        if ranges is None:
            return self.told("bills")
        return self.t(f"tips.{key}", day=self._day, scenarios=ranges.scenarios, seed=ranges.seed)

    def because(self, verdict: Verdict) -> str:
        """What the reason of a verdict rests on."""
        return self.t("tips.because", day=self._day, basis=self.basis(verdict.basis))

    def choice(self, one: Choice) -> str:
        """What a cost of a card is."""
        return self.t("tips.choice", option=one.option, day=self._day)

    def month(self, one: Choice) -> str:
        """What a month's cost is."""
        return f"{self.t('tips.month')} {self.choice(one)}"

    def band(self, one: Choice) -> str:
        """The band of a card in words."""
        return self.t("now.band", low=usd(one.usd_per_day_low), high=usd(one.usd_per_day_high))

    def band_tip(self, one: Choice) -> str:
        """What a band is."""
        return f"{self.t('tips.band')} {one.option}"

    def break_even(self, found: Crossover) -> str:
        """What a break-even is, and its band."""
        told = self.t("tips.break_even", left=found.left, day=self._day)
        if found.low is None or found.high is None:
            return told
        return told + self.t("tips.break_even_band", low=self.t.count(found.low), high=self.t.count(found.high))

    def line(self, kind: str, option: str) -> str:
        """What a point of a line is."""
        return self.t(f"tips.line_{kind}", option=option, day=self._day)

    def bill(self, verdict: Verdict) -> str:
        """What a bill adds up."""
        known = sorted((line for line in verdict.bill.lines if line.usd), key=lambda line: -(line.usd or 0))
        largest = self.t.say("; ").join(
            self.t("tips.largest", name=self.t.say(line.name), usd=usd(line.usd), sources=self.sources(line.source))
            for line in known[:LINES_NAMED]
        )
        basis = self.basis(verdict.basis)
        return self.t("tips.bill", count=len(verdict.bill.lines), largest=largest, basis=basis)

    def mtok(self, verdict: Verdict) -> str:
        """What a price a million tokens is."""
        return self.t("tips.mtok", basis=self.basis(verdict.basis))

    def quantity(self, line: CostLine, verdict: Verdict) -> str:
        """What a quantity on a bill follows from."""
        return self.t("tips.quantity", unit=self.t.say(line.unit), basis=self.basis(verdict.basis))

    def figure(self, figure: Figure) -> str:
        """What a figure rests on."""
        return self.t("tips.figure", basis=self.basis(figure.basis), sources=self.sources(figure.sources))

    def load(self, basis: str) -> str:
        """What the load rests on."""
        return self.t("tips.load", basis=self.basis(basis))

    def swing(self, _: SwingRange, ranges: Ranges) -> str:
        """What an end of a bar of the tornado rests on."""
        return self.t("tips.swing", scenarios=ranges.scenarios, seed=ranges.seed, day=self._day)

    def point(self) -> str:
        """What a time on the front rests on."""
        return self.t("tips.point", day=self._day)
