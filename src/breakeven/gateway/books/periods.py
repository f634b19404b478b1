"""The spans of time that a budget is for: a day, a month, or all time. All in UTC."""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, get_args

PeriodKind = Literal["day", "month", "total"]
MONTHS = 12
ALWAYS = float("inf")


class Period(NamedTuple):
    """One such span: its name, and from when until when it holds, in seconds since 1970."""

    name: str
    from_s: float
    until_s: float

    @property
    def renews(self) -> str | None:
        """When the next one begins, as people write it; ``None`` where there is no next one."""
        if self.until_s == ALWAYS:
            return None
        return f"{datetime.fromtimestamp(self.until_s, UTC):%Y-%m-%d %H:%M} UTC"


def period_at(kind: PeriodKind, now_s: float) -> Period:
    """The period of that kind in which a moment lies.

    >>> period_at("day", 1_700_158_546).name, period_at("month", 1_700_158_546).renews
    ('2023-11-16', '2023-12-01 00:00 UTC')
    """
    if kind == "total":
        return Period("total", -ALWAYS, ALWAYS)
    moment = datetime.fromtimestamp(now_s, UTC)
    begin = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "day":
        return Period(f"{begin:%Y-%m-%d}", begin.timestamp(), (begin + timedelta(days=1)).timestamp())
    begin = begin.replace(day=1)
    years, month = divmod(begin.month, MONTHS)
    end = begin.replace(year=begin.year + years, month=month + 1)
    return Period(f"{begin:%Y-%m}", begin.timestamp(), end.timestamp())


def periods_at(now_s: float) -> list[str]:
    """The names of all periods in which a moment lies."""
    return [period_at(kind, now_s).name for kind in get_args(PeriodKind)]
