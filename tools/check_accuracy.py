"""The accuracy on held-out groups: written to the docs, or compared with what was committed.

python tools/check_accuracy.py --write   docs/theory/accuracy.md and accuracy.json anew, and the pairs behind them
python tools/check_accuracy.py           exit 1 if the total is worse by more than 5 % or a part by more than 10 %
"""

import csv
import io
import math
import sys
from pathlib import Path
from typing import Any

import msgspec

from accuracy_page import STRANGERS, Beside, page
from breakeven import load_catalogue
from breakeven.performance.calibration import typical_parameters
from breakeven.performance.fit import Problem
from breakeven.performance.measured import TARGETS, Table, independent_measurements, shipped_measurements
from fitting import TERMS, prior_parameters
from heldout import Figures, configurations_per_s, doubted_of, elsewhere, judged, scatter_of
from learning import Learning, learnt
from others import held_out_others, other_errors, without_paces
from starts import Room, judged_starts, shipped_starts

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "theory" / "accuracy.md"
COMMITTED = ROOT / "docs" / "theory" / "accuracy.json"
PAIRS = ROOT / "src" / "breakeven" / "performance" / "data" / "held_out.csv"
TOTAL_MAY_GROW, PART_MAY_GROW = 0.05, 0.10
FEWEST = 50
"""Parts with fewer rows are told but not guarded: one group decides them."""
FEWEST_GROUPS = 15
"""The same of what own rows tell."""
HOLDS = (0.7, 0.9)
"""What the band that own rows leave may hold, where 80 % are stated."""


def guarded(ways: dict[str, Figures]) -> dict[str, float]:
    """The medians that may not get worse, by name."""
    found: dict[str, float] = {}
    for way, figures in ways.items():
        for part in figures.parts:
            for target, score in part.scores.items():
                if score.median_absolute_error is not None and score.predicted >= FEWEST:
                    found[f"{way} / {part.by} {part.part} / {target}"] = round(score.median_absolute_error, 5)
    return found


def guarded_rooms(rooms: tuple[Room, ...]) -> dict[str, float]:
    """The same of the room for KV cache: the first part is the total."""
    return {
        f"starts / {'total' if n == 0 else 'engine'} {room.part} / kv_tokens": round(room.median, 5)
        for n, room in enumerate(rooms)
        if room.starts >= FEWEST
    }


def guarded_learning(learning: Learning) -> dict[str, float]:
    """The same of what rows of one's own tell."""
    ways = {"own rows": learning.same, "rows of other groups": learning.others}
    return {
        f"{way} / {found.rows} measured / {found.target}": round(found.median_after, 5)
        for way, several in ways.items()
        for found in several
        if found.groups >= FEWEST_GROUPS
    }


def loose(learning: Learning) -> list[str]:
    """Where rows of one's own do not help, or the band that they leave does not hold about what it states, in words."""
    found = []
    for one in (*learning.same, *learning.others):
        name = f"{one.target} after {one.rows} measured ({one.groups} groups)"
        if one.groups < FEWEST_GROUPS:
            continue
        if one.inside < HOLDS[0] or (one in learning.same and one.inside > HOLDS[1]):
            found.append(f"{name}: the band holds {one.inside:.1%}, not {HOLDS[0]:.0%} to {HOLDS[1]:.0%}")
        if one.median_after >= one.median_before:
            found.append(f"{name}: {one.median_after:.1%} off in the median, {one.median_before:.1%} before")
        if one in learning.same and one.target != "ttft_s" and one.mean_after >= one.mean_before:
            found.append(f"{name}: {one.mean_after:.1%} off in the mean, {one.mean_before:.1%} before")
    return found


def worse(committed: dict[str, float], now: dict[str, float]) -> list[str]:
    """What got worse by more than it may, in words; a part that vanished counts too."""
    found = []
    for name, before in committed.items():
        limit = before * (1 + (TOTAL_MAY_GROW if "/ total " in name else PART_MAY_GROW))
        if name not in now:
            found.append(f"{name}: no longer there")
        elif now[name] > limit:
            found.append(f"{name}: {now[name]:.1%}, committed {before:.1%}, may be {limit:.1%}")
    return found


def pairs(table: Table, figures: Figures) -> str:
    """Measured and predicted of every row that the fit never saw, as the table that ships (CSV)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("gpu", "model", "target", "measured", "predicted", "inside"))
    for target in TARGETS:
        found, observed = figures.predicted[target], table.observed[target]
        columns = (table.texts["gpu"], table.texts["model"], observed, found.mid, found.low, found.high)
        for gpu, model, measured, mid, low, high in zip(*columns, strict=True):
            if math.isfinite(measured) and math.isfinite(mid):
                inside = "" if math.isnan(low) else int(low <= measured <= high)
                writer.writerow((gpu, model, target, f"{measured:.4g}", f"{mid:.4g}", inside))
    return out.getvalue()


def main() -> int:
    """Write or compare; the exit code."""
    catalogue = load_catalogue()
    table = shipped_measurements(catalogue)
    figures, strangers = elsewhere(independent_measurements(catalogue), typical_parameters())
    learning = learnt(strangers)
    ways = judged(Problem(table, prior_parameters(), TERMS)) | {STRANGERS: figures}
    rooms = judged_starts(shipped_starts(catalogue))
    now = guarded(ways) | guarded_rooms(rooms) | guarded_learning(learning)
    if "--write" in sys.argv:
        speed = configurations_per_s(table, typical_parameters())
        document: dict[str, Any] = {"guarded_median_absolute_error": now}
        COMMITTED.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        others = held_out_others(list(other_errors(without_paces(typical_parameters()))))
        doubted = doubted_of(table, ways["pairs never seen"].predicted[TARGETS[0]].mid)
        told = Beside(others=others, rooms=rooms, scatter=scatter_of(table), doubted=doubted)
        PAGE.write_text(page(ways, learning, speed, told), encoding="utf-8")
        PAIRS.write_text(pairs(table, ways["pairs never seen"]), encoding="utf-8")
        print(f"{PAGE.relative_to(ROOT)}, {COMMITTED.name} and {PAIRS.name} written")
        return 0
    committed = msgspec.json.decode(COMMITTED.read_bytes())["guarded_median_absolute_error"]
    found = worse(committed, now) + loose(learning)
    print("\n".join(found) if found else f"{len(committed)} figures, none worse than it may be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
