"""Dollars as decimal text outside, whole picodollars inside; nothing is rounded on the way."""

import re

from breakeven.errors import SpecError
from breakeven.units import PICO_USD_PER_USD

DECIMALS = 12
USD_PATTERN = rf"^[0-9]{{1,7}}(\.[0-9]{{1,{DECIMALS}}})?$"
"""Dollars as the admin API takes and gives them."""
MOST_USD = 9_000_000
"""The largest budget: its picodollars fit into the 64-bit integers of both stores, with room for what is held."""
_WRITTEN = re.compile(USD_PATTERN.strip("^$"))


def pico_usd_of(text: str) -> int:
    """Picodollars of an amount in dollars.

    >>> pico_usd_of("0.15")
    150000000000

    Raises:
        SpecError: if it is no such amount.
    """
    if not _WRITTEN.fullmatch(text):
        raise SpecError(
            f"{text!r} is no amount in dollars",
            expected=f"digits, with at most {DECIMALS} of them behind a point, such as 25 or 0.15",
            do="Correct it",
        )
    whole, _, part = text.partition(".")
    found = int(whole) * PICO_USD_PER_USD + int(part.ljust(DECIMALS, "0"))
    if found > MOST_USD * PICO_USD_PER_USD:
        raise SpecError(f"{text} dollars are too many", expected=f"at most {MOST_USD:,}", do="Give less, or no budget")
    return found


def usd_of(pico_usd: int) -> str:
    """Picodollars as dollars, without zeros at the end.

    >>> usd_of(150_000_000_000), usd_of(-2_000_000_000_000)
    ('0.15', '-2')
    """
    whole, part = divmod(abs(pico_usd), PICO_USD_PER_USD)
    behind = f".{part:0{DECIMALS}}".rstrip("0").rstrip(".") if part else ""
    return f"{'-' if pico_usd < 0 else ''}{whole}{behind}"
