"""The texts of the pages in each language, from one catalogue: a file a language, the same keys in all of them."""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import get_args

import yaml

from breakeven.report import words
from breakeven.ui.scenario import Language

TAGS: dict[Language, str] = {"en": "en", "zh": "zh-Hans"}
"""What a page says its language is."""
NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}
MYRIAD, MYRIAD_SQUARED = 1e4, 1e8


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one language."""

    lang: Language
    by_key: dict[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The text of that key with its places filled in; a key that is not there is a mistake in the code."""
        return self.by_key[key].format(**values)

    def known(self, key: str, otherwise: str) -> str:
        """The text of a key that is made from data, or the data themselves."""
        return self.by_key.get(key, otherwise)

    @property
    def tag(self) -> str:
        """The language as a page declares it."""
        return TAGS[self.lang]

    @property
    def foreign(self) -> str:
        """The language of sentences that are English on every page; empty where that is the page's own."""
        return "" if self.lang == "en" else "en"

    def count(self, value: float) -> str:
        """A volume with three significant digits.

        >>> texts("zh").count(1_234_567), texts("zh").count(950), texts("en").count(1_234_567)
        ('123 万', '950', '1.23 million')
        """
        if self.lang == "en" or value < MYRIAD:
            return words.count(value)
        unit, sign = (MYRIAD_SQUARED, "亿") if value >= MYRIAD_SQUARED else (MYRIAD, "万")
        return f"{float(f'{value / unit:.3g}'):,g} {sign}"


@cache
def texts(lang: Language) -> Texts:
    """The texts of a language.

    >>> texts("en")("nav.decide")
    'Decide'
    """
    file = resources.files("breakeven.ui").joinpath("texts", f"{lang}.yaml")
    return Texts(lang, dict(_flat(yaml.safe_load(file.read_text(encoding="utf-8")), "")))


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
