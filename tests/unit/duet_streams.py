"""Seeded streams of requests like those of a duet on a noisy machine, for the tests and the benchmark of comparisons.

Each arm has Poisson arrivals of 300/s. Service takes 20 ms (lognormal, sigma 0.35) for 92 % of the requests and 40 ms
(sigma 0.5) for the others. It is multiplied by

- noise that both arms share: two first-order autoregressive series on the log scale, with correlation times of 0.5 s
  and 10 s, and bursts that arrive at random, last an exponential time and multiply by 1 + Exp(1.5);
- noise of each arm alone: a series of 0.5 s, and rare bursts of the same kind;
- a constant of each process, lognormal, drawn anew in every round.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from tailgate.compare import Arm, CompareSettings, LatencyComparison, Outcome, compare_latency
from tailgate.compare_values import Floats
from tailgate.model import Window

RATE_RPS = 300.0
TIMEOUT_MS = 10_000.0
PAUSE_S = 10.0
"""Between rounds: processes start anew and warm up."""
_STEP_S = 0.05
_FAST_S, _SLOW_S = 0.5, 10.0
_BURST_S = 0.3
_BURST_EXCESS = 1.5

Spoil = Callable[[np.random.Generator, Floats, Floats], Floats]
"""Makes latencies of the candidate worse, from when the requests were due and the latencies that they had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How noisy the machine is; standard deviations are of the logarithm of latency."""

    fast_sd: float
    slow_sd: float
    bursts_per_s: float
    private_sd: float
    private_bursts_per_s: float
    process_sd: float

    def times(self, factor: float, *, process_sd: float) -> Noise:
        """Return this noise, all of it stronger by a factor, with processes that differ by so much."""
        return Noise(
            fast_sd=factor * self.fast_sd,
            slow_sd=factor * self.slow_sd,
            bursts_per_s=factor * self.bursts_per_s,
            private_sd=factor * self.private_sd,
            private_bursts_per_s=factor * self.private_bursts_per_s,
            process_sd=process_sd,
        )

    def with_process_sd(self, process_sd: float) -> Noise:
        """Return this noise with processes that differ by so much."""
        return self.times(1.0, process_sd=process_sd)


CI = Noise(fast_sd=0.08, slow_sd=0.05, bursts_per_s=0.1, private_sd=0.03, private_bursts_per_s=0.005, process_sd=0.005)
QUIET = CI.times(0.25, process_sd=0.00125)
HOSTILE = CI.times(2.5, process_sd=0.01)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The requests of one duet."""

    base: Arm
    candidate: Arm
    rounds: tuple[Window, ...]


def slower_by(ratio: float) -> Spoil:
    """Return what multiplies every latency."""
    return lambda _rng, _due_s, latency_ms: latency_ms * ratio


def stalls(*, length_s: float, every_s: float) -> Spoil:
    """Return what holds back the requests that fall due in a stall until its end."""

    def spoil(_rng: np.random.Generator, due_s: Floats, latency_ms: Floats) -> Floats:
        return latency_ms + 1000 * np.maximum(0.0, length_s - due_s % every_s)

    return spoil


def slow_path(*, share: float, extra_ms: float) -> Spoil:
    """Return what delays a share of the requests."""
    return lambda rng, due_s, latency_ms: latency_ms + extra_ms * (rng.random(len(due_s)) < share)


def stream(
    seed: int,
    noise: Noise,
    *,
    duration_s: float,
    rounds: int = 1,
    rate_rps: float = RATE_RPS,
    spoil: Spoil | None = None,
) -> Stream:
    """Return one duet of ``rounds`` rounds of ``duration_s`` seconds; the same seed gives the same duet."""
    rng = np.random.default_rng(seed)
    windows: list[Window] = []
    arms: tuple[list[tuple[Floats, Floats]], list[tuple[Floats, Floats]]] = ([], [])
    for number in range(rounds):
        start_s = number * (duration_s + PAUSE_S)
        windows.append(Window(name=f"round-{number + 1}", start_s=start_s, end_s=start_s + duration_s))
        shared = _shared_noise(rng, noise, duration_s)
        for arm in arms:
            due_s = np.sort(rng.random(rng.poisson(rate_rps * duration_s))) * duration_s
            private = _private_noise(rng, noise, duration_s)
            latency_ms = _service_ms(rng, len(due_s)) * np.exp(shared(due_s) + private(due_s))
            if spoil and arm is arms[1]:
                latency_ms = spoil(rng, due_s, latency_ms)
            arm.append((start_s + due_s, latency_ms))
    base, candidate = (_arm(parts) for parts in arms)
    return Stream(base=base, candidate=candidate, rounds=tuple(windows))


def with_failures(arm: Arm, share: float, seed: int) -> Arm:
    """Return an arm in which a share of the requests failed, at once."""
    is_failure = np.random.default_rng(seed).random(len(arm.scheduled_s)) < share
    latency_ms = np.where(is_failure, 0.1, arm.latency_ms)
    return Arm(scheduled_s=arm.scheduled_s, latency_ms=latency_ms, is_failure=is_failure)


def first_rounds(whole: Stream, count: int) -> Stream:
    """Return what a duet had seen after so many rounds; requests outside of its windows are not judged anyway."""
    return Stream(base=whole.base, candidate=whole.candidate, rounds=whole.rounds[:count])


def _arm(parts: list[tuple[Floats, Floats]]) -> Arm:
    due_s, latency_ms = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Arm(scheduled_s=due_s, latency_ms=latency_ms, is_failure=np.zeros(len(due_s), dtype=bool))


def _service_ms(rng: np.random.Generator, count: int) -> Floats:
    is_common = rng.random(count) < 0.92
    normal = rng.standard_normal(count)
    return np.where(is_common, 20 * np.exp(0.35 * normal), 40 * np.exp(0.5 * normal))


def _shared_noise(rng: np.random.Generator, noise: Noise, duration_s: float) -> Callable[[Floats], Floats]:
    fast = _series(rng, duration_s, noise.fast_sd, _FAST_S)
    slow = _series(rng, duration_s, noise.slow_sd, _SLOW_S)
    bursts = _bursts(rng, duration_s, noise.bursts_per_s)
    return lambda due_s: _at(fast + slow, due_s) + bursts(due_s)


def _private_noise(rng: np.random.Generator, noise: Noise, duration_s: float) -> Callable[[Floats], Floats]:
    fast = _series(rng, duration_s, noise.private_sd, _FAST_S)
    bursts = _bursts(rng, duration_s, noise.private_bursts_per_s)
    process = noise.process_sd * rng.standard_normal()
    return lambda due_s: process + _at(fast, due_s) + bursts(due_s)


def _series(rng: np.random.Generator, duration_s: float, sd: float, correlation_s: float) -> Floats:
    """Return a stationary first-order autoregressive series in steps of 50 ms."""
    keep = math.exp(-_STEP_S / correlation_s)
    pushes = sd * rng.standard_normal(math.ceil(duration_s / _STEP_S))
    pushes[1:] *= math.sqrt(1 - keep**2)
    return np.array(list(accumulate(pushes.tolist(), lambda last, push: keep * last + push)))


def _at(series: Floats, due_s: Floats) -> Floats:
    return series[(due_s / _STEP_S).astype(np.int64)]


def _bursts(rng: np.random.Generator, duration_s: float, per_s: float) -> Callable[[Floats], Floats]:
    """Return the logarithm of what the bursts multiply by, as a function of time."""
    count = rng.poisson(per_s * duration_s)
    starts, lengths = rng.random(count) * duration_s, rng.exponential(_BURST_S, count)
    heights = np.log1p(rng.exponential(_BURST_EXCESS, count))

    def at(due_s: Floats) -> Floats:
        total = np.zeros(len(due_s))
        for start, length, height in zip(starts, lengths, heights, strict=True):
            total[(due_s >= start) & (due_s < start + length)] += height
        return total

    return at


def judge(whole: Stream, settings: CompareSettings) -> LatencyComparison:
    """Return the verdict on all rounds of a duet."""
    return compare_latency(whole.base, whole.candidate, rounds=whole.rounds, timeout_ms=TIMEOUT_MS, settings=settings)


def judge_as_it_grows(
    whole: Stream, settings: CompareSettings, looks: tuple[int, ...] = (1, 2, 4)
) -> LatencyComparison:
    """Return the verdict of the first look, after so many rounds, that decides; that of the last if none does."""
    result = judge(first_rounds(whole, looks[0]), settings)
    for count in looks[1:]:
        if result.outcome is not Outcome.INCONCLUSIVE:
            break
        result = judge(first_rounds(whole, count), settings)
    return result


def count_outcomes(results: Iterable[LatencyComparison]) -> Counter[str]:
    """Return how many are what: ``PASS`` (unchanged or improved), ``FAIL``, ``inconclusive``, ``slower``, ``improved``.

    ``seconds`` adds up how long the judged rounds took, warm-up left out.
    """
    counts: Counter[str] = Counter()
    for result in results:
        counts["PASS"] += result.outcome in {Outcome.UNCHANGED, Outcome.IMPROVED}
        counts["FAIL"] += result.outcome is Outcome.REGRESSED
        counts["inconclusive"] += result.outcome is Outcome.INCONCLUSIVE
        counts["improved"] += result.outcome is Outcome.IMPROVED
        counts["slower"] += result.is_slower
        counts["seconds"] += round((result.blocks + result.dropped_blocks) * result.block_s)
    return counts
