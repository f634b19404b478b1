"""What a plan's answer is worth when speeds, tokens, traffic and prices are not known for sure: the result's types."""

from datetime import date

import msgspec


class InputRange(msgspec.Struct, frozen=True, kw_only=True):
    """One uncertain input: its median and 80 % range, and what that rests on."""

    name: str
    low: float
    mid: float
    high: float
    unit: str
    because: str


class OptionRange(msgspec.Struct, frozen=True, kw_only=True):
    """What one contender costs over the horizon, on the mean of its months.

    ``low``, ``mid`` and ``high`` are the 10 % end, the median and the 90 % end of the scenarios; ``None`` where the
    band of the speed is not known, or where machines run out.
    """

    option: str
    usd_per_day_today: float
    usd_per_day_low: float | None
    usd_per_day_mid: float | None
    usd_per_day_high: float | None
    usd_per_day_mean: float | None
    chance_cheapest: float
    regret_usd_per_day: float | None
    """What choosing it now is expected to cost more than the cheapest of each scenario."""
    speed_band_known: bool


class CrossoverRange(msgspec.Struct, frozen=True, kw_only=True):
    """The break-even over the horizon; ``None``: never stays cheaper at that end."""

    left: str
    requests_per_day_low: float | None
    requests_per_day_mid: float | None
    requests_per_day_high: float | None
    chance_never: float
    """The share of scenarios in which self-hosting does not stay cheaper up to 100 million requests a day."""


class SwingRange(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of the tornado: the margin of the option chosen over its best rival with one input at its ends."""

    input: str
    low: str
    """The input at its low end, in words."""
    high: str
    margin_usd_per_day_low: float
    margin_usd_per_day_high: float
    winner_low: str
    winner_high: str
    changes: bool
    """Whether another option than the one chosen is the cheapest at an end."""


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark of one configuration would be worth, as a lower expected cost of the choice."""

    configuration: str
    """Model, number format and machine in words."""
    option: str
    usd_per_day: float
    usd_over_horizon: float
    informs: int
    """Of how many other contenders it tells something."""


class Commitment(msgspec.Struct, frozen=True, kw_only=True):
    """A year's commitment now against waiting. USD are the expected cost of a year."""

    reserved: str
    on_demand: str
    now_usd_per_year: float
    later_usd_per_year: float
    wait_months: int
    """The best wait; 12: no commitment within the year."""
    never_usd_per_year: float
    chance_waiting_pays: float


class ClassRange(msgspec.Struct, frozen=True, kw_only=True):
    """One class of quality: its contenders, what the answer hangs on, and what would make it surer."""

    group: str
    chosen: str
    """The cheapest at today's prices: the choice whose regret is told."""
    margin_usd_per_day: float | None
    """Of the chosen over its best rival, with every input at its middle; ``None`` without a rival."""
    regret_usd_per_day: float | None
    cheapest_on_average: str
    """The option with the least expected cost over the horizon."""
    options: tuple[OptionRange, ...]
    left_out: int
    """Contenders that are dearer than all of these, or of which the target is not known to be kept."""
    crossover: CrossoverRange | None
    tornado: tuple[SwingRange, ...]
    measurements: tuple[Measurement, ...]
    commitment: Commitment | None
    """``None`` where the option chosen cannot be both committed to and had on demand."""

    def of(self, option: str) -> OptionRange | None:
        """The range of one option by its id; ``None`` where it was not drawn."""
        return next((found for found in self.options if found.option == option), None)


class Ranges(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is drawn over the scenarios of one plan. The same plan and seed give the same figures."""

    seed: int
    scenarios: int
    horizon_months: int
    as_of: date
    inputs: tuple[InputRange, ...]
    assumptions: tuple[str, ...]
    classes: tuple[ClassRange, ...]

    def of(self, option: str) -> OptionRange | None:
        """The range of one option by its id, in whatever class it competes."""
        return next((found for one in self.classes if (found := one.of(option))), None)

    def of_class(self, group: str) -> ClassRange | None:
        """The class of that name."""
        return next((one for one in self.classes if one.group == group), None)
