"""The packages that only reading logs needs: loaded when they are used, named when they are missing."""

import importlib
from typing import Any

from breakeven.errors import SpecError

EXTRAS = {
    "ibis": "logs",
    "duckdb": "logs",
    "pyarrow": "logs",
    "pyarrow.fs": "logs",
    "pyarrow.parquet": "logs",
    "pyarrow.types": "logs",
    "ibis.backends.sql.datatypes": "logs",
    "pyspark.sql": "spark",
    "ibis.backends.pyspark.datatypes": "spark",
}


def load(name: str) -> Any:  # noqa: ANN401 - a module without type information
    """An optional module.

    >>> load("pyarrow").__name__
    'pyarrow'

    Raises:
        SpecError: if the extra that brings it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as wrong:
        extra = EXTRAS[name]
        what = "reading logs on Spark" if extra == "spark" else "reading logs"
        raise SpecError(
            f"{wrong.name or name} is not installed, and {what} needs it",
            expected=f"the extra `{extra}`",
            do=f"pip install 'breakeven[{extra}]'",
        ) from wrong
