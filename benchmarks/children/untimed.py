"""Run an instance of the product service that tells nothing of its time: ``python -m benchmarks.children.untimed``."""

from __future__ import annotations

import sys
from typing import Any

from product_service import __main__ as service
from product_service import app, store


def untimed(inner: Any) -> Any:
    """Return an application as it is, in the place of the middleware around it."""
    return inner


def ignore(seconds: float) -> None:
    """Take no note of the database's share."""
    del seconds


if __name__ == "__main__":
    app.ServerTiming = untimed  # type: ignore[assignment,misc] # in this process alone
    store.add_database_time = ignore  # likewise
    sys.exit(service.main())
