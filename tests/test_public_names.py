import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import breakeven


def test_the_public_names_are_sorted():
    assert breakeven.__all__ == sorted(breakeven.__all__)


def test_the_names_that_types_see_are_the_names_that_programs_get():
    tree = ast.parse(Path(breakeven.__file__).read_text())
    (seen,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name: line.module for line in seen.body for alias in line.names}
    assert typed == breakeven._HOME
    assert sorted(typed) == breakeven.__all__
    assert dir(breakeven) == sorted([*breakeven.__all__, "__version__"])


@pytest.mark.parametrize("name", breakeven.__all__)
def test_each_public_name_is_the_object_at_its_home(name):
    assert getattr(breakeven, name) is getattr(importlib.import_module(breakeven._HOME[name]), name)
    assert getattr(breakeven, name).__doc__


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'breakeven' has no attribute 'plam'"):
        _ = breakeven.plam


def test_the_example_at_the_top_of_the_package_runs():
    ran = doctest.testmod(breakeven)
    assert ran.attempted >= 3
    assert ran.failed == 0


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, breakeven; print(*sorted(m for m in sys.modules if '.' not in m))"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    )
    assert "breakeven" in loaded
    assert loaded & {"numpy", "typer", "click", "rich", "msgspec", "yaml", "uniplot"} == set()


def test_a_comparison_by_flags_loads_neither_an_event_loop_nor_yaml():
    asked = ["breakeven", "compare", "--requests-per-day", "1000", "--input-tokens", "9", "--output-tokens", "9"]
    code = (
        f"import atexit, sys; from breakeven.cli import main; sys.argv = {asked};"
        "atexit.register(lambda: print('loaded', *sorted(sys.modules.keys() & {'yaml', 'asyncio', 'scipy'})));"
        "main()"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "options compete" in ran.stdout or "considered" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "loaded"
