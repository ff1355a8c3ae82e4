"""JUnit properties: the figures of the JSON report, where CI systems look for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tailgate.reports.text import Screen

_SUMMARY = ("samples", "failures", "mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms", "throughput_rps")
_CHANGE = (
    *("base", "candidate", "change", "low", "high", "max_change", "detectable"),
    *("base_samples", "candidate_samples", "rounds", "severity"),
)
_XML = Screen(width=80, color=False, unicode=True)


def properties(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the properties of the test case that made a run.

    Names are stable, and so is their order; a figure that does not exist is left out. ``<s>`` is the scenario,
    every name starts with ``tailgate.<s>.``:

    - ``verdict``, ``reason.<i>`` counted from 1, ``duration_s``, ``started_at``
    - ``total.<figure>`` and ``request.<request>.<figure>``, such as ``request.GET Get_All_Products.p95_ms``
    - ``stage.<stage>.<figure>``
    - ``counter.<name>``
    - ``check.<window>.<subject>.<metric>``: ``fail actual=312.4 max=250 samples=413 severity=fail``, where it is known
      followed by ``beyond=0.081 beyond_low=0.06 beyond_high=0.104 allowed=0.05``, shares of requests
    - ``duet.<fact>``, such as ``duet.base`` and ``duet.rounds``
    - ``change.<window>.<subject>.<metric>``: ``regressed base=20.1 candidate=24.3 change=0.204 low=0.15 high=0.26
      max_change=0.1 detectable=0.16 base_samples=9010 candidate_samples=9034 rounds=2 severity=fail``, and with
      ``.text`` behind that name the same in a sentence
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
    found += [(f"duet.{fact}", value) for fact, value in (record["duet"] or {}).items()]
    found += [pair for change in record["changes"] for pair in _change(change)]
    found += [(f"comparison.{number}", sentence) for number, sentence in enumerate(record["comparison"], start=1)]
    # As JSON spells them.
    found = [(name, str(value).lower() if isinstance(value, bool) else value) for name, value in found]
    prefix = f"tailgate.{record['scenario']}"
    # XML cannot hold most control characters, not even escaped.
    return [(_XML.clean(f"{prefix}.{name}"), _XML.clean(str(value))) for name, value in found if value is not None]


def _summary(name: str, summary: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(f"{name}.{figure}", summary[figure]) for figure in _SUMMARY]


def _check(check: Mapping[str, Any]) -> tuple[str, str]:
    figures = {"actual": check["actual"], **check["limit"], "samples": check["samples"], "severity": check["severity"]}
    if beyond := check["beyond"]:
        figures |= {"beyond": beyond["share"], "beyond_low": beyond["low"], "beyond_high": beyond["high"]}
        figures["allowed"] = beyond["allowed"]
    return (f"check.{check['window']}.{check['subject']}.{check['metric']}", _told(check["outcome"], figures))


def _change(change: Mapping[str, Any]) -> list[tuple[str, str]]:
    name = f"change.{change['window']}.{change['subject']}.{change['metric']}"
    figures = {figure: change[figure] for figure in _CHANGE}
    return [(name, _told(change["outcome"], figures)), (f"{name}.text", change["text"])]


def _told(outcome: str, figures: Mapping[str, Any]) -> str:
    """Return an outcome with the figures that exist: ``fail actual=312.4 max=250``."""
    return " ".join([outcome, *(f"{key}={value}" for key, value in figures.items() if value is not None)])
