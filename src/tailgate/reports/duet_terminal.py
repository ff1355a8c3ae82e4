"""A duet on the terminal: who was compared, and one row a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tailgate.reports.changes import TITLES, ChangeRow, change_rows, names_alike, render_builds, render_rounds
from tailgate.reports.table import Column, render_table
from tailgate.reports.text import Screen, Span, sentences, some_of

_COLUMNS = (
    Column(align="left"),
    Column(drop=3),  # baseline
    Column(drop=2),  # candidate
    Column(align="left", drop=1),  # change
    Column(drop=4),  # limit
    Column(drop=5),  # fails from
    Column(drop=6),  # samples
    Column(align="left"),  # outcome
    Column(align="left", drop=7),  # mark: the outcome says it
)


def duet_lines(record: Mapping[str, Any], screen: Screen) -> list[list[Span]]:
    """Return the table of a duet: what its rules asked for and what else differs, and the rest in one line."""
    duet = record["duet"]
    lines = [*sentences("duet", [render_builds(duet), render_rounds(duet)], screen), []]
    rows = change_rows(record)
    if rows:
        titles = [Span(title, "dim") for title in TITLES]
        lines += render_table(_COLUMNS, [titles, *(_row(row, screen) for row in rows)], screen)
    alike = names_alike(record)
    return [*lines, *([[], *some_of("others", alike, screen, lead="not told apart: ")] if alike else [])]


def _row(row: ChangeRow, screen: Screen) -> list[Span]:
    """Return the cells; of what did not pass, the change and the outcome stand out."""
    tint = "" if row.style == "green" else row.style
    styles = {3: tint, len(TITLES) - 2: tint, len(TITLES) - 1: row.style}
    return [Span(screen.clean(cell), styles.get(index, "")) for index, cell in enumerate(row.cells)]
