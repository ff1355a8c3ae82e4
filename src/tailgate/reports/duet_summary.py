"""A duet in the Markdown report: who was compared, and one row a comparison, for somebody who reviews a change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tailgate.reports.changes import TITLES, change_rows, names_alike, render_builds, render_rounds
from tailgate.reports.markdown import inline, table

_NUMBERS = {"baseline", "candidate", "limit", "fails from", "samples"}
_LEGEND = (
    "_change_: with the interval that it lies in; _limit_: the largest that is allowed; "
    "_fails from_: what would have failed in four of five such duets."
)


def duet_head(record: Mapping[str, Any]) -> list[str]:
    """Return who was compared, how long and where, as a line; nothing for a run that is no duet."""
    duet = record["duet"]
    return [inline(f"{render_builds(duet)}: {render_rounds(duet)}")] if duet else []


def duet_blocks(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a duet found; nothing for a run that is none."""
    rows = change_rows(record)
    if rows:
        titles = [f">{title}" if title in _NUMBERS else title for title in TITLES]
        yield table(titles, [row.cells for row in rows])
        yield _LEGEND
    alike = names_alike(record)
    if alike:
        yield f"Not told apart: {inline(', '.join(alike))}"
