"""Tell whether requests are sent one by one or in herds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tailgate.model import Window

_BIN_S = 0.01
_BINS = 100
"""Bins of a block, which so is a second long."""
_LONGEST_S = 24 * 3600.0
"""Later sends are not counted: a clock that jumped must not fill the memory."""
_FEWEST_SENDS = 200
"""Below this the index says little: its standard deviation is about the root of 2 over the number of bins."""


def index_of_dispersion(sends_s: npt.NDArray[np.float64], windows: Sequence[Window]) -> float | None:
    """Return variance over mean of the number of sends per 10 ms: 1 for Poisson, far above it for herds.

    Args:
        sends_s: When requests were sent, in seconds since the run began, shape ``(sends,)``, any order.
        windows: Where to look; the starts of stages, where many users begin at once, should be left out.

    Returns:
        The index; None with fewer than 200 sends in the windows.
    """
    return dispersion_of_counts(count_sends(sends_s), windows)


def count_sends(sends_s: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return how many sends there were in each 10 ms since the run began, shape ``(bins,)``."""
    return np.bincount(bins_of(sends_s))


def bins_of(sends_s: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return in which 10 ms of the run each send was; those before the run, or a day later, are left out."""
    is_inside = (sends_s >= 0) & (sends_s < _LONGEST_S)
    return (sends_s[is_inside] / _BIN_S).astype(np.int64)


def dispersion_of_counts(counts: npt.NDArray[np.int64], windows: Sequence[Window]) -> float | None:
    """Return ``index_of_dispersion`` of sends that ``count_sends`` counted.

    It is computed within whole seconds of the windows and averaged over them, weighted by their sends, so a rate that
    moves slowly does not count as a herd.

    Source: Cox and Lewis 1966, The Statistical Analysis of Series of Events, chapter 4.
    """
    total, weighted = 0, 0.0
    for window in windows:
        first, last = math.ceil(window.start_s / _BIN_S), int(window.end_s / _BIN_S)
        for start in range(first, last - _BINS + 1, _BINS):
            block = np.zeros(_BINS)
            seen = counts[start : start + _BINS]
            block[: seen.size] = seen
            if (sends := int(block.sum())) > 1:
                total += sends
                weighted += sends * float(block.var(ddof=1) / block.mean())
    return weighted / total if total >= _FEWEST_SENDS else None
