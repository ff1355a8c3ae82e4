"""Judge a run beside saved runs of the same name: unchanged, improved, regressed, or inconclusive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tailgate.baseline import Baseline
from tailgate.baseline_effects import Effect, measure_failures, measure_ratio, value_of
from tailgate.baseline_match import Decision, decide
from tailgate.baseline_rules import FAILURE_RATIO, METRICS, THROUGHPUT, BaselineRules, FindingKind, Gate
from tailgate.compare import adjust
from tailgate.errors import BaselineMismatch, InconclusiveComparison, Regression
from tailgate.model import TOTAL, Outcome, RequestSummary, Severity, render_figure


@dataclass(frozen=True, slots=True)
class Absence:
    """Why a metric cannot be compared."""

    kind: FindingKind
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """One metric of one subject beside its saved values.

    ``low``, ``high`` and ``detectable`` are in the unit of ``change``.
    """

    subject: str
    """``total`` or a request key."""
    metric: str
    is_gate: bool
    """Whether it takes part in the decision."""
    outcome: Outcome
    baseline: float | None
    """Mean of the saved runs, of a latency or the throughput the geometric one; None where there is none."""
    candidate: float | None
    change_ratio: float | None = None
    """Candidate / baseline - 1; None where that does not exist."""
    change: float | None = None
    """As ``change_ratio``; for a failure ratio the difference."""
    low: float | None = None
    high: float | None = None
    """With ``low``, where the change may lie: each end is wrong with the probability that one metric may be."""
    spread: float | None = None
    """Standard deviation between saved runs: of logarithms, which is a ratio; for a failure ratio a difference."""
    is_measured: bool = False
    """Whether ``spread`` was measured on enough saved runs, or is assumed."""
    runs: int = 0
    """Saved runs that had the metric."""
    detectable: float | None = None
    """The smallest change for the worse that four of five such comparisons would call regressed."""
    absence: Absence | None = None
    """Why there is no change to show."""

    @property
    def stands_out(self) -> bool:
        """Whether the change is larger than noise explains, be the noise measured or assumed."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    def __str__(self) -> str:
        name = f"{self.subject}: {self.metric.removesuffix('_ms').removesuffix('_rps')}"
        if self.change is None or self.candidate is None or self.baseline is None:
            return f"{name} {self.outcome}: {self.absence.why if self.absence else 'no data'}"
        values = f"{render_figure(self.metric, self.baseline)} -> {render_figure(self.metric, self.candidate)}"
        change, low, high, spread = (
            show_change(self.metric, value)
            for value in (self.change, self.low or 0.0, self.high or 0.0, self.spread or 0.0)
        )
        noun = "saved run" if self.runs == 1 else "saved runs"
        kind = "measured" if self.is_measured else "assumed"
        hint = ", which does not explain the change" if self.stands_out and not self.is_measured else ""
        seen = f"{self.runs} {noun}, {kind} spread {spread.removeprefix('+')}{hint}"
        return f"{name} {self.outcome}, {values}: {change} ({low} to {high}; {seen})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a reader of a comparison should know."""

    kind: FindingKind
    severity: Severity
    text: str
    """A sentence that stands alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineComparison:
    """A run beside the saved runs of one baseline."""

    scenario: str
    name: str
    """Of the baseline."""
    outcome: Outcome
    """Of the gates together: the worst of them, where inconclusive is worse than unchanged."""
    decision: Decision
    """Which saved runs were compared with, and why not the others."""
    metrics: tuple[MetricComparison, ...]
    """Of all requests, then by request; empty where nothing could be compared."""
    findings: tuple[Finding, ...]
    """The most severe first."""
    rules: BaselineRules

    @property
    def runs(self) -> int:
        """Saved runs that were compared with."""
        return len(self.decision.usable)

    @property
    def severity(self) -> Severity | None:
        """The most severe thing found; None if nothing was."""
        return self.findings[0].severity if self.findings else None


def compare_with_baseline(
    candidate: Baseline, baseline_runs: Sequence[Baseline], rules: BaselineRules | None = None, *, name: str = "default"
) -> BaselineComparison:
    """Judge a run beside saved runs; the same input gives the same result.

    Args:
        candidate: The new run, which is none of ``baseline_runs``.
        baseline_runs: Runs that were saved under one name for this scenario, oldest first; may be empty.
        rules: How to judge; None takes the defaults.
        name: Of the baseline, for messages.
    """
    rules = rules or BaselineRules()
    decision = decide(candidate, baseline_runs, ignore=rules.ignore, min_apart_s=rules.min_apart_s)
    if not decision.usable:
        kind = FindingKind.NOT_COMPARABLE if decision.left_out else FindingKind.NO_BASELINE
        finding = Finding(kind=kind, severity=rules.severity(kind), text=f"baseline {name!r}: {decision}")
        metrics: tuple[MetricComparison, ...] = ()
        findings, outcome = [finding], Outcome.INCONCLUSIVE
    else:
        pairs = _pair_up(candidate, decision.usable)
        metrics = _compare_all(pairs, rules)
        findings = [*_find_requests(pairs, len(decision.usable), rules), *_find_metrics(metrics, rules)]
        outcome = _combine([metric.outcome for metric in metrics if metric.is_gate])
    order = (Severity.FAIL, Severity.WARN, Severity.INFO)
    return BaselineComparison(
        scenario=candidate.scenario,
        name=name,
        outcome=outcome,
        decision=decision,
        metrics=metrics,
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
        rules=rules,
    )


def raise_for_comparison(comparison: BaselineComparison) -> None:
    """Raise what the most severe findings mean for a test; nothing where none is of severity ``fail``.

    Raises:
        Regression: Something is worse.
        BaselineMismatch: There is no saved run to compare with.
        InconclusiveComparison: Something else failed by the rules.
    """
    failed = [finding for finding in comparison.findings if finding.severity is Severity.FAIL]
    worse = (FindingKind.REGRESSED, FindingKind.REQUEST_REGRESSED)
    if any(finding.kind in worse for finding in failed):
        raise Regression(comparison.scenario, [finding.text for finding in failed if finding.kind in worse])
    for finding in failed:
        if finding.kind in (FindingKind.NO_BASELINE, FindingKind.NOT_COMPARABLE):
            fields = [difference.field for difference in comparison.decision.differences]
            raise BaselineMismatch(comparison.scenario, finding.text, fields)
    if failed:
        raise InconclusiveComparison(comparison.scenario, [finding.text for finding in failed])


def show_change(metric: str, change: float) -> str:
    """Render a change: ``+12.3 %``; of a failure ratio, which is a difference, ``+1.2 points``."""
    unit, digits = ("points", 2) if metric == FAILURE_RATIO else ("%", 1)
    # Adding 0 turns -0.0 into 0.0.
    return f"{round(100 * change, digits) + 0.0:+,.{digits}f} {unit}"


@dataclass(frozen=True, slots=True)
class _Pair:
    """The figures of one subject; without a candidate it vanished, without saved ones it is new."""

    subject: str
    saved: tuple[RequestSummary, ...]
    candidate: RequestSummary | None


def _pair_up(candidate: Baseline, saved: Sequence[Baseline]) -> list[_Pair]:
    totals = tuple(run.total.summary for run in saved)
    keys = sorted({key for run in (candidate, *saved) for key in run.requests})
    pairs = [_Pair(TOTAL, totals, candidate.total.summary)]
    for key in keys:
        series = candidate.requests.get(key)
        before = tuple(run.requests[key].summary for run in saved if key in run.requests)
        pairs.append(_Pair(key, before, series.summary if series else None))
    return pairs


def _compare_all(pairs: Sequence[_Pair], rules: BaselineRules) -> tuple[MetricComparison, ...]:
    both = [pair for pair in pairs if pair.saved and pair.candidate is not None]
    found = {(pair.subject, metric): _measure(pair, metric, rules) for pair in both for metric in METRICS}
    effects = {place: effect for place, effect in found.items() if isinstance(effect, Effect)}
    by_chance = _unsurprising(effects, rules)
    compared = [
        _judge(place, measured, rules, is_surprising=place not in by_chance)
        if isinstance(measured, Effect)
        else _without_effect(place, measured, rules)
        for place, measured in found.items()
    ]
    unseen = Absence(FindingKind.NO_DATA, "no data: not in both this run and a saved one")
    missing = [gate for gate in rules.gates if gate not in found]
    return (*compared, *(_without_effect(gate, unseen, rules) for gate in missing))


def _measure(pair: _Pair, metric: str, rules: BaselineRules) -> Effect | Absence:
    """Return the effect, or why there is none."""
    assert pair.candidate is not None
    after = value_of(pair.candidate, metric)
    usable = [summary for summary in pair.saved if value_of(summary, metric) is not None]
    if after is None or (after <= 0 and metric not in (FAILURE_RATIO, THROUGHPUT)):
        return Absence(FindingKind.NO_DATA, "no data: no request of this run took a time and succeeded")
    if not usable:
        return Absence(FindingKind.NO_DATA, "no data: no request of a saved run succeeded")
    if metric == FAILURE_RATIO:
        return measure_failures(usable, pair.candidate, rules)
    before = [value for summary in usable if (value := value_of(summary, metric)) is not None]
    if min(before) <= 0:
        zero = render_figure(metric, 0.0)
        return Absence(FindingKind.ZERO_BASELINE, f"a saved run has {zero}, and there is no ratio to that")
    return measure_ratio(metric, before, after, rules)


def _unsurprising(effects: dict[Gate, Effect], rules: BaselineRules) -> set[Gate]:
    """Return what is no gate and, among as many, may well have changed by chance (Benjamini and Hochberg)."""
    others = [place for place in effects if place not in rules.gates]
    worse = adjust([effects[place].p_worse for place in others])
    better = adjust([effects[place].p_better for place in others])
    return {place for place, *both in zip(others, worse, better, strict=True) if min(both) > rules.alpha}


def _judge(place: Gate, effect: Effect, rules: BaselineRules, *, is_surprising: bool) -> MetricComparison:
    is_gate = place in rules.gates
    margin = effect.margin(rules.gate_level if is_gate else rules.alpha)
    ends = [effect.as_change(effect.worse - margin), effect.as_change(effect.worse + margin)]
    change = effect.as_change(effect.worse)
    ratio = change if effect.metric != FAILURE_RATIO else change / effect.before if effect.before else None
    return MetricComparison(
        subject=place[0],
        metric=effect.metric,
        is_gate=is_gate,
        outcome=_decide(effect, margin, is_surprising=is_surprising),
        baseline=effect.before,
        candidate=effect.after,
        change_ratio=ratio,
        change=change,
        low=min(ends),
        high=max(ends),
        spread=effect.as_change(effect.spread) if effect.metric == FAILURE_RATIO else effect.spread,
        is_measured=effect.is_measured,
        runs=effect.runs,
        detectable=effect.as_change(effect.detectable(rules.gate_level if is_gate else rules.alpha)),
    )


def _decide(effect: Effect, margin: float, *, is_surprising: bool) -> Outcome:
    """Decide one metric; only a measured spread can decide anything."""
    if not effect.is_measured:
        return Outcome.INCONCLUSIVE
    if is_surprising and effect.worse > margin and effect.worse >= effect.allowed:
        return Outcome.REGRESSED
    if is_surprising and effect.worse < -margin and -effect.worse >= effect.allowed:
        return Outcome.IMPROVED
    return Outcome.UNCHANGED if effect.worse + margin <= effect.allowed else Outcome.INCONCLUSIVE


def _without_effect(place: Gate, absence: Absence, rules: BaselineRules) -> MetricComparison:
    return MetricComparison(
        subject=place[0],
        metric=place[1],
        is_gate=place in rules.gates,
        outcome=Outcome.INCONCLUSIVE,
        baseline=None,
        candidate=None,
        absence=absence,
    )


def _find_requests(pairs: Sequence[_Pair], runs: int, rules: BaselineRules) -> Iterator[Finding]:
    for pair in pairs:
        if not pair.saved:
            kind, text = FindingKind.NEW_REQUEST, "is new: no saved run has it, nothing to compare with"
        elif pair.candidate is None:
            kind = FindingKind.VANISHED_REQUEST
            text = f"vanished: {len(pair.saved)} of {runs} saved runs have it, this one does not"
        else:
            continue
        yield Finding(kind=kind, severity=rules.severity(kind), text=f"{pair.subject}: {text}")


def _find_metrics(metrics: Sequence[MetricComparison], rules: BaselineRules) -> Iterator[Finding]:
    for metric in metrics:
        kind = _kind(metric)
        if kind is not None:
            yield Finding(kind=kind, severity=rules.severity(kind), text=str(metric))


def _kind(metric: MetricComparison) -> FindingKind | None:
    if metric.absence is not None:
        return metric.absence.kind
    if metric.outcome is Outcome.REGRESSED:
        return FindingKind.REGRESSED if metric.is_gate else FindingKind.REQUEST_REGRESSED
    if metric.outcome is Outcome.INCONCLUSIVE and metric.is_gate:
        return FindingKind.INCONCLUSIVE
    return None


def _combine(outcomes: Sequence[Outcome]) -> Outcome:
    order = (Outcome.REGRESSED, Outcome.INCONCLUSIVE, Outcome.IMPROVED, Outcome.UNCHANGED)
    return next(outcome for outcome in order if outcome in outcomes)
