"""The Chinese page is Chinese: every pattern of planner and report has its words, no English sentence is left."""

import ast
import re
from html import unescape
from pathlib import Path
from string import Formatter

import msgspec
import pytest

from breakeven.ui.scenario import Scenario, scenario_of, slidable
from breakeven.ui.texts import texts
from breakeven.wording import Volume, joined, worded
from breakeven.workload.spec import read_specs

ROOT = Path(__file__).parents[2]
NO_PATTERN = {"Quoted", "Volume", "refilled"}
EXAMPLES = ("chat-assistant", "nightly-batch", "buying", "article-2023")
CASCADE = (
    'quality={"success": {"gpt-4o": 0.95, "gpt-4o-mini": 0.7, "llama-3.3-70b": 0.8}, "floor": 0.9, "retries": 1, '
    '"cascade": true, "checker": {"usd_per_answer": 0.0001, "sensitivity": 0.9, "specificity": 0.95}}&at_least='
)
ENGLISH = re.compile(r"\b[A-Za-z]*[a-z]{2,}(?: [a-z]{2,})+\b")
"""Two words or more, of which none but the first has a capital: an English sentence, or a part of one."""


def _said(node):
    """Every text that the first argument of a call can be."""
    if isinstance(node, ast.Constant):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return _said(node.body) | _said(node.orelse)
    if isinstance(node, ast.BinOp):
        return {first + second for first in _said(node.left) for second in _said(node.right)}
    return set()


def _patterns():
    found = {}
    for path in sorted((ROOT / "src" / "breakeven").rglob("*.py")):
        if path.name == "carried.py":  # puts together again what another process said
            continue
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        made = [name for node in imports if node.module == "breakeven.wording" for name in node.names]
        makers = {name.asname or name.name for name in made if name.name not in NO_PATTERN}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers:
                patterns = _said(node.args[0])
                assert patterns, f"{path.name}:{node.lineno}: the pattern must stand there as text"
                found |= dict.fromkeys(patterns, f"{path.name}:{node.lineno}")
    return found


def _places(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_pattern_has_chinese_words():
    known, patterns = texts("zh").said, _patterns()
    assert len(patterns) > 150
    bare = {pattern: re.sub(r"\{[^}]*\}", "", pattern) for pattern in patterns}
    assert {p: at for p, at in patterns.items() if re.search(r"[a-z]{2}", bare[p]) and p not in known} == {}


def test_chinese_words_fill_the_same_places_and_are_chinese():
    for pattern, words in texts("zh").said.items():
        assert _places(words) == _places(pattern), pattern
        assert words.strip()
    alike = [pattern for pattern, words in texts("zh").said.items() if pattern == words]
    assert set(alike) <= {"API", "{what} {name}"}


def test_words_within_words_and_volumes_are_said_too():
    inner = worded("{n} requests", n=3)
    whole = joined("; ", (worded("only around {low} requests a day", low=Volume(2e6)), inner, "gpt-4o"))
    assert whole == "only around 2 million requests a day; 3 requests; gpt-4o"
    assert texts("en").say(whole) == whole
    assert texts("zh").say(whole) == "仅在每天约 200 万次请求时；3 个请求；gpt-4o"


def _queries():
    found = {"where it starts": "", "without a floor": "at_least=", "a cascade": CASCADE}
    for name in EXAMPLES:
        spec = read_specs(ROOT / "examples" / f"{name}.yaml")[0]
        found[name] = Scenario(spec=slidable(msgspec.structs.replace(spec, overlay=None))).query
    return found


@pytest.mark.parametrize("query", _queries().values(), ids=_queries())
def test_no_english_sentence_is_left_on_the_chinese_page(client, planner, query):
    answer = planner.answer(scenario_of(query))
    shown = [client.get(f"/?{query}&lang=zh").text]
    addresses = re.findall(r'(?:hx-get|data-draw)="(/part/(?:bill|picture)[^"]+)"', shown[0])
    addresses = [address for address in addresses if "narrow" not in address]
    assert addresses
    shown += [client.get(unescape(address) + "&lang=zh").text for address in addresses]
    names = [answer.plan.workload.name, *sorted((one.title for one in answer.sources.listed), key=len, reverse=True)]
    left = set()
    for html in shown:
        bare = re.sub(r"<(code|select|datalist|style)\b.*?</\1>|<option\b[^<]*</option>", " ", html, flags=re.DOTALL)
        told = re.findall(r'(?:title|aria-label|placeholder|data-busy|data-failed)="([^"]*)"', bare)
        told += re.findall(r">([^<>]+)<", bare)
        for text in map(unescape, told):
            for name in names:
                text = text.replace(name, "")  # noqa: PLW2901 - a text with all names taken off
            left |= set(ENGLISH.findall(text))
    assert left == set()
