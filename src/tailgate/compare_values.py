"""The values of a comparison of two builds: what goes in, how sure it must be, and what comes out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tailgate.model import Outcome, render_figure

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

FEWEST_BLOCKS = 10
"""With fewer pairs the rank test can hardly reject anything, whatever the data."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """The requests that went to one of the two builds; columns of shape ``(samples,)`` in any order.

    Raises:
        ValueError: Columns of unequal length, or a time that no success could have.
    """

    scheduled_s: Floats
    """When each request was due, in seconds on the clock that both arms share."""
    latency_ms: Floats
    """From ``scheduled_s`` to the last byte; of failures it matters only where it is longer than the timeout."""
    is_failure: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Refuse what has no logarithm."""
        shapes = {column.shape for column in (self.scheduled_s, self.latency_ms, self.is_failure)}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise ValueError(f"the columns of an arm have the shapes {sorted(shapes)}, wanted one (samples,)")
        of_successes = self.latency_ms[~self.is_failure]
        if not (np.isfinite(of_successes).all() and (of_successes > 0).all() and np.isfinite(self.scheduled_s).all()):
            raise ValueError("an arm has times that are not finite, or latencies that are not above 0 ms")

    def charged_ms(self, timeout_ms: float) -> Floats:
        """Return the latencies with at least the client's timeout for every failure, so that failing is never faster.

        A failure may have taken longer than the timeout, which is one of a request: a redirect is another request.
        """
        took_ms = np.where(np.isfinite(self.latency_ms), self.latency_ms, 0.0)
        return np.where(self.is_failure, np.maximum(timeout_ms, took_ms), self.latency_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareSettings:
    """How a comparison is judged.

    Raises:
        ValueError: A setting that no comparison could have.
    """

    q: Fraction = Fraction(95, 100)
    """The quantile of latency that is compared."""
    max_change_ratio: float = 0.10
    """The budget: 0.10 allows the candidate to be up to 10 % worse."""
    alpha: float = 0.05
    """Highest probability of either wrong verdict, over all looks of one duet."""
    looks: int = 3
    """How often the growing data is judged; each look may err with ``alpha / looks`` (Bonferroni)."""
    fail_from_round: int = 2
    """Rounds that it takes to fail."""
    noise_floor_ratio: float = 0.01
    """Standard deviation between two pairs of processes of the same build; see ``learn_noise_floor``."""
    are_processes_fresh: bool = True
    """Whether each round has processes of its own. Where the same two run in all rounds, how much they differ is part
    of every round, and more rounds make it no smaller."""
    min_blocks: int = FEWEST_BLOCKS
    """Fewer usable blocks are inconclusive."""
    min_samples: int | None = None
    """Fewer samples in an arm are inconclusive; None asks for 1,000 and for 50 beyond the quantile."""

    def __post_init__(self) -> None:
        """Refuse what could not be judged."""
        problems = {
            "q": not 0 < self.q < 1,
            "max_change_ratio": not 0 < self.max_change_ratio < math.inf,
            "alpha": not 0 < self.alpha < 0.5,  # noqa: PLR2004 - a coin does as well
            "looks": self.looks < 1,
            "fail_from_round": self.fail_from_round < 1,
            "noise_floor_ratio": not 0 <= self.noise_floor_ratio < math.inf,
            "min_blocks": self.min_blocks < FEWEST_BLOCKS,
        }
        if wrong := [f"{name}={getattr(self, name)}" for name, is_wrong in problems.items() if is_wrong]:
            raise ValueError(f"a comparison cannot be judged with {', '.join(wrong)}")

    @property
    def level(self) -> float:
        """One-sided error that one look may make."""
        return self.alpha / self.looks

    def floor_of(self, rounds: int) -> float:
        """Return the noise floor of the mean of so many rounds; that of one where the processes stay the same."""
        return self.noise_floor_ratio / math.sqrt(max(1, rounds) if self.are_processes_fresh else 1)

    @property
    def guard_change_ratio(self) -> float:
        """What the pooled quantile must be proven not to exceed: three budgets, but no less than 25 %."""
        return max(3 * self.max_change_ratio, 0.25)

    @property
    def wanted_samples(self) -> int:
        """Samples an arm needs: 1,000, and 50 beyond the quantile."""
        if self.min_samples is not None:
            return self.min_samples
        return max(1000, math.ceil(50 / min(self.q, 1 - self.q)))

    @property
    def block_samples(self) -> int:
        """Samples of each arm that a block should have: 40, and two beyond the quantile."""
        return max(40, math.ceil(2 / min(self.q, 1 - self.q)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A change and how far it is known, all as ratios: 0.05 is 5 % more than the baseline. Bounds may be infinite."""

    value: float
    low: float
    high: float
    """With ``low``, the two-sided interval of confidence ``1 - alpha / looks``."""
    at_least: float
    """Lower bound of one-sided confidence ``1 - alpha / looks``."""
    at_most: float
    """Upper bound of one-sided confidence ``1 - alpha / looks``."""

    def __str__(self) -> str:
        return f"{render_ratio(self.value)} ({render_ratio(self.low)} to {render_ratio(self.high)})"


class ProcessPair(NamedTuple):
    """What a duet of a build against itself found."""

    change_ratio: float
    standard_error: float
    """Of the logarithm of ``1 + change_ratio``, within these processes."""
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyComparison:
    """A quantile of latency, candidate against baseline."""

    outcome: Outcome
    base_ms: float | None
    """The pooled quantile of the baseline, failures counted as the timeout; None without samples."""
    candidate_ms: float | None
    change: Estimate | None
    """From the pairs of blocks; None with fewer than two of them."""
    pooled: Estimate | None
    """Of the quantile over everything, which a few very slow seconds move."""
    standard_error: float | None
    """Of the logarithm of ``1 + change``, within these processes."""
    blocks: int
    """Pairs of blocks that were used."""
    dropped_blocks: int
    """Pairs that had too few samples."""
    block_s: float
    base_samples: int
    candidate_samples: int
    rounds: int
    """Rounds with at least one usable pair."""
    rho: float
    """Autocorrelation of neighbouring pairs, 0 to 0.8."""
    noise_floor_ratio: float
    """The floor that was used, for this number of rounds if each had processes of its own."""
    detectable_change_ratio: float | None
    """The change that would have been proven worse than the budget in four of five such comparisons; None if none could
    be, with too few blocks or samples, or only one of tenfold and more."""
    reasons: tuple[str, ...]
    """Why it is inconclusive; empty otherwise."""
    settings: CompareSettings = field(repr=False)

    @property
    def is_slower(self) -> bool:
        """Whether the candidate is slower at all, with a false alarm in at most ``alpha / looks``; information."""
        return self.change is not None and self.change.at_least > 0

    @property
    def is_faster(self) -> bool:
        """Whether the candidate is faster at all, with a false alarm in at most ``alpha / looks``; information."""
        return self.change is not None and self.change.at_most < 0

    def __str__(self) -> str:
        metric = f"p{float(100 * self.settings.q):g}"
        if self.base_ms is None or self.candidate_ms is None or self.change is None:
            return f"{metric} {self.outcome}: {'; '.join(self.reasons)}"
        before, after = (render_figure("p_ms", value) for value in (self.base_ms, self.candidate_ms))
        seen = (
            f"{self.blocks} blocks of {self.block_s:g} s in {self.rounds} round{'' if self.rounds == 1 else 's'}, "
            f"{self.base_samples:,} and {self.candidate_samples:,} samples"
        )
        why = f": {'; '.join(self.reasons)}" if self.reasons else ""
        limit = render_ratio(self.settings.max_change_ratio)
        return f"{metric} {self.outcome}, {before} -> {after}: {self.change}, limit {limit} ({seen}){why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameComparison:
    """The quantile of one request name: information, never a verdict."""

    name: str
    base_ms: float | None
    candidate_ms: float | None
    change: Estimate | None
    blocks: int
    base_samples: int
    candidate_samples: int
    p_value: float | None
    """Two-sided, of no change at all."""
    adjusted_p_value: float | None
    """With regard to all names compared (Benjamini and Hochberg)."""
    is_changed: bool
    """Whether ``adjusted_p_value <= alpha``: at most that share of the names so marked is expected to be unchanged."""
    note: str
    """Why there is no change to show; empty otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockCounts:
    """What was counted in each pair of blocks; columns of shape ``(blocks,)``, in order of time.

    Raises:
        ValueError: Columns of unequal length, or counts below zero.
    """

    base: Floats
    """Failures, queries, seconds of processor time: anything that requests cause."""
    candidate: Floats
    base_requests: Floats
    candidate_requests: Floats
    round_index: Indices
    """The round of each block; blocks of one round follow one another."""

    def __post_init__(self) -> None:
        """Refuse what is no count."""
        columns = (self.base, self.candidate, self.base_requests, self.candidate_requests)
        if len({column.shape for column in (*columns, self.round_index)}) != 1 or self.base.ndim != 1:
            raise ValueError("the columns of block counts must all have the one shape (blocks,)")
        if not all(np.isfinite(column).all() and (column >= 0).all() for column in columns):
            raise ValueError("block counts must be finite and 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateComparison:
    """Something counted per request, candidate against baseline."""

    outcome: Outcome
    base: float | None
    """Per request; None without requests."""
    candidate: float | None
    change: Estimate | None
    """A ratio, or a plain difference per request, as the function that made it says."""
    blocks: int
    rounds: int
    rho: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareComparison:
    """A share of requests against an absolute limit."""

    outcome: Outcome
    """``unchanged``: proven to keep the limit; ``regressed``: proven to break it; or ``inconclusive``."""
    share: float | None
    """None without requests."""
    low: float
    high: float
    """With ``low``, the interval whose ends are each wrong with the probability ``alpha``."""
    samples: int
    effective_samples: float
    """Independent requests that would tell as much."""
    blocks: int
    rho: float


def round_count(round_index: Indices) -> int:
    """Return how many rounds the blocks come from."""
    return int(np.unique(round_index).size)


def why_too_soon(rounds: int, settings: CompareSettings) -> str:
    """Say why what is worse than its limit does not fail yet."""
    return f"worse than the limit, but in {rounds} of the {settings.fail_from_round} rounds that a failure needs"


def why_open(change: Estimate, limit: float, render: Callable[[float], str]) -> str:
    """Say why a change is not proven to be within its limit."""
    return f"the change may be {most(change, render)}, the limit is {render(limit)}"


def most(change: Estimate, render: Callable[[float], str]) -> str:
    """Render the upper bound of a change: ``as much as +15.1 %``; ``any`` where there is no bound."""
    return f"as much as {render(change.at_most)}" if math.isfinite(change.at_most) else "any"


def render_ratio(ratio: float) -> str:
    """Render a change in ratio: ``+1.2 %``."""
    return f"{100 * ratio:+.1f} %"


def join(reasons: Sequence[str | None]) -> tuple[str, ...]:
    """Return the reasons that there are."""
    return tuple(reason for reason in reasons if reason)
