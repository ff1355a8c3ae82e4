"""Export what was noted, in a thread of its own, and count what does not arrive."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from tailgate.model import printable
from tailgate.telemetry.metrics import RunMetrics, metrics_data
from tailgate.telemetry.recording import Notes, RunIdentity
from tailgate.telemetry.settings import TelemetrySettings
from tailgate.telemetry.spans import SCOPE, FinishedTest, SpanMaker

_PATIENCE_S = 5.0
"""How long the end of a session waits, whatever ``OTEL_EXPORTER_OTLP_TIMEOUT`` says: other languages count it in
milliseconds, and 10,000 of them must not become hours."""
_GRACE_S = 1.0
"""The last part of it: what is on its way then is broken off, and may end."""
_FEWEST_FAILURES = 2
"""At the end of a session an exporter is given up after so many failures without a success between: one may pass."""
_MOST_REASON = 200
_LOGGER = logging.getLogger("opentelemetry.exporter")
_THREAD = "tailgate-telemetry"
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What became of the telemetry of one process."""

    where: str
    sent: int
    lost: int
    failed_metrics: int
    """Attempts to export metrics that failed; the next one says everything again."""
    reason: str
    """What the exporter said last, or why there was nothing to say; empty if nothing was lost."""


class _Ear(logging.Handler):
    """Hears why exports fail, which an exporter only logs, and keeps it for the summary.

    What exporters of other threads log is somebody else's, and passed on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heard = ""
        self._propagates, _LOGGER.propagate = _LOGGER.propagate, False
        _LOGGER.addHandler(self)

    def close(self) -> None:
        _LOGGER.removeHandler(self)
        _LOGGER.propagate = self._propagates
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        if record.threadName != _THREAD:
            logging.getLogger().handle(record)
        elif record.levelno >= logging.WARNING:
            text = " ".join(record.getMessage().split())
            self.heard = text if len(text) <= _MOST_REASON else f"{text[:_MOST_REASON]}…"

    def hear(self, error: Exception) -> None:
        """Keep what was raised instead of logged."""
        self.heard = printable(f"{type(error).__name__}: {error}")


class Delivery:
    """The thread, its exporters and its counts.

    The users' event loop shares the interpreter with it and waits while it works, hence the small portions.
    """

    def __init__(
        self,
        settings: TelemetrySettings,
        resource: Resource,
        version: str,
        *,
        spans: SpanExporter,
        metrics: MetricExporter | None,
    ) -> None:
        self._settings = settings
        self._resource = resource
        self._scope = InstrumentationScope(SCOPE, version)
        self._maker = SpanMaker(resource, version)
        self._spans, self._metrics = spans, metrics
        self._runs: dict[RunIdentity, RunMetrics] = {}
        self._queue: SimpleQueue[Notes | FinishedTest | None] = SimpleQueue()
        self._is_closing = self._is_late = False
        self._handed = self._dropped = 0  # written by whoever puts
        self._taken = self._sent = 0  # written by the thread
        self._failed_metrics = 0
        self._failures = 0  # since the last success
        self._metrics_at_s = 0.0
        self._ear = _Ear()
        self._thread = threading.Thread(target=self._work, name=_THREAD, daemon=True)
        self._thread.start()

    def put(self, item: Notes | FinishedTest) -> None:
        """Have something exported; spans for which there is no room are dropped and counted."""
        if isinstance(item, Notes):
            room = max(0, self._settings.most_waiting - (self._handed - self._taken))
            self._dropped += max(0, len(item.kept) - room)
            del item.kept[room:]
            self._handed += len(item.kept)
        else:
            self._handed += 1
        self._queue.put(item)

    def close(self) -> Delivered:
        """Export what is left, but wait no longer than is reasonable."""
        deadline_s = time.monotonic() + _PATIENCE_S
        self._is_closing = True
        self._queue.put(None)
        self._thread.join(_PATIENCE_S - _GRACE_S)
        self._is_late = True
        self._spans.shutdown()
        if self._metrics is not None:
            self._metrics.shutdown()
        self._thread.join(max(0.0, deadline_s - time.monotonic()))
        self._ear.close()
        lost = self._handed - self._sent + self._dropped
        return Delivered(
            where=f"{self._settings.endpoint} ({self._settings.protocol})",
            sent=self._sent,
            lost=lost,
            failed_metrics=self._failed_metrics,
            reason=self._ear.heard or (self._reason_by_counts() if lost else ""),
        )

    def _reason_by_counts(self) -> str:
        """Return why spans were lost, where no exporter said anything."""
        if self._dropped:
            return f"no more than {self._settings.most_waiting:,} may wait"
        return "no answer when the session ended"

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                if isinstance(item, Notes):
                    self._take(item)
                else:
                    self._taken += 1
                    self._export(map(self._maker.test_span, [item]))
            except Exception as error:  # noqa: BLE001 - what was not sent counts as lost, and the summary says why
                self._ear.hear(error)

    def _take(self, notes: Notes) -> None:
        self._taken += len(notes.kept)
        metrics = self._runs.setdefault(notes.run, RunMetrics(notes.run))
        metrics.add(notes)
        for kept in _batched(notes.kept, self._settings.batch_size):
            self._export(self._maker.request_span(notes.run, one) for one in kept)
        if notes.is_last or time.monotonic() >= self._metrics_at_s:
            self._metrics_at_s = time.monotonic() + self._settings.metrics_every_s
            self._export_metrics(metrics)
        if notes.is_last:
            del self._runs[notes.run]

    def _export(self, spans: Iterable[ReadableSpan]) -> None:
        """Make spans and export them; those that cannot be are lost, and no others."""
        if self._has_no_time:
            return
        try:
            made = list(spans)
            is_sent = self._spans.export(made) is SpanExportResult.SUCCESS
        except Exception as error:  # noqa: BLE001 - as above; it says nothing about the collector
            self._ear.hear(error)
            return
        self._note(is_sent=is_sent)
        self._sent += len(made) if is_sent else 0

    def _export_metrics(self, metrics: RunMetrics) -> None:
        if self._metrics is None or self._has_no_time:
            return
        try:
            data = metrics_data(self._resource, self._scope, metrics.points(time.time_ns()))
            is_sent = self._metrics.export(data) is MetricExportResult.SUCCESS
        except Exception as error:  # noqa: BLE001 - as above
            self._ear.hear(error)
            self._failed_metrics += 1
            return
        self._note(is_sent=is_sent)
        self._failed_metrics += not is_sent

    def _note(self, *, is_sent: bool) -> None:
        self._failures = 0 if is_sent else self._failures + 1

    @property
    def _has_no_time(self) -> bool:
        """Whether to give up: nobody waits at the end of a session for a collector that was not there before."""
        return self._is_late or (self._is_closing and self._failures >= _FEWEST_FAILURES)


def _batched(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """Yield ``items`` in pieces of ``size``; ``itertools`` has it from Python 3.12 on."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
