"""Logs in an object store: listing, first bytes, and copies for an engine that cannot read there itself."""

import glob
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from breakeven.errors import SpecError
from breakeven.logs.extras import load

SCHEME = "s3://"
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Where a store that is not Amazon's own is named, as AWS's tools do it."""


def is_remote(path: str) -> bool:
    """Whether a path lies in an object store."""
    return path.startswith(SCHEME)


def endpoint() -> str | None:
    """The address of the store, if it is not Amazon's own."""
    return next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), None)


def store() -> Any:  # noqa: ANN401 - pyarrow's file system
    """The store, with the AWS credentials of the environment."""
    fs, address = load("pyarrow.fs"), endpoint()
    if address is None:
        return fs.S3FileSystem()
    scheme, _, host = address.partition("://")
    return fs.S3FileSystem(endpoint_override=host, scheme=scheme)


def key(path: str) -> str:
    """Bucket and name of an object."""
    return path.removeprefix(SCHEME)


def listed(argument: str) -> Iterator[str]:
    """The objects under a path, or that match its ``*``.

    Raises:
        SpecError: if the store cannot be asked.
    """
    plain = key(argument)
    pattern = glob.has_magic(plain)
    root = plain.split("*", maxsplit=1)[0].rpartition("/")[0] if pattern else plain.rstrip("/")
    fs = load("pyarrow.fs")
    try:
        place = store()
        if place.get_file_info(root).type == fs.FileType.File:
            yield argument
            return
        found = place.get_file_info(fs.FileSelector(root, recursive=True))
    except OSError as wrong:
        raise SpecError(
            f"{argument} cannot be listed: {str(wrong).splitlines()[0]}",
            expected="a bucket that your AWS credentials may read",
            do="Check the name, the region (AWS_REGION) and the credentials",
        ) from wrong
    for info in sorted(found, key=lambda one: str(one.path)):
        if info.type == fs.FileType.File and (not pattern or PurePosixPath(info.path).match(plain)):
            yield f"{SCHEME}{info.path}"


def fetched(path: str, folder: Path) -> str:
    """A copy of an object in a folder, under a name of its own."""
    copy = folder / f"{len(list(folder.iterdir()))}-{PurePosixPath(path).name}"
    with store().open_input_stream(key(path), compression=None) as stream, copy.open("wb") as out:
        shutil.copyfileobj(stream, out)
    return str(copy)
