"""Keep the process, which is pytest's own, fit for a run, and leave it as it was."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import gevent

_RESOLVER_PATIENCE_S = 1.0


def end_resolver_threads() -> None:
    """End the threads in which gevent looks up names; it starts new ones when it needs them.

    Left alone they make every later ``os.fork`` of the process warn (Python 3.12), which pytest may turn into an error.
    """
    with gevent.Timeout(_RESOLVER_PATIENCE_S, False):
        gevent.get_hub().threadpool.size = 0


@contextmanager
def each_message_once() -> Iterator[None]:
    """Let each different message of Locust through once: twenty users that die alike are one finding."""
    seen: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        is_first = text not in seen
        seen.add(text)
        return is_first

    loggers = [logging.getLogger(name) for name in ("locust.user.users", "locust.user.task", "locust.runners")]
    for logger in loggers:
        logger.addFilter(is_new)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_new)


@contextmanager
def collected() -> Iterator[None]:
    """Keep the garbage collector away from what is there already.

    A request leaves cycles behind, so it runs often, and pytest's own objects would be looked through every time.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
