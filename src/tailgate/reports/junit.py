"""JUnit properties: the figures of the JSON report, where CI systems look for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tailgate.reports.text import Screen

_SUMMARY = ("samples", "failures", "mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms", "throughput_rps")
_XML = Screen(width=80, color=False, unicode=True)


def properties(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the properties of the test case that made a run.

    Names are stable, and so is their order; a figure that does not exist is left out. ``<s>`` is the scenario,
    every name starts with ``tailgate.<s>.``:

    - ``verdict``, ``reason.<i>`` counted from 1, ``duration_s``, ``started_at``
    - ``total.<figure>`` and ``request.<request>.<figure>``, such as ``request.GET Get_All_Products.p95_ms``
    - ``stage.<stage>.<figure>``
    - ``counter.<name>``
    - ``check.<window>.<subject>.<metric>``: ``fail actual=312.4 max=250 samples=413 severity=fail``
    - ``comparison.<i>`` counted from 1, what the run is worth beside saved ones in sentences
    """
    found: list[tuple[str, Any]] = [("verdict", record["verdict"])]
    found += [(f"reason.{number}", reason) for number, reason in enumerate(record["reasons"], start=1)]
    found += [("duration_s", record["duration_s"]), ("started_at", record["started_at"])]
    found += _summary("total", record["total"])
    for name, summary in record["requests"].items():
        found += _summary(f"request.{name}", summary)
    for stage in record["stages"]:
        found += _summary(f"stage.{stage['name']}", stage["summary"])
    found += [(f"counter.{name}", value) for name, value in record["counters"].items()]
    found += [_check(check) for check in record["checks"]]
    found += [(f"comparison.{number}", sentence) for number, sentence in enumerate(record["comparison"], start=1)]
    prefix = f"tailgate.{record['scenario']}"
    # XML cannot hold most control characters, not even escaped.
    return [(_XML.clean(f"{prefix}.{name}"), _XML.clean(str(value))) for name, value in found if value is not None]


def _summary(name: str, summary: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(f"{name}.{figure}", summary[figure]) for figure in _SUMMARY]


def _check(check: Mapping[str, Any]) -> tuple[str, str]:
    figures = {"actual": check["actual"], **check["limit"], "samples": check["samples"], "severity": check["severity"]}
    told = " ".join(f"{key}={value}" for key, value in figures.items() if value is not None)
    return (f"check.{check['window']}.{check['subject']}.{check['metric']}", f"{check['outcome']} {told}")
