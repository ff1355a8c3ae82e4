"""What the thresholds file says about duets: rules of regression, and how long a duet goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from tailgate.model import DuetRules, RegressionRule, Severity, count_of
from tailgate.yaml_lines import KeyPath

RULES = "regression"
"""The key of a rule or of a list of them."""
_USUAL = RegressionRule(kind="total", subject="total", metric="p95_ms")
"""The metric and its limit where neither is written."""
_USUAL_DIFFERENCE = 0.01
"""The limit of the failure ratio where none is written: one more in a hundred requests."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a block of limits, a counter's limit or a rule is about."""

    kind: Literal["total", "request", "counter"]
    name: str
    stage: str | None
    place: KeyPath
    """Path below the scenario, or below the defaults."""


def is_other_rule(default: object, own: Mapping[str, Any]) -> bool:
    """Tell whether a rule is about another metric than the default one, so that nothing of that belongs to it."""
    return isinstance(default, Mapping) and _metric(own) not in {None, _metric(default) or _USUAL.metric}


def _metric(written: Mapping[str, Any]) -> Any:
    return written.get("metric")


class RuleReader:
    """Turns what is written about the duets of one scenario, defaults merged in, into values."""

    def __init__(
        self,
        *,
        note: Callable[[KeyPath, str], None],
        note_absence: Callable[[KeyPath, str], None],
        source: Callable[[KeyPath], str],
    ) -> None:
        """Tell what is wrong, or missing, at a place to ``note`` and ``note_absence``; ask ``source`` for its line."""
        self._note = note
        self._note_absence = note_absence
        self._source = source

    def rules(self, merged: Mapping[str, Any]) -> Iterator[RegressionRule]:
        """Yield all rules of a scenario: of all requests, by request, by stage, by counter."""
        yield from self._rules_of(merged, Subject("total", "total", None, ()))
        yield from self._rules_by_request(merged, ())
        for stage, content in merged.get("stages", {}).items():
            place = ("stages", stage)
            yield from self._rules_of(content, Subject("total", "total", stage, place))
            yield from self._rules_by_request(content, place, stage)
        for counter, content in merged.get("counters", {}).items():
            yield from self._rules_of(content, Subject("counter", counter, None, ("counters", counter)))

    def duet(self, written: Mapping[str, Any]) -> DuetRules:
        """Return how long a duet goes on; what makes no sense is noted."""
        settings = dict(written)
        if "looks" in settings:
            settings["looks"] = tuple(int(look) for look in settings["looks"])
        if "fail_from_round" in settings:
            settings["fail_from_round"] = int(settings["fail_from_round"])
        duet = DuetRules(**settings)
        if list(duet.looks) != sorted(set(duet.looks)):
            text = f"{list(duet.looks)} does not rise; wanted numbers of rounds such as [1, 2, 4]"
            self._note(("duet", "looks"), text)
        elif duet.fail_from_round > duet.looks[-1]:
            last = count_of(duet.looks[-1], "round")
            key = "fail_from_round" if "fail_from_round" in settings else "looks"
            text = f"no duet could fail: the last look is after {last}, and it takes {duet.fail_from_round} to fail"
            self._note(("duet", key), f"{text} (fail_from_round)")
        return duet

    def _rules_by_request(
        self, content: Mapping[str, Any], place: KeyPath, stage: str | None = None
    ) -> Iterator[RegressionRule]:
        for pattern, block in content.get("requests", {}).items():
            yield from self._rules_of(block, Subject("request", pattern, stage, (*place, "requests", pattern)))

    def _rules_of(self, content: Mapping[str, Any], subject: Subject) -> Iterator[RegressionRule]:
        written, place = content.get(RULES, []), (*subject.place, RULES)
        if isinstance(written, Mapping):
            yield self._rule(written, subject, place)
            return
        seen: dict[str, KeyPath] = {}
        for number, item in enumerate(written):
            rule = self._rule(item, subject, (*place, number))
            if rule.metric in seen:
                first = self._source(seen[rule.metric]).rpartition(":")[2]
                self._note((*place, number), f"{rule.metric} has a rule already, in line {first}; keep one of them")
            seen.setdefault(rule.metric, (*place, number))
            yield rule

    def _rule(self, written: Mapping[str, Any], subject: Subject, place: KeyPath) -> RegressionRule:
        for key in (key for key, value in written.items() if value is None):
            self._note((*place, key), "is empty; write a value or delete the line, null removes nothing in a list")
        given = {key: value for key, value in written.items() if value is not None}
        metric = "count" if subject.kind == "counter" else given.get("metric", _USUAL.metric)
        rule = RegressionRule(
            kind=subject.kind,
            subject=subject.name,
            metric=metric,
            stage=subject.stage,
            alpha=float(given.get("alpha", _USUAL.alpha)),
            noise_floor_ratio=float(given["noise_floor_ratio"]) if "noise_floor_ratio" in given else None,
            severity=Severity(given.get("severity", _USUAL.severity)),
            source=self._source(place),
        )
        return replace(rule, max_change=self._max_change(rule, given, place))

    def _max_change(self, rule: RegressionRule, given: Mapping[str, Any], place: KeyPath) -> float:
        """Return the limit of a rule; what belongs to the other kind of metric is noted."""
        if rule.is_ratio:
            wrong = {"max_change": f"{rule.metric} changes by a ratio: write max_change_ratio, such as 0.1 for 10 %"}
            limit = given.get("max_change_ratio", _USUAL.max_change)
        else:
            difference = "a difference: write max_change, such as 0.01 for one more in a hundred requests"
            wrong = {
                "max_change_ratio": f"{rule.metric} changes by {difference}",
                "noise_floor_ratio": f"{rule.metric} has no noise floor, only a percentile or cpu_ms has; delete it",
            }
            limit = given.get("max_change", _USUAL_DIFFERENCE)
        for key in [key for key in wrong if key in given]:
            self._note((*place, key), wrong[key])
        if rule.kind == "counter" and "max_change" not in given:
            self._note_absence(place, "has no max_change; add one, such as 0.01 for one more in a hundred requests")
        return float(limit)
