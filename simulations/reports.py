"""Locust's CSV files as they are at the end: it writes them once a second, and never what came after the last time."""

from __future__ import annotations

import csv
from io import StringIO

from locust.env import Environment
from locust.stats import PERCENTILES_TO_REPORT, StatsCSV

from tailgate.reports.files import write_text


def complete_csv(environment: Environment) -> None:
    """Write the files of ``--csv`` once more, now that a run is over; new ones, since Locust still has its own open."""
    prefix = environment.parsed_options.csv_prefix
    if prefix is None:
        return
    writer = StatsCSV(environment, PERCENTILES_TO_REPORT)
    tables = {"stats": writer.requests_csv, "failures": writer.failures_csv, "exceptions": writer.exceptions_csv}
    for name, write in tables.items():
        text = StringIO()
        write(csv.writer(text))
        write_text(f"{prefix}_{name}.csv", text.getvalue(), "CSV report")
