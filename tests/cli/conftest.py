import sys
from functools import partial

import pytest

from breakeven.cli import main


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command in this process: exit code, standard output, standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["breakeven", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


@pytest.fixture
def breakeven(run):
    """Run `breakeven catalogue` with these arguments."""
    return partial(run, "catalogue")
