"""Outages: which share of the time each part is up, and what happens in the hours in which it is not."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from breakeven.errors import SpecError, refuse_odd_number
from breakeven.fields import said
from breakeven.wording import quoting

OnFailure = Literal["api", "replica", "lost"]


class Availability(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an outage costs. Shares that are not given are taken from published service levels, else not known."""

    apis: Annotated[
        dict[str, float], said("share of the time that paid APIs are up, by `provider/model` (`*` allowed): 0.999")
    ] = {}
    machines: Annotated[
        dict[Literal["sagemaker", "ec2", "own"], float],
        said("share of the time that a machine is up, by where it stands: `sagemaker`, `ec2`, `own`"),
    ] = {}
    failover: Annotated[
        OnFailure,
        said(
            "what happens meanwhile: `api`, the cheapest other provider of the class takes over; `replica`, a machine "
            "more stands by for one's own (paid APIs fail over to another); `lost`, requests are lost"
        ),
    ] = "api"
    lost_request_usd: Annotated[Decimal | None, said("what a lost request costs you, with `failover: lost`")] = None

    def __post_init__(self) -> None:
        for name, shares in (("apis", self.apis), ("machines", self.machines)):
            for key, share in shares.items():
                if not 0 < share <= 1:
                    raise SpecError(
                        quoting("{field} is {value:g}", field=f"availability.{name}.{key}", value=share),
                        expected="a share of the time, above 0 and at most 1",
                        do="Write 0.999 for 99.9 %",
                    )
        refuse_odd_number("availability.lost_request_usd", self.lost_request_usd)
        if (self.failover == "lost") != (self.lost_request_usd is not None):
            raise SpecError(
                quoting(
                    "{field} is {failover} and lost_request_usd is {lost_request_usd}",
                    field="availability.failover",
                    failover=self.failover,
                    lost_request_usd=self.lost_request_usd,
                ),
                expected="`failover: lost` with what a lost request costs, or neither",
                do="Give both or leave lost_request_usd out",
            )
