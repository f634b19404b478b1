"""The texts of the pages in each language, from one catalogue: a file a language, the same keys in all of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, get_args

import yaml
from markupsafe import Markup, escape

from breakeven.report import words
from breakeven.report.charts import WIDE_FROM
from breakeven.report.page import sentence
from breakeven.ui.scenario import Language
from breakeven.wording import Quoted, Volume, Wording, joined

TAGS: dict[Language, str] = {"en": "en", "zh": "zh-Hans"}
"""What a page says its language is."""
NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}
FASTEST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
COMMAND = re.compile("`([^`]*)`")
HAN, WIDE_MARK, TAGS_BETWEEN = "[\u4e00-\u9fff]", "[\u3001-\u301f\uff01-\uff65]", "((?:<[^<>]*>)*)"
SPACING = (
    (re.compile(f"({HAN}){TAGS_BETWEEN} +{TAGS_BETWEEN}(?={HAN})"), r"\1\2\3"),
    (re.compile(f"({WIDE_MARK}){TAGS_BETWEEN} +"), r"\1\2"),
    (re.compile(f" +{TAGS_BETWEEN}(?={WIDE_MARK})"), r"\1"),
    (re.compile(f"({HAN}){TAGS_BETWEEN}(?=[A-Za-z0-9$])"), r"\1\2 "),
    (re.compile(f"([A-Za-z0-9%]){TAGS_BETWEEN}(?={HAN})"), r"\1\2 "),
)
"""What stands between two characters, and what should."""
MYRIAD, MYRIAD_SQUARED = 1e4, 1e8


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one language."""

    lang: Language
    by_key: dict[str, str]
    said: dict[str, str]
    """What the planner and the report say, by the pattern in which they say it; nothing in their own language."""

    def __call__(self, key: str, **values: object) -> str:
        """The text of that key with its places filled in; a key that is not there is a mistake in the code."""
        told = self.by_key[key].format(**values)
        return spaced(told) if self.lang == "zh" else told

    def known(self, key: str, otherwise: str) -> str:
        """The text of a key that is made from data, or the data themselves."""
        return self.by_key.get(key, otherwise)

    @property
    def tag(self) -> str:
        """The language as a page declares it."""
        return TAGS[self.lang]

    @property
    def gap(self) -> str:
        """What stands behind a sentence or a colon; Chinese marks are wide enough by themselves."""
        return "" if self.lang == "zh" else " "

    def say(self, words: str) -> str:
        """What the planner or the report says, in this language; what has no other words stays as it is.

        >>> from breakeven.wording import worded
        >>> texts("zh").say(worded("only around {low} requests a day", low=Volume(1_234_567)))
        '仅在每天约 123 万次请求时'
        """
        if self.lang == "en":
            return str(words)
        if isinstance(words, Quoted):
            return str(words)
        if not isinstance(words, Wording):
            return self.said.get(words, words)
        pattern = self.said.get(words.pattern, words.pattern)
        if words.parts:
            return spaced(pattern.join(self.say(part) for part in words.parts))
        return spaced(pattern.format(**{name: self._place(value) for name, value in words.places.items()}))

    def _place(self, value: object) -> object:
        if isinstance(value, Volume):
            return self.count(value)
        return self.say(value) if isinstance(value, str) else value

    def marked(self, words: str) -> Markup:
        """The same as a part of a page: what is not in its language says so; commands and ids are set as code.

        >>> from breakeven.wording import quoting
        >>> str(texts("zh").marked(quoting("{path} is empty", path="a.csv")))
        '<span lang="en">a.csv</span> 是空的'
        """
        if self.lang == "en":
            return sentence(words)
        if not isinstance(words, Wording):
            said = words if isinstance(words, Quoted) else self.said.get(words, words)
            tongue = self.foreign(said)
            return Markup('<span lang="{}">{}</span>').format(tongue, sentence(said)) if tongue else sentence(said)
        pattern = self.said.get(words.pattern, words.pattern)
        if words.parts:
            return Markup(spaced(Markup(escape(pattern)).join(map(self.marked, words.parts))))
        places = {
            name: self.marked(value) if isinstance(value, str) else self._place(value)
            for name, value in words.places.items()
        }
        return Markup(spaced(Markup(COMMAND.sub(r"<code>\1</code>", str(escape(pattern)))).format(**places)))

    def foreign(self, words: str) -> str:
        """The language of words that are not in that of the page; empty where they are, or are in none."""
        own = any(character >= WIDE_FROM for character in words)
        return "en" if self.lang != "en" and not own and any(map(str.isalpha, words)) else ""

    def listed(self, words: Iterable[str]) -> str:
        """Several words of the planner or the report, one after the other."""
        return self.say(joined(", ", words))

    def count(self, value: float) -> str:
        """A volume with three significant digits.

        >>> texts("zh").count(1_234_567), texts("zh").count(950), texts("en").count(1_234_567)
        ('123 万', '950', '1.23 million')
        """
        if self.lang == "en" or value < MYRIAD:
            return words.count(value)
        unit, sign = (MYRIAD_SQUARED, "亿") if value >= MYRIAD_SQUARED else (MYRIAD, "万")
        return f"{float(f'{value / unit:.3g}'):,g} {sign}"


def spaced(words: str) -> str:
    """Chinese with a space between its characters and Latin ones, and none between or behind its own.

    >>> spaced("约 200 万 次请求： 3 个GPU"), spaced('<span lang="en">a.csv</span>是 空的')
    ('约 200 万次请求：3 个 GPU', '<span lang="en">a.csv</span> 是空的')
    """
    for between, instead in SPACING:
        words = between.sub(instead, str(words))
    return words


@cache
def texts(lang: Language) -> Texts:
    """The texts of a language.

    >>> texts("en")("nav.decide")
    'Decide'
    """
    said = {} if lang == "en" else _read(f"{lang}.said.yaml")
    return Texts(
        lang,
        dict(_flat(_read(f"{lang}.yaml"), "")),
        {key: text for part in said.values() for key, text in part.items()},
    )


def _read(name: str) -> dict[str, Any]:
    file = resources.files("breakeven.ui").joinpath("texts", name)
    found: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader=FASTEST)
    return found


def _flat(tree: dict[str, object], before: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in tree.items():
        name = f"{before}{key}"
        found += _flat(value, f"{name}.") if isinstance(value, dict) else [(name, str(value))]
    return found


def preferred(header: str) -> Language:
    """The language that a browser asks for, of those that there are.

    >>> preferred("zh-CN,zh;q=0.9,en;q=0.8"), preferred("de,en;q=0.5"), preferred("")
    ('zh', 'en', 'en')
    """
    weighed = []
    for part in header.split(","):
        tag, _, rest = part.strip().partition(";")
        weight = rest.strip().removeprefix("q=") or "1"
        lang = tag.split("-")[0].lower()
        if lang in get_args(Language) and weight.replace(".", "", 1).isdigit():
            weighed.append((float(weight), lang))
    best = max(weighed, default=(0.0, "en"), key=lambda found: found[0])
    return best[1]  # type: ignore[return-value]
