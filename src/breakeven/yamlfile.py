"""YAML files read into typed structures; a slip is told with file, line, field and what was expected."""

from pathlib import Path
from typing import Any, TypeVar

import yaml

from breakeven.errors import SpecError, near_matches
from breakeven.fields import Steps, typed
from breakeven.wording import quoting

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # a build of PyYAML without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]

T = TypeVar("T")
LARGEST_FILE_BYTES = 10_000_000


class _Loader(SafeLoader):
    """Reads what only looks like a date or a number (``2023-13-45``) as the text it is, as YAML does elsewhere."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401 - any YAML value
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError):
            if not isinstance(node, yaml.ScalarNode):
                raise
            self.constructed_objects[node] = node.value
            return node.value


def read_yaml(path: Path, kind: type[T]) -> tuple[T, ...]:
    """The documents of a YAML file (one, or several parted by ``---``), each as a ``kind``.

    Raises:
        SpecError: if the file cannot be read, is not YAML, or does not fit; with the line and the field.
    """
    documents = _documents(path, _text(path))
    if not documents:
        raise SpecError(
            quoting("{path} is empty", path=path), expected="a YAML document", do="See docs/reference/spec.md"
        )
    return tuple(_typed(document, kind, path, node) for node, document in documents)


def _text(path: Path) -> str:
    try:
        if not path.exists():
            beside = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.exists() else []
            near = near_matches(path.name, beside)
            raise SpecError(
                quoting("there is no file {path}", path=path),
                expected="a YAML file",
                do=quoting("Did you mean: {names}?", names=", ".join(near)) if near else "Check the path",
            )
        if path.is_dir():
            raise SpecError(quoting("{path} is a folder", path=path), expected="a YAML file", do="Name the file in it")
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise SpecError(
                quoting("{path} is {size:,} bytes", path=path, size=path.stat().st_size),
                expected=quoting("at most {most:,}", most=LARGEST_FILE_BYTES),
                do="Give a spec, not a log",
            )
        return path.read_text(encoding="utf-8")
    except OSError as wrong:
        raise SpecError(
            quoting("{path} cannot be read: {why}", path=path, why=wrong.strerror),
            expected="a file you may read",
            do="Check the path",
        ) from wrong
    except UnicodeDecodeError as wrong:
        raise SpecError(
            quoting("{path} cannot be read: {why}", path=path, why=wrong), expected="UTF-8 text", do="Save it as UTF-8"
        ) from wrong


def _documents(path: Path, text: str) -> list[tuple[yaml.Node, Any]]:
    """Each document that is not empty, with the nodes that know its lines."""
    found: list[tuple[yaml.Node, Any]] = []
    try:
        loader = _Loader(text)
        while loader.check_node() and (node := loader.get_node()):
            _refuse_twice(node, path)
            found.append((node, loader.construct_document(node)))
    except yaml.YAMLError as wrong:
        mark = getattr(wrong, "problem_mark", None)
        place: object = path
        if mark:
            place = quoting(
                "{path}, line {line}, column {column}", path=path, line=mark.line + 1, column=mark.column + 1
            )
        problem = getattr(wrong, "problem", None) or getattr(wrong, "reason", None) or wrong
        raise SpecError(
            quoting("{place} is not YAML: {problem}", place=place, problem=problem),
            expected="`field: value` lines, indented by spaces",
            do="Mend that line",
        ) from wrong
    except RecursionError as wrong:
        raise SpecError(
            quoting("{path} is nested too deep", path=path), expected="a spec", do="See docs/reference/spec.md"
        ) from wrong
    return [(node, document) for node, document in found if document is not None]


def _refuse_twice(top: yaml.Node, path: Path) -> None:
    """Refuse a field that is given twice: YAML would take the last one and say nothing."""
    seen: set[int] = set()
    waiting = [top]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += [value for _, value in node.value]
            lines: dict[str, int] = {}
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"):
                line = key.start_mark.line + 1
                if key.value in lines:
                    raise SpecError(
                        quoting(
                            "{path}, line {line}: {field} is given twice, first in line {first}",
                            path=path,
                            line=line,
                            field=key.value,
                            first=lines[key.value],
                        ),
                        expected="each field once",
                        do="Leave one of them out",
                    )
                lines[key.value] = line


def _typed(document: object, kind: type[T], path: Path, node: yaml.Node) -> T:
    return typed(document, kind, lambda steps: quoting("{path}, line {line}, ", path=path, line=_line(node, steps)))


def _line(node: yaml.Node, steps: Steps) -> int:
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
