import ast
from pathlib import Path

import pytest

from breakeven import units

SOURCE = Path(units.__file__).parent
OWNED = {
    units.SECONDS_PER_HOUR,
    units.SECONDS_PER_DAY,
    units.HOURS_PER_MONTH,
    units.HOURS_PER_YEAR,
    units.BYTES_PER_GIB,
    units.BYTES_PER_MIB,
    units.FLOPS_PER_TFLOPS,
}
"""The factors that no other module may write as a figure."""


def _figures(tree: ast.AST) -> list[tuple[int, float]]:
    """Every number in code, with its line; a power of two numbers counts as the number it is."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                found.append((node.lineno, value))
            case ast.BinOp(left=ast.Constant(value=int() as base), op=ast.Pow(), right=ast.Constant(value=int() as n)):
                found.append((node.lineno, base**n))
    return found


def test_a_conversion_factor_is_written_in_units_and_nowhere_else():
    others = (path for path in SOURCE.rglob("*.py") if path.name != "units.py")
    told = [(path.name, *found) for path in others for found in _figures(ast.parse(path.read_text(encoding="utf-8")))]
    assert len(told) > 100
    assert [found for found in told if found[2] in OWNED] == []


def test_the_scan_sees_powers_and_exponents():
    figures = _figures(ast.parse("a = 2**30\nb = 1e12 * x\nc = f(730)\nd = True\n'730'"))
    assert {(1, 2**30), (2, 1e12), (3, 730)} <= set(figures)
    assert (4, True) not in figures


def test_the_factors_agree_with_each_other():
    assert units.HOURS_PER_WEEK == units.DAYS_PER_WEEK * units.HOURS_PER_DAY
    assert units.HOURS_PER_YEAR == 12 * units.HOURS_PER_MONTH == 365 * units.HOURS_PER_DAY
    assert units.BYTES_PER_GIB == units.MIB_PER_GIB * units.BYTES_PER_MIB
    assert pytest.approx(365) == 12 * units.DAYS_PER_MONTH
