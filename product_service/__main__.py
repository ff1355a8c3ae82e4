"""Start one instance on the host and port that the environment names: ``python -m product_service``."""

from __future__ import annotations

import asyncio
import gc
import os
import sys

import uvicorn
import uvloop

from product_service.app import create_app
from product_service.settings import BadSettings, Settings, read_settings
from product_service.store import DatabaseUnavailable, open_store

KEEP_ALIVE_S = 75
"""Longer than a load balancer keeps an idle connection (nginx: 60 s). Otherwise it may send a purchase down a
connection that is just being closed, and must not send it again."""

GRACE_S = 3
"""For requests in flight at the end; what takes longer, as an injected hang does, is cut."""


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in flight."""
    config = uvicorn.Config(
        create_app(settings, await open_store(settings)),
        host=settings.host,
        port=settings.port,
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    # What the imports left behind stays for good; walking over it again and again would show as slow requests.
    gc.collect()
    gc.freeze()
    await uvicorn.Server(config).serve()


def main() -> int:
    """Run one instance and return its exit code."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(read_settings(os.environ)))
    except (BadSettings, DatabaseUnavailable) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one message of a start that failed
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
