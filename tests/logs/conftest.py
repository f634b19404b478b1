"""Logs written to a temporary folder, and how to measure them."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from breakeven.catalogue.load import Catalogue
from breakeven.logs.log import Asked, Log
from breakeven.logs.measure import Measured, measure


@pytest.fixture
def logged(tmp_path: Path) -> Callable[..., str]:
    """Write a log, compressed if its name ends in .gz, and give its path."""

    def written(name: str, content: str | bytes) -> str:
        raw = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return str(path)

    return written


@pytest.fixture
def asked(small_catalogue: Catalogue) -> Callable[..., Measured]:
    """Measure logs."""

    def measured(*paths: str, groups: tuple[str, ...] = (), **how: Any) -> Measured:
        with Log(Asked(paths=paths, **how)) as log:
            return measure(log, groups, small_catalogue)

    return measured
