"""Cascades: a cheap model first, and what is found wrong goes to a stronger one.

The first half carries all requests as it would alone. The fall-back is sized and charged again at the share that
reaches it; which machines are cheapest for so little may differ from those for everything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from breakeven.cost.fixed import fixed_costs
from breakeven.decision.curves import Curves
from breakeven.decision.rank import OVERALL, Contender, Ranking, joined
from breakeven.options.columns import Floats, Mask
from breakeven.options.success import KNOWN_SUCCESS, SuccessColumns
from breakeven.workload.attempts import Handed, handed


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """One model first and one as its fall-back. All figures are for a request of a caller, or a day of them."""

    first: Contender
    fallback: Contender
    """Its own rank and costs are those that it has alone."""
    first_attempts: float
    fallback_attempts: float
    escalated: float
    checks: float
    success: float
    fallback_share: float
    """Its attempts here over those that it makes when all requests come to it: it is sized for so much traffic."""
    usd_per_day: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Halves:
    """What may be one half: columns, one entry a contender."""

    contenders: tuple[Contender, ...]
    rate: Floats
    attempts: Floats
    """A request, when it serves alone."""
    usd_per_day: Floats
    """Alone, less the checks of its answers."""
    keeps_target: Mask

    @property
    def success(self) -> Floats:
        """Alone, with its retries."""
        return np.array([c.success for c in self.contenders])


def cascades_of(
    firsts: Sequence[Contender],
    fallbacks: Sequence[Contender],
    curves: Curves,
    model_of: Callable[[Contender], str],
) -> tuple[Cascade, ...]:
    """The cascades that neither a single option nor another cascade beats on both success and cost, cheapest first.

    ``firsts``: every choice of known success, below the floor or not; ``fallbacks``: the same, but a line a machine,
    among which the cheapest for the share that reaches it is looked for.
    """
    if curves.successes is None:
        return ()
    answers, requests = curves.successes.answers, curves.speed.workload.requests_per_day
    first, fallback = (_halves([c for c in some if c.success > 0], curves) for some in (firsts, fallbacks))
    ends = handed(first.rate[:, None], fallback.rate[None, :], answers)
    share = ends.fallback_attempts / fallback.attempts
    usd = first.usd_per_day[:, None] + _fallback_usd(first, fallback, share, curves) - _twice(first, fallback, curves)
    usd = usd + ends.checks * requests * curves.usd_per_check
    names = [np.array([model_of(c) for c in half.contenders]) for half in (first, fallback)]
    fit = (names[0][:, None] != names[1][None, :]) & (first.success[:, None] < fallback.success) & np.isfinite(usd)
    fit &= ends.success >= (answers.floor or 0.0)
    pairs = _front(usd, ends.success, fit, first, fallback)
    return tuple(
        Cascade(
            first=first.contenders[i],
            fallback=fallback.contenders[j],
            usd_per_day=float(usd[i, j]),
            fallback_share=float(share[i, j]),
            **{name: float(getattr(ends, name)[i, j]) for name in Handed.__slots__},
        )
        for i, j in pairs
    )


def ranked_with(ranking: Ranking, cascades: Sequence[Cascade]) -> Ranking:
    """The ranking with the cascades in it; their score is that of their weaker half."""
    found = [
        Contender(
            kind="cascade",
            number=number,
            usd_per_day=one.usd_per_day,
            score=float(np.minimum(one.first.score, one.fallback.score)),  # unknown where either is
            group=OVERALL if ranking.floor else KNOWN_SUCCESS,
            rank=0,
            meets_slo=True if one.first.meets_slo and one.fallback.meets_slo else None,
            success=one.success,
        )
        for number, one in enumerate(cascades)
    ]
    return joined(ranking, found)


def columns_of(contender: Contender, curves: Curves) -> tuple[SuccessColumns, int]:
    """The columns in which the success of a single option stands, and its place there."""
    if curves.successes is None:
        raise LookupError("no success rate is known")
    if contender.kind == "api":
        return curves.successes.api, contender.number
    return curves.successes.hosted, int(curves.hosted.options.row[contender.number])


def _halves(contenders: Sequence[Contender], curves: Curves) -> _Halves:
    places = [columns_of(c, curves) for c in contenders]
    checks = np.array([columns.checks[place] for columns, place in places], dtype=np.float64)
    alone = np.array([c.usd_per_day for c in contenders], dtype=np.float64)
    return _Halves(
        contenders=tuple(contenders),
        rate=np.array([columns.rate[place] for columns, place in places], dtype=np.float64),
        attempts=np.array([columns.attempts[place] for columns, place in places], dtype=np.float64),
        usd_per_day=alone - checks * curves.speed.workload.requests_per_day * curves.usd_per_check,
        keeps_target=np.array([c.meets_slo is True for c in contenders], dtype=np.bool_),
    )


def _fallback_usd(first: _Halves, fallback: _Halves, share: Floats, curves: Curves) -> Floats:
    """USD a day of each fall-back (columns) behind each first half (rows), less checks.

    What reaches it depends on the first half's rate alone, so each distinct rate is sized once.
    """
    bare, requests = curves.without_checks(), curves.speed.workload.requests_per_day
    _, some, each = np.unique(first.rate, return_index=True, return_inverse=True)
    usd = np.empty((len(some), len(fallback.contenders)))
    hosted = [n for n, c in enumerate(fallback.contenders) if c.kind == "hosted"]
    for n, contender in enumerate(fallback.contenders):
        if contender.kind == "api":
            usd[:, n] = bare.api_usd_per_day(contender.number, requests * share[some, n])
    if hosted:
        numbers = np.array([fallback.contenders[n].number for n in hosted], dtype=np.int64)
        volume = requests * share[some][:, hosted]
        usd[:, hosted] = bare.hosted_at(np.tile(numbers, len(some)), volume.ravel()).reshape(volume.shape)
    found: Floats = usd[each]
    return found


def shared_costs(one: str, other: str, curves: Curves) -> dict[str, float]:
    """Fixed costs that would stand on the bills of both halves: a cascade pays them once."""
    both = [dict(fixed_costs(curves.policy, kind)) for kind in (one, other)]
    return {name: usd for name, usd in both[1].items() if name in both[0]}


def _twice(first: _Halves, fallback: _Halves, curves: Curves) -> Floats:
    kinds = ("api", "hosted")
    usd = np.array([[sum(shared_costs(a, b, curves).values()) for b in kinds] for a in kinds])
    rows, columns = (np.array([kinds.index(c.kind) for c in h.contenders], dtype=np.int64) for h in (first, fallback))
    found: Floats = usd[rows[:, None], columns[None, :]]
    return found


def _front(usd: Floats, success: Floats, fit: Mask, first: _Halves, fallback: _Halves) -> list[tuple[int, int]]:
    """The pairs that nothing beats on both success and cost; what may miss the target never beats what keeps it."""
    kept: list[tuple[int, int]] = []
    keeps = first.keeps_target[:, None] & fallback.keeps_target[None, :]
    singles = [(c.compared_usd_per_day, c.success, c.meets_slo) for h in (first, fallback) for c in h.contenders]
    with np.errstate(divide="ignore", invalid="ignore"):
        compared = np.where(fit, usd / success, np.inf)
    for known in (True, False):
        best = [(single, right) for single, right, keeps_it in singles if keeps_it or not known]
        best += [(compared[i, j], success[i, j]) for i, j in kept]
        rivals = sorted(best)
        highest, place = 0.0, 0
        for n in np.argsort(np.where(keeps == known, compared, np.inf), axis=None, kind="stable"):
            i, j = (int(k) for k in np.unravel_index(n, compared.shape))
            if keeps[i, j] != known or not np.isfinite(compared[i, j]):
                break
            while place < len(rivals) and rivals[place][0] <= compared[i, j]:
                highest, place = max(highest, rivals[place][1]), place + 1
            if success[i, j] > highest:
                highest = float(success[i, j])
                kept.append((i, j))
    return kept
