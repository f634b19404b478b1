import sys

import pytest

from breakeven.cli import main


@pytest.fixture
def breakeven(capsys, monkeypatch):
    """Run `breakeven catalogue` with these arguments: exit code, what it printed, what it complained of."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["breakeven", "catalogue", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run
