"""What a check says about how sure it is."""

import pytest

from tailgate.model import Severity
from tests.unit.judged_examples import beyond, check

BREAK = "GET A: p95 104 ms breaks <= 100 ms (n = 1,000; thresholds.yaml:14)"
KEPT = "GET A: p95 90.0 ms within <= 100 ms (n = 1,000; thresholds.yaml:14)"
LONGER = "took longer than 100 ms"
ROOM = "a limit of 135 ms or more leaves room for noise"


@pytest.mark.parametrize(
    ("actual_ms", "shares", "told"),
    [
        (
            104,
            beyond(0.0563, 0.0391, 0.0783),
            f"{BREAK}, maybe by noise: 5.63 % {LONGER} (3.91 to 7.83 % allowing for bursts), and 5 % may",
        ),
        (
            104,
            beyond(0.0911, 0.0721, 0.113),
            f"{BREAK}, clearly: 9.11 % {LONGER} (7.21 to 11.3 % allowing for bursts), and 5 % may",
        ),
        (104, None, BREAK),
        (
            90,
            beyond(0.0441, 0.0293, 0.0631),
            f"{KEPT}, maybe by noise: 4.41 % {LONGER} (2.93 to 6.31 % allowing for bursts), and 5 % may; {ROOM}",
        ),
        (90, beyond(0.01, 0.005, 0.02), f"{KEPT}: {ROOM}"),
        (60, beyond(0.0, 0.0, 0.003), "GET A: p95 60.0 ms within <= 100 ms (n = 1,000; thresholds.yaml:14)"),
        (
            104,
            beyond(0.050001, 0.05, 0.0783),
            f"{BREAK}, maybe by noise: 5.0001 % {LONGER} (5 to 7.83 % allowing for bursts), and 5 % may",
        ),
    ],
)
def test_a_limit_of_latency_says_how_many_were_slower_unless_there_was_room(actual_ms, shares, told):
    assert str(check("GET A", "p95_ms", actual_ms, max=100, beyond=shares)) == told


@pytest.mark.parametrize(
    ("ratio", "shares", "told"),
    [
        (0.0217, (0.0062, 0.054), "2.17 % breaks <= 1 % ({}), maybe by noise: 0.62 to 5.4 % allowing for bursts"),
        (0.0217, (0.0162, 0.0284), "2.17 % breaks <= 1 % ({}), clearly: 1.62 to 2.84 % allowing for bursts"),
        (0.008, (0.0041, 0.0143), "0.8 % within <= 1 % ({}), maybe by noise: 0.41 to 1.43 % allowing for bursts"),
        (0.001, (0.0, 0.006), "0.1 % within <= 1 % ({})"),
        (0.0, (0.0, 0.012), "0 % within <= 1 % ({})"),
    ],
)
def test_a_limit_on_failures_says_how_many_there_may_be(ratio, shares, told):
    one = check("total", "failure_ratio", ratio, max=0.01, beyond=beyond(ratio, *shares, allowed=0.01))

    assert str(one) == f"total: failure_ratio {told.format('n = 1,000; thresholds.yaml:14')}"


@pytest.mark.parametrize(
    ("actual_ms", "shares", "is_close"),
    [
        (104, beyond(0.0563, 0.0391, 0.0783), False),
        (66, beyond(0.01, 0.005, 0.02), False),
        (67, beyond(0.01, 0.005, 0.02), True),
        (60, beyond(0.04, 0.03, 0.06), True),
        (60, beyond(0.0, 0.0, 0.06), False),
        (67, None, False),
    ],
    ids=["broken", "1.5 times", "less than that", "too many may be slower", "none was slower", "too little is known"],
)
def test_a_pass_is_close_where_noise_may_break_it(actual_ms, shares, is_close):
    assert check("GET A", "p95_ms", actual_ms, max=100, beyond=shares).is_close is is_close


def test_how_sure_it_is_changes_no_outcome():
    plain, told = (check("GET A", "p95_ms", 104, max=100, beyond=one) for one in (None, beyond(0.056, 0.04, 0.08)))

    assert (plain.outcome, plain.is_failed, plain.excess_ratio) == (told.outcome, told.is_failed, told.excess_ratio)
    assert not check("GET A", "p95_ms", 99, max=100, beyond=beyond(0.05, 0.04, 0.08), severity=Severity.WARN).is_failed
