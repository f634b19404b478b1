"""What is not known of the future: how long the answer must hold, how traffic grows, how long requests really are."""

from typing import Annotated

import msgspec

from breakeven.errors import SpecError, refuse_odd_number
from breakeven.fields import said
from breakeven.wording import quoting

LONGEST_MONTHS = 60


class Growth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By which factor traffic changes in a year: in 80 of 100 cases between ``low`` and ``high``.

    The defaults are an assumption (a third less to half as much again) and every answer with bands says so.
    """

    low: Annotated[float, said("one case in ten is below this factor a year (0.7: traffic falls by 30 %)")] = 0.7
    mid: Annotated[float, said("as likely above as below")] = 1.0
    high: Annotated[float, said("one case in ten is above this factor a year")] = 1.5

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            refuse_odd_number(f"uncertainty.growth.{name}", getattr(self, name), above_zero=True)
        if not self.low <= self.mid <= self.high:
            raise SpecError(
                quoting(
                    "{field} is {low:g}, {mid:g}, {high:g}",
                    field="uncertainty.growth",
                    low=self.low,
                    mid=self.mid,
                    high=self.high,
                ),
                expected="low, mid and high in rising order, as factors a year",
                do="Correct uncertainty.growth; 1 means that traffic stays as it is",
            )


class Uncertainty(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the bands of bills and break-evens are drawn from, beside the band of the speeds."""

    horizon_months: Annotated[int, said("for how many months the answer shall hold, 1 to 60")] = 12
    growth: Annotated[Growth, said("factors a year by which traffic grows or shrinks")] = Growth()
    tokens_spread: Annotated[
        float,
        said("mean input and output tokens lie in 80 of 100 cases within this factor of those given, each for itself"),
    ] = 1.2
    price_scenarios: Annotated[
        bool, said("whether prices move as they have in the catalogue's own history; `false` holds today's")
    ] = True

    def __post_init__(self) -> None:
        if not 1 <= self.horizon_months <= LONGEST_MONTHS:
            raise SpecError(
                quoting("{field} is {value}", field="uncertainty.horizon_months", value=self.horizon_months),
                expected=quoting("1 to {most} months", most=LONGEST_MONTHS),
                do="Write 12 for a year",
            )
        refuse_odd_number("uncertainty.tokens_spread", self.tokens_spread, above_zero=True)
        if self.tokens_spread < 1:
            raise SpecError(
                quoting("{field} is {value:g}", field="uncertainty.tokens_spread", value=self.tokens_spread),
                expected="a factor of 1 or more (1: the token counts are exact)",
                do="Write 1.2 for a fifth more or less",
            )

    @property
    def certain(self) -> "Uncertainty":
        """The same horizon with nothing unknown beside the speeds."""
        return msgspec.structs.replace(
            self, growth=Growth(low=1.0, mid=1.0, high=1.0), tokens_spread=1.0, price_scenarios=False
        )
