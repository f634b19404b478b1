"""YAML with comments: plain structures in, text out, the same bytes for the same structure."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

WIDTH = 110
INDENT = 2
SHORT = {"Ref": "!Ref", "Fn::Sub": "!Sub", "Fn::GetAtt": "!GetAtt"}
"""Intrinsic functions of CloudFormation that are written in short."""


@dataclass(frozen=True, slots=True)
class Said:
    """A value with a comment that says where it comes from, or why it is so."""

    value: Any
    why: str


Node = Any
"""Mappings, sequences, scalars, and ``Said`` around any of them."""


def said(value: Node, why: str) -> Said:
    """A value with its comment."""
    return Said(value, why)


def bare(node: Node) -> Any:  # noqa: ANN401 - any structure
    """The structure without its comments."""
    if isinstance(node, Said):
        return bare(node.value)
    if isinstance(node, Mapping):
        return {key: bare(value) for key, value in node.items()}
    return [bare(value) for value in node] if _is_list(node) else node


def to_yaml(node: Mapping[str, Node], heading: str = "") -> str:
    """The text of a structure.

    >>> print(to_yaml({"a": said(1, "the first"), "b": [{"Ref": "X"}]}), end="")
    # the first
    a: 1
    b:
      - !Ref X
    """
    lines = [*_comment(heading, 0), *_mapping(node, 0)]
    return "\n".join(lines) + "\n"


def _mapping(node: Mapping[str, Node], depth: int) -> Iterator[str]:
    pad = " " * depth
    for key, value in node.items():
        inner, why = (value.value, value.why) if isinstance(value, Said) else (value, "")
        yield from _comment(why, depth)
        name = _scalar(key)
        inline = _inline(inner)
        if inline is not None:
            yield f"{pad}{name}: {inline}"
        elif (lines := _lines(inner)) is not None:
            tag, text = lines
            yield f"{pad}{name}: {tag}|-"
            yield from (f"{pad}{' ' * INDENT}{line}" if line else "" for line in text.split("\n"))
        else:
            yield f"{pad}{name}:"
            yield from _block(inner, depth + INDENT)


def _block(node: Node, depth: int) -> Iterator[str]:
    return _mapping(node, depth) if isinstance(node, Mapping) else _sequence(node, depth)


def _sequence(node: Sequence[Node], depth: int) -> Iterator[str]:
    pad = " " * depth
    for value in node:
        inner, why = (value.value, value.why) if isinstance(value, Said) else (value, "")
        yield from _comment(why, depth)
        inline = _inline(inner)
        if inline is not None:
            yield f"{pad}- {inline}"
            continue
        lines = list(_block(inner, depth + INDENT))
        first = next(n for n, line in enumerate(lines) if not line.lstrip().startswith("#"))
        yield from (pad + line.lstrip() for line in lines[:first])
        yield f"{pad}- {lines[first].lstrip()}"
        yield from lines[first + 1 :]


def _inline(node: Node) -> str | None:
    """A value that stands behind its key; ``None`` if it takes lines of its own."""
    if isinstance(node, Mapping):
        if len(node) == 1 and (function := next(iter(node))) in SHORT:
            return _intrinsic(SHORT[function], node[function])
        return None if node else "{}"
    if _is_list(node):
        return None if node else "[]"
    if isinstance(node, str) and "\n" in node:
        return None
    return _scalar(node)


def _lines(node: Node) -> tuple[str, str] | None:
    """A text of several lines, bare or under ``!Sub``: the tag before it, and the text."""
    if isinstance(node, str):
        return "", node
    if isinstance(node, Mapping) and len(node) == 1 and isinstance(text := node.get("Fn::Sub"), str):
        return "!Sub ", text
    return None


def _intrinsic(tag: str, value: Node) -> str | None:
    if _is_list(value):
        return f"{tag} {'.'.join(value)}" if tag == "!GetAtt" else None
    return None if "\n" in value else f"{tag} {_scalar(value)}"


def _scalar(value: Any) -> str:  # noqa: ANN401 - any scalar
    plain = float(value) if isinstance(value, Decimal) else value
    return yaml.safe_dump(plain, width=float("inf"), allow_unicode=True).removesuffix("\n...\n").removesuffix("\n")


def _comment(why: str, depth: int) -> list[str]:
    pad = " " * depth
    return [
        f"{pad}# {line}".rstrip()
        for paragraph in why.splitlines()
        for line in (
            textwrap.wrap(paragraph, WIDTH - depth - 2, break_long_words=False, break_on_hyphens=False) or [""]
        )
    ]


def _is_list(node: Node) -> bool:
    return isinstance(node, Sequence) and not isinstance(node, str)
