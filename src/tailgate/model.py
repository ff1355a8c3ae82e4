"""The values that flow through a run: plain, frozen, and ignorant of Locust, pytest and the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tailgate.baseline_rules import BaselineRules

TOTAL = "total"
"""Name of the window, and of the subject, that covers a whole run."""

HEADROOM_RATIO = 1.5
"""A limit on latency that is less than this many times what is usual will now and then be broken by noise alone."""


class Severity(StrEnum):
    """What a failed check does to the verdict."""

    FAIL = "fail"
    """The run fails."""
    WARN = "warn"
    """The run passes with a warning."""
    INFO = "info"
    """Nothing: the check describes the run, as the steps of a stress run do."""


class CheckOutcome(StrEnum):
    """What one threshold found."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    NO_DATA = "no_data"


class Outcome(StrEnum):
    """The candidate against the baseline."""

    UNCHANGED = "unchanged"
    """Proven not worse than the allowed change."""
    IMPROVED = "improved"
    """As unchanged, and proven better than the baseline."""
    REGRESSED = "regressed"
    """Proven worse than the allowed change."""
    INCONCLUSIVE = "inconclusive"
    """Neither is proven: more rounds may tell."""


class Verdict(StrEnum):
    """What one run is worth as a whole."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    INVALID = "invalid"


class Resolution(StrEnum):
    """How latencies were kept until they were judged."""

    EXACT = "exact"
    HISTOGRAMS = "histograms of three digits"
    """Percentiles are off by 0.05 % at most, and windows are cut at whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A piece of the load.

    Raises:
        ValueError: A length, user count or spawn rate that no run could have.
    """

    name: str
    """Unique within its shape; thresholds refer to it."""
    duration_s: float
    """Its own length in seconds, not the end time since the start."""
    users: int = 0
    """Level to move to, and then to hold; 0 where requests arrive at a rate."""
    spawn_rate: float | None = None
    """Users started or stopped a second; None moves at once."""
    arrival_rate_rps: float | None = None
    """Open model: tasks started a second, however long answers take; None is the closed model of users."""
    ramp_s: float = 0.0
    """Open model: seconds at its beginning in which the rate moves from that of the stage before to its own."""

    def __post_init__(self) -> None:
        """Refuse what could never be run."""
        if not 0 < self.duration_s < float("inf"):
            raise ValueError(
                f"stage {self.name!r}: duration_s is {self.duration_s}, wanted a positive number of seconds"
            )
        if not isinstance(self.users, int) or self.users < 0:
            raise ValueError(f"stage {self.name!r}: users is {self.users}, wanted a whole number, 0 or more")
        if self.spawn_rate is not None and not 0 < self.spawn_rate < float("inf"):
            raise ValueError(
                f"stage {self.name!r}: spawn_rate is {self.spawn_rate}, wanted a positive number of users/s"
            )
        self._check_arrivals()

    def _check_arrivals(self) -> None:
        rate = self.arrival_rate_rps
        if rate is None:
            if self.ramp_s:
                raise ValueError(f"stage {self.name!r}: ramp_s is for arrival_rate_rps; users ramp by spawn_rate")
            return
        if not 0 < rate < float("inf"):
            raise ValueError(f"stage {self.name!r}: arrival_rate_rps is {rate}, wanted a positive number a second")
        if self.users or self.spawn_rate:
            raise ValueError(f"stage {self.name!r}: has users and an arrival rate, wanted one of them")
        if not 0 <= self.ramp_s <= self.duration_s:
            raise ValueError(f"stage {self.name!r}: ramp_s is {self.ramp_s}, wanted 0 to duration_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One limit of the thresholds file."""

    kind: Literal["total", "request", "counter"]
    subject: str
    """``total``, a request pattern such as ``GET Get_*`` or ``Buy_Product``, or a counter's name."""
    metric: str
    """``p95_ms``, ``failure_ratio``, …; ``count`` for a counter."""
    stage: str | None = None
    """Pattern of the stages to judge; None judges the whole run."""
    min: float | None = None
    """Lowest value that passes; at least one of ``min`` and ``max`` is given."""
    max: float | None = None
    """Highest value that passes."""
    severity: Severity = Severity.FAIL
    min_samples: int | None = None
    """Fewer samples than this make the run invalid; None asks what the metric needs."""
    allow_no_data: bool = False
    """True lets a request that was never sent pass unnoticed."""
    source: str = ""
    """``thresholds.yaml:14``, for messages."""

    @property
    def limit(self) -> str:
        """The limit as people write it: ``<= 250 ms``, ``>= 20/s``."""
        parts = []
        if self.min is not None:
            parts.append(f">= {render_limit(self.metric, self.min)}")
        if self.max is not None:
            parts.append(f"<= {render_limit(self.metric, self.max)}")
        return " and ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class BeyondLimit:
    """Which share of the requests was beyond a limit, and how far one short run tells what is usual."""

    share: float
    """Of the requests that the figure rests on: those that took longer than the limit, or that failed; 0 to 1."""
    low: float
    high: float
    """With ``low``, the interval each end of which is wrong in 5 % of runs; requests of one second share their fate."""
    allowed: float
    """The highest share that keeps the limit: 0.05 for a p95."""

    @property
    def is_sure(self) -> bool:
        """Whether the interval lies wholly on the side of the limit on which the share is."""
        return self.low > self.allowed or self.high <= self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One threshold applied to one subject in one window of one run."""

    threshold: Threshold
    subject: str
    """``total``, the request ``GET Get_All_Products``, or the counter's name."""
    window: str
    """``total`` or the name of a stage."""
    actual: float | None
    """In the metric's own unit; None when there is no data."""
    samples: int
    """How many samples the figure rests on."""
    outcome: CheckOutcome
    note: str = ""
    """Why there is no data, or why the subject could not be found."""
    severity: Severity = Severity.FAIL
    beyond: BeyondLimit | None = None
    """Upper limits of percentiles and failure ratios; None where too little was seen to say anything."""
    breakdown: str = ""
    """Where the time of its slowest requests went; empty unless it failed and servers told."""

    @property
    def is_failed(self) -> bool:
        """Whether this check alone keeps the run from passing."""
        return self.outcome is not CheckOutcome.PASS and self.severity is Severity.FAIL

    @property
    def is_close(self) -> bool:
        """Whether it passed, but by so little that noise alone may break it the next time."""
        if self.outcome is not CheckOutcome.PASS or self.beyond is None:
            return False
        is_unsure = self.beyond.share > 0 and not self.beyond.is_sure
        return is_unsure or self._roomy_limit_ms > (self.threshold.max or 0.0)

    @property
    def _roomy_limit_ms(self) -> float:
        """The limit that would leave room for noise; 0 for what is no latency."""
        return HEADROOM_RATIO * self.actual if self.actual and self.threshold.metric.endswith("_ms") else 0.0

    @property
    def excess_ratio(self) -> float:
        """How far beyond its limit, as a ratio of the limit; no data is worst of all."""
        if self.actual is None:
            return float("inf")
        if self.threshold.max is not None and self.actual > self.threshold.max:
            return (self.actual - self.threshold.max) / (abs(self.threshold.max) or 1e-9)
        if self.threshold.min is not None and self.actual < self.threshold.min:
            return (self.threshold.min - self.actual) / (abs(self.threshold.min) or 1e-9)
        return 0.0

    def __str__(self) -> str:
        where = self.subject if self.window == TOTAL else f"{self.subject} [{self.window}]"
        name = self.threshold.metric.removesuffix("_ms").removesuffix("_rps")
        tail = (
            f"(n = {self.samples:,}; {self.threshold.source})" if self.threshold.source else f"(n = {self.samples:,})"
        )
        if self.actual is None:
            why = f": {self.note}" if self.note else ""
            return f"{where}: {name} has no data, wanted {self.threshold.limit}{why} {tail}"
        actual = render_beside(self.threshold.metric, self.actual, (self.threshold.min, self.threshold.max))
        relation = "within" if self.outcome is CheckOutcome.PASS else "breaks"
        breakdown = f"; {self.breakdown}" if self.breakdown else ""
        return f"{where}: {name} {actual} {relation} {self.threshold.limit} {tail}{self._sureness()}{breakdown}"

    def _sureness(self) -> str:
        """Say how sure a breach is, or how close a pass was; nothing of one that had room."""
        beyond, limit = self.beyond, self.threshold
        if beyond is None or limit.max is None or (self.outcome is CheckOutcome.PASS and not self.is_close):
            return ""
        advice = ""
        if self.outcome is CheckOutcome.PASS and self._roomy_limit_ms:
            advice = f"a limit of {render_figure(limit.metric, self._roomy_limit_ms)} or more leaves room for noise"
            if beyond.is_sure:
                return f": {advice}"
        share, low, high = (
            render_beside("share_ratio", value, [beyond.allowed]) for value in (beyond.share, beyond.low, beyond.high)
        )
        told = f"{low.removesuffix(' %')} to {high} allowing for bursts"
        if limit.metric != "failure_ratio":
            longer = f"{share} took longer than {render_limit(limit.metric, limit.max)}"
            told = f"{longer} ({told}), and {render_limit('share_ratio', beyond.allowed)} may"
        return f", {'clearly' if beyond.is_sure else 'maybe by noise'}: {told}{f'; {advice}' if advice else ''}"


def render_figure(metric: str, value: float, *, extra: int = 0) -> str:
    """Render a value of ``metric`` with its unit, short; ``extra`` digits beyond the usual ones."""
    factor, unit = _factor_and_unit(metric)
    scaled = factor * value
    if unit == " ms":
        # By the rounded value: 99.96 ms is "100 ms", as 100.4 ms is.
        usual = 1 if round(abs(scaled), 1) < 100 else 0  # noqa: PLR2004 - one decimal below 100 ms
        return f"{scaled:,.{usual + extra}f}{unit}"
    if unit == "/s":
        return f"{scaled:,.{1 + extra}f}{unit}"
    if unit == " %":
        return f"{scaled:,.{3 + extra}g}{unit}"
    return _exact(scaled) if float(scaled).is_integer() else f"{scaled:,.{6 + extra}g}"


def render_limit(metric: str, value: float) -> str:
    """Render a limit of ``metric`` with its unit, with all digits that a person wrote: ``20/s``, ``0.25 ms``."""
    factor, unit = _factor_and_unit(metric)
    return f"{_exact(factor * value)}{unit}"


def render_beside(metric: str, value: float, limits: Iterable[float | None]) -> str:
    """Render a value with as many digits as show on which side of its limits it is: ``250.4 ms`` beside ``250 ms``."""
    factor, unit = _factor_and_unit(metric)
    exact = float(f"{factor * value:.12g}")
    others = [float(f"{factor * limit:.12g}") for limit in limits if limit is not None]
    text = render_figure(metric, value)
    for extra in range(1, 10):
        shown = float(text.removesuffix(unit).replace(",", ""))
        if all((shown > other, shown < other) == (exact > other, exact < other) for other in others):
            break
        text = render_figure(metric, value, extra=extra)
    return text


def _factor_and_unit(metric: str) -> tuple[float, str]:
    """Return what turns a value of ``metric`` into the number that people read, and the unit behind it."""
    if metric.endswith("_ms"):
        return 1, " ms"
    if metric.endswith("_rps"):
        return 1, "/s"
    if metric.endswith("_ratio"):
        return 100, " %"
    return 1, ""


def _exact(number: float) -> str:
    """Render a number as written; twelve digits hide what binary fractions add (100 * 0.29 is 28.999999999999996)."""
    return f"{number:,.12g}"


def printable(text: str) -> str:
    """Return a text that fits UTF-8, and what carries it: no lone surrogates, as file names may hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def count_of(number: int, noun: str) -> str:
    """Return the number with its noun: ``1 user``, ``1,200 users``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def match_name(pattern: str, name: str) -> bool:
    """Tell whether ``name`` matches ``pattern``, where ``*`` stands for any text; case counts."""
    return fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorLimits:
    """When the generator itself is too busy for its figures to be believed."""

    max_loop_lag_ratio: float = 0.2
    """Loop lag p99 over the judged latency (p95 of all successes)."""
    min_loop_lag_ms: float = 10.0
    """Lag below this is never held against a run: timers of a shared machine are that coarse."""
    max_blocked_ratio: float = 0.05
    """Share of the time in which the event loop stood still for more than 10 ms."""
    max_cpu_ratio: float = 0.95
    """Processor time of the generator's process over the time of one core."""
    min_achieved_ratio: float = 0.98
    """Open model: requests sent over requests that were due."""
    max_send_lag_ratio: float = 0.05
    """Open model: send lag p99 over the judged latency."""
    min_send_lag_ms: float = 3.0
    """Open model: send lag below this is never held against a run."""
    max_dispersion: float = 2.0
    """Index of dispersion of sends; beyond it requests come in herds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionRule:
    """One comparison that a duet has to make."""

    kind: Literal["total", "request", "counter"]
    subject: str
    """``total``, a request pattern such as ``GET Get_*``, or a counter's name."""
    metric: str
    """``p95_ms`` or another percentile, ``failure_ratio``, ``cpu_ms`` (service processor time per request), or
    ``count`` (a counter per request)."""
    stage: str | None = None
    """Pattern of the stages to compare; None compares the whole of each round."""
    max_change: float = 0.10
    """The largest change for the worse that is allowed: a ratio of the baseline for ``*_ms``, a plain difference per
    request for ``failure_ratio`` and ``count``."""
    alpha: float = 0.05
    """Highest probability of either wrong verdict over all looks of one duet."""
    noise_floor_ratio: float | None = None
    """Of ``*_ms``: as that of ``DuetRules``, for this rule alone."""
    severity: Severity = Severity.FAIL
    source: str = ""
    """``thresholds.yaml:14``, for messages."""

    @property
    def is_ratio(self) -> bool:
        """Whether the change is a ratio of the baseline, rather than a difference."""
        return self.metric.endswith("_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class DuetRules:
    """How long a duet goes on, and when its verdict is to be trusted."""

    looks: tuple[int, ...] = (1, 2, 4)
    """Numbers of rounds after which the duet is judged; it ends as soon as it fails or every rule is decided."""
    fail_from_round: int = 2
    """Rounds that it takes to fail; each has processes of its own, unless two URLs are compared."""
    noise_floor_ratio: float | None = None
    """Standard deviation between two pairs of processes of one build; None takes what was learned, else 0.01."""
    max_shared_cpu_ratio: float = 0.6
    """Busier cores than this, shared by both arms, make ``unchanged`` inconclusive: they hide what is slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What ``thresholds.yaml`` says about one scenario, defaults merged in."""

    name: str
    thresholds: tuple[Threshold, ...] = ()
    warmup_s: float = 0.0
    """Requests that start earlier than this after the run began are measured but not judged."""
    max_task_exceptions: int = 0
    """Exceptions raised by tasks beyond this make the run invalid."""
    generator: GeneratorLimits = field(default_factory=GeneratorLimits)
    baseline: BaselineRules | None = None
    """How a run is judged beside saved ones; None takes the defaults."""
    regressions: tuple[RegressionRule, ...] = ()
    """What a duet compares; a scenario without any is not part of a duet."""
    duet: DuetRules = field(default_factory=DuetRules)
    source: str = ""
    """``thresholds.yaml:8``, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of a run; a request belongs to it by its start time."""

    name: str
    start_s: float
    """Seconds after the run began, included."""
    end_s: float
    """Seconds after the run began, excluded."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return max(0.0, self.end_s - self.start_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSummary:
    """The figures of one request name, or of all, in one window. Latencies are over successes, in ms."""

    samples: int
    failures: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    throughput_rps: float
    """Successful requests a second of the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """What happened in one stage."""

    name: str
    start_s: float
    end_s: float
    users: int
    """Level asked for."""
    users_reached: int
    """Highest level of living users seen in the stage."""
    summary: RequestSummary
    arrival_rate_rps: float | None = None
    """Open model: the rate asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFigures:
    """How much time the requests of one name, or all, spent in one tier."""

    name: str
    """``network and generator``, ``nginx``, ``service``, ``database``."""
    p95_ms: float
    """Of the times that single requests spent there; those of all tiers do not add up to the p95 of the whole."""
    slowest_ms: float
    """Mean over the slowest requests, which does add up to their mean latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierSummary:
    """Where the requests of one name, or all, spent their time, in one window. Over successes that servers told of."""

    samples: int
    slowest: int
    """How many of them took as long as the p95 of the latency, or longer."""
    tiers: tuple[TierFigures, ...]
    """From the generator to the last server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCount:
    """One kind of failure and how often it was seen."""

    where: str
    """Request key, or the name of the user class or task."""
    error: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHealth:
    """How well one of several worker processes did; zeros where it died before it told anything."""

    name: str
    host: str
    """Name of its machine."""
    samples: int
    """Requests that it reported."""
    loop_lag_p50_ms: float
    loop_lag_p99_ms: float
    blocked_ratio: float
    cpu_ratio: float
    """As those of ``GeneratorHealth``, of this process alone."""
    clock_offset_ms: float
    """By how much its clock was ahead of that of pytest's machine when the run began; taken into account."""
    clock_error_ms: float
    """The most that this may be off, and with it the start times of its requests beside those of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorHealth:
    """How well the generator itself did."""

    loop_lag_p50_ms: float
    loop_lag_p99_ms: float
    """How late a 10 ms timer of the event loop fired; of several workers, in the worst of them."""
    cpu_ratio: float
    """Processor time of this process, and of all workers, over elapsed time; 1.0 is one whole core."""
    cpu_us_per_request: float | None
    host_cpu_ratio: float | None
    """Busy share of all cores of the machine; None where the system does not tell."""
    steal_ratio: float | None
    """Share of processor time that the hypervisor gave to others; None where the system does not tell."""
    blocked_ratio: float = 0.0
    """Share of the time in which that timer was late by more than 10 ms, however few times that was."""
    dispersion: float | None = None
    """Variance over mean of the sends per 10 ms, within seconds; 1 is Poisson. None with too few requests."""
    due: int | None = None
    """Open model: tasks that were due by the arrival rate; None in the closed model."""
    unsent: int | None = None
    """Open model: tasks of them that could not be started, because every user was busy."""
    send_lag_p99_ms: float | None = None
    """Open model: how late requests were sent after they were due; part of their latency."""
    workers: tuple[WorkerHealth, ...] = ()
    """One by one; empty where users lived in this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One metric of the candidate against the baseline's, from one duet.

    Changes are ratios of the baseline (0.05 is 5 % more) or plain differences per request, as ``rule.is_ratio`` says.
    Bounds may be infinite.
    """

    rule: RegressionRule
    subject: str
    """``total``, the request ``GET Get_All_Products``, or the counter's name."""
    window: str
    """``total`` or the name of a stage."""
    outcome: Outcome
    base: float | None
    """In the metric's own unit; None without data. So is ``candidate``."""
    candidate: float | None
    change: float | None
    """None where there is too little data for an estimate."""
    low: float | None
    """With ``high``, the interval of the confidence that each look is judged with."""
    high: float | None
    standard_error: float | None = None
    """Percentiles: of the logarithm of ``1 + change``, within these processes."""
    pooled: float | None = None
    """Percentiles: the change of the percentile over all requests, which a few very slow seconds move."""
    pooled_low: float | None = None
    pooled_high: float | None = None
    detectable: float | None = None
    """The smallest change that this duet would have failed in four of five cases; None where that is not known."""
    is_marked: bool = False
    """Whether the candidate differs from the baseline at all, as far as can be proven; information."""
    blocks: int = 0
    rounds: int = 0
    base_samples: int = 0
    candidate_samples: int = 0
    noise_floor_ratio: float | None = None
    reasons: tuple[str, ...] = ()
    """Why it is inconclusive."""
    severity: Severity = Severity.FAIL
    """``info`` for what is only shown, such as requests that no rule names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuetFacts:
    """Who played a duet, and how long."""

    base: str
    """What the baseline is: ``main (1a2b3c4)``, an image, a URL."""
    candidate: str
    """What the candidate is: ``working tree (5d6e7f8, with uncommitted changes)``, an image, a URL."""
    rounds: int
    """Rounds that were played."""
    most_rounds: int
    """Rounds after which it would have ended undecided."""
    are_cores_shared: bool
    """Whether both arms ran on the same cores."""
    cpu_ratio: float | None
    """Busy share of the machine's cores during the rounds; None where the system does not tell."""
    are_processes_fresh: bool = True
    """Whether each round had processes of its own; not so with stacks that somebody else runs."""
    injected_ratio: float = 0.0
    """By how much the candidate's latencies were multiplied on purpose, to try the gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A run with its verdict: what every report is made from."""

    test: str
    """Node id of the test."""
    scenario: str
    started_at: str
    """ISO 8601 with the offset."""
    duration_s: float
    """From the first user to the end of the last stage."""
    verdict: Verdict
    reasons: tuple[str, ...]
    """Why the run is invalid, or was cut or interrupted; one sentence each."""
    checks: tuple[Check, ...]
    requests: Mapping[str, RequestSummary]
    """By request key, ``GET Get_All_Products``; window ``total``."""
    total: RequestSummary
    counters: Mapping[str, float]
    stages: tuple[StageResult, ...]
    errors: tuple[ErrorCount, ...]
    """Failed requests by kind, most frequent first."""
    uncovered: tuple[str, ...]
    """Requests that were seen but that no check covers by name."""
    generator: GeneratorHealth
    fingerprint: Mapping[str, Any]
    """Processor, system and versions; JSON values."""
    notes: tuple[str, ...] = ()
    """What a reader should know and no check says, such as the breaking point."""
    comparison: tuple[str, ...] = ()
    """What the run is worth beside saved ones, in sentences; empty if it was not compared."""
    duet: DuetFacts | None = None
    """None if the run was no duet. The figures of a duet are the candidate's, of all rounds together."""
    changes: tuple[Change, ...] = ()
    """What a duet found, in the order of its rules; then, as information, every request name."""
    tiers: Mapping[str, TierSummary] = field(default_factory=dict)
    """By request key, and ``total``, after the warm-up; empty where no server told."""
    resolution: Resolution = Resolution.EXACT
