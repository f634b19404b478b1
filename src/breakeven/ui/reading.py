"""A file that somebody sent, read in a process of its own with little time, memory and disk: a spec, or a usage log.

``python -m breakeven.ui.reading FOLDER/FILE`` writes one JSON document beside the file: the spec that it holds or
shows, or why it cannot be used.
"""

import os
import sys
from pathlib import Path
from typing import Literal

import msgspec

from breakeven.errors import BreakevenError, SpecError
from breakeven.ui.carried import Carried, carried
from breakeven.wording import plain, quoting, worded
from breakeven.workload.spec import Spec, read_specs

CPU_S, MEMORY_BYTES, WRITTEN_BYTES, OPEN_FILES = 60, 6 << 30, 512 << 20, 128
"""What the process may take. Memory is address space, of which DuckDB and NumPy reserve more than they use."""
ANSWER = "found.json"
SPECS = (".yaml", ".yml")
LARGEST_SPEC_BYTES = 1_000_000
READABLE = "a usage log (JSONL, CSV, Parquet) or a spec (YAML)"
INSTEAD = "Choose another, or use `breakeven workload` on it"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds: a spec and what is told of it, or why it cannot be used."""

    kind: Literal["spec", "log"] = "spec"
    spec: Spec | None = None
    told: tuple[Carried, ...] = ()
    wrong: tuple[Carried, ...] = ()
    """What was given, what was expected, and what to do."""


def confined() -> None:
    """Limit this process to what reading a file takes, where the system can."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return
    for what, most in (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, WRITTEN_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most, most) if hard == resource.RLIM_INFINITY else (min(most, hard), hard))


def read(path: Path) -> Found:
    """What a file holds. What is said of it names it as ``path`` does."""
    try:
        return _spec(path) if path.suffix in SPECS else _log(path)
    except BreakevenError as wrong:
        return Found(wrong=tuple(map(carried, (wrong.given, wrong.expected, wrong.do))))
    except MemoryError:
        given = quoting("{path} needs more memory than reading a file may take", path=path)
        return Found(wrong=tuple(map(carried, (given, READABLE, INSTEAD))))


def _spec(path: Path) -> Found:
    if path.stat().st_size > LARGEST_SPEC_BYTES:
        raise SpecError(
            quoting("{path} is {size:,} bytes", path=path.name, size=path.stat().st_size),
            expected=quoting("a spec of at most {most:,}", most=LARGEST_SPEC_BYTES),
            do="Give a log as JSONL, CSV or Parquet",
        )
    first, *others = read_specs(path)
    told = [quoting("the first of {count} workloads in {path}", count=len(others) + 1, path=path)] if others else []
    return Found(spec=first, told=tuple(map(carried, told)))


def _log(path: Path) -> Found:
    """The workload that a log shows, through the same text that ``breakeven workload`` writes."""
    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415 - a spec needs none of it
    from breakeven.logs.log import Asked, Log  # noqa: PLC0415
    from breakeven.logs.measure import measure  # noqa: PLC0415
    from breakeven.logs.specs import spec_text  # noqa: PLC0415

    with Log(Asked(paths=(str(path),))) as log:
        measured = measure(log, [], load_catalogue())
    text = path.with_name("measured.yaml")
    text.write_text(spec_text(measured, (path.name,)), encoding="utf-8")
    requests = sum(one.requests for one in measured.workloads)
    told = [quoting("{count:,} requests, {layouts}", count=requests, layouts=", ".join(measured.layouts))]
    told += [worded("the log cannot tell {what}", what=what) for what in measured.workloads[0].traffic.cannot_tell]
    told += [problem.told for problem in measured.problems]
    return Found(kind="log", spec=read_specs(text)[0], told=tuple(map(carried, told)))


def main() -> None:
    """Read the file that is named, from its folder, and write what was found."""
    confined()
    path = Path(sys.argv[1])
    os.chdir(path.parent)
    Path(ANSWER).write_bytes(msgspec.json.encode(read(Path(path.name)), enc_hook=plain))


if __name__ == "__main__":
    main()
