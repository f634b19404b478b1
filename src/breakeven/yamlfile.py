"""YAML files read into typed structures; a slip is told with file, line, field and what was expected."""

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from breakeven.errors import BreakevenError, SpecError, near_matches

T = TypeVar("T")
LARGEST_FILE_BYTES = 10_000_000
try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # a build of PyYAML without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]


def said(description: str) -> msgspec.Meta:
    """What a field of a file means, for the generated pages and the JSON Schema."""
    return msgspec.Meta(description=description)


def read_yaml(path: Path, kind: type[T]) -> tuple[T, ...]:
    """The documents of a YAML file (one, or several parted by ``---``), each as a ``kind``.

    Raises:
        SpecError: if the file cannot be read, is not YAML, or does not fit; with the line and the field.
    """
    text = _text(path)
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=SafeLoader) if node is not None]
        documents = [document for document in yaml.load_all(text, Loader=SafeLoader) if document is not None]
    except yaml.YAMLError as wrong:
        mark = getattr(wrong, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SpecError(
            f"{path}{where} is not YAML: {getattr(wrong, 'problem', wrong)}",
            expected="`field: value` lines, indented by spaces",
            do="Mend that line",
        ) from wrong
    if not documents:
        raise SpecError(f"{path} is empty", expected="a YAML document", do="See docs/reference/spec.md")
    return tuple(_typed(document, kind, path, node) for document, node in zip(documents, nodes, strict=True))


def _text(path: Path) -> str:
    if not path.exists():
        beside = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.exists() else []
        near = near_matches(path.name, beside)
        raise SpecError(
            f"there is no file {path}",
            expected="a YAML file",
            do=f"Did you mean: {', '.join(near)}?" if near else "Check the path",
        )
    if path.is_dir():
        raise SpecError(f"{path} is a folder", expected="a YAML file", do="Name the file in it")
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise SpecError(
            f"{path} is {path.stat().st_size:,} bytes",
            expected=f"at most {LARGEST_FILE_BYTES:,}",
            do="Give a spec, not a log",
        )
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise SpecError(f"{path} cannot be read: {wrong}", expected="UTF-8 text", do="Save it as UTF-8") from wrong


def _typed(document: object, kind: type[T], path: Path, node: yaml.Node) -> T:
    try:
        return msgspec.convert(document, kind, strict=False)
    except msgspec.ValidationError as wrong:
        cause = wrong.__cause__
        what, _, where = str(wrong).partition(" - at `$")
        keys = re.findall(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]", where)
        steps: list[str | int] = [name if name else int(number) for name, number in keys]
        unknown = re.search(r"unknown field `(.*)`", what)
        if unknown:
            steps.append(unknown[1])
        line = _line(node, steps)
        field = ".".join(str(step) for step in steps) or "the document"
        place = f"{path}, line {line}, {field}"
        if isinstance(cause, BreakevenError):
            raise type(cause)(f"{place}: {cause.given}", expected=cause.expected, do=cause.do) from wrong
        raise SpecError(
            f"{place}: {_given(what, unknown)}",
            expected=_expected(what, kind, steps, unknown),
            do="Mend that field",
        ) from wrong


def _given(what: str, unknown: re.Match[str] | None) -> str:
    if unknown:
        return "there is no such field"
    got = re.search(r"got `(.*)`", what)
    return f"this is {_plain(got[1])}" if got else what


def _expected(what: str, kind: type, steps: list[str | int], unknown: re.Match[str] | None) -> str:
    if unknown:
        names = field_names(kind, steps[:-1])
        near = near_matches(unknown[1], names)
        return f"{near[0]}?" if near else f"one of {', '.join(names)}"
    wanted = re.search(r"Expected `([^`]*)`", what)
    if wanted:
        return _plain(wanted[1])
    missing = re.search(r"missing required field `(.*)`", what)
    return f"the field {missing[1]}" if missing else "a value that fits (docs/reference/spec.md)"


def _plain(kinds: str) -> str:
    words = {
        "float": "a number",
        "int": "a whole number",
        "str": "text",
        "bool": "true or false",
        "object": "fields",
        "array": "a list",
        "null": "nothing",
        "decimal": "a number",
        "date": "a date like 2026-11-24",
    }
    parts = [words.get(part.strip(), part.strip()) for part in kinds.split("|")]
    return " or ".join(part for part in parts if part != "nothing") or "nothing"


def field_names(kind: Any, steps: list[str | int]) -> list[str]:  # noqa: ANN401 - any type expression
    """The field names of the structure at the end of a path, for near matches."""
    info = msgspec.inspect.type_info(kind)
    for step in steps:
        info = _step(info, step)
    info = _struct(info)
    return [field.encode_name for field in getattr(info, "fields", ())]


def _struct(info: Any) -> Any:  # noqa: ANN401 - msgspec's own type descriptions
    if isinstance(info, msgspec.inspect.UnionType):
        return next((t for t in info.types if isinstance(t, msgspec.inspect.StructType)), info)
    return info


def _step(info: Any, step: str | int) -> Any:  # noqa: ANN401 - msgspec's own type descriptions
    info = _struct(info)
    if isinstance(step, int):
        return getattr(info, "item_type", info)
    for field in getattr(info, "fields", ()):
        if field.encode_name == step:
            return field.type
    return getattr(info, "value_type", info)


def _line(node: yaml.Node, steps: list[str | int]) -> int:
    """The line of a field, or of the nearest thing around it that stands in the file."""
    line = int(node.start_mark.line) + 1
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    line, node = int(key.start_mark.line) + 1, value
                    break
            else:
                return line
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = int(node.start_mark.line) + 1
    return line
