import doctest
import importlib
import pkgutil

import pytest

import breakeven

MODULES = sorted(found.name for found in pkgutil.walk_packages(breakeven.__path__, "breakeven."))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run_and_print_what_they_say(name):
    ran = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert ran.failed == 0  # pytest shows what doctest printed


def test_most_rooms_have_an_example():
    rooms = {room for room in MODULES if room.count(".") == 1}
    finder = doctest.DocTestFinder(exclude_empty=True)
    shown = {
        ".".join(name.split(".")[:2])
        for name in MODULES
        if any(test.examples for test in finder.find(importlib.import_module(name)))
    }
    assert len(shown & rooms) > len(rooms) / 2
