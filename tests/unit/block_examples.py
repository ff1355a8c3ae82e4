"""What was counted in blocks, from literal figures."""

from __future__ import annotations

import numpy as np

from tailgate.compare import BlockCounts


def counts(base, candidate, *, requests=100, rounds=2) -> BlockCounts:
    """Return blocks of so many requests in each arm, divided evenly over the rounds."""
    base, candidate = np.asarray(base, dtype=float), np.asarray(candidate, dtype=float)
    sizes = np.full(len(base), float(requests))
    return BlockCounts(
        base=base,
        candidate=candidate,
        base_requests=sizes,
        candidate_requests=sizes,
        round_index=np.arange(len(base)) * rounds // len(base),
    )
