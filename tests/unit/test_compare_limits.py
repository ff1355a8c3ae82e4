"""Shares and quantiles of one build against absolute limits."""

from fractions import Fraction

import numpy as np
import pytest

from tailgate.compare import Arm, Outcome, exceed_verdict, share_verdict
from tailgate.model import Window
from tests.unit.duet_streams import CI, stream

P95 = Fraction(95, 100)
MINUTE = (Window(name="round-1", start_s=0.0, end_s=60.0),)


def minute(is_hit_at):
    """6,000 requests at 100/s; a request is a hit where its number is in ``is_hit_at``."""
    time_s = np.arange(6000) / 100
    return time_s, np.isin(np.arange(6000), is_hit_at)


def test_a_share_far_from_its_limit_is_proven():
    verdict = share_verdict(*minute(np.arange(0, 6000, 50)), rounds=MINUTE, max_share=0.05)
    assert verdict.outcome is Outcome.UNCHANGED
    assert verdict.share == pytest.approx(0.02)
    assert verdict.low < 0.02 < verdict.high < 0.05
    assert (verdict.samples, verdict.blocks) == (6000, 60)
    assert share_verdict(*minute(np.arange(0, 6000, 50)), rounds=MINUTE, max_share=0.01).outcome is Outcome.REGRESSED


def test_hits_that_come_together_are_worth_fewer_requests():
    spread = share_verdict(*minute(np.arange(0, 6000, 50)), rounds=MINUTE, max_share=0.05)
    together = share_verdict(*minute(np.arange(3000, 3120)), rounds=MINUTE, max_share=0.05)
    assert together.share == spread.share
    assert together.effective_samples < 0.05 * spread.effective_samples
    assert together.outcome is Outcome.INCONCLUSIVE


def test_no_hit_proves_three_over_the_requests_and_no_more():
    verdict = share_verdict(*minute([]), rounds=MINUTE, max_share=0.01)
    assert (verdict.share, verdict.low) == (0.0, 0.0)
    assert verdict.high == pytest.approx(3 / 6000, rel=0.05)
    assert share_verdict(*minute([]), rounds=MINUTE, max_share=0.0004).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("end_s", [0.0, 0.5])
def test_too_little_to_see_any_spread_is_inconclusive(end_s):
    rounds = (Window(name="round-1", start_s=0.0, end_s=end_s),)
    verdict = share_verdict(*minute([]), rounds=rounds, max_share=0.5)
    assert (verdict.outcome, verdict.low, verdict.high, verdict.effective_samples) == (Outcome.INCONCLUSIVE, 0, 1, 0)


def test_a_limit_on_a_quantile_is_one_on_the_share_beyond_it():
    time_s, is_slow = minute(np.arange(0, 6000, 50))
    arm = Arm(scheduled_s=time_s, latency_ms=np.where(is_slow, 300.0, 20.0), is_failure=np.zeros(6000, dtype=bool))
    assert exceed_verdict(arm, limit_ms=200, q=P95, rounds=MINUTE).outcome is Outcome.UNCHANGED
    assert exceed_verdict(arm, limit_ms=200, q=Fraction(99, 100), rounds=MINUTE).outcome is Outcome.REGRESSED
    failing = Arm(scheduled_s=time_s, latency_ms=np.full(6000, 20.0), is_failure=is_slow)
    assert exceed_verdict(failing, limit_ms=200, q=P95, rounds=MINUTE).share == pytest.approx(0.02)


def test_at_the_true_limit_a_break_is_rarely_claimed_and_head_room_passes():
    """Nominal 5 % of 60 runs, and three binomial errors of 1.7 more; 1.5 times the true p95 mostly passes."""
    runs = [stream(seed, CI, duration_s=30) for seed in range(60)]
    true_ms = float(np.quantile(np.concatenate([run.base.latency_ms for run in runs]), 0.95))
    at_limit, with_room = (
        [exceed_verdict(run.base, limit_ms=factor * true_ms, q=P95, rounds=run.rounds).outcome for run in runs]
        for factor in (1.0, 1.5)
    )
    assert at_limit.count(Outcome.REGRESSED) <= 8
    assert with_room.count(Outcome.UNCHANGED) >= 45
    assert with_room.count(Outcome.REGRESSED) == 0
