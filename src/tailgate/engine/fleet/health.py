"""How well the processes of a fleet did, one by one and as one generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tailgate.engine.fleet.master import Seat
from tailgate.model import GeneratorHealth, WorkerHealth


def join_health(leader: GeneratorHealth, seats: Sequence[Seat]) -> GeneratorHealth:
    """Return the figures of all processes: those of the worst worker, and the sum of the processor time.

    Args:
        leader: Of the process that leads the workers. Its processor time counts; its event loop measures no latency.
        seats: The workers.
    """
    workers = tuple(_worker_health(seat) for seat in seats)
    cpu_ratio = leader.cpu_ratio + sum(worker.cpu_ratio for worker in workers)
    own_us = leader.cpu_us_per_request
    dues, unsent = ([getattr(seat.last, name) for seat in seats] for name in ("due", "unsent"))
    return replace(
        leader,
        loop_lag_p50_ms=max((worker.loop_lag_p50_ms for worker in workers), default=0.0),
        loop_lag_p99_ms=max((worker.loop_lag_p99_ms for worker in workers), default=0.0),
        blocked_ratio=max((worker.blocked_ratio for worker in workers), default=0.0),
        cpu_ratio=cpu_ratio,
        # All processes worked for as long as this one.
        cpu_us_per_request=own_us * cpu_ratio / leader.cpu_ratio if own_us is not None and leader.cpu_ratio else None,
        due=_sum(dues),
        unsent=_sum(unsent),
        workers=workers,
    )


def _worker_health(seat: Seat) -> WorkerHealth:
    own = seat.last.health or {}
    names = ("loop_lag_p50_ms", "loop_lag_p99_ms", "blocked_ratio", "cpu_ratio")
    return WorkerHealth(
        name=seat.name,
        host=seat.greeting.host,
        samples=seat.last.samples,
        clock_offset_ms=1000 * seat.clock.offset_s,
        clock_error_ms=1000 * seat.clock.error_s,
        **{name: own.get(name, 0.0) for name in names},
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    told = [count for count in counts if count is not None]
    return sum(told) if told else None
