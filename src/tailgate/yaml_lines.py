"""YAML read into plain JSON values that remember the line each was written on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

MAX_CHARACTERS = 256 * 1024
"""Longer text is refused; the reader is exact rather than fast, about 100 kB a second."""
MAX_DEPTH = 40
"""Deeper nesting is refused before it exhausts Python's stack."""
MAX_NODES = 50_000
"""More values than this, aliases followed, are refused: ten lines of aliases can stand for billions."""

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the top of a document to one value."""

_Pairs = dict[str, tuple[yaml.Node, yaml.Node]]
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_REFUSED = object()
_HINTS = {
    "found character '\\t' that cannot start any token": "indent with spaces, not tabs",
    "mapping values are not allowed here": "put a name that contains ': ' in quotes",
    "but found another document": "keep one document, without a second '---'",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document."""

    line: int
    """Counted from 1."""
    path: KeyPath | None
    """None when the text is not YAML at all."""
    text: str
    """What was found and what was wanted, without the place."""

    def render(self, name: str) -> str:
        """Render the whole message; ``name`` is what it calls the file."""
        place = "" if self.path is None else f"{render_path(self.path)}: "
        return f"{name}:{self.line}: {place}{self.text}"


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """What could be read; values that were refused are left out."""

    data: Any
    """Made of dict, list, str, int, float, bool and None only; every key is text, every number finite."""
    lines: Mapping[KeyPath, int]
    """Line of each value's key (or of the list item), counted from 1; the top has the empty path."""
    problems: tuple[Problem, ...]


def read_yaml(text: str) -> YamlDocument:
    """Read one YAML document; never raises, what is wrong is in ``problems``.

    Numbers, booleans and nulls are recognised as in YAML 1.2, which editors and ``check-jsonschema`` read too, so
    ``on`` and ``2024-01-01`` are text and ``1e3`` is a number. Anchors, aliases and merge keys (``<<``) work; tags
    other than JSON's types do not. Of a key that is written twice the first value counts.

    Args:
        text: The whole document.
    """
    if len(text) > MAX_CHARACTERS:
        return _unreadable(1, f"{len(text):,} characters; at most {MAX_CHARACTERS:,} are read")
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.reader.ReaderError as err:
        line = text.count("\n", 0, err.position) + 1
        return _unreadable(line, f"not valid YAML: character U+{_code(err.character):04X} is not allowed; delete it")
    except yaml.MarkedYAMLError as err:
        return _syntax_error(err)
    except (ValueError, OverflowError):  # such as "\\UFFFFFFFF", which PyYAML hands to chr() unseen
        line = loader.get_mark().line + 1 if loader else 1
        return _unreadable(line, "not valid YAML: a number in an escape or a directive is out of range")
    return _Conversion().run(node)


def render_path(path: KeyPath) -> str:
    """Render a path as JSONPath: ``$.scenarios.spike.requests['GET /products']``."""
    return "$" + "".join(_render_key(key) for key in path)


def _render_key(key: str | int) -> str:
    return f".{key}" if isinstance(key, str) and re.fullmatch(r"[A-Za-z_]\w*", key) else f"[{key!r}]"


def _code(character: str | int) -> int:
    return ord(character) if isinstance(character, str) else character


def _is_encodable(text: str) -> bool:
    return not re.search(r"[\ud800-\udfff]", text)


def _unreadable(line: int, text: str) -> YamlDocument:
    return YamlDocument(data=None, lines={(): line}, problems=(Problem(line, None, text),))


def _syntax_error(err: yaml.MarkedYAMLError) -> YamlDocument:
    mark = err.problem_mark or err.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem, context = err.problem or "", err.context or ""
    text = f"column {column}: not valid YAML: "
    if context.startswith("while ") and err.context_mark:
        text += f"{problem} {context} that starts in line {err.context_mark.line + 1}"
    else:
        text += f"{context} {problem}".strip()
    hint = _HINTS.get(problem)
    if context == "while scanning an alias" or problem.startswith("found undefined alias"):
        hint = "put a name that starts with * in quotes"
    return _unreadable(line, f"{text}; {hint}" if hint else text)


class _Loader(yaml.SafeLoader):
    """Builds the node tree only. Not the C loader: that has no depth limit, and other words for its errors."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own form
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.depth == MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, f"nested deeper than {MAX_DEPTH} levels", mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"{_TAG}{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first))


class _TooManyNodesError(Exception):
    """The aliases of a document stand for too much."""


class _Conversion:
    """One walk from the node tree to plain values."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self.nodes_left = MAX_NODES
        self.seen: set[tuple[int, str]] = set()

    def run(self, node: yaml.Node | None) -> YamlDocument:
        """Convert the whole document; an empty one is None."""
        if node is None:
            return YamlDocument(data=None, lines={(): 1}, problems=())
        self.lines[()] = node.start_mark.line + 1
        try:
            data = self._value(node, (), ())
        except _TooManyNodesError:
            return _unreadable(self.lines[()], f"more than {MAX_NODES:,} values once its aliases are followed")
        return YamlDocument(None if data is _REFUSED else data, self.lines, tuple(self.problems))

    def _value(self, node: yaml.Node, path: KeyPath, inside: tuple[yaml.Node, ...]) -> Any:
        self._count(1)
        if any(node is outer for outer in inside):
            return self._refuse(node, path, "contains itself through an alias; write the values out")
        if len(inside) == MAX_DEPTH:
            return self._refuse(node, path, f"nested deeper than {MAX_DEPTH} levels once its aliases are followed")
        match node:
            case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
                return self._mapping(node, path, (*inside, node))
            case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
                return self._sequence(node, path, (*inside, node))
            case yaml.ScalarNode():
                return self._scalar(node, path)
        return self._refuse_tag(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, inside: tuple[yaml.Node, ...]) -> dict[str, Any]:
        result = {}
        for key, (key_node, value_node) in self._pairs(node, path, inside).items():
            here = (*path, key)
            self.lines[here] = key_node.start_mark.line + 1
            value = self._value(value_node, here, inside)
            if value is not _REFUSED:
                result[key] = value
        return result

    def _sequence(self, node: yaml.SequenceNode, path: KeyPath, inside: tuple[yaml.Node, ...]) -> list[Any]:
        result = []
        for index, item in enumerate(node.value):
            self.lines[*path, index] = item.start_mark.line + 1
            value = self._value(item, (*path, index), inside)
            result.append(None if value is _REFUSED else value)
        return result

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        text = node.value
        if not _is_encodable(text):
            return self._refuse(node, path, f"{text!r} holds half a surrogate pair; write the character itself")
        match node.tag.removeprefix(_TAG):
            case "str" | "merge":  # a merge key is one only on the left
                return text
            case "null":
                return None
            case "bool" if text.lower() in {"true", "false"}:
                return text.lower() == "true"
            case "int" | "float" as kind:
                return self._number(node, path, kind)
        return self._refuse_tag(node, path)

    def _number(self, node: yaml.ScalarNode, path: KeyPath, kind: str) -> Any:
        try:
            as_float = float(re.sub(r"\.(?=inf|nan)", "", node.value.lower()))
            if math.isfinite(as_float):
                return int(node.value) if kind == "int" else as_float
        except ValueError:  # an explicit tag on other text, such as !!int five
            return self._refuse_tag(node, path)
        return self._refuse(node, path, f"{shorten(node.value)} is not a finite number; write one such as 250")

    def _pairs(self, node: yaml.MappingNode, path: KeyPath, inside: tuple[yaml.Node, ...]) -> _Pairs:
        """Return key and value nodes by key; what ``<<`` merges in comes last, and only where the key is not there."""
        self._count(len(node.value))
        pairs: _Pairs = {}
        merges: _Pairs = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or not _is_encodable(key_node.value):
                self._refuse(key_node, path, "a key must be text, not a list, a mapping or half a surrogate pair")
                continue
            place = merges if key_node.tag == _MERGE else pairs
            if key_node.value in place:
                first = place[key_node.value][0].start_mark.line + 1
                advice = "merge a list, such as [*a, *b]" if place is merges else "keep one of them"
                text = f"the key is written twice, first in line {first}; {advice}"
                self._refuse(key_node, (*path, key_node.value), text)
            else:
                place[key_node.value] = (key_node, value_node)
        for _, value_node in merges.values():
            for base in self._merged(value_node, path, inside):
                for key, pair in self._pairs(base, path, (*inside, base)).items():
                    pairs.setdefault(key, pair)
        return pairs

    def _merged(self, node: yaml.Node, path: KeyPath, inside: tuple[yaml.Node, ...]) -> Iterator[yaml.MappingNode]:
        bases: Iterable[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for base in bases:
            if any(base is outer for outer in inside):
                self._refuse(base, (*path, "<<"), "merges a mapping into itself")
            elif len(inside) >= MAX_DEPTH:
                self._refuse(base, (*path, "<<"), f"merged more than {MAX_DEPTH} times over")
            elif isinstance(base, yaml.MappingNode):
                yield base
            else:
                self._refuse(base, (*path, "<<"), "wants the alias of a mapping, or a list of such aliases")

    def _count(self, nodes: int) -> None:
        self.nodes_left -= nodes
        if self.nodes_left < 0:
            raise _TooManyNodesError

    def _refuse_tag(self, node: yaml.Node, path: KeyPath) -> Any:
        tag = node.tag.replace(_TAG, "!!")
        return self._refuse(
            node, path, f"the tag {shorten(tag)} is not allowed here; write a plain value without a tag"
        )

    def _refuse(self, node: yaml.Node, path: KeyPath, text: str) -> Any:
        """Note a problem, once for each place in the text although aliases may lead there again and again."""
        if (node.start_mark.index, text) not in self.seen:
            self.seen.add((node.start_mark.index, text))
            self.problems.append(Problem(node.start_mark.line + 1, path, text))
        return _REFUSED


def shorten(text: str, width: int = 60) -> str:
    """Cut ``text`` to ``width`` characters, with an ellipsis where something is missing."""
    return text if len(text) <= width else f"{text[: width - 1]}…"
