"""Write the tables of docs/theory/replay.md: closed form and replay side by side on two public traces.

python tools/replay_page.py FOLDER [--check FILE]

FOLDER holds azure_2023_conv.csv (github.com/Azure/AzurePublicDataset, CC-BY-4.0) and mooncake_conversation.jsonl
(github.com/kvcache-ai/Mooncake, Apache-2.0); the traces themselves are not part of the project. FILE is what
`breakeven simulate --check --json FILE` wrote; without it that table stays as it is.
"""

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from breakeven.capacity.simulate import Fleet, simulate
from breakeven.catalogue.load import Catalogue, load_catalogue
from breakeven.logs.log import Asked, Log
from breakeven.logs.measure import measure
from breakeven.logs.trace import Trace, read_trace, scaled
from breakeven.planner import plan
from breakeven.planner.rehearsal import Requests, rehearsal
from breakeven.report.simulated import simulation_share
from breakeven.report.words import seconds
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_HOUR
from breakeven.workload.policy import Only, Policy
from breakeven.workload.profile import Burstiness, Slo, Workload
from breakeven.workload.usage import TokenMix, TokenShape, TokenUsage

PAGE = Path(__file__).parent.parent / "docs" / "theory" / "replay.md"
DAY = date(2026, 11, 24)
SCALES = (0.25, 1.0, 4.0, 16.0)
SEED = 0
QUANTILE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One trace, the promise that is made for it, and the options that serve it."""

    file: str
    told: str
    slo: Slo
    options: tuple[str, ...]


CASES = (
    Case(
        file="azure_2023_conv.csv",
        told="Azure 2023, conversation",
        slo=Slo(ttft_s=1.0, tpot_s=0.05, quantile=QUANTILE),
        options=("gemma-4-26b-a4b:fp8:g6e.xlarge:tp1:ec2", "llama-3.3-70b:fp8:p5.48xlarge:tp8:ec2"),
    ),
    Case(
        file="mooncake_conversation.jsonl",
        told="Mooncake, conversation",
        slo=Slo(ttft_s=6.0, tpot_s=0.1, quantile=QUANTILE),
        options=("gemma-4-26b-a4b:fp8:g6e.xlarge:tp1:ec2", "llama-3.3-70b:fp8:p5.48xlarge:tp8:ec2"),
    ),
)


def rows(case: Case, folder: Path, catalogue: Catalogue) -> Iterator[str]:
    """The lines of the table of one trace."""
    with Log(Asked(paths=(str(folder / case.file),), zone="UTC")) as log:
        trace = read_trace(log)
        seen = measure(log, (), catalogue).workloads[0]
    mix = TokenMix(
        shapes=tuple(
            TokenShape(share=kind.share, usage=TokenUsage(input=kind.input, output=kind.output)) for kind in seen.kinds
        )
    )
    came = seen.traffic
    bursts = Burstiness(gap_variation=came.gap_variation or 1.0, rate_variation=came.rate_variation or 0.0)
    for option in case.options:
        for scale in SCALES:
            yield _row(case, option, scaled(trace, scale, SEED), (scale, mix, bursts), catalogue)


def _row(case: Case, option: str, trace: Trace, how: tuple[float, TokenMix, Burstiness], catalogue: Catalogue) -> str:
    """The fleet that the plan takes for the trace's rate and bursts, on paper and in the replay."""
    scale, mix, bursts = how
    workload = Workload(
        name=case.told,
        task="generate",
        mix=mix,
        requests_per_hour=(trace.requests_per_s * SECONDS_PER_HOUR,) * HOURS_PER_DAY,
        slo=case.slo,
        burstiness=bursts,
    )
    only = Only(models=(option.split(":", maxsplit=1)[0],), kinds=("hosted",))
    found = plan(workload, catalogue, Policy(as_of=DAY, only=only), by="option")
    paper = found.explain(option)
    came = Requests(at_s=trace.at_s, input=trace.input, cached=np.zeros_like(trace.cached), output=trace.output)
    ready = rehearsal(found, option, came)
    replay = simulate(
        ready.curve, ready.arrivals, Fleet(machines=ready.planned_machines, per_machine=ready.per_machine)
    )
    performance = paper.performance
    ttft, tpot = (float(np.nanquantile(values, QUANTILE)) for values in (replay.ttft_s, replay.tpot_s))
    within = simulation_share(replay.ttft_s, replay.tpot_s, case.slo)
    cells = [
        option.rsplit(":", maxsplit=1)[0],
        f"{scale:g}",
        f"{trace.requests_per_s:.3g}",
        f"{bursts.gap_variation:.2f}, {bursts.rate_variation:.0%}",
        f"{ready.planned_machines * ready.per_machine}",
        f"{paper.capacity.mean_utilisation or 0:.0%} / {replay.utilisation:.0%}",
        f"{performance.wait_probability or 0:.1%} / {(replay.wait_s > 0).mean():.1%}",
        f"{seconds(performance.ttft_s.mid if performance.ttft_s else 0)} / {seconds(ttft)}",
        f"{seconds(performance.tpot_s.mid if performance.tpot_s else 0)} / {seconds(tpot)}",
        f"{within:.1%}",
    ]
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| option | scale | requests/s | gaps, rate | replicas | used | waits | TTFT p95 | TPOT p95 | within target |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


def check_table(document: dict[str, Any]) -> list[str]:
    """The worst and the typical deviation of each figure."""
    lines = [
        "| figure | fleets | bound | typical | worst | where it is worst | broken |",
        "|---|---|---|---|---|---|---|",
    ]
    figures = document["figures"]
    for name in dict.fromkeys(one["figure"] for one in figures):
        mine = [one for one in figures if one["figure"] == name]
        worst = max(mine, key=lambda one: abs(one["deviation"]))
        typical = sorted(abs(one["deviation"]) for one in mine)[len(mine) // 2]
        cells = [
            name,
            f"{len(mine)}",
            f"{worst['bound']:.0%}",
            f"{typical:.1%}",
            f"{worst['deviation']:+.1%} ± {worst['error']:.1%}",
            f"{worst['kind']}, {worst['replicas']} x {worst['places']} places, {worst['load']:.0%} full, gaps "
            f"{worst['gap_variation']:g}, rate {worst['rate_variation']:.0%}",
            f"{sum(one['broken'] for one in mine)}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    beyond = sum(one["broken"] or abs(one["deviation"]) > one["bound"] for one in figures)
    unsure = beyond - sum(one["broken"] for one in figures)
    return [*lines, "", f"{unsure} figures are beyond their bound by no more than twice the replay's own error."]


def placed(text: str, name: str, lines: list[str]) -> str:
    """The page with the lines between the two marks of that name."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return marks.sub(lambda found: found[1] + "\n".join(lines) + "\n" + found[2], text)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", type=Path)
    asked = parser.parse_args()
    catalogue, text = load_catalogue(), PAGE.read_text(encoding="utf-8")
    for case in CASES:
        name = case.file.split("_", maxsplit=1)[0]
        text = placed(text, name, [*HEAD, *rows(case, asked.folder, catalogue)])
    if asked.check:
        text = placed(text, "check", check_table(msgspec.json.decode(asked.check.read_bytes())))
    PAGE.write_text(text, encoding="utf-8")
    print(json.dumps({"written": PAGE.name}))


if __name__ == "__main__":
    main()
