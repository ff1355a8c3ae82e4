"""How many requests were beyond a limit, and how far one short run tells: what stands beside an outcome, not for it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tailgate.compare_blocks import cut_blocks
from tailgate.compare_limits import judge_share
from tailgate.model import BeyondLimit, Severity, Threshold, Window
from tailgate.percentiles import quantile_of, required_samples
from tailgate.samples import Measured

FEWEST_BLOCKS = 10
"""Seconds with requests that it takes before their spread is believed."""
_BLOCK_S = 1.0


def beyond_limit(threshold: Threshold, samples: Measured, window: Window) -> BeyondLimit | None:
    """Return how many of the requests were beyond an upper limit, with the interval that respects bursts.

    ``p95 <= 200 ms`` says that at most 5 % of the successes take longer than 200 ms; ``failure_ratio <= 0.01`` that at
    most 1 % of all requests fail. Both are shares, and ``compare_limits.share_verdict`` gives the interval.

    Args:
        threshold: Of any metric.
        samples: Those of one subject in ``window``, in the order of their starts.
        window: Its blocks of one second are what varies; warm-up left out.

    Returns:
        None for other metrics, for limits that no request or every request may break, for what only describes, and
        where less was seen than 10 s with requests or than it takes for a run without any hit to prove the limit kept.
    """
    limit = threshold.max
    if limit is None or threshold.severity is Severity.INFO or window.duration_s < FEWEST_BLOCKS * _BLOCK_S:
        return None
    allowed = _allowed_share(threshold.metric, limit)
    if allowed is None:
        return None
    blocks = cut_blocks([window], _BLOCK_S)
    edges = np.append(blocks.start_s, blocks.end_s[-1:])
    sizes, hits = samples.count_between(edges)
    if threshold.metric != "failure_ratio":
        sizes, hits = sizes - hits, samples.count_slower(limit, edges)
    found = judge_share(hits, sizes, blocks.round_index, max_share=float(allowed))
    if found.share is None or found.blocks < FEWEST_BLOCKS or found.samples < required_samples(1 - allowed):
        return None
    return BeyondLimit(share=found.share, low=found.low, high=found.high, allowed=float(allowed))


def _allowed_share(metric: str, limit: float) -> Fraction | None:
    """Return the share of requests that may be beyond an upper limit; None where it is not a limit on a share."""
    q = quantile_of(metric)
    if q is not None:
        return 1 - q
    return Fraction(limit) if metric == "failure_ratio" and 0 < limit < 1 else None
