"""The command line: parse, call once, print."""

import sys

from breakeven.errors import BreakevenError

BAD_INPUT = 2


def main() -> None:
    """Run a command; bad input is one clear message and exit code 2."""
    from breakeven.cli.app import app  # noqa: PLC0415 - keeps `import breakeven` instant

    try:
        app()
    except BreakevenError as wrong:
        sys.stderr.write(f"breakeven: {wrong}\n")
        sys.exit(BAD_INPUT)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # the reader had enough: `breakeven ... | head`
            sys.exit(0)
        raise
