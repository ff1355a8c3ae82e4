"""Keep the two arms of a duet, and what loads them, on processor cores of their own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FEWEST_CORES = 4
"""With fewer, an arm would have less than half of them, and the kernel balances better than a fence would."""
_TOPOLOGY = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreShares:
    """Who runs where; no core is in two shares."""

    baseline: tuple[int, ...]
    candidate: tuple[int, ...]
    """As many as the baseline has."""
    generator: tuple[int, ...]
    """At least one."""

    def of(self, name: str) -> tuple[int, ...]:
        """Return the share of the arm that a build calls ``baseline`` or ``candidate``."""
        return self.baseline if name == "baseline" else self.candidate


def share_cores(cores: Sequence[int], round_number: int) -> CoreShares | None:
    """Divide cores between the arms of a duet and the generator; None where there are too few to do so.

    The arms change places from one round to the next, so that no build always has the better cores.

    Args:
        cores: Numbers of the cores, with those that share the most side by side, as `usable_cores` returns them.
        round_number: 1 for the first.
    """
    if len(cores) < FEWEST_CORES:
        return None
    size = (len(cores) - 1) // 2
    generator, rest = cores[: len(cores) - 2 * size], cores[len(cores) - 2 * size :]
    arms = [tuple(rest[:size]), tuple(rest[size:])]
    if round_number % 2 == 0:
        arms.reverse()
    return CoreShares(baseline=arms[0], candidate=arms[1], generator=tuple(generator))


def usable_cores() -> tuple[int, ...]:
    """Return the cores that this thread may run on; those that are threads of one core of the chip side by side."""
    return tuple(sorted(os.sched_getaffinity(0), key=lambda core: (*_place(core), core)))


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


def _place(core: int) -> tuple[int, int]:
    """Return the chip and the core of it; zeros where the system does not tell, as in some virtual machines."""
    folder = _TOPOLOGY / f"cpu{core}" / "topology"
    try:
        return int((folder / "physical_package_id").read_text()), int((folder / "core_id").read_text())
    except (OSError, ValueError):
        return 0, 0
