"""Compare two builds over the rounds of a duet: one change for each rule, and where else to look.

Pure: the same rounds give the same changes. The statistics are those of ``tailgate.compare``; docs/duet.md tells how
often they are right. Several rules of a scenario each keep their own error, without a correction for their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from tailgate.checks import matching_keys
from tailgate.compare import (
    CompareSettings,
    LatencyComparison,
    compare_cost,
    compare_latency,
    compare_names,
    compare_shares,
    count_failures,
)
from tailgate.compare_values import Arm
from tailgate.duet_changes import doubt, from_latency, from_name, from_rate, nothing
from tailgate.duet_join import join_rounds
from tailgate.duet_judge import judge_duet, raise_for_duet
from tailgate.duet_rounds import BASELINE, CANDIDATE, ArmRound, Mark, Round, Timeline, inject, why_nothing
from tailgate.duet_validity import FEWEST, MOSTLY_FAILED, find_duet_reasons
from tailgate.model import TOTAL, Change, Outcome, RegressionRule, Scenario, Severity, Window, render_figure
from tailgate.percentiles import quantile_of

__all__ = [
    "NOISE_FLOOR_RATIO",
    "ArmRound",
    "Mark",
    "Round",
    "compare_rounds",
    "find_duet_reasons",
    "inject",
    "is_decided",
    "join_rounds",
    "judge_duet",
    "raise_for_duet",
    "shared_cpu_ratio",
]

NOISE_FLOOR_RATIO = 0.01
"""The floor until one was learned: about what two pairs of processes of one build differ by (docs/duet.md)."""
_EXCESS = 0.1
"""By how much more the baseline may fail than the candidate, as a share of the requests beyond the percentile."""
_ANY_CHANGE = RegressionRule(kind="request", subject="*", metric="p95_ms", max_change=0.0, severity=Severity.INFO)


def compare_rounds(
    rounds: Sequence[Round],
    scenario: Scenario,
    *,
    timeout_ms: float,
    are_cores_shared: bool,
    noise_floor_ratio: float | None,
    are_processes_fresh: bool = True,
) -> tuple[Change, ...]:
    """Return what a duet shows so far.

    One change for each rule and each request or stage that it matches, in the order of the rules; then one for each
    request that mostly fails in the candidate alone, which no rule needs to ask for, in place of what a rule that only
    informs says of its failures; then, as information, one for the p95 of each request that no rule compares.

    Args:
        rounds: At least one, in the order in which they were played.
        scenario: Whose rules are asked.
        timeout_ms: What a failed request counts as: the client's timeout.
        are_cores_shared: Whether both arms ran on the same cores.
        noise_floor_ratio: What was learned on this class of machine; None if nothing was.
        are_processes_fresh: Whether each round had processes of its own.
    """
    comparing = _Comparing(
        time=Timeline(rounds),
        scenario=scenario,
        timeout_ms=timeout_ms,
        busy_ratio=shared_cpu_ratio(rounds) if are_cores_shared else None,
        learned_floor_ratio=noise_floor_ratio,
        are_processes_fresh=are_processes_fresh,
    )
    changes = tuple(change for rule in scenario.regressions for change in comparing.of_rule(rule))
    broken = tuple(comparing.of_broken_requests(changes))
    found = {one.subject for one in broken}
    kept = [one for one in changes if not (_is_about_failures(one) and one.subject in found)]
    return (*kept, *broken, *comparing.of_names(changes))


def is_decided(changes: Sequence[Change]) -> bool:
    """Tell whether no more rounds are needed.

    Something that fails has regressed, or every comparison that matters has an outcome, or can never have one.
    """
    if any(change.outcome is Outcome.REGRESSED and change.severity is Severity.FAIL for change in changes):
        return True
    return not any(
        change.outcome is Outcome.INCONCLUSIVE and change.severity is not Severity.INFO and not _is_hopeless(change)
        for change in changes
    )


def shared_cpu_ratio(rounds: Sequence[Round]) -> float | None:
    """Return how busy the cores of the machine were on average; None where the system does not tell."""
    ratios = [played.base.run.generator.host_cpu_ratio for played in rounds]
    known = [ratio for ratio in ratios if ratio is not None]
    return fmean(known) if known else None


def _is_hopeless(change: Change) -> bool:
    """Tell whether the marks of the rounds do not hold what is asked for; those of further ones would not either."""
    return change.rule.metric in {"cpu_ms", "count"} and change.candidate is None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparing:
    """The comparisons of one duet, and what they share."""

    time: Timeline
    scenario: Scenario
    timeout_ms: float
    busy_ratio: float | None
    learned_floor_ratio: float | None
    are_processes_fresh: bool

    def of_rule(self, rule: RegressionRule) -> Iterator[Change]:
        """Yield one change for each subject and stage of a rule; at least one, which says what is missing."""
        if reason := why_nothing(rule, self.time):
            yield nothing(rule, reason)
            return
        for stage in [None] if rule.stage is None else self.time.matching_stages(rule.stage):
            windows = self.time.windows(stage)
            found = self._of_requests if rule.kind == "request" else self._of_all
            for change in found(rule, windows) if windows else [nothing(rule, "no round came to this stage")]:
                yield replace(change, window=stage or TOTAL)

    def of_broken_requests(self, changes: Sequence[Change]) -> Iterator[Change]:
        """Yield the failure ratio of each request that mostly fails in the candidate alone, unless a rule judges it.

        A rare one hardly moves what all requests do together, and a build in which it is broken must not pass. A rule
        that only informs judges nothing.
        """
        asked = {one.subject for one in changes if _is_about_failures(one) and one.severity is not Severity.INFO}
        windows = self.time.windows()
        for key in self.time.keys:
            base, candidate = self.time.arms(key)
            before, after = _failure_ratios(base, candidate, windows)
            # Requests, not tasks: whether so few can tell is what the comparison says.
            sent = min(len(arm.scheduled_s) for arm in (base, candidate))
            if after - before > MOSTLY_FAILED and sent >= FEWEST and key not in asked:
                rule = RegressionRule(kind="request", subject=key, metric="failure_ratio", max_change=MOSTLY_FAILED)
                yield self._of_arms(rule, windows, key)

    def of_names(self, changes: Sequence[Change]) -> Iterator[Change]:
        """Yield, as information, the p95 of each request whose latency no rule compares over whole rounds."""
        asked = {change.subject for change in changes if quantile_of(change.rule.metric) and change.window == TOTAL}
        arms = {key: self.time.arms(key) for key in self.time.keys if key not in asked}
        windows, floor = self.time.windows(), self._floor(_ANY_CHANGE)
        found = compare_names(
            {key: base for key, (base, _) in arms.items()},
            {key: candidate for key, (_, candidate) in arms.items()},
            rounds=windows,
            timeout_ms=self.timeout_ms,
            settings=CompareSettings(looks=1, noise_floor_ratio=floor, are_processes_fresh=self.are_processes_fresh),
        )
        return (from_name(_ANY_CHANGE, one, rounds=len(windows), noise_floor_ratio=floor) for one in found)

    def _of_all(self, rule: RegressionRule, windows: Sequence[Window]) -> Iterator[Change]:
        is_marked = rule.kind == "counter" or rule.metric == "cpu_ms"
        yield self._of_marks(rule, windows) if is_marked else self._of_arms(rule, windows, None)

    def _of_requests(self, rule: RegressionRule, windows: Sequence[Window]) -> Iterator[Change]:
        for key in matching_keys(rule.subject, self.time.keys):
            yield replace(self._of_arms(rule, windows, key), subject=key)

    def _of_arms(self, rule: RegressionRule, windows: Sequence[Window], key: str | None) -> Change:
        """Compare what every request tells by itself."""
        base, candidate = self.time.arms(key)
        settings = self._settings(rule)
        if rule.metric == "failure_ratio":
            counts = count_failures(base, candidate, windows)
            return from_rate(
                rule, compare_shares(counts, max_change=rule.max_change, settings=settings), counts, settings
            )
        found = compare_latency(base, candidate, rounds=windows, timeout_ms=self.timeout_ms, settings=settings)
        doubts = self._why_hidden(found), self._why_masked(found, *_failure_ratios(base, candidate, windows))
        return doubt(from_latency(rule, found), [reason for reason in doubts if reason])

    def _of_marks(self, rule: RegressionRule, windows: Sequence[Window]) -> Change:
        """Compare what only grows beside the requests: processor time, counters."""
        if rule.metric == "cpu_ms":
            return self._of_processor_time(rule, windows)
        counts = self.time.count_marks(lambda mark: mark.counters.get(rule.subject, 0.0), windows)
        if counts is None:
            return nothing(rule, "the counter fell, and only what grows can be compared")
        settings = self._settings(rule)
        found = compare_shares(counts, max_change=rule.max_change, settings=settings, is_share=False)
        return from_rate(rule, found, counts, settings)

    def _of_processor_time(self, rule: RegressionRule, windows: Sequence[Window]) -> Change:
        for name, marks in zip((BASELINE, CANDIDATE), self.time.marks, strict=True):
            if any(mark.cpu_s is None for mark in marks):
                return nothing(rule, f"the processor time of the {name}'s services cannot be read")
        counts = self.time.count_marks(lambda mark: mark.cpu_s or 0.0, windows)
        if counts is None:
            return nothing(rule, "the processor time of the services fell: one of them was started anew")
        settings = self._settings(rule)
        change = from_rate(rule, compare_cost(counts, settings), counts, settings, unit=1000.0)
        if change.blocks >= settings.min_blocks:
            return change
        # The kernel counts in steps of 10 ms: a few blocks may look alike by chance.
        return doubt(change, [f"processor time was read over {change.blocks} blocks, {settings.min_blocks} needed"])

    def _settings(self, rule: RegressionRule) -> CompareSettings:
        duet = self.scenario.duet
        settings = CompareSettings(
            alpha=rule.alpha,
            looks=len(duet.looks),
            fail_from_round=duet.fail_from_round,
            noise_floor_ratio=self._floor(rule),
            are_processes_fresh=self.are_processes_fresh,
        )
        if rule.is_ratio:
            settings = replace(settings, max_change_ratio=rule.max_change)
        q = quantile_of(rule.metric)
        return replace(settings, q=q) if q is not None else settings

    def _floor(self, rule: RegressionRule) -> float:
        known = (rule.noise_floor_ratio, self.scenario.duet.noise_floor_ratio, self.learned_floor_ratio)
        return next((floor for floor in known if floor is not None), NOISE_FLOOR_RATIO)

    def _why_hidden(self, found: LatencyComparison) -> str:
        """Return why busy cores could hide that the candidate is slower; empty if they could not."""
        most = self.scenario.duet.max_shared_cpu_ratio
        if found.outcome is not Outcome.UNCHANGED or self.busy_ratio is None or self.busy_ratio <= most:
            return ""
        return (
            f"the cores, which both arms share, were {100 * self.busy_ratio:.0f} % busy, allowed are {100 * most:g} % "
            "(max_shared_cpu_ratio): there a slow candidate slows the baseline too; lower the rate"
        )

    def _why_masked(self, found: LatencyComparison, base_failed: float, candidate_failed: float) -> str:
        """Return why failures, each a timeout to the percentile, could make the baseline look slow; empty if not."""
        beyond = float(1 - found.settings.q)
        if found.outcome not in {Outcome.UNCHANGED, Outcome.IMPROVED}:
            return ""
        if base_failed - candidate_failed <= _EXCESS * beyond and base_failed < beyond:
            return ""
        before, after = (render_figure("failure_ratio", ratio) for ratio in (base_failed, candidate_failed))
        return (
            f"{before} of the baseline's requests failed, {after} of the candidate's: a failure counts as the timeout, "
            "so the baseline may look slower than it is"
        )


def _is_about_failures(change: Change) -> bool:
    return change.rule.metric == "failure_ratio" and change.window == TOTAL


def _failure_ratios(base: Arm, candidate: Arm, windows: Sequence[Window]) -> tuple[float, float]:
    counts = count_failures(base, candidate, windows)
    sides = (counts.base, counts.base_requests), (counts.candidate, counts.candidate_requests)
    of_base, of_candidate = (float(failed.sum() / max(1.0, sent.sum())) for failed, sent in sides)
    return of_base, of_candidate
