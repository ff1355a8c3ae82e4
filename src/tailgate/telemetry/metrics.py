"""Add up what was noted of one run, and say it as metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.util.types import AttributeValue

from tailgate.model import printable
from tailgate.telemetry.recording import Kind, Notes, RunIdentity
from tailgate.telemetry.spans import printable_values, server_attributes

BOUNDS_S = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.0075),
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
"""The buckets that the conventions advise for HTTP, continued below 10 ms, where a service on loopback answers."""
_DURATION = "Duration of HTTP client requests."
_COUNTER = "Counters of the users, and what was computed from outside."
_CUMULATIVE = AggregationTemporality.CUMULATIVE


@dataclass(slots=True)
class _Durations:
    """The requests of one kind so far, in seconds."""

    buckets: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(BOUNDS_S) + 1, dtype=np.int64))
    sum_s: float = 0.0
    min_s: float = float("inf")
    max_s: float = 0.0

    def add(self, took_s: npt.NDArray[np.float64]) -> None:
        # An upper bound belongs to its bucket.
        self.buckets += np.bincount(np.searchsorted(BOUNDS_S, took_s, side="left"), minlength=len(self.buckets))
        self.sum_s += float(took_s.sum())
        self.min_s = min(self.min_s, float(took_s.min()))
        self.max_s = max(self.max_s, float(took_s.max()))


class RunMetrics:
    """All that is counted of one run, from its beginning on."""

    def __init__(self, run: RunIdentity) -> None:
        self._run = printable_values({"test.case.name": run.test, "tailgate.scenario": run.scenario})
        self._server = printable_values(server_attributes(run.host))
        self._began_ns = int(run.began * 1e9)
        self._durations: dict[Kind, _Durations] = {}
        self._users = 0
        self._counters: Mapping[str, float] = {}

    def add(self, notes: Notes) -> None:
        """Add what was noted since the last time."""
        for kind, took_ms in notes.took_ms.items():
            self._durations.setdefault(kind, _Durations()).add(np.frombuffer(took_ms) / 1000)
        self._users, self._counters = notes.users, notes.counters

    def points(self, at_ns: int) -> Sequence[Metric]:
        """Return everything as it is at ``at_ns``."""
        users = NumberDataPoint(self._run, self._began_ns, at_ns, self._users)
        counters = [
            NumberDataPoint({**self._run, "tailgate.counter.name": printable(name)}, self._began_ns, at_ns, value)
            for name, value in self._counters.items()
        ]
        durations = [
            HistogramDataPoint(
                attributes={**self._run, **self._server, **printable_values(_kind_attributes(kind))},
                start_time_unix_nano=self._began_ns,
                time_unix_nano=at_ns,
                count=int(found.buckets.sum()),
                sum=found.sum_s,
                bucket_counts=found.buckets.tolist(),
                explicit_bounds=BOUNDS_S,
                min=found.min_s,
                max=found.max_s,
            )
            for kind, found in self._durations.items()
        ]
        return [
            Metric("http.client.request.duration", _DURATION, "s", Histogram(durations, _CUMULATIVE)),
            Metric("tailgate.users", "Users that are alive.", "{user}", Gauge([users])),
            Metric("tailgate.counter", _COUNTER, "{count}", Sum(counters, _CUMULATIVE, is_monotonic=False)),
        ]


def metrics_data(resource: Resource, scope: InstrumentationScope, metrics: Sequence[Metric]) -> MetricsData:
    """Return metrics as an exporter takes them; those without points are left out."""
    seen = [metric for metric in metrics if metric.data.data_points]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, seen, schema_url="")], schema_url="")])


def _kind_attributes(kind: Kind) -> Mapping[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        "http.request.method": kind.method,
        "tailgate.request.name": kind.name,
    }
    if kind.name.startswith("/"):
        attributes["url.template"] = kind.name
    if kind.status is not None:
        attributes["http.response.status_code"] = kind.status
    if kind.error_type is not None:
        attributes["error.type"] = kind.error_type
    return attributes
