"""From an Altair chart to inline SVG: text as text, colours from the page's style sheet, no request, no script.

Colours are CSS variables (``var(--api)``), so one drawing serves light, dark and paper.
"""

import re
from collections.abc import Callable
from threading import Lock
from xml.etree import ElementTree

import altair as alt
from vl_convert import vegalite_to_svg

ONE_CHART = Lock()
MEASURED_FONT = "Arial"
"""Text is measured in this font while drawing; the page shows it in its own."""
NAMESPACES = re.compile(r' xmlns(?::\w+)?="[^"]*"')
LONG_NUMBER = re.compile(r"(-?\d+\.\d{2})\d+")
LOCAL_URL = re.compile(r"url\(#([\w-]+)\)")
DROPPED = ("role", "style", "cursor", "pointer-events", "font-family", "stroke-miterlimit")
SPOKEN = "spot"
"""The class of a mark that says something when it is pointed at; its words are its ``<title>``."""
PLAIN = {"opacity": "1", "class": "", "stroke-width": "0"}
"""Attributes that say nothing at this value."""


def render(chart: Callable[[], alt.TopLevelMixin], key: str, title: str, description: str) -> str:
    """The chart as an ``<svg>`` with title and description; ``key`` keeps its ids apart from others on the page.

    The chart is made here, one at a time: Altair's setters (``alt.X(...).scale(...)``) keep what they set in one place
    for all threads, so that two charts made at once get each other's axes.
    """
    with ONE_CHART:
        made = chart().to_dict(validate=False)
    drawn = vegalite_to_svg(made, allowed_base_urls=[])
    return inlined(drawn, key, title, description)


def inlined(svg: str, key: str, title: str, description: str) -> str:
    """An SVG document as an element of a page: named, described, with ids of its own and without dead weight.

    >>> inlined('<svg xmlns="x" width="9" height="9" viewBox="0 0 9 9"><g role="x"/></svg>', "k", "T", "a < b")
    '<svg ... aria-labelledby="k-t k-d"><title id="k-t">T</title><desc id="k-d">a &lt; b</desc></svg>'
    """
    root = ElementTree.fromstring(NAMESPACES.sub("", svg))
    ids = [found for element in root.iter() if (found := element.get("id"))]
    _clean(root, {name: f"{key}-{number}" for number, name in enumerate(ids)})
    for name in ("version", "class"):
        root.attrib.pop(name, None)
    root.attrib.update({"class": "picture", "role": "img", "aria-labelledby": f"{key}-t {key}-d"})
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        told = ElementTree.Element(tag, {"id": f"{key}-{tag[0]}"})
        told.text = text
        root.insert(place, told)
    return ElementTree.tostring(root, encoding="unicode")


def _clean(element: ElementTree.Element, ids: dict[str, str]) -> None:
    """Drop what is not seen, shorten numbers, and replace ids by the page's own."""
    words = element.get("aria-label") if element.get("role") == "graphics-symbol" else None
    for name, value in list(element.attrib.items()):
        if name in DROPPED or name.startswith("aria-") or PLAIN.get(name) == value:
            del element.attrib[name]
        elif name == "id":
            element.set(name, ids[value])
        elif name != "class":
            local = LOCAL_URL.sub(lambda found: f"url(#{ids[found[1]]})", value)
            element.set(name, LONG_NUMBER.sub(r"\1", local))
    for child in list(element):
        _clean(child, ids)
        if _unseen(child):
            element.remove(child)
    if element.tag == "g":
        element.attrib.pop("class", None)
    if words:
        element.set("class", SPOKEN)
        ElementTree.SubElement(element, "title").text = words


def _unseen(element: ElementTree.Element) -> bool:
    if element.tag == "g":
        return len(element) == 0
    if element.tag != "path":
        return False
    painted = element.get("fill", "none") not in ("none", "transparent") or element.get("stroke") is not None
    return element.get("display") == "none" or not element.get("d") or not painted
