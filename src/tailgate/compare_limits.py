"""Judge shares and quantiles of one build against absolute limits, with regard to how noisy a short run is."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from tailgate.compare_blocks import cut_blocks
from tailgate.compare_estimators import effective_samples, serial_error
from tailgate.compare_quantiles import clopper_pearson, normal_quantile, student_quantile
from tailgate.compare_values import Arm, Floats, Indices, ShareComparison
from tailgate.model import Outcome, Window

_BLOCK_S = 1.0
_FEWEST = 2
"""Blocks that it takes to see any spread."""


def share_verdict(
    time_s: Floats, is_hit: npt.NDArray[np.bool_], *, rounds: Sequence[Window], max_share: float, alpha: float = 0.05
) -> ShareComparison:
    """Return whether the share of requests that are hits is proven to keep, or to break, an absolute limit.

    The exact binomial interval, not for the number of requests but for the number of independent ones that would tell
    as much: requests of one second share their fate. That number is the requests over the design effect, the variance
    of the share over blocks of one second (widened for neighbours that resemble each other) over the binomial one, but
    no more than the requests; it is reduced further for the blocks being few. No hit at all only proves a share below
    about ``3 / requests``.

    Args:
        time_s: When each request was due, shape ``(samples,)``.
        is_hit: Whether it failed, or was too slow, shape ``(samples,)``.
        rounds: What is looked at; warm-up left out.
        max_share: The limit, 0 to 1.
        alpha: Error of each end of the interval.

    Sources: Clopper and Pearson 1934, https://doi.org/10.1093/biomet/26.4.404; Korn and Graubard 1998 (the effective
    number), Survey Methodology 24, 193-201; Kish 1965 (the design effect), ISBN 978-0-471-10949-5.
    """
    blocks = cut_blocks(rounds, _BLOCK_S)
    index = blocks.index_of(time_s)
    sizes = np.bincount(index[index >= 0], minlength=len(blocks))
    hits = np.bincount(index[(index >= 0) & is_hit], minlength=len(blocks))
    return judge_share(hits, sizes, blocks.round_index, max_share=max_share, alpha=alpha)


def judge_share(
    hits_by_block: Indices, requests_by_block: Indices, round_index: Indices, *, max_share: float, alpha: float = 0.05
) -> ShareComparison:
    """Return what ``share_verdict`` does, of requests that were counted already.

    Args:
        hits_by_block: Hits in each block of one second, shape ``(blocks,)``, in order of time.
        requests_by_block: All requests, likewise.
        round_index: The round of each block, likewise.
        max_share: The limit, 0 to 1.
        alpha: Error of each end of the interval.
    """
    used = np.flatnonzero(requests_by_block)
    hits, sizes = hits_by_block[used].astype(np.float64), requests_by_block[used].astype(np.float64)
    is_neighbour = (np.diff(used) == 1) & (np.diff(round_index[used]) == 0)
    samples = float(sizes.sum())
    share = float(hits.sum()) / samples if samples else None
    low, high, effective, rho = 0.0, 1.0, 0.0, 0.0
    if share is not None and len(sizes) >= _FEWEST:
        error, rho = serial_error((hits - share * sizes) / samples, is_neighbour)
        effective = effective_samples(samples, error, share * (1 - share) / samples)
        effective *= (normal_quantile(alpha) / student_quantile(alpha, len(sizes) - 1)) ** 2
        low, high = clopper_pearson(share * effective, effective, alpha)
    return ShareComparison(
        outcome=_place(low, high, max_share),
        share=share,
        low=low,
        high=high,
        samples=int(samples),
        effective_samples=effective,
        blocks=len(sizes),
        rho=rho,
    )


def exceed_verdict(
    arm: Arm, *, limit_ms: float, q: Fraction, rounds: Sequence[Window], alpha: float = 0.05
) -> ShareComparison:
    """Return whether a quantile of latency is proven to keep, or to break, an absolute limit.

    ``p95 <= 200 ms`` says that at most 5 % of the requests take longer than 200 ms, and that share is judged by
    ``share_verdict``. A failure counts as longer than any limit.
    """
    is_beyond = arm.is_failure | (arm.latency_ms > limit_ms)
    return share_verdict(arm.scheduled_s, is_beyond, rounds=rounds, max_share=float(1 - q), alpha=alpha)


def _place(low: float, high: float, limit: float) -> Outcome:
    if low > limit:
        return Outcome.REGRESSED
    return Outcome.UNCHANGED if high <= limit else Outcome.INCONCLUSIVE
