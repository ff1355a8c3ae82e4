"""The simulator: the users and shapes of the load tests, for plain ``locust``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from locust import events
from locust.env import Environment
from locust.runners import WorkerRunner

# Locust looks for modules in the current directory, which may be any.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tailgate import BadInput

try:
    from perf_tests.users import CONFIGURATION, Collector, ProductUser, Shopper
except BadInput as error:
    sys.exit(str(error))
from simulations import counting
from simulations.reports import complete_csv
from simulations.shapes import named_shapes

__all__ = ["Collector", "Shopper"]

_LOG = logging.getLogger(__name__)

ProductUser.host = CONFIGURATION.base_url
for timeout in ("connection_timeout", "network_timeout", "request_timeout"):
    setattr(ProductUser, timeout, CONFIGURATION.timeout_s)


@events.init.add_listener
def prepare(environment: Environment, **_: object) -> None:
    """Set up the counters and, unless this is a worker, which does as it is told, what is to be run."""
    counting.install(environment)
    environment.events.test_start.add_listener(_forget_catalogue)
    if isinstance(environment.runner, WorkerRunner):
        return
    environment.events.quit.add_listener(lambda **_: complete_csv(environment))
    # Workers load what their master says.
    environment.host = environment.host or CONFIGURATION.base_url
    environment.available_shape_classes = named_shapes(CONFIGURATION)
    if environment.parsed_options.num_users is None and CONFIGURATION.shape != "none":
        _choose_shape(environment, CONFIGURATION.shape)
    if not environment.parsed_options.user_classes:
        # A collector only wants the one scarce product; it is there to be asked for, or picked in the web UI.
        environment.user_classes[:] = [Shopper]


def _choose_shape(environment: Environment, name: str) -> None:
    shape = environment.available_shape_classes[name]
    shape.runner = environment.runner
    environment.shape_class = shape
    given = [option for option in ("spawn_rate", "run_time") if getattr(environment.parsed_options, option) is not None]
    if given:
        _LOG.warning(
            "no number of users is given, so the shape %r runs, which decides on %s", name, " and ".join(given)
        )


def _forget_catalogue(environment: Environment, **_: object) -> None:
    """Have the first user of each run fetch the catalogue, which may be that of another host."""
    environment.catalogue = None
