"""A chart in text, by uniplot; its optional compiler is kept out of the way."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CHART_WIDTH = 78


def drawn(*, height: int, **asked: Any) -> str:  # noqa: ANN401 - handed on to the library as they are
    """The chart as text with ANSI colours, ``CHART_WIDTH`` columns wide.

    Args:
        height: Rows of the plot.
        **asked: What ``uniplot.plot_to_string`` takes: ``xs``, ``ys``, ``legend_labels``, axes.

    >>> print(drawn(xs=[[1, 2]], ys=[[1, 2]], height=2, title="two points").splitlines()[0].strip())
    two points
    """
    text = _plot_to_string()(width=CHART_WIDTH, height=height, color=True, **asked)
    return "\n".join(text) if isinstance(text, list) else text


def _plot_to_string() -> Callable[..., str | list[str]]:
    with _without_numba():
        from uniplot import plot_to_string  # noqa: PLC0415 - drawn only when shown

    return plot_to_string


@contextmanager
def _without_numba() -> Iterator[None]:
    """Uniplot compiles its loops where it finds numba: half a second of loading for a millisecond of drawing."""
    hidden = "numba" not in sys.modules
    if hidden:
        sys.modules["numba"] = None  # type: ignore[assignment]  # an import of it fails, as where it is not installed
    try:
        yield
    finally:
        if hidden:
            del sys.modules["numba"]
