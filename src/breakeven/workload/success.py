"""How often an answer is right, what is done with a wrong one, and how few right ones will do."""

import math
from statistics import NormalDist
from typing import Annotated, Literal

import msgspec

from breakeven.errors import SpecError, refuse_odd_number
from breakeven.fields import said
from breakeven.wording import quoting

BAND = 0.8
"""Every interval is one of 80 %, as all bands of a plan."""
Z = NormalDist().inv_cdf((1 + BAND) / 2)
LARGEST_RETRIES = 100
FORMAT_SIGN = ":"
"""Between a model and the number format that a rate is for: ``llama-3.3-70b:int4``."""


class SuccessRate(msgspec.Struct, frozen=True, kw_only=True):
    """The share of right answers at the first attempt. ``low`` and ``high``: 80 %, ``None`` where nobody counted."""

    rate: float
    low: float | None = None
    high: float | None = None
    answers: float | None = None
    """How many answers were judged, or as many as the stated error stands for."""
    basis: Literal["stated", "measured"] = "stated"
    told: str = "your spec"
    """Where it was read."""


class CountedSuccess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A success rate with the number of answers that were judged, as a rate or as a count of right ones."""

    answers: Annotated[int, said("how many answers were judged")]
    right: Annotated[float | None, said("how many of them were right")] = None
    rate: Annotated[float | None, said("instead: the share that was right")] = None

    def __post_init__(self) -> None:
        refuse_odd_number("answers", self.answers, above_zero=True)
        if (self.right is None) == (self.rate is None):
            raise SpecError(
                "a success rate has right and rate"
                if self.rate is not None
                else "a success rate has neither right nor rate",
                expected="answers with one of right (a count) and rate (a share)",
                do="Give one of the two",
            )
        refuse_odd_number("right", self.right)
        if self.right is not None and self.right > self.answers:
            raise SpecError(
                quoting(
                    "{field} is {right:g} of {answers} answers", field="right", right=self.right, answers=self.answers
                ),
                expected="no more than answers",
                do="Correct it",
            )
        if self.rate is not None:
            refuse_odd_share("rate", self.rate)

    @property
    def share(self) -> float:
        """The share of right answers."""
        return self.rate if self.rate is not None else (self.right or 0.0) / self.answers


class EvaluationFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The results of an evaluation, and what of them is the success rate of which model."""

    file: Annotated[str, said("results JSON of lm-evaluation-harness, or a log of inspect_ai; from the spec's folder")]
    model: Annotated[str | None, said("the model's name in the catalogue, where the file names it otherwise")] = None
    task: Annotated[str | None, said("which task of the file, where it holds several")] = None
    metric: Annotated[str | None, said("which metric is the share of right answers, where it holds several")] = None


class Checker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What finds a wrong answer: tests, a validator, a model that judges."""

    sensitivity: Annotated[float, said("share of the wrong answers that it finds")] = 1.0
    specificity: Annotated[float, said("share of the right answers that it lets pass")] = 1.0
    usd_per_answer: Annotated[float | None, said("what one check costs; not counted if left out")] = None

    def __post_init__(self) -> None:
        for name in ("sensitivity", "specificity"):
            refuse_odd_share(f"checker.{name}", getattr(self, name))
        refuse_odd_number("checker.usd_per_answer", self.usd_per_answer)
        if self.sensitivity + self.specificity < 1:
            raise SpecError(
                quoting(
                    "{field} is {sensitivity:g} with a specificity of {specificity:g}: right "
                    "answers are sent back more often than wrong ones",
                    field="checker.sensitivity",
                    sensitivity=self.sensitivity,
                    specificity=self.specificity,
                ),
                expected="a sum of at least 1, which a coin reaches",
                do="Correct them, or turn the checker's verdict round",
            )


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Success rates by model, and what follows from a wrong answer. Part of a ``Policy``."""

    success: dict[str, SuccessRate] = {}
    floor: float | None = None
    retries: int = 0
    cascade: bool = False
    checker: Checker | None = None
    shared_failures: float | None = None

    def __post_init__(self) -> None:
        for model, found in self.success.items():
            refuse_odd_share(f"quality.success.{model}", found.rate)
        if self.floor is not None:
            refuse_odd_share("quality.floor", self.floor)
        if self.shared_failures is not None:
            refuse_odd_share("quality.shared_failures", self.shared_failures)
        if not 0 <= self.retries <= LARGEST_RETRIES:
            raise SpecError(
                quoting("{field} is {value}", field="quality.retries", value=self.retries),
                expected=quoting("0 to {most}", most=LARGEST_RETRIES),
                do="Correct it",
            )

    @property
    def repeats(self) -> bool:
        """Whether anything is done with an answer that is found wrong."""
        return self.retries > 0 or self.cascade


class QualitySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Success rates on your own task, and what is done with a wrong answer (docs/guides/quality.md)."""

    success: Annotated[
        dict[str, float | CountedSuccess],
        said(
            "share of right answers by model (or `provider/model`, or `model:format`): 0.92, or "
            "`{answers: 200, right: 184}`, which gives it an interval"
        ),
    ] = {}
    evaluations: Annotated[
        list[str | EvaluationFile], said("files with the results of evaluations, from the spec's folder")
    ] = []
    floor: Annotated[float | None, said("the share of right answers that is enough, retries counted")] = None
    retries: Annotated[int, said("how often an answer found wrong is tried again; each attempt is billed")] = 0
    cascade: Annotated[bool, said("consider a cheap model first with a stronger one as fall-back")] = False
    checker: Annotated[Checker | None, said("what finds a wrong answer; without it every one is found, for free")] = (
        None
    )
    shared_failures: Annotated[
        float | None,
        said(
            "share of the requests on which another attempt fails as the first did, and on which a model solves all "
            "that weaker ones solve; without it attempts fail by chance alone"
        ),
    ] = None

    def answers(self) -> Answers:
        """What the spec says itself; evaluation files are read by whoever may touch the disk."""
        return Answers(
            success={model: stated_rate(found) for model, found in self.success.items()},
            floor=self.floor,
            retries=self.retries,
            cascade=self.cascade,
            checker=self.checker,
            shared_failures=self.shared_failures,
        )


def stated_rate(found: float | CountedSuccess) -> SuccessRate:
    """A rate as a spec gives it, with its interval where answers were counted."""
    if isinstance(found, CountedSuccess):
        return counted(found.share, found.answers)
    return SuccessRate(rate=float(found))


def counted(
    rate: float, answers: float, basis: Literal["stated", "measured"] = "stated", told: str = "your spec"
) -> SuccessRate:
    """A rate with the interval that so many judged answers give it."""
    low, high = wilson(rate, answers)
    return SuccessRate(rate=rate, low=low, high=high, answers=answers, basis=basis, told=told)


def wilson(rate: float, answers: float, z: float = Z) -> tuple[float, float]:
    """The interval of a share, of 80 % unless told otherwise: (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927). For
    marks between 0 and 1 it is wide enough, because no marks with that mean vary more than right and wrong do.

    >>> [round(end, 3) for end in wilson(0.9, 200)]
    [0.869, 0.924]
    """
    share = z * z / answers
    middle = (rate + share / 2) / (1 + share)
    half = z * math.sqrt(rate * (1 - rate) / answers + share / (4 * answers)) / (1 + share)
    return max(0.0, min(middle - half, rate)), min(1.0, max(middle + half, rate))


def refuse_odd_share(name: str, value: float) -> None:
    """Refuse what is no share from 0 to 1.

    Raises:
        SpecError: if it is not.
    """
    if not 0 <= value <= 1:
        raise SpecError(
            quoting("{field} is {value:g}", field=name, value=value),
            expected="a share from 0 to 1",
            do="Write 0.92 for 92 %",
        )
