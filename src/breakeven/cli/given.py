"""What is given on the command line, read: days."""

from datetime import date

from breakeven.errors import SpecError


def day_of(text: str, given: str = "--as-of") -> date:
    """A day as it was given. ``given``: what it was given as.

    Raises:
        SpecError: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as wrong:
        raise SpecError(
            f"{given} {text} is not a day", expected="a date like 2023-04-24", do="Write year-month-day"
        ) from wrong
