"""The rules of the house that no linter knows (DESIGN: a function is a paragraph, a file is a page)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINES_PER_FILE = 400
LINES_PER_FUNCTION = 60
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users|work|tmp|opt|mnt|var)/\w|[A-Z]:\\\\")
LATER = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
STREAMS = re.compile(r"\bsys\.(?:stdout|stderr)\b")


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    """Every module of the package and of the tools, by its path from the root."""
    paths = (path for folder in ("src", "tools") for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(paths)}


def _functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Each function's name and length, less its docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            told = node.body[0] if ast.get_docstring(node) else None
            docstring = told.end_lineno - told.lineno + 1 if told else 0
            yield node.name, node.end_lineno - node.lineno + 1 - docstring


def test_a_file_is_a_page(written):
    lines = {path: len(text.splitlines()) for path, text in written.items()}
    assert {path: count for path, count in lines.items() if count > LINES_PER_FILE} == {}


def test_a_function_is_a_paragraph(written):
    functions = ((path, *found) for path, text in written.items() for found in _functions(ast.parse(text)))
    assert [found for found in functions if found[2] > LINES_PER_FUNCTION] == []


def test_a_module_says_what_it_is_for(written):
    assert [path for path, text in written.items() if not ast.get_docstring(ast.parse(text))] == []


def test_nothing_is_left_for_later(written):
    assert {path: found for path, text in written.items() if (found := LATER.findall(text))} == {}


def test_no_path_of_one_machine_stands_in_the_code(written):
    assert {path: found for path, text in written.items() if (found := MACHINE_PATH.findall(text))} == {}


def test_only_the_command_line_writes_to_the_terminal(written):
    """``print`` is linted away; this is the other way to do it."""
    shipped = {path: text for path, text in written.items() if path.startswith("src/")}
    assert {path for path, text in shipped.items() if STREAMS.search(text)} <= {"src/breakeven/cli/__init__.py"}


def test_the_rules_see_what_they_forbid():
    assert MACHINE_PATH.search("open('/home/ann/x')")
    assert not MACHINE_PATH.search("https://example.org/home/x and a/tmp/b")
    assert LATER.search("# TODO: later")
    assert STREAMS.search("sys.stderr.write(x)")
    long = "def f():\n    'doc'\n" + "    x = 1\n" * 61
    assert list(_functions(ast.parse(long))) == [("f", 62)]
