"""Scenarios planned: the plan, its ranges and its section of the report, kept so that a page asks for each once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from threading import Lock

import msgspec

from breakeven.catalogue.load import Catalogue
from breakeven.evidence import Basis
from breakeven.options.quality import UNKNOWN_CLASS
from breakeven.planner import Plan, plan
from breakeven.planner.ranges import ranges
from breakeven.planner.spread import Ranges
from breakeven.report.cited import Sources
from breakeven.report.figures import CostLines, cost_lines
from breakeven.report.pareto_chart import Front, front_of
from breakeven.report.sections import Ranked, Section, section, shown_of
from breakeven.ui.kept import Kept
from breakeven.ui.now import Now, now_at, now_of
from breakeven.ui.scenario import Scenario

PLANS_KEPT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything that is told of one scenario."""

    scenario: Scenario
    plan: Plan
    section: Section
    sources: Sources
    now: Now
    front: Front | None

    @property
    def load_basis(self) -> Basis:
        """The basis of the speed behind the load that is drawn."""
        row = None if self.section.load is None else self.row(self.section.load.option)
        return "extrapolated" if row is None else row.verdict.basis

    def row(self, option: str) -> Ranked | None:
        """One line of the ranking by the id of its option; ``None`` if it is not shown."""
        rows = (row for group in self.section.groups for row in group.rows)
        return next((row for row in rows if row.verdict.option.id == option), None)


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans scenarios over one catalogue."""

    catalogue: Catalogue
    today: Callable[[], date] = date.today
    _plans: Kept[Plan] = field(default_factory=lambda: Kept(PLANS_KEPT))
    _ranges: Kept[Ranges] = field(default_factory=lambda: Kept(PLANS_KEPT))
    _answers: Kept[Answer] = field(default_factory=lambda: Kept(PLANS_KEPT))
    _lines: Kept[tuple[Plan, tuple[CostLines, ...]]] = field(default_factory=lambda: Kept(PLANS_KEPT))
    """With the plan itself, so that its identity is not another's while they are kept."""
    _latest: dict[bytes, Plan] = field(default_factory=dict)
    """The newest plan of each scenario, whatever its traffic: what a drag of the traffic starts from."""
    _lock: Lock = field(default_factory=Lock)

    @property
    def _profiles(self) -> dict[str, tuple[float, ...]]:
        return {name: row.weights for name, row in self.catalogue.profiles.items()}

    def day(self, scenario: Scenario) -> date:
        """The day whose prices hold: the one that was given, else today, as far as anything is known of it."""
        return scenario.spec.as_of or max(self.today(), self.catalogue.last_day)

    def plan(self, scenario: Scenario) -> Plan:
        """The plan of a scenario over the whole catalogue.

        Raises:
            BreakevenError: if it cannot be planned.
        """
        return self._plans.get(self._key(scenario), lambda: self._planned(scenario))

    def _planned(self, scenario: Scenario) -> Plan:
        policy = msgspec.structs.replace(scenario.spec.policy(), as_of=self.day(scenario))
        found = plan(scenario.spec.workload(self._profiles), self.catalogue, policy, scenario.by)
        shape = self._key(_anywhere(scenario))
        with self._lock:
            self._latest.pop(shape, None)
            self._latest[shape] = found
            while len(self._latest) > PLANS_KEPT:
                del self._latest[next(iter(self._latest))]
        return found

    def check(self, scenario: Scenario) -> None:
        """Refuse a scenario whose workload makes no sense, without planning it.

        Raises:
            BreakevenError: with what is wrong.
        """
        scenario.spec.workload(self._profiles)

    def ranges(self, scenario: Scenario) -> Ranges:
        """What the answer is worth over the coming months, of every class: for those who take it along."""
        return self._ranges.get(self._key(scenario), lambda: ranges(self.plan(scenario)))

    def answer(self, scenario: Scenario) -> Answer:
        """The plan with everything that a page tells of it."""
        return self._answers.get(self._key(scenario), lambda: self._answered(scenario))

    def _answered(self, scenario: Scenario) -> Answer:
        found = self.plan(scenario)
        sources = Sources(found.catalogue.sources)
        compared = [group for group in found.ranking.groups if group != UNKNOWN_CLASS]
        drawn = self.ranges(scenario) if len(compared) == 1 else None  # of several classes a page tells none
        return Answer(
            scenario=scenario,
            plan=found,
            section=section(found, shown_of(found), sources, drawn, banded=1),
            sources=sources,
            now=now_of(found),
            front=front_of(found),
        )

    def step(self, scenario: Scenario) -> tuple[Plan, Now]:
        """The answer at the scenario's traffic from the newest plan that differs in its traffic alone."""
        base = self._latest.get(self._key(_anywhere(scenario))) or self.plan(scenario)
        volume = scenario.spec.traffic.requests_per_day
        if volume is None or volume == base.workload.requests_per_day:
            return base, now_of(base)
        self.check(scenario)
        return base, now_at(base, volume)

    def lines(self, found: Plan) -> CostLines | None:
        """The first picture's lines of a plan that a page shows; ``None`` where it has none."""
        costs = self._lines.get(id(found), lambda: (found, cost_lines(found, 1)))[1]
        return costs[0] if costs else None

    def sources(self, found: Plan) -> Sources:
        """The sources that a plan may cite."""
        return Sources(found.catalogue.sources)

    def _key(self, scenario: Scenario) -> bytes:
        return msgspec.json.encode((scenario.spec, scenario.by, self.day(scenario)))


def _anywhere(scenario: Scenario) -> Scenario:
    """The scenario less its traffic."""
    return scenario.with_requests(1.0)
