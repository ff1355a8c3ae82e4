"""Keep each load on disk while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tailgate.reporting import RUN_LOG

if TYPE_CHECKING:
    import pytest

    from tailgate.journal import RunJournal
    from tailgate.model import Scenario


@contextmanager
def keeping(
    item: pytest.Item, limits: Scenario, *, is_stress: bool = False, is_duet: bool = False
) -> Iterator[RunJournal]:
    """Begin the journal of one load, and have it written to its end.

    Without a result there is nothing to keep, except if somebody ended the process: as after a crash, what was measured
    is then found on disk.
    """
    from tailgate.fingerprint import take_fingerprint  # noqa: PLC0415 - NumPy and psutil only for a load
    from tailgate.run_state import render_limits  # noqa: PLC0415 - likewise

    header = {
        "test": item.nodeid,
        "started_at": datetime.now(UTC).astimezone().isoformat(timespec="milliseconds"),
        "limits": render_limits(limits),
        "is_stress": is_stress,
        "is_duet": is_duet,
        "fingerprint": take_fingerprint(),
    }
    journal = item.config.stash[RUN_LOG].journal.begin_run(header)
    try:
        yield journal
    except Exception:
        journal.remove()
        raise
    except BaseException:  # Ctrl-C a second time, or while an action is awaited.
        if journal.has_samples:
            journal.close()
        else:
            journal.remove()
        raise
    journal.close()
