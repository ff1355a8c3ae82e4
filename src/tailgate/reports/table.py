"""Tables with one column that gives way: names are shortened before figures are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tailgate.reports.text import Screen, Span, cell_width

GAP = "  "
MIN_NAME_WIDTH = 16
"""Cells that names get before a column of figures is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How a column is set."""

    align: Literal["left", "right"] = "right"
    drop: int = 0
    """On a narrow terminal, the highest goes first; 0 always stays."""


def render_table(
    columns: Sequence[Column], rows: Sequence[Sequence[Span]], screen: Screen, *, name: int = 0
) -> list[list[Span]]:
    """Align rows of clean cells.

    Args:
        columns: One for each cell of a row.
        rows: All rows, those with titles included; an empty row is an empty line.
        screen: Where the table has to fit.
        name: Index of the column that is shortened when the table is too wide.
    """
    widths = [max((cell_width(row[i].text) for row in rows if row), default=0) for i in range(len(columns))]
    kept = [i for i in range(len(columns)) if widths[i]]
    room = _room(kept, widths, screen, name)
    while room < min(widths[name], MIN_NAME_WIDTH) and any(columns[i].drop for i in kept):
        kept.remove(max(kept, key=lambda i: columns[i].drop))
        room = _room(kept, widths, screen, name)
    widths[name] = min(widths[name], max(room, 1))
    return [_row(columns, [(i, row[i]) for i in kept] if row else [], widths, screen) for row in rows]


def _room(kept: Sequence[int], widths: Sequence[int], screen: Screen, name: int) -> int:
    """Return the cells that the other columns leave to the names."""
    return screen.layout_width - sum(widths[i] + len(GAP) for i in kept if i != name)


def _row(
    columns: Sequence[Column], cells: Sequence[tuple[int, Span]], widths: Sequence[int], screen: Screen
) -> list[Span]:
    """Return one row, each cell filled up to the width of its column."""
    spans: list[Span] = []
    for index, cell in cells:
        text = screen.shorten(cell.text, widths[index])
        fill = " " * (widths[index] - cell_width(text))
        parts = (
            [Span(fill), Span(text, cell.style)]
            if columns[index].align == "right"
            else [Span(text, cell.style), Span(fill)]
        )
        spans += [Span(GAP), *parts] if spans else parts
    return spans
