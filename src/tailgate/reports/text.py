"""Text on a terminal: what a character takes, cutting, wrapping and colour."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, NamedTuple

Style = Literal["", "bold", "dim", "red", "green", "yellow", "bold red"]

MIN_WIDTH = 40
"""Narrower terminals get lines that were laid out for this width, and then cut."""

LABEL_WIDTH = 11
"""Cells before the text of a labelled block; the longest label is ``uncovered``."""

_BREAK = re.compile(r"(?<!=) (?!(?:=|ms\b|s\b|%))")

_SGR = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "bold red": "1;31"}

NO_FIGURE = "\N{EN DASH}"
"""Stands where there is nothing to show."""

TIMES = "\N{MULTIPLICATION SIGN}"

_ASCII = str.maketrans(
    {"✓": "ok", "✗": "FAIL", "…": "...", "─": "-", "—": "-", "·": "-", "≤": "<=", "≥": ">=", "µ": "u", "→": "->"}
    | {NO_FIGURE: "-", TIMES: "x", "\N{REPLACEMENT CHARACTER}": "?"}
)


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: Style = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What a terminal, or a log file, can show."""

    width: int
    """Cells in a line."""
    color: bool
    unicode: bool
    """False where the encoding of the output cannot show more than ASCII."""

    @property
    def layout_width(self) -> int:
        """Cells that lines are laid out for."""
        return max(self.width, MIN_WIDTH)

    def clean(self, text: str) -> str:
        """Return ``text`` on one line, without control characters, in characters that can be shown."""
        flat = " ".join(text.split())
        shown = "".join("\N{REPLACEMENT CHARACTER}" if _is_control(char) else char for char in flat)
        return shown if self.unicode else shown.translate(_ASCII).encode("ascii", "replace").decode("ascii")

    def shorten(self, text: str, cells: int) -> str:
        """Return clean ``text`` with its middle left out if it takes more than ``cells``."""
        if cell_width(text) <= cells:
            return text
        gap = self.clean("…")
        room = cells - len(gap)
        if room < 2:  # noqa: PLR2004 - a character on each side
            return _take(text, cells)
        tail = _take(text[::-1], room // 2)[::-1]
        return _take(text, room - cell_width(tail)) + gap + tail

    def line(self, spans: Iterable[Span]) -> str:
        """Return one line of output, never wider than the screen."""
        left, pieces = self.width, []
        for style, group in groupby(spans, key=lambda span: span.style):
            text = _take("".join(span.text for span in group), left)
            left -= cell_width(text)
            pieces.append(Span(text, style))
        while pieces and not pieces[-1].text.rstrip():
            pieces.pop()
        if pieces:
            pieces[-1] = Span(pieces[-1].text.rstrip(), pieces[-1].style)
        return "".join(self._paint(piece) for piece in pieces)

    def crop(self, text: str) -> str:
        """Return the start of ``text`` that the screen has room for."""
        return _take(text, self.width).rstrip()

    def _paint(self, span: Span) -> str:
        """Return the text of a span with its colour."""
        if not (self.color and span.style and span.text.strip()):
            return span.text
        return f"\033[{_SGR[span.style]}m{span.text}\033[0m"


def cell_width(text: str) -> int:
    """Return how many cells ``text`` takes: none for a combining mark, two for a wide East Asian character."""
    return sum(_char_width(char) for char in text)


def words(text: str, style: Style = "") -> list[Span]:
    """Return what may not be split of clean ``text``: words, ``<= 250 ms``, ``(n = 413;``."""
    return [Span(word, style) for word in _BREAK.split(text)]


def flow(label: str, items: Sequence[Span], *, width: int, gap: str = " ", hang: int = 0) -> list[list[Span]]:
    """Lay out items one after the other behind a label, in as many lines as they need, none split that fits a line.

    Args:
        label: What the items are; empty to go on with the block above.
        items: Clean text each.
        width: Cells of a line.
        gap: What stands between two items.
        hang: Cells by which every line but the first is set in, so that the next sentence can be told from it.
    """
    room = width - LABEL_WIDTH - hang
    lines = [[Span(label.ljust(LABEL_WIDTH), "dim")]]
    used = 0
    for piece in (piece for item in items for piece in _pieces(item, room)):
        cells = cell_width(piece.text)
        if used and used + len(gap) + cells > room + (hang if len(lines) == 1 else 0):
            lines.append([Span(" " * (LABEL_WIDTH + hang), "dim")])
            used = 0
        lines[-1].append(Span(gap + piece.text, piece.style) if used else piece)
        used += cells + (len(gap) if used else 0)
    return lines


def sentences(label: str, texts: Iterable[str], screen: Screen, style: Style = "") -> list[list[Span]]:
    """Lay out sentences below one another behind a label; nothing if there are none."""
    lines = []
    for index, text in enumerate(texts):
        items = words(screen.clean(text), style)
        lines += flow("" if index else label, items, width=screen.layout_width, hang=2)
    return lines


def some_of(label: str, names: Iterable[str], screen: Screen, *, lead: str = "") -> list[list[Span]]:
    """Lay out one line with as many of the names as fit behind a label and a lead; nothing if there are none."""
    shown = [screen.clean(name) for name in names]
    if not shown:
        return []
    room = screen.layout_width - LABEL_WIDTH - len(lead)
    for count in range(len(shown), 0, -1):
        rest = f" and {len(shown) - count:,} more" if count < len(shown) else ""
        text = ", ".join(shown[:count]) + rest
        if cell_width(text) <= room:
            break
    else:
        text = screen.shorten(shown[0], room - len(rest)) + rest
    return [[Span(label.ljust(LABEL_WIDTH), "dim"), Span(lead + text)]]


def _pieces(item: Span, cells: int) -> list[Span]:
    """Split an item that no line has room for."""
    pieces, rest = [], item.text
    while cell_width(rest) > cells:
        head = _take(rest, cells)
        pieces.append(Span(head, item.style))
        rest = rest[len(head) :]
    return [*pieces, Span(rest, item.style)]


def _take(text: str, cells: int) -> str:
    """Return as much of the start of ``text`` as ``cells`` hold."""
    used = 0
    for index, char in enumerate(text):
        used += _char_width(char)
        if used > cells:
            return text[:index]
    return text


def _char_width(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def _is_control(char: str) -> bool:
    """Tell whether a character steers a terminal, reorders text, is half of one, or is none, which XML refuses."""
    return unicodedata.category(char) in {"Cc", "Cf", "Cs"} or char in "\ufffe\uffff"
