"""Writing files so that nothing is ever half-written."""

import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import typer

from breakeven.errors import SpecError
from breakeven.wording import plain


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the target and move it there: the old file or the new one, never a part.

    Raises:
        SpecError: if the folder is missing or cannot be written.
    """
    folder = path.parent if str(path.parent) else Path()
    try:
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
    except OSError as wrong:
        raise SpecError(
            f"{path} cannot be written: {wrong.strerror}",
            expected="a folder that exists",
            do="Check the path",
        ) from wrong
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as wrong:
        temporary.unlink(missing_ok=True)
        raise SpecError(
            f"{path} cannot be written: {wrong.strerror}",
            expected="a file that can be written",
            do="Check it",
        ) from wrong


def write_json(value: Any, target: str) -> None:  # noqa: ANN401 - any structure that msgspec writes
    """A structure as indented JSON to a file, or to the terminal for ``-``."""
    raw = msgspec.json.format(msgspec.json.encode(value, enc_hook=plain), indent=2) + b"\n"
    if target == "-":
        typer.echo(raw.decode(), nl=False)
    else:
        write_whole(Path(target), raw)
