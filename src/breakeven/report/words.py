"""Numbers as people read them."""

from decimal import Decimal

from breakeven.wording import Volume, Wording, worded

WIDTH = 100
"""Columns of everything that is printed: a terminal of usual width, and a page of documentation."""


def usd(amount: float | Decimal | None) -> str:
    """Dollars with as many digits as matter.

    >>> usd(1234567.8), usd(12.345), usd(0.00042), usd(3e-8), usd(None)
    ('$1,234,568', '$12.35', '$0.00042', '$0.00000003', 'unknown')
    """
    if amount is None:
        return "unknown"
    value = float(amount)
    if value == float("inf"):
        return "cannot"
    if abs(value) >= 1000:
        return f"${value:,.0f}"
    if abs(value) >= 0.0995 or value == 0:
        return f"${value:,.2f}"
    return f"${Decimal(f'{value:.2g}'):f}"


def usd_range(low: float | Decimal, high: float | Decimal) -> str:
    """Two ends of a band in whole dollars, in cents where they are small.

    >>> usd_range(57.23, 1282.3), usd_range(1.2, 3.41)
    ('$57-1,282', '$1.20-3.41')
    """
    digits = 0 if low >= 10 else 2
    return f"${low:,.{digits}f}-{high:,.{digits}f}"


def count(value: float) -> Wording:
    """A volume with three significant digits and thousands separators.

    >>> count(78467.4), count(1234567), count(950)
    ('78,500', '1.23 million', '950')
    """
    return worded("{count}", count=Volume(value))


def quantity(value: float) -> str:
    """An amount on a bill: thousands separated, six digits, no exponent for what people count.

    >>> quantity(1_000_000), quantity(0.0123456789), quantity(23.5)
    ('1,000,000', '0.0123457', '23.5')
    """
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.6g}"


def unit_price(price: Decimal | None) -> str:
    """A price of one unit, six digits and no exponent.

    >>> unit_price(Decimal("0.0000166667")), unit_price(Decimal("2.03")), unit_price(None)
    ('0.0000166667', '2.03', 'unknown')
    """
    return "unknown" if price is None else f"{Decimal(f'{price:.6g}').normalize():f}"


def seconds(value: float) -> str:
    """A duration in ms below a second, else in s.

    >>> seconds(0.0472), seconds(2.345), seconds(1234.5)
    ('47 ms', '2.3 s', '1,234 s')
    """
    if value < 1:
        return f"{value * 1000:.2g} ms" if value < 0.0995 else f"{value * 1000:.0f} ms"
    return f"{value:.2g} s" if value < 99.5 else f"{value:,.0f} s"


def share(part: float) -> str:
    """A share in percent.

    >>> share(0.8421)
    '84 %'
    """
    return f"{part * 100:.0f} %"


def small_share(part: float) -> str:
    """A share in percent that may be far below one.

    >>> small_share(0.0421), small_share(0.00037), small_share(0.5), small_share(0.0)
    ('4.2 %', '0.037 %', '50 %', '0 %')
    """
    return f"{float(f'{part * 100:.2g}'):,g} %"


def folded(name: str, width: int) -> str:
    """A long option id over several lines, broken where its parts end.

    >>> folded("host:gemma-4-31b:int8:p4d.24xlarge:tp4:ec2@reserved-1y", 30).splitlines()
    ['host:gemma-4-31b:int8:', '  p4d.24xlarge:tp4:', '  ec2@reserved-1y']
    """
    lines, rest = [], name
    while len(rest) > width:
        cut = max(rest.rfind(mark, 0, width) for mark in ":/") + 1 or width
        lines.append(rest[:cut])
        rest = f"  {rest[cut:]}"
    return "\n".join([*lines, rest])
