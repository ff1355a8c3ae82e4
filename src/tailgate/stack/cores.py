"""Keep the two arms of a duet, and what loads them, on processor cores of their own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FEWEST_CORES = 4
"""With fewer, an arm would have less than half of them, and the kernel balances better than a fence would."""
_TOPOLOGY = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreShares:
    """Who runs where, by the numbers that the system gives to threads of cores; no core is in two shares."""

    baseline: tuple[int, ...]
    candidate: tuple[int, ...]
    """As many as the baseline has."""
    generator: tuple[int, ...]
    """At least one."""

    def of(self, name: str) -> tuple[int, ...]:
        """Return the share of the arm that a build calls ``baseline`` or ``candidate``."""
        return self.baseline if name == "baseline" else self.candidate


def share_cores(cores: Sequence[Sequence[int]], round_number: int) -> CoreShares | None:
    """Divide cores between the arms of a duet and the generator; None where there are too few to do so.

    The arms change places from one round to the next, so that no build always has the better cores.

    Args:
        cores: The threads of each core, as `usable_cores` returns them: two threads of one core are no two cores, since
            what one of them does slows the other.
        round_number: 1 for the first.
    """
    if len(cores) < FEWEST_CORES:
        return None
    size = (len(cores) - 1) // 2
    arms = [_threads(cores[-2 * size : -size]), _threads(cores[-size:])]
    if round_number % 2 == 0:
        arms.reverse()
    return CoreShares(baseline=arms[0], candidate=arms[1], generator=_threads(cores[: -2 * size]))


def usable_cores() -> tuple[tuple[int, ...], ...]:
    """Return the cores of the chip that this thread may run on, each as the threads of it that the system counts."""
    found: dict[Hashable, list[int]] = {}
    for thread in sorted(os.sched_getaffinity(0)):
        found.setdefault(_place(thread), []).append(thread)
    return tuple(map(tuple, found.values()))


@contextlib.contextmanager
def pinned(cores: Sequence[int] | None) -> Iterator[None]:
    """Keep this thread, and every process and thread that it starts meanwhile, on ``cores``; None changes nothing.

    What was started stays there when the context is left; this thread goes back to where it was.
    """
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _threads(cores: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(thread for core in cores for thread in core)


def _place(thread: int) -> Hashable:
    """Return the chip and the core of it; the thread itself where the system does not tell."""
    folder = _TOPOLOGY / f"cpu{thread}" / "topology"
    try:
        return (folder / "physical_package_id").read_text(), (folder / "core_id").read_text()
    except OSError:
        return thread
