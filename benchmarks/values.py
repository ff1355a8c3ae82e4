"""Measured figures and tables of them: plain values."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured quantity, ours alone or beside somebody else's."""

    what: str
    unit: str
    """``ms``, ``µs``, ``s``, ``MB``, ``%``, ``/s``, …"""
    ours: tuple[float, ...]
    """One value a round."""
    theirs: tuple[float, ...] = ()
    """One value a round, measured in alternation with ours; empty if there is nothing to compare with."""
    most_ratio: float | None = None
    """Goal: ours is at most this many times theirs."""
    least_ratio: float | None = None
    """Goal: ours is at least this many times theirs."""
    most: float | None = None
    """Goal: ours is at most this, its sign aside, in ``unit``."""

    @property
    def ratio(self) -> float | None:
        """Ratio of the medians, ours over theirs."""
        return median(self.ours) / median(self.theirs) if self.theirs and median(self.theirs) else None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal was met; None without a goal."""
        if self.most_ratio is not None and self.ratio is not None:
            return self.ratio <= self.most_ratio
        if self.least_ratio is not None and self.ratio is not None:
            return self.ratio >= self.least_ratio
        return abs(median(self.ours)) <= self.most if self.most is not None else None

    @property
    def goal(self) -> str:
        """The goal as people write it; empty without one."""
        if self.most_ratio is not None:
            return f"<= {self.most_ratio:g}x"
        if self.least_ratio is not None:
            return f">= {self.least_ratio:g}x"
        return f"<= {self.most:g} {self.unit}" if self.most is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The figures of one benchmark, or of one part of it."""

    title: str
    """What was measured and how, in one line."""
    figures: tuple[Figure, ...]
    ours: str = "tailgate"
    theirs: str = ""
    """Who it is compared with; empty for nobody."""
    has_ratios: bool = True
    """Whether a ratio of ours to theirs means something."""
    notes: tuple[str, ...] = field(default=())
    """What a reader needs to understand the figures, one line each."""

    def as_json(self) -> dict[str, Any]:
        """Return the table with the values of all rounds, as JSON values."""
        return {
            "title": self.title,
            "ours": self.ours,
            "theirs": self.theirs,
            "notes": list(self.notes),
            "figures": [
                {
                    "what": figure.what,
                    "unit": figure.unit,
                    "ours": list(figure.ours),
                    "theirs": list(figure.theirs),
                    "ratio": figure.ratio,
                    "goal": figure.goal,
                    "is_met": figure.is_met,
                }
                for figure in self.figures
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured quantity of all who are compared."""

    what: str
    unit: str
    """As in `Figure`."""
    values: tuple[tuple[float, ...], ...]
    """For each who is compared, one value a round, measured in alternation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What several who are compared did, side by side."""

    title: str
    """What was measured and how, in one line."""
    names: tuple[str, ...]
    """Who is compared; ourselves first."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    """What a reader needs to understand the figures, one line each."""

    def as_json(self) -> dict[str, Any]:
        """Return the contest with the values of all rounds, as JSON values."""
        return {
            "title": self.title,
            "notes": list(self.notes),
            "rows": [
                {
                    "what": row.what,
                    "unit": row.unit,
                    "values": dict(zip(self.names, map(list, row.values), strict=True)),
                }
                for row in self.rows
            ],
        }


def render(shown: Table | Contest) -> str:
    """Return a table as Markdown that is readable on a terminal too: medians, ratios, goals."""
    header, *rows = _contest_cells(shown) if isinstance(shown, Contest) else _table_cells(shown)
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        _line(header, widths),
        _line(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])], widths),
    ]
    lines += [_line(row, widths) for row in rows]
    return "\n".join([f"{shown.title}", "", *lines, *(["", *shown.notes] if shown.notes else [])])


def _contest_cells(contest: Contest) -> list[list[str]]:
    rows = [[row.what, *(_value(values, row.unit) for values in row.values)] for row in contest.rows]
    return [["", *contest.names], *rows]


def _table_cells(table: Table) -> list[list[str]]:
    everything = [["", table.ours, table.theirs, "ratio", "goal", "met"], *map(_cells, table.figures)]
    is_shown = [True, True, bool(table.theirs), bool(table.theirs) and table.has_ratios]
    is_shown += [any(figure.goal for figure in table.figures)] * 2
    return [list(itertools.compress(row, is_shown)) for row in everything]


def _cells(figure: Figure) -> list[str]:
    theirs = _value(figure.theirs, figure.unit) if figure.theirs else ""
    ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
    is_met = {True: "yes", False: "no", None: ""}[figure.is_met]
    return [figure.what, _value(figure.ours, figure.unit), theirs, ratio, figure.goal, is_met]


def _value(values: Sequence[float], unit: str) -> str:
    """Render the median with three digits, or as many as the whole number has: ``0.612 µs``, ``8,412 /s``."""
    value = median(values)
    decimals = next((n for n, least in ((0, 99.95), (1, 9.995), (2, 0.9995)) if abs(value) >= least), 3)
    return f"{value:,.{decimals if value else 0}f} {unit}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join([first, *rest]) + " |"
