"""One fact in words: its label and unit read from its name, its value as people write it."""

import textwrap
from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from breakeven.units import DAYS_PER_WEEK, HOURS_PER_DAY

UNITS = {
    "usd_per_mtok": "USD/Mtok",
    "usd_per_hour": "USD/h",
    "gb_per_s_one_way": "GB/s one way",
    "flops_per_core_per_cycle": "FLOP per core and cycle",
    "gb_per_s": "GB/s",
    "gib_total": "GiB",
    "gib": "GiB",
    "gbps": "Gbit/s",
    "gb": "GB",
    "tflops": "TFLOPS",
    "tops": "TOPS",
    "ghz": "GHz",
    "usd": "USD",
    "w": "W",
    "s": "s",
}
"""The last words of a name that are its unit, longest first."""
SPELLED = {
    "ec2": "EC2",
    "sagemaker": "SageMaker",
    "vcpus": "vCPUs",
    "kv": "KV",
    "ci95": "95 % band",
    "tdp": "TDP",
    "cpu": "CPU",
    "nvme": "NVMe",
}
SHORT = {
    "accelerator_memory_gib_total": "device memory",
    "ec2_reserved_1y_usd_per_hour": "EC2 for a year",
    "canonical": "known elsewhere as",
    "response_limit_s": "time limit",
    "ci95": "95 % ±",
    "peak_hours_utc": "peak hours",
    "from_to": "amount a month",
}
"""Labels that are not the name's own words."""
ABSENT = {
    "accelerator": "none",
    "retired_on": "not announced",
    "delisted_by": "still listed",
    "response_limit_s": "none",
    "gateway_item": "none",
    "available_from": "always",
    "count": "as many as wanted",
    "families": "any",
    "also": "",
}
"""What ``None`` or an empty list means where it does not mean "unknown"."""
SPOKEN = ("kind", "dated", "date_basis")
"""Fields whose values are words joined by underscores."""
BILLION, MILLION = 1e9, 1e6
HEADING_WIDTH = 8
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BLOCKS = "▁▂▃▄▅▆▇█"


def label(name: str) -> tuple[str, str]:
    """The label and the unit in a field's name.

    >>> label("bandwidth_gb_per_s"), label("max_context"), label("ec2_usd_per_hour")
    (('bandwidth', 'GB/s'), ('max context', ''), ('EC2', 'USD/h'))
    """
    unit = next((unit for unit in UNITS if name == unit or name.endswith(f"_{unit}")), "")
    own = SHORT.get(name) or name.removesuffix(unit).replace("_", " ").strip()
    return " ".join(SPELLED.get(word, word) for word in own.split()), UNITS.get(unit, "")


def heading(name: str) -> str:
    """A column's head: label, in lines, over unit.

    >>> heading("cached_input_usd_per_mtok").split(chr(10))
    ['cached', 'input', 'USD/Mtok']
    """
    text, unit = label(name)
    return "\n".join([*textwrap.wrap(text, HEADING_WIDTH, break_long_words=False), *([unit] if unit else [])])


def words(name: str, value: Any) -> str:  # noqa: ANN401 - any value of a row
    """A value as text: money to its last digit, "unknown" for what is not known.

    >>> words("usd_per_hour", Decimal("1.624")), words("usd_per_mtok", Decimal("2.5")), words("licence", None)
    ('1.624', '2.50', 'unknown')
    >>> words("params_total", 116829156672), words("fp8_dense_tflops", 0), words("streams", True)
    ('117B', 'none', 'yes')
    """
    if value is None:
        return ABSENT.get(name, "unknown")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return exact(value)
    if isinstance(value, int | float):
        return _figure(name, value)
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value) or ABSENT.get(name, "none")
    return str(value).replace("_", " ") if name in SPOKEN else str(value)


def _figure(name: str, value: float) -> str:
    if name.startswith("params"):
        size, unit = (BILLION, "B") if value >= BILLION else (MILLION, "M")
        return f"{value / size:,.3g}{unit}" if value else "none"
    if not value and name.endswith(("_tflops", "_tops", "_gib_total")):
        return "none"
    return f"{value:,.10g}"


def exact(usd: Decimal) -> str:
    """An amount to its last digit, with two decimals at least.

    >>> exact(Decimal("0.0000166667")), exact(Decimal("30"))
    ('0.0000166667', '30.00')
    """
    whole, _, cents = f"{usd.normalize():,f}".partition(".")
    return f"{whole}.{cents:0<2}"


def weekly_hours(hours: Sequence[int]) -> str:
    """Hours of the week as days and times of day.

    >>> weekly_hours([*range(1, 4), *range(25, 28)])
    'Mon, Tue 01:00-04:00 UTC'
    >>> weekly_hours(range(168))
    'every day 00:00-24:00 UTC'
    """
    by_day = {day: _ranges([h % HOURS_PER_DAY for h in hours if h // HOURS_PER_DAY == day]) for day in range(7)}
    days_of: dict[str, list[int]] = {}
    for day, times in by_day.items():
        days_of.setdefault(times, []).append(day)
    parts = [
        f"{'every day' if len(days) == DAYS_PER_WEEK else ', '.join(DAYS[day] for day in days)} {times} UTC"
        for times, days in days_of.items()
        if times
    ]
    return "; ".join(parts)


def _ranges(hours: list[int]) -> str:
    """Hours of one day as times, neighbours joined."""
    runs = [
        [hour for _, hour in run] for _, run in groupby(enumerate(sorted(hours)), key=lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(f"{run[0]:02d}:00-{run[-1] + 1:02d}:00" for run in runs)


def weights_drawn(weights: Sequence[float]) -> str:
    """Hourly weights as blocks, a line a day.

    >>> weights_drawn([0.5] * 12 + [1.5] * 12)
    '▃▃▃▃▃▃▃▃▃▃▃▃████████████'
    """
    top = max(weights)
    drawn = "".join(BLOCKS[round(weight / top * (len(BLOCKS) - 1))] for weight in weights)
    days = [drawn[start : start + HOURS_PER_DAY] for start in range(0, len(drawn), HOURS_PER_DAY)]
    return days[0] if len(days) == 1 else "\n".join(f"{DAYS[day]} {line}" for day, line in enumerate(days))
