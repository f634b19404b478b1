"""A spec as the YAML file that it came from or could have come from: what is given, in the order of the reference."""

from typing import Any

import msgspec
import yaml

from breakeven.workload.spec import Spec

HEAD = "# A workload spec of breakeven (docs/reference/spec.md): breakeven compare workload.yaml\n"


def spec_yaml(spec: Spec) -> str:
    """The YAML of a spec, without what is as it is by default.

    >>> from breakeven.ui.address import START
    >>> print(spec_yaml(START).splitlines()[-1])
    at_least: llama-3.3-70b
    """
    given = _given(msgspec.to_builtins(spec), msgspec.to_builtins(Spec()))
    text: str = yaml.safe_dump(given or {"name": spec.name}, sort_keys=False, allow_unicode=True, width=120)
    return HEAD + text


def _given(mine: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in mine.items():
        default = plain.get(name)
        if value == default:
            continue
        if isinstance(value, dict) and isinstance(default, dict):
            found[name] = _given(value, default)
        else:
            found[name] = value
    return found
