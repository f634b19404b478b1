"""The plan as one self-contained page: no request, no script, for screen, paper and screen reader.

The template is data of the package (``page.html``, ``page.css``); whatever it shows is escaped by Jinja2.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from importlib import resources
from importlib.util import find_spec
from typing import TYPE_CHECKING

from breakeven import __version__
from breakeven.errors import SpecError
from breakeven.evidence import Source
from breakeven.planner import Plan
from breakeven.planner.spread import Ranges
from breakeven.report import words
from breakeven.report.answer import bill_band
from breakeven.report.cited import Sources
from breakeven.report.right_answers import success_words, thousand_words
from breakeven.report.sections import cost_table, heading, load_table, section
from breakeven.report.spread import band_words, range_foot, signed_usd
from breakeven.units import DAYS_PER_MONTH
from breakeven.wording import quoting

if TYPE_CHECKING:
    from jinja2 import BaseLoader, Environment
    from markupsafe import Markup

EXTRA = ("altair", "jinja2", "vl_convert")
"""What draws and fills in; loaded only when a page is written."""
MAY_END = re.compile(r"[:/@_-]|(?<!\d)[.,]|[.,](?!\d)")
"""Behind these a long name may go on in the next line."""


def html_page(plans: Sequence[Plan], tops: Sequence[int], ranges: Sequence[Ranges | None] | None = None) -> bytes:
    """The page of these plans, a section each, with the first so many of every group in the ranking.

    ``ranges``: what each answer is worth over its horizon, where that was drawn.

    Raises:
        SpecError: if the extra that draws is not installed.
    """
    check_extra(EXTRA, "--html", "report")
    from breakeven.report.charts import series_classes  # noqa: PLC0415 - Altair is loaded when a page is written
    from breakeven.report.pictures import pictures  # noqa: PLC0415

    known: Mapping[str, Source] = {key: row for plan in plans for key, row in plan.catalogue.sources.items()}
    sources = Sources(known)
    drawn = ranges or [None] * len(plans)
    sections = [
        section(plan, top, sources, found, key=f"p{n}")
        for n, (plan, top, found) in enumerate(zip(plans, tops, drawn, strict=True), 1)
    ]
    style = style_sheet()
    page = environment().from_string(_read("page.html"))
    html = page.render(
        sections=[(one, pictures(one)) for one in sections],
        sources=sources,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        series_classes=series_classes,
        version=__version__,
    )
    return html.encode()


def check_extra(names: Sequence[str], what: str, extra: str) -> None:
    """Refuse to begin on something whose packages are missing.

    Raises:
        SpecError: with the names of those that are, and how to get them.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise SpecError(
            quoting("{packages} is not installed, and {what} needs it", packages=" and ".join(missing), what=what),
            expected=quoting("the extra `{extra}`", extra=extra),
            do=quoting("pip install 'breakeven[{extra}]'", extra=extra),
        )


def style_sheet() -> str:
    """The colours, type and print rules of the house, for light, dark and paper."""
    return _read("page.css")


def _read(name: str) -> str:
    return resources.files("breakeven.report").joinpath(name).read_text(encoding="utf-8")


def environment(loader: "BaseLoader | None" = None) -> "Environment":
    """Jinja2 with everything escaped, nothing undefined, and the words of the terminal's report."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    found = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=loader)
    found.filters.update(
        usd=words.usd,
        count=words.count,
        quantity=words.quantity,
        price=price,
        plain=plain,
        breakable=breakable,
        sentence=sentence,
        signed=signed_usd,
        share=words.share,
    )
    found.globals.update(band_words=band_words, bill_band=bill_band, range_foot=range_foot)
    found.globals.update(
        cost_table=cost_table,
        success_words=success_words,
        thousand_words=thousand_words,
        load_table=load_table,
        heading=heading,
        monthly=monthly,
    )
    return found


def monthly(usd_per_day: float) -> float:
    """USD a month of 730 hours."""
    return usd_per_day * DAYS_PER_MONTH


def price(usd_per_unit: Decimal) -> str:
    """A price of one unit: six digits, no exponent, no zeros that say nothing.

    >>> price(Decimal("0.08000000000000002")), price(Decimal("2.5"))
    ('0.08', '2.5')
    """
    return plain(Decimal(words.unit_price(usd_per_unit)))


def plain(value: Decimal | float) -> str:
    """A number for programs: all its digits and no exponent.

    >>> plain(Decimal("12.50000000")), plain(Decimal("2E-7")), plain(0.1)
    ('12.5', '0.0000002', '0.1')
    """
    digits = f"{Decimal(str(value)):f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def breakable(name: str) -> "Markup":
    """A long name with places at which a line may end.

    >>> str(breakable("host:a<b"))
    'host:<wbr>a&lt;b'
    >>> str(breakable("m5.large: 2052.8 GB"))
    'm5.<wbr>large:<wbr> 2052.8 GB'
    """
    from markupsafe import Markup, escape  # noqa: PLC0415

    return Markup(MAY_END.sub(lambda mark: f"{mark[0]}<wbr>", str(escape(name))))


def sentence(text: str) -> "Markup":
    """A sentence in which the ids of options, and what stands between backticks, are set as code.

    >>> str(sentence("host:x costs <1."))
    '<code>host:<wbr>x</code> costs &lt;1.'
    >>> str(sentence("not counted (`people` in the spec)"))
    'not counted (<code>people</code> in the spec)'
    """
    from markupsafe import Markup, escape  # noqa: PLC0415

    parts = []
    for place, piece in enumerate(text.replace(" %", "\N{NO-BREAK SPACE}%").split("`")):
        code = place % 2 == 1
        words = [piece] if code else piece.split(" ")
        told = [Markup("<code>{}</code>").format(word) if code else _named(word, escape(word)) for word in words]
        parts.append(Markup(" ").join(told))
    return Markup("").join(parts)


def _named(word: str, otherwise: "Markup") -> "Markup":
    """A word that is the id of an option as code, without what a sentence puts behind it."""
    from markupsafe import Markup  # noqa: PLC0415

    name = word.rstrip(",;，；、")
    name = name[:-1] if name.endswith((":", ".", "：", "。")) else name
    if not word.startswith(("host:", "api:", "hybrid:", "cascade:")) or len(name) <= len("host:"):
        return otherwise
    return Markup("<code>{}</code>{}").format(breakable(name), word[len(name) :])
