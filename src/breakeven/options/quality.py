"""Who may be compared with whom: scores, the floor, and classes of quality."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from breakeven.catalogue.load import Catalogue
from breakeven.errors import UnknownNameError
from breakeven.wording import quoting, worded
from breakeven.workload.policy import DEFAULT_SCALE, Policy

CLASS_WIDTH = {DEFAULT_SCALE: 50.0}
"""Width of a class of quality by scale. On the arena scale 50 points mean that the better model is preferred in
57 % of comparisons: 1 / (1 + 10^(-50/400))."""
DEFAULT_CLASSES = 10
OWN_SCALE = "your own scores"
UNKNOWN_CLASS = "quality unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Scores of models on one scale, and the floor, if one is set."""

    scale: str
    scores: Mapping[str, float]
    floor: float | None
    floor_words: str
    class_width: float

    def score(self, model: str | None) -> float:
        """The score of a model, NaN if it is not known."""
        return self.scores.get(model, math.nan) if model else math.nan

    def class_of(self, score: float) -> str:
        """The class of quality of a score.

        >>> Quality(scale="s", scores={}, floor=None, floor_words="", class_width=50.0).class_of(1432.0)
        '1400-1449'
        """
        if math.isnan(score):
            return UNKNOWN_CLASS
        low = math.floor(score / self.class_width) * self.class_width
        last = low + self.class_width - (1 if self.class_width > 1 else 0)
        return f"{low:g}-{last:g}"


def quality_of(catalogue: Catalogue, policy: Policy) -> Quality:
    """The scale, the scores and the floor that a policy asks for.

    Raises:
        UnknownNameError: if the floor names a model without a score on the scale.
    """
    if policy.scores:
        scale, scores = OWN_SCALE, dict(policy.scores)
    else:
        scale = policy.quality_scale
        scores = {model: row.score for model, row in catalogue.scores(scale).items()}
    spread = max(scores.values()) - min(scores.values()) if scores else 0.0
    width = CLASS_WIDTH.get(scale) or _round_width(spread / DEFAULT_CLASSES)
    floor, words = _floor(policy.at_least, scores, scale)
    return Quality(scale=scale, scores=scores, floor=floor, floor_words=words, class_width=width)


def _floor(at_least: str | float | None, scores: Mapping[str, float], scale: str) -> tuple[float | None, str]:
    if at_least is None:
        return None, ""
    if isinstance(at_least, str):
        if at_least not in scores:
            raise UnknownNameError(
                quoting("scored model ({scale})", scale=scale), at_least, scores, search="breakeven catalogue search"
            )
        return scores[at_least], worded(
            "at least {model} ({score:g} on {scale})", model=at_least, score=scores[at_least], scale=scale
        )
    return float(at_least), worded("at least {score:g} on {scale}", score=at_least, scale=scale)


def _round_width(width: float) -> float:
    """The 1, 2 or 5 times a power of ten next above ``width``."""
    if width <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(width))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= width * (1 - 1e-9)))
