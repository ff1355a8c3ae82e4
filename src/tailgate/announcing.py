"""Tell on the terminal how a load does while it runs."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from tailgate.reporting import shows_unicode
from tailgate.reports.progress import Progress, render_progress

LINE_EVERY_S = 5.0
"""How often a line is written where no line can be overwritten."""
_CLEAR = "\r\x1b[K"


class ProgressLine:
    """Writes what goes on: one live line on a terminal, a line now and then elsewhere, nothing with ``-q``.

    It writes past pytest's writer, which must not learn of it: pytest fills the line that it has begun, such as
    ``test_x.py .``, by what it knows to stand there. ``close`` puts that line back.
    """

    def __init__(self, config: pytest.Config) -> None:
        reporter: Any = config.pluginmanager.getplugin("terminalreporter")
        self._capture: Any = config.pluginmanager.getplugin("capturemanager")
        # A worker of xdist has a reporter too, but its output goes nowhere.
        is_silent = reporter is None or config.get_verbosity() < 0 or hasattr(config, "workerinput")
        self._writer: Any = None if is_silent else reporter._tw  # noqa: SLF001 - pytest offers its stream nowhere else
        self._is_live = not is_silent and reporter.isatty and os.environ.get("TERM") != "dumb"
        self._written_at: float | None = None
        self._is_open = False

    def show(self, progress: Progress) -> None:
        """Show where the run is."""
        if self._is_live:
            self._put(progress, self._writer.fullwidth - 1)
        elif self._writer is not None:
            now = time.monotonic()
            if self._written_at is None:
                self._written_at = now
            if now - self._written_at >= LINE_EVERY_S:
                self._written_at = now
                self._put(progress, 80)

    def say(self, text: str) -> None:
        """Show a sentence."""
        if self._writer is not None:
            self._write(text)

    def close(self) -> None:
        """Give the terminal back with the line on it that pytest had begun."""
        if self._is_open:
            begun = self._writer._current_line  # noqa: SLF001 - as above
            self._send(f"{_CLEAR if self._is_live else ''}{begun}")
            self._is_open = False

    def _put(self, progress: Progress, width: int) -> None:
        self._write(render_progress(progress, width, unicode=shows_unicode(self._writer)))

    def _write(self, text: str) -> None:
        if self._is_live:
            self._send(f"{_CLEAR}{text}")
        else:
            self._send(f"{text}\n" if self._is_open else f"\n{text}\n")
        self._is_open = True

    def _send(self, text: str) -> None:
        if self._capture is None:
            self._flush(text)
            return
        with self._capture.global_and_fixture_disabled():
            self._flush(text)

    def _flush(self, text: str) -> None:
        stream = self._writer._file  # noqa: SLF001 - as above
        stream.write(text)
        stream.flush()
