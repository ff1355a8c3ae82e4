"""GitHub-flavoured Markdown from text that anybody may have written: request names, errors, answers of a service."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from tailgate.reports.text import Screen

MAX_ROWS = 100
"""Rows of a table; the JSON report has all of them."""

_MAX_CELL = 60
_MAX_SENTENCE = 300
_SCREEN = Screen(width=0, color=False, unicode=True)
# An underscore within a word is one; request names are full of them.
_STRUCTURE = re.compile(r"[\\`*\[\]|~$#]|(?<![^\W_])_|_(?![^\W_])")
# GitHub looks for people and issues in the text that a reader sees, so escaping does not hide them.
_REFERENCE = re.compile(r"@|#(?=\d)|\bgh-(?=\d)", re.IGNORECASE)
_ZERO_WIDTH_SPACE = "\u200b"


def plain(text: str, characters: int = _MAX_SENTENCE) -> str:
    """Return ``text`` to stand inside HTML: on one line, without tags, calling nobody, its middle left out if long."""
    flat = _shorten(_SCREEN.clean(text), characters)
    return escape(_REFERENCE.sub(rf"\g<0>{_ZERO_WIDTH_SPACE}", flat), quote=False)


def inline(text: str, characters: int = _MAX_SENTENCE) -> str:
    """Return ``text`` to stand within a line or in a cell of a table: as ``plain``, and nothing of it is Markdown.

    No line may begin with it: a number or a dash would make a list of it.
    """
    # An address becomes a link wherever it stands, unless its slashes are escaped.
    return _STRUCTURE.sub(r"\\\g<0>", plain(text, characters)).replace("://", r":\/\/").replace("www.", r"www\.")


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of plain texts.

    Args:
        titles: One a column; ``>n`` is a column of numbers, aligned to the right, with the title ``n``.
        rows: Cells of text, escaped here. Beyond ``MAX_ROWS`` the last line tells how many are left out.
    """
    rules = ["---:" if title.startswith(">") else ":---" for title in titles]
    lines = [_line(title.removeprefix(">") for title in titles), _line(rules)]
    lines += [_line(inline(cell, _MAX_CELL) for cell in row) for row in rows[:MAX_ROWS]]
    if len(rows) > MAX_ROWS:
        lines.append(_line([f"and {len(rows) - MAX_ROWS:,} more", *[""] * (len(titles) - 1)]))
    return "\n".join(lines)


def details(title: str, blocks: Iterable[str]) -> str:
    """Return blocks of Markdown that are folded away behind a title of plain text."""
    # The blank line ends the HTML, so that what follows is Markdown again.
    body = "\n\n".join(blocks)
    return f"<details>\n<summary>{plain(title)}</summary>\n\n{body}\n\n</details>"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shorten(text: str, characters: int) -> str:
    """Cut by characters, not by width: combining marks have none and would make a text of any length."""
    half = characters // 2
    return text if len(text) <= characters else f"{text[:half]}\N{HORIZONTAL ELLIPSIS}{text[-half:]}"
