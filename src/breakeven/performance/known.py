"""Why a measured row is not covered: its model or its GPU is not known, or its model puts out no tokens."""

from collections.abc import Iterable, Mapping

from breakeven.catalogue.load import Catalogue
from breakeven.errors import near_matches
from breakeven.performance.hardware import measured_devices, measured_models
from breakeven.performance.measured import Table


def not_covered(table: Table, catalogue: Catalogue) -> dict[int, str]:
    """By row (the first is 0) why no speed of it is predicted, with the nearest name to one that is not known."""
    models, devices = measured_models(catalogue), measured_devices(catalogue)
    silent = {name: f"model {name} puts out no tokens" for name, row in models.items() if row.kind == "encoder"}
    rows = [row for row, covered in enumerate(table.runs.covered.tolist()) if not covered]
    of_model = _reasons("model", {table.texts["model"][row] for row in rows}, models.keys() - silent.keys(), silent)
    of_gpu = _reasons("GPU", {table.texts["gpu"][row] for row in rows}, devices, {})
    both = ((row, of_model[table.texts["model"][row]], of_gpu[table.texts["gpu"][row]]) for row in rows)
    return {row: "; ".join(filter(None, why)) for row, *why in both}


def _reasons(kind: str, names: set[str], known: Iterable[str], silent: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each name; empty where it is known."""
    some = sorted(known)
    return {name: "" if name in some else silent.get(name) or _unknown(kind, name, some) for name in names}


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    near = near_matches(name.strip(), known)
    return f"{kind} {name!r} is not known" + (f" (did you mean {near[0]}?)" if near else "")
