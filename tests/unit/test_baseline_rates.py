"""How often comparisons with saved runs are right: seeded runs that differ by 15 % by themselves."""

import numpy as np
import pytest

from tailgate.baseline_compare import compare_with_baseline
from tailgate.baseline_rules import BaselineRules
from tailgate.model import Outcome
from tests.unit.baseline_examples import days, saved, series

TRIALS = 300
SPREAD = 0.15
NAMES = 3
UPPER_BOUND = 0.05 + 2 * (0.05 * 0.95 / TRIALS) ** 0.5
"""A share of 5 % is above this in 2 of 100 such tests."""


def noise(rng, *, has_heavy_tails):
    return SPREAD * (rng.standard_t(4) / 2**0.5 if has_heavy_tails else rng.normal())


def draw(rng, factor=1.0, *, failure_ratio=0.002, has_heavy_tails=False):
    """A run whose latencies all share the state of the machine, and differ by 3 % beyond that."""
    state = factor * np.exp(noise(rng, has_heavy_tails=has_heavy_tails))
    requests = {}
    for number in range(NAMES):
        scale = (number + 1) * state * np.exp(0.03 * rng.normal())
        failures = int(rng.binomial(2_000, failure_ratio * np.exp(0.3 * rng.normal())))
        requests[f"GET {number}"] = series(20 * scale, p50=10 * scale, failures=failures, samples=2_000, rps=30 / state)
    failures = sum(item.summary.failures for item in requests.values())
    return saved(series(40 * state, p50=20 * state, failures=failures, samples=6_000, rps=90 / state), requests)


def comparisons(runs, factor=1.0, rules=None, **options):
    rng = np.random.default_rng(20250301)
    for _ in range(TRIALS):
        history = days(draw(rng, **options) for _ in range(runs))
        yield compare_with_baseline(draw(rng, factor, **options), history, rules)


def share(outcome, found):
    return sum(comparison.outcome is outcome for comparison in found) / TRIALS


@pytest.mark.parametrize("runs", [5, 20])
@pytest.mark.parametrize("has_heavy_tails", [False, True])
def test_unchanged_code_is_called_regressed_at_most_as_often_as_stated(runs, has_heavy_tails):
    found = list(comparisons(runs, has_heavy_tails=has_heavy_tails))
    of_requests = [
        any(metric.outcome is Outcome.REGRESSED for metric in comparison.metrics if not metric.is_gate)
        for comparison in found
    ]

    assert share(Outcome.REGRESSED, found) <= UPPER_BOUND
    assert share(Outcome.IMPROVED, found) <= UPPER_BOUND
    assert sum(of_requests) / TRIALS <= UPPER_BOUND


@pytest.mark.parametrize("failure_ratio", [0.0005, 0.01, 0.05])
def test_failures_of_unchanged_code_alarm_at_most_as_often_as_stated(failure_ratio):
    rules = BaselineRules(gates=(("total", "failure_ratio"),))
    found = list(comparisons(8, rules=rules, failure_ratio=failure_ratio))

    assert share(Outcome.REGRESSED, found) <= UPPER_BOUND


@pytest.mark.parametrize("runs", [1, 2, 4])
def test_few_saved_runs_never_alarm(runs):
    found = list(comparisons(runs, factor=3.0))

    assert share(Outcome.INCONCLUSIVE, found) == 1.0


def test_a_change_as_large_as_the_message_says_is_found_in_four_of_five():
    spread = SPREAD * (1 + 1 / 20) ** 0.5
    # t with 19 degrees that 2.5 % exceed, and z that 20 % exceed.
    detectable = float(np.exp((2.093 + 0.842) * spread))
    found = list(comparisons(20, factor=detectable))

    assert share(Outcome.REGRESSED, found) >= 0.8 - 2 * (0.8 * 0.2 / TRIALS) ** 0.5


def test_a_change_of_a_tenth_is_not_seen():
    found = list(comparisons(20, factor=1.1))

    assert share(Outcome.REGRESSED, found) <= 0.2
    assert share(Outcome.UNCHANGED, found) <= UPPER_BOUND
    assert share(Outcome.INCONCLUSIVE, found) >= 0.75
