"""One catalogue of texts: every language has every key, and no template says anything by itself."""

import re
from pathlib import Path
from string import Formatter

import pytest

from breakeven.ui.texts import NAMES, preferred, texts

UI = Path(__file__).parents[2] / "src" / "breakeven" / "ui"
TEMPLATES = sorted((UI / "templates").glob("*.html"))
UNTRANSLATED = {"breakeven", "en", "zh", "Mtok", "API"}
"""Words that are the same in every language."""
CALLED = re.compile(r"""\bt\("([a-z_.]+)\"""")
BUILT = re.compile(r"""\bt(?:\.known)?\("([a-z_.]+)" ~""")


def _places(text):
    return {field for _, field, _, _ in Formatter().parse(text) if field}


def test_every_language_has_the_same_keys_with_the_same_places():
    first = texts("en").by_key
    for lang in NAMES:
        mine = texts(lang).by_key
        assert mine.keys() == first.keys()
        for key, text in mine.items():
            assert _places(text) == _places(first[key]), f"{lang}: {key}"
            assert text.strip(), f"{lang}: {key}"


def test_chinese_is_chinese():
    same = [key for key, text in texts("zh").by_key.items() if text == texts("en").by_key[key]]
    assert set(same) <= {"nav.api", "accuracy.gpu"}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_text_of_its_own(path):
    text = path.read_text(encoding="utf-8")
    bare = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", " ", text, flags=re.DOTALL)
    shown = re.sub(r"<[^>]*>| data-tip=", " ", re.sub(r"<!DOCTYPE[^>]*>", " ", bare))
    attributes = re.findall(r'(?:title|aria-label|placeholder|alt)="([^"]*)"', bare)
    words = set(re.findall(r"[A-Za-z]{2,}", re.sub(r"&\w+;", " ", shown)))
    assert words <= UNTRANSLATED
    told = [value for value in attributes if re.search(r"[A-Za-z]{4,} [A-Za-z]{2,}", value)]
    assert told == []


@pytest.mark.parametrize("path", [*TEMPLATES, *sorted(UI.glob("*.py"))], ids=lambda path: path.name)
def test_every_text_that_is_asked_for_is_there(path):
    text = path.read_text(encoding="utf-8")
    known = texts("en").by_key
    built = set(BUILT.findall(text))
    for key in set(CALLED.findall(text)) - built:
        assert key in known, key
    for start in built:
        assert any(key.startswith(start) for key in known), start


def test_the_browser_s_first_language_that_there_is_is_taken():
    assert preferred("fr, zh-TW;q=0.8, en;q=0.7") == "zh"
    assert preferred("en-GB, zh;q=0.9") == "en"
    assert preferred("zh;q=abc") == "en"


def test_no_text_is_left_over():
    """Every key is asked for somewhere, by its name or by how it begins."""
    said = "\n".join(path.read_text(encoding="utf-8") for path in [*TEMPLATES, *UI.glob("*.py")])
    whole = set(re.findall(r"""["']([a-z_]+\.[a-z_]+)["']""", said))
    starts = set(re.findall(r"""["']([a-z_]+\.[a-z_]*)["'] ?~|f["']([a-z_]+\.[a-z_]*)\{""", said))
    begun = tuple(start for pair in starts for start in pair if start)
    assert [key for key in texts("en").by_key if key not in whole and not key.startswith(begun)] == []
