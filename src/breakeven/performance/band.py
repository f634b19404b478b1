"""How far to trust a prediction: an 80 % band, symmetric in the logarithm, wider where less was measured.

    low = mid / w, high = mid w,    log w = root of (width^2 + elsewhere^2),
    width = that of the evidence x spread of the stack x spread of the generation

The evidence is what measurements exist of: this model on this device, the device under this stack, the stack on this
generation, or nothing of the kind. Whoever is no source of the calibration, as every user, has a way of their own
(``elsewhere``; 0 for the sources, and for encoders, of which no stranger's row is known). The widths are read off
errors of held-out groups and, for that, of independent publishers (docs/theory/accuracy.md).
"""

import numpy as np

from breakeven.evidence import Basis, Estimate
from breakeven.options.columns import Floats, Ints
from breakeven.performance.calibration import Effect, Parameters
from breakeven.performance.effects import Axes
from breakeven.performance.kinds import Kinds, measured_as
from breakeven.performance.measured import TARGETS

EVIDENCE = ("pair", "device", "generation", "parts", "none")
"""What was measured, best first: the (model, device, stack), the (device, stack), the (generation, stack), the
generation and the stack but never together, not even that."""
LEVELS = {
    "pair": ("gpu", "model", "stack"),
    "device": ("gpu", "stack"),
    "generation": ("generation", "stack"),
}
CALIBRATED = 2
"""Up to this place in ``EVIDENCE`` a prediction counts as calibrated."""
WIDEST = 3.0
GENERATION = "generation "
"""In front of a generation's name among the spreads."""
ELSEWHERE = "elsewhere"
"""Among the bands: half the width, in the logarithm, of what who is no source of the calibration does otherwise."""
BETWEEN = " | "


def evidence(kinds: Kinds, parameters: Parameters) -> Ints:
    """For each row the place in ``EVIDENCE`` of the best that was measured."""
    axes = Axes(kinds)
    found = np.full(len(kinds.model), EVIDENCE.index("none"), dtype=np.int64)
    apart = [_counted(axes, parameters, (axis,)) > 0 for axis in ("generation", "stack")]
    found[apart[0] & apart[1]] = EVIDENCE.index("parts")
    for name in ("generation", "device", "pair"):
        found[_counted(axes, parameters, LEVELS[name]) > 0] = EVIDENCE.index(name)
    return found


def _counted(axes: Axes, parameters: Parameters, names: tuple[str, ...]) -> Floats:
    """How many measurements there are of each row's level."""
    counts = parameters.evidence.get(names, {})
    plain = Effect(axes=names, factors={}, counts=counts)
    return np.zeros(axes.rows) + axes.looked_up(plain, counts)


def bases(kinds: Kinds, parameters: Parameters) -> list[Basis]:
    """What each row's prediction rests on, in a word."""
    return [basis_of(int(place)) for place in evidence(kinds, parameters)]


def basis_of(place: int) -> Basis:
    """The word for a place in ``EVIDENCE``."""
    return "calibrated" if place <= CALIBRATED else "extrapolated"


def half_widths(kinds: Kinds, parameters: Parameters, place: Ints | None = None) -> dict[str, Floats]:
    """Half the 80 % band of each target in the logarithm, one value a row."""
    place = evidence(kinds, parameters) if place is None else place
    return {target: _width(kinds, parameters, target, place) for target in TARGETS}


def _width(kinds: Kinds, parameters: Parameters, target: str, place: Ints) -> Floats:
    widths = parameters.bands.get(target, {})
    spread = parameters.bands.get("spread", {})
    base = np.array([widths.get(name, np.nan) for name in EVIDENCE])[place]

    def factor(stack: str, mode: str) -> float:
        every = spread.get(BETWEEN.join((target, stack)), 1.0)
        return spread.get(BETWEEN.join((target, stack, mode)), every)

    found: Floats = base * kinds.by_stack(lambda s: factor(s.name, s.mode))
    found = found * kinds.by_device(lambda d: spread.get(BETWEEN.join((target, GENERATION + d.generation)), 1.0))
    stranger = kinds.by_stack(lambda s: not s.studied) > 0
    found = np.where(stranger, np.hypot(found, parameters.bands.get(ELSEWHERE, {}).get(target, 0.0)), found)
    return np.minimum(found, WIDEST) * narrowing(kinds, parameters, target)


def pass_widths(kinds: Kinds, parameters: Parameters) -> dict[str, Floats]:
    """Half the 80 % band of an encoder's pass: narrower where its kind of network was measured under its stack."""
    widths = parameters.bands.get("pass", {})
    known = _counted(Axes(kinds), parameters, ("shape", "stack")) > 0
    width = np.where(known, widths.get("stack", np.nan), widths.get("none", np.nan))
    return {target: width if target != "tpot_s" else np.full(len(width), np.nan) for target in TARGETS}


def narrowing(kinds: Kinds, parameters: Parameters, target: str) -> Floats:
    """Which share of its width each row's band keeps after what the user measured; 1 where nothing was."""
    found = np.ones(len(kinds.model))
    for group, share in parameters.narrowed.get(target, {}).items():
        gpu, model, stack = group
        mine = np.array([d.name == gpu for d in kinds.devices], dtype=np.bool_)[kinds.device]
        mine &= np.array([measured_as(m.name) == model for m in kinds.models], dtype=np.bool_)[kinds.model]
        mine &= np.array([s.name == stack for s in kinds.stacks], dtype=np.bool_)[kinds.stack]
        found[mine] = share
    return found


def banded(mid: float, width: float, basis: Basis, source: str) -> Estimate:
    """An estimate with a band of so much in the logarithm; none where it is not known."""
    if not np.isfinite(width):
        return Estimate(mid=mid, basis=basis, sources=(source,))
    factor = float(np.exp(width))
    return Estimate(mid=mid, basis=basis, low=mid / factor, high=mid * factor, sources=(source,))
