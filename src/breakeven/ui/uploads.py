"""Files that are sent: taken in up to a size, read by another process in a folder of their own, thrown away."""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from starlette.requests import Request

from breakeven.errors import SpecError
from breakeven.ui.carried import again
from breakeven.ui.reading import ANSWER, CPU_S, INSTEAD, READABLE, Found
from breakeven.ui.scenario import Scenario
from breakeven.wording import quoting, worded
from breakeven.workload.spec import Spec

SUFFIXES = re.compile(r"(\.(?:jsonl|ndjson|json|csv|parquet|yaml|yml))?(\.(?:gz|zst))?$", re.IGNORECASE)
PLAIN, LONGEST_NAME = re.compile(r"[^\w .-]+"), 60
"""What a workload that is called after its file keeps of the name."""
LONGEST_ANSWER_BYTES, LONGEST_LENGTH = 4_000_000, 18
AT_ONCE = asyncio.Semaphore(2)
"""So many files are read at a time; the others wait."""
SMALLER = "Start with a larger --upload-megabytes, or use `breakeven workload` on it"


class TooLargeError(SpecError):
    """A file of more bytes than are taken in."""


def refuse_long(request: Request, most_bytes: int) -> None:
    """Refuse a request that says of itself that it is too long, before it is read.

    A page says in ``size`` what it would send, because a browser does not listen to an answer while it sends.

    Raises:
        TooLargeError: if it does.
    """
    for length in (request.headers.get("content-length", ""), request.query_params.get("size", "")):
        if length.isdecimal() and len(length) <= LONGEST_LENGTH and int(length) > most_bytes:
            raise TooLargeError(
                quoting("the file is {size:,} bytes", size=int(length)),
                expected=quoting("at most {most:,}", most=most_bytes),
                do=SMALLER,
            )


async def received(body: AsyncIterator[bytes], name: str, most_bytes: int, folder: Path) -> Path:
    """The file that is sent, in a folder; of its name nothing is kept but what says how to read it.

    Raises:
        SpecError: if it is empty or too large.
    """
    suffix = SUFFIXES.search(name)
    path = folder / f"upload{suffix[0].lower() if suffix else ''}"
    size = 0
    with path.open("xb") as out:
        async for part in body:
            size += len(part)
            if size > most_bytes:
                raise TooLargeError(
                    quoting("the file is larger than {most:,} bytes", most=most_bytes),
                    expected="a smaller one",
                    do=SMALLER,
                )
            out.write(part)
    if not size:
        raise SpecError("the file is empty", expected="a usage log or a spec", do="Choose another")
    return path


async def read_apart(path: Path) -> Found:
    """What a file holds, read by a process that is confined and ended if it takes too long.

    Raises:
        SpecError: if it cannot be used.
    """
    async with AT_ONCE:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing of the folder of what was sent is ever imported
            "-m",
            "breakeven.ui.reading",
            str(path),
            cwd=path.parent,
            env=_environment(path.parent),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.wait_for(process.wait(), CPU_S)
        except TimeoutError:
            why = quoting("the file ({kind}) takes longer than {most} seconds to read", kind=_kind(path), most=CPU_S)
            raise _unreadable(why) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    answer = path.with_name(ANSWER)
    if process.returncode or not answer.exists() or answer.stat().st_size > LONGEST_ANSWER_BYTES:
        raise _unreadable(quoting("the file ({kind}) takes more time or memory to read than it may", kind=_kind(path)))
    try:
        found = msgspec.json.decode(answer.read_bytes(), type=Found)
    except msgspec.DecodeError:
        raise SpecError("the file holds no workload", expected=READABLE, do=INSTEAD) from None
    if found.spec is None:
        nothing = ("the file holds no workload", READABLE, INSTEAD)
        given, expected, do = map(again, found.wrong) if len(found.wrong) == len(nothing) else nothing
        raise SpecError(given, expected=expected, do=do)
    return found


def _kind(path: Path) -> str:
    return path.suffix or worded("of no known kind")


def _unreadable(why: str) -> SpecError:
    return SpecError(why, expected=READABLE, do="Use `breakeven workload` on it")


def _environment(folder: Path) -> dict[str, str]:
    """What the process needs to find Python and the package, and nothing of the user's."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "SYSTEMROOT", "LANG") if name in os.environ}
    return kept | {"HOME": str(folder), "TMPDIR": str(folder), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


async def scenario_from(
    body: AsyncIterator[bytes], name: str, most_bytes: int, base: Scenario
) -> tuple[Scenario, Found]:
    """The scenario of a file that is sent: a spec as it stands, of a log the traffic and tokens laid over ``base``.

    Raises:
        SpecError: if it cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="breakeven-") as folder:
        found = await read_apart(await received(body, name, most_bytes, Path(folder)))
    if found.spec is None:
        raise SpecError("the file holds no workload", expected="a usage log or a spec", do="Choose another")
    spec = found.spec if found.kind == "spec" else _over(base.spec, found.spec, name)
    return msgspec.structs.replace(base, spec=spec), found


def _over(base: Spec, measured: Spec, file: str) -> Spec:
    """What the log shows over what it cannot: promise, floor and prices stay as they were."""
    name = PLAIN.sub(" ", Path(file).name.split(".")[0]).strip()[:LONGEST_NAME] or measured.name
    traffic = measured.traffic
    if traffic.requests_per_day is None:
        traffic = msgspec.structs.replace(traffic, requests_per_day=base.traffic.requests_per_day)
    return msgspec.structs.replace(base, name=name, task=None, traffic=traffic, tokens=measured.tokens)
