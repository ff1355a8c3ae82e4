"""The thresholds file: read, validated as a whole, and turned into scenarios."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from tailgate.baseline_rules import BaselineRules, FindingKind
from tailgate.errors import ThresholdFileError
from tailgate.model import TOTAL, GeneratorLimits, Scenario, Severity, Threshold
from tailgate.threshold_rules import RULES, RuleReader, Subject, is_other_rule
from tailgate.threshold_schema import check_schema, is_metric
from tailgate.yaml_lines import MAX_CHARACTERS, KeyPath, Problem, YamlDocument, read_yaml

EXAMPLE = "scenarios: {browse: {total: {p95_ms: 250, failure_ratio: 0.01}}}"
"""The smallest useful file, for messages."""
LOWER_LIMITS = frozenset({"throughput_rps", "requests"})
"""Metrics whose bare number is a lower limit."""

_MAX_BYTES = 4 * MAX_CHARACTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """A thresholds file that has no mistakes."""

    name: str
    """What messages call the file."""
    scenarios: Mapping[str, Scenario]
    """By name, in the order of the file, defaults merged in; each knows its line, as does every threshold."""


def load_thresholds(path: Path) -> Thresholds:
    """Read the thresholds file at ``path``.

    Messages call it by its path from the current directory when it lies below.

    Raises:
        ThresholdFileError: It cannot be read, or anything in it is wrong; holds all problems, by line.
    """
    here = Path.cwd()
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - not resolved: a link keeps the name that people know
    name = str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)
    return parse_thresholds(_read_text(absolute, name), name)


def parse_thresholds(text: str, name: str) -> Thresholds:
    """Turn the text of a thresholds file into its value.

    Args:
        text: The whole file.
        name: What messages call the file.

    Raises:
        ThresholdFileError: Anything in it is wrong; holds all problems, by line.
    """
    document = read_yaml(text)
    if document.data is None and not document.problems:
        raise ThresholdFileError([f"{name}:1: the file is empty; write at least one scenario, such as {EXAMPLE}"])
    problems = _Problems(document)
    if document.data is not None:
        problems.add_schema_findings()
    scenarios = _read_scenarios(document, problems, name)
    problems.raise_if_any(name)
    return Thresholds(name=name, scenarios=scenarios)


def _read_text(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        text = f"{name}: no such file, looked for {path}; create it, for example with {EXAMPLE}, or give the right path"
        raise ThresholdFileError([text]) from None
    except IsADirectoryError:
        raise ThresholdFileError([f"{name}: is a directory; give the path of the thresholds file in it"]) from None
    except (OSError, ValueError) as err:  # ValueError: a path with a null character
        reason = getattr(err, "strerror", None) or str(err)
        raise ThresholdFileError(
            [f"{name}: cannot be read: {reason} ({path}); check the path and its permissions"]
        ) from err
    if len(raw) > _MAX_BYTES:
        raise ThresholdFileError([f"{name}: longer than {_MAX_BYTES:,} bytes; is it the right file?"])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = raw.count(b"\n", 0, err.start) + 1
        text = f"{name}:{line}: byte 0x{raw[err.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ThresholdFileError([text]) from err


class _Problems:
    """Collects what is wrong with one document."""

    def __init__(self, document: YamlDocument) -> None:
        self.document = document
        self.found = list(document.problems)
        self.absences: list[tuple[Problem, tuple[KeyPath, ...]]] = []

    def add(self, path: KeyPath, text: str) -> None:
        """Note a problem with the value at ``path``."""
        self.found.append(Problem(self.line(path), path, text))

    def add_absence(self, path: KeyPath, text: str, *others: KeyPath) -> None:
        """Note that something is missing at ``path``.

        It is moot when anything below is wrong, or anything around ``others``, where it could have come from.
        """
        self.absences.append((Problem(self.line(path), path, text), others))

    def add_schema_findings(self) -> None:
        """Note what breaks the schema, and take it out of the data, so that the rest can be checked further."""
        findings = list(check_schema(self.document.data))
        for finding in findings:
            note = self.add_absence if finding.is_absence else self.add
            note(finding.path, finding.text)
        for finding in findings:
            _remove(self.document.data, finding.path)

    def line(self, path: KeyPath) -> int:
        """Return the line of ``path``, or of the nearest value around it."""
        while path not in self.document.lines:
            path = path[:-1]
        return self.document.lines[path]

    def raise_if_any(self, name: str) -> None:
        """Raise all problems, by line; one that aliases or defaults lead to more than once is raised once."""
        missing = self._relevant_absences()
        if problems := sorted(dict.fromkeys(self.found + missing), key=lambda problem: problem.line):
            raise ThresholdFileError([problem.render(name) for problem in problems])

    def _relevant_absences(self) -> list[Problem]:
        """Return the absences that are not moot."""
        wrong = {problem.path or () for problem in self.found}
        around_wrong = {start for path in wrong for start in _starts(path)}
        around = around_wrong | {start for problem, _ in self.absences for start in _starts(problem.path or ())[:-1]}
        return [
            problem
            for problem, others in self.absences
            if problem.path not in around
            and not any(other in around_wrong or not wrong.isdisjoint(_starts(other)) for other in others)
        ]


def _starts(path: KeyPath) -> list[KeyPath]:
    """Return the paths that lead to ``path``, itself included, shortest first."""
    return [path[:length] for length in range(len(path) + 1)]


def _remove(data: Any, path: KeyPath) -> None:
    # Of a list that holds something wrong nothing is kept.
    path = tuple(takewhile(lambda key: isinstance(key, str), path))
    for key in path[:-1]:
        if not isinstance(data, dict) or key not in data:
            return
        data = data[key]
    if isinstance(data, dict) and path:
        data.pop(path[-1], None)


def _read_scenarios(document: YamlDocument, problems: _Problems, file_name: str) -> dict[str, Scenario]:
    if not isinstance(document.data, dict):
        return {}
    defaults = document.data.get("defaults", {})
    scenarios = {}
    idle: set[KeyPath] = set()
    busy: set[KeyPath] = set()
    for name, own in document.data.get("scenarios", {}).items():
        reader = _ScenarioReader(name, own or {}, defaults, problems, file_name)
        scenarios[name] = reader.read()
        idle |= reader.idle_defaults
        busy |= reader.busy_blocks
    for place in sorted(idle - busy):
        text = "has no limit, and no scenario adds one; add a metric such as p95_ms: 250"
        problems.add_absence(("defaults", *place), text, *(("scenarios", name, *place) for name in scenarios))
    return scenarios


class _ScenarioReader:
    """Turns what is written about one scenario, and the defaults, into a scenario.

    A *place* is the path of a value below its scenario, or below the defaults: the two are merged place by place.
    """

    def __init__(
        self, name: str, own: dict[str, Any], defaults: dict[str, Any], problems: _Problems, file_name: str
    ) -> None:
        self.name = name
        self.own = own
        self.defaults = defaults
        self.problems = problems
        self.file_name = file_name
        self.idle_defaults: set[KeyPath] = set()
        """Blocks of the defaults that have options, but no limit in this scenario."""
        self.busy_blocks: set[KeyPath] = set()
        """Blocks that have a limit."""

    def read(self) -> Scenario:
        """Return the scenario; what is wrong with it goes to the problems."""
        merged = self._merge(self.defaults, self.own, ())
        thresholds = tuple(self._thresholds(merged))
        duets = RuleReader(
            note=lambda place, text: self.problems.add(self._path(place), text),
            note_absence=lambda place, text: self.problems.add_absence(self._path(place), text),
            source=self._source,
        )
        regressions = tuple(duets.rules(merged))
        root = ("scenarios", self.name)
        if not thresholds and not regressions:
            self.problems.add_absence(root, "checks nothing; add a limit, such as total: {p95_ms: 250}", ("defaults",))
        generator = {key: float(value) for key, value in merged.get("generator", {}).items()}
        return Scenario(
            name=self.name,
            thresholds=thresholds,
            warmup_s=float(merged.get("warmup_s", 0.0)),
            max_task_exceptions=int(merged.get("max_task_exceptions", 0)),
            generator=GeneratorLimits(**generator),
            baseline=self._baseline_rules(merged["baseline"]) if "baseline" in merged else None,
            regressions=regressions,
            duet=duets.duet(merged.get("duet", {})),
            source=self._source(()),
        )

    def _baseline_rules(self, written: dict[str, Any]) -> BaselineRules:
        rules = dict(written)
        if gates := rules.pop("gates", {}):
            rules["gates"] = tuple((subject, metric) for subject in gates for metric in dict.fromkeys(gates[subject]))
        severities = rules.pop("severities", {})
        rules["severities"] = {FindingKind(kind): Severity(severity) for kind, severity in severities.items()}
        rules["ignore"] = tuple(rules.pop("ignore", ()))
        return BaselineRules(**rules)

    def _merge(self, base: Any, own: dict[str, Any], place: KeyPath) -> dict[str, Any]:
        is_other = place[-1:] == (RULES,) and is_other_rule(base, own)
        result = dict(base) if isinstance(base, dict) and not is_other else {}
        for key, value in own.items():
            here = (*place, key)
            if value is None:
                if key not in result:
                    text = "is empty, and there is no default to remove: write a value or delete the line"
                    self.problems.add_absence(("scenarios", self.name, *here), text, ("defaults", *here))
                result.pop(key, None)
            else:
                result[key] = self._merge(result.get(key), value, here) if isinstance(value, dict) else value
        return result

    def _thresholds(self, merged: dict[str, Any]) -> Iterator[Threshold]:
        yield from self._blocks(merged, ())
        for stage, content in merged.get("stages", {}).items():
            yield from self._blocks(content, ("stages", stage), stage)
        for counter, limit in merged.get("counters", {}).items():
            subject = Subject("counter", counter, None, ("counters", counter))
            if RULES not in limit or limit.keys() & {"min", "max"}:
                yield from self._threshold(subject, "count", subject.place, limit)

    def _blocks(self, content: dict[str, Any], place: KeyPath, stage: str | None = None) -> Iterator[Threshold]:
        if "total" in content:
            yield from self._block(content["total"], Subject("total", TOTAL, stage, (*place, "total")))
        for pattern, block in content.get("requests", {}).items():
            yield from self._block(block, Subject("request", pattern, stage, (*place, "requests", pattern)))

    def _block(self, block: dict[str, Any], subject: Subject) -> Iterator[Threshold]:
        metrics = [key for key in block if is_metric(key)]
        options = {key: value for key, value in block.items() if key not in metrics}
        if metrics or RULES in block:
            self.busy_blocks.add(subject.place)
        else:
            self._note_idle_block(subject.place)
        for metric in metrics:
            value = block[metric]
            bare = "min" if metric in LOWER_LIMITS else "max"
            limit = value if isinstance(value, dict) else {bare: value}
            yield from self._threshold(subject, metric, (*subject.place, metric), options | limit)

    def _note_idle_block(self, place: KeyPath) -> None:
        """Refuse a block that only has options, unless they are the defaults', or null took its limits away."""
        written: Any = self.own
        for key in place:
            written = written.get(key, {})
        if not written and ("defaults", *place) in self.problems.document.lines:
            self.idle_defaults.add(place)
        elif written and None not in written.values():
            text = "has no limit, so it checks nothing; add a metric such as p95_ms: 250"
            self.problems.add_absence(("scenarios", self.name, *place), text, ("defaults", *place))

    def _threshold(self, subject: Subject, metric: str, place: KeyPath, limit: dict[str, Any]) -> Iterator[Threshold]:
        """Yield the threshold, or note why it could never fail or never pass."""
        low, high = limit.get("min"), limit.get("max")
        if low is None and high is None:
            self.problems.add_absence(self._path(place), "has neither min nor max left; add one, or remove it by null")
            return
        if low is not None and high is not None and low > high:
            self.problems.add(self._path(place), f"min {low:g} is greater than max {high:g}, so nothing could pass")
        yield Threshold(
            kind=subject.kind,
            subject=subject.name,
            metric=metric,
            stage=subject.stage,
            min=None if low is None else float(low),
            max=None if high is None else float(high),
            severity=Severity(limit.get("severity", Severity.FAIL)),
            min_samples=int(limit["min_samples"]) if "min_samples" in limit else None,
            allow_no_data=limit.get("allow_no_data", False),
            source=self._source(place),
        )

    def _path(self, place: KeyPath) -> KeyPath:
        """Return where the value of a place was written: in the scenario, else in the defaults."""
        own = ("scenarios", self.name, *place)
        return own if not place or own in self.problems.document.lines else ("defaults", *place)

    def _source(self, place: KeyPath) -> str:
        return f"{self.file_name}:{self.problems.line(self._path(place))}"
