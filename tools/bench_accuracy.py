"""How good our predictions are beside the peer's, on exactly the rows of the shipped table that the peer covers.

    python tools/bench_accuracy.py                    the first run installs the peer into .peers/, then takes 6 minutes
    python tools/bench_accuracy.py --rows OUT.csv     every row with what was measured and what each predicts

Ours are held out (``heldout.py``): *pairs never seen*, the row's (GPU, model) pair was not in the fit; *other runs*,
the pair was, but not with this engine version, number format and mode. The peer's are not: see
docs/reference/benchmarks.md.
"""

import argparse
import csv
import hashlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Printed

from accuracy_page import FEWEST, HEADS, percent
from banding import generations_of
from bench import PEER, PEER_HOME, PEER_PINS, ROOT, BenchError, install_peer
from breakeven import load_catalogue
from breakeven.options.columns import Floats, Mask
from breakeven.performance.fit import Problem
from breakeven.performance.measured import TARGETS, Table, shipped_measurements
from fitting import TERMS, prior_parameters
from heldout import held_out
from peer_rows import CURRENT, Ask, Listed, ask

MEASUREMENTS = ROOT / "src" / "breakeven" / "performance" / "data" / "measurements.csv"
LIST_OF_RUNS = Path("aiconfigurator_core", "systems", "silicon_sample.csv")
FITTED_FROM = (
    "src/breakeven/performance/*.py",
    "src/breakeven/performance/data/*.csv",
    "tools/priors.toml",
    "tools/fitting.py",
    "tools/heldout.py",
)
"""On what held-out predictions depend: when it changes they are made again."""
CACHE = ROOT / ".peers" / "accuracy"
WAYS = ("peer", "never seen", "other runs")
REASONS_TOLD = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was measured and predicted: targets x rows, NaN where there is none."""

    observed: Floats
    predicted: dict[str, Floats]
    """By way of predicting: the peer's, ours never seen, ours from other runs."""

    def both(self, target: int) -> Mask:
        """Rows on which everyone has this target."""
        sure: Mask = np.isfinite(self.observed[target])
        for told in self.predicted.values():
            sure = sure & np.isfinite(told[target])
        return sure

    def medians(self, target: int, rows: Mask) -> tuple[int, dict[str, float]]:
        """How many rows, and the median of |predicted / measured - 1| for each way of predicting."""
        on = rows & self.both(target)
        if not on.any():
            return 0, {}
        measured = self.observed[target, on]
        return int(on.sum()), {
            way: float(np.median(np.abs(told[target, on] / measured - 1))) for way, told in self.predicted.items()
        }


def parts(texts: dict[str, list[str]], generations: list[str], listed: Mask) -> Iterator[tuple[str, Mask]]:
    """The parts that are told, by name: runs of the peer's own list, then the others by age of the engine and file."""
    engines = np.array(texts["engine"])
    current = np.isin(engines, CURRENT)
    files = np.array([name.split(":")[0] for name in texts["id"]])
    yield "runs of the peer's own list", listed
    columns = {"generation": np.array(generations), "engine": engines}
    for by, names in (columns | {column: np.array(texts[column]) for column in ("gpu", "model")}).items():
        for name in sorted(set(names[listed])):
            yield f"  {by} {name}", listed & (names == name)
    yield "others, engines of its age", ~listed & current
    yield "others, older or unnamed engines", ~listed & ~current
    for name in sorted(set(files[~listed])):
        yield f"  file {name}", ~listed & (files == name)


def behind(compared: Compared, named: Iterable[tuple[str, Mask]]) -> list[str]:
    """Where the peer's median is lower than that of ours on pairs never seen, in words."""
    found = []
    for name, rows in named:
        told = [compared.medians(target, rows) for target in range(len(TARGETS))]
        lower = [
            f"{HEADS[TARGETS[target]]} {percent(medians['peer'])} against {percent(medians['never seen'])}"
            for target, (count, medians) in enumerate(told)
            if count >= FEWEST and medians["peer"] < medians["never seen"]
        ]
        if lower:
            found.append(f"{name.strip()}: {', '.join(lower)}")
    return found


def digest(*texts: bytes) -> str:
    """Stands for what a cached result was made from."""
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def ours(table: Table, file: Path) -> tuple[Floats, Floats]:
    """Held-out predictions, from ``file`` if they are of this table and this code."""
    now = digest(*(path.read_bytes() for pattern in FITTED_FROM for path in sorted(ROOT.glob(pattern))))
    if file.exists():
        with np.load(file) as kept:
            if str(kept["made_from"]) == now:
                return kept["unseen"], kept["seen"]
    unseen, seen = held_out(Problem(table, prior_parameters(), TERMS))
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, unseen=unseen, seen=seen, made_from=now)
    return unseen, seen


def peers(asks: list[Ask], file: Path) -> dict[str, dict[str, Any]]:
    """The peer's answers by row, those from ``file`` that were given to the same question; the rest are asked now."""
    pins, code = PEER_PINS.read_bytes(), (ROOT / "tools" / "peer_predict.py").read_bytes()
    keys = {asked.id: digest(pins, code, json.dumps(asdict(asked)).encode()) for asked in asks}
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    kept = {told["id"]: told for told in map(json.loads, lines)}
    found = {id: told for id, told in kept.items() if told["asked"] == keys.get(id)}
    missing = [asked for asked in asks if asked.id not in found]
    if missing:
        command = [str(PEER_HOME / "bin" / "python"), str(ROOT / "tools" / "peer_predict.py")]
        questions = "".join(json.dumps(asdict(asked)) + "\n" for asked in missing)
        ran = subprocess.run(command, input=questions, capture_output=True, text=True, check=False)
        if ran.returncode:
            last = ran.stderr.strip().splitlines()[-1:] or ["nothing was printed"]
            raise BenchError(f"{PEER} ended with {ran.returncode}: {last[0]}")
        for told in map(json.loads, ran.stdout.splitlines()):
            found[told["id"]] = told | {"asked": keys[told["id"]]}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(told) + "\n" for told in found.values()), encoding="utf-8")
    return found


def compared_with(table: Table, answers: dict[str, dict[str, Any]], held: tuple[Floats, Floats]) -> Compared:
    """Everything side by side; the peer speaks of one replica, the table of all of them."""
    peer = np.full(held[0].shape, np.nan)
    for row, name in enumerate(table.texts["id"]):
        told = answers.get(name, {})
        for target, what in enumerate(TARGETS):
            if told.get(what) is not None:
                peer[target, row] = told[what] * (table.runs.replicas[row] if target == 0 else 1.0)
    observed = np.stack([table.observed[target] for target in TARGETS])
    predicted = dict(zip(WAYS, (peer, np.exp(held[0]), np.exp(held[1])), strict=True))
    return Compared(observed=observed, predicted=predicted)


def printed(compared: Compared, named: Iterable[tuple[str, Mask]]) -> Printed:
    """The one table."""
    title = f"Median of |predicted / measured - 1| in %, on the rows that {PEER} covers: {', '.join(WAYS)}"
    table = Printed(title=title, box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("\nRows", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    for what in TARGETS:
        for way, head in zip(WAYS, (HEADS[what], "", ""), strict=True):
            table.add_column(f"{head}\n{way.split()[0]}", justify="right", no_wrap=True)
    for name, rows in named:
        told = [compared.medians(target, rows) for target in range(len(TARGETS))]
        most = max(count for count, _ in told)
        if most >= FEWEST:
            table.add_row(name, f"{most:,}", *(cell for count, medians in told for cell in cells(count, medians)))
    return table


def cells(count: int, medians: dict[str, float]) -> list[str]:
    """The errors of one target, the lowest in bold; empty where too few rows have it."""
    if count < FEWEST:
        return [""] * len(WAYS)
    best = min(medians.values())
    return [
        f"[bold]{medians[way] * 100:.1f}[/]" if medians[way] == best else f"{medians[way] * 100:.1f}" for way in WAYS
    ]


def write_rows(file: Path, table: Table, compared: Compared) -> None:
    """Every row that the peer covers, as CSV."""
    covered = np.flatnonzero(np.isfinite(compared.predicted["peer"][0]))
    names = ["measured", *(way.replace(" ", "_") for way in WAYS)]
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["id", *(f"{target}_{name}" for target in TARGETS for name in names)])
        for row in covered:
            figures = [
                source[target, row]
                for target in range(len(TARGETS))
                for source in (compared.observed, *compared.predicted.values())
            ]
            cells = ("" if np.isnan(figure) else f"{figure:.6g}" for figure in figures)
            writer.writerow([table.texts["id"][row], *cells])


def notes(asks: list[Ask], answers: dict[str, dict[str, Any]], everything: int) -> Iterator[str]:
    """What is to be known of the table."""
    told = [answers[asked.id] for asked in asks if "why" not in answers[asked.id]]
    versions = Counter(of_one["version"] for of_one in told)
    counted = ", ".join(f"{version} ({count:,})" for version, count in versions.most_common())
    yield f"Asked for {len(asks):,} of {everything:,} rows, predicted {len(told):,}; kernel times of {counted}."
    why = Counter(in_short(answers[asked.id]["why"][0]) for asked in asks if "why" in answers[asked.id])
    for reason, count in why.most_common(REASONS_TOLD):
        yield f"No prediction for {count:,} rows: {reason}"
    yield "What is even between the two and what is not: docs/reference/benchmarks.md."


def in_short(problem: str) -> str:
    """What the peer said when it could not, without its paths and keys."""
    return re.split(r" \{ | at /| on system |; available", problem.split(": ", maxsplit=1)[-1])[0]


def main() -> int:
    """Predict, compare, print."""
    asks_of = argparse.ArgumentParser(description="How good predictions are beside the peer's, on the rows it covers.")
    asks_of.add_argument("--held-out", type=Path, default=CACHE / "held_out.npz", help="where ours are kept")
    asks_of.add_argument("--answers", type=Path, default=CACHE / "peer.jsonl", help="where the peer's are kept")
    asks_of.add_argument("--rows", type=Path, help="write every row that the peer covers to this CSV file")
    asked = asks_of.parse_args()
    console = Console(width=120)
    table = shipped_measurements(load_catalogue())
    try:
        install_peer()
        listed_in = next(PEER_HOME.glob(f"lib/*/site-packages/{LIST_OF_RUNS}"))
        with (
            listed_in.open(newline="", encoding="utf-8") as runs,
            MEASUREMENTS.open(newline="", encoding="utf-8") as rows,
        ):
            known = Listed(csv.DictReader(runs))
            asks = [found for row in csv.DictReader(rows) if (found := ask(row, known))]
        answers = peers(asks, asked.answers)
    except (BenchError, OSError, StopIteration) as why:
        console.print(f"{PEER}: not available: {why}")
        return 1
    compared = compared_with(table, answers, ours(table, asked.held_out))
    on_list = {found.id for found in asks if found.listed}
    listed = np.array([name in on_list for name in table.texts["id"]])
    named = list(parts(table.texts, generations_of(table), listed))
    console.print(printed(compared, named))
    for note in notes(asks, answers, len(table.texts["id"])):
        console.print(f"- {note}", markup=False, highlight=False)
    console.print("Where the peer is ahead (lower median than ours on pairs never seen):")
    for line in behind(compared, named) or ["nowhere"]:
        console.print(f"- {line}", markup=False, highlight=False)
    if asked.rows:
        write_rows(asked.rows, table, compared)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
