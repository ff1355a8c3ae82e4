"""What is kept of a run."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.baseline import LoadIdentity, cut_blocks, make_baseline, refusal
from tailgate.baseline_file import parse_file, render_file
from tailgate.hashes import hash_value
from tailgate.judge import judge_run
from tailgate.model import Severity, Stage, Verdict, Window
from tailgate.samples import Samples
from tests.unit.baseline_examples import COMMIT, FINGERPRINT
from tests.unit.judged_examples import check, failed_run, invalid_run, judged
from tests.unit.run_examples import failures, requests, run, samples, scenario, total

LOAD = LoadIdentity(shape="bb", users="cc", configuration={"tags": ["browse"]})
TEN = Window(name="total", start_s=0.0, end_s=10.0)


def kept(result, limits=None, **changes):
    limits = limits or scenario(total("requests", min=1))
    worth = judge_run(result, limits, fingerprint=FINGERPRINT)
    return make_baseline(result, worth, limits, load=LOAD, **changes)


def test_a_run_is_kept_with_its_circumstances():
    baseline = kept(run(requests(1000), counters={"sold": 3, "lost": float("nan")}, warmup_s=2.0), commit=COMMIT)

    assert (baseline.scenario, baseline.duration_s, baseline.warmup_s) == ("peak", 10.0, 2.0)
    assert baseline.verdict is Verdict.PASS
    assert [(stage["name"], stage["duration_s"], stage["users"]) for stage in baseline.stages] == [("hold", 10.0, 5)]
    assert baseline.counters == {"sold": 3.0}
    assert baseline.fingerprint == FINGERPRINT
    assert baseline.commit == COMMIT
    assert baseline.hashes["shape"] == "bb"
    assert baseline.hashes["users"] == "cc"
    assert baseline.hashes["configuration"] == hash_value({"tags": ["browse"]})


def test_the_warm_up_is_in_no_figure_and_in_no_block():
    baseline = kept(run(requests(1000, latency_ms=12.5), warmup_s=2.0))

    assert baseline.total.summary.samples == 800
    assert baseline.total.blocks.samples == (100,) * 8
    assert baseline.requests["GET Home"].blocks.p95_ms == (12.5,) * 8


def test_a_block_counts_what_started_in_it():
    rows = [*requests(3, 1.0, start_s=0.9, every_s=0.1), *failures(2, start_s=9.5)]
    blocks = cut_blocks(samples(rows), TEN)

    assert blocks.samples == (1, 2, 0, 0, 0, 0, 0, 0, 0, 2)
    assert blocks.failures == (0, 0, 0, 0, 0, 0, 0, 0, 0, 2)


def test_a_block_without_successes_has_no_latency():
    blocks = cut_blocks(samples([*requests(1, 7.0), *failures(1, start_s=1.0)]), TEN)

    assert blocks.p95_ms == (7.0, *[None] * 9)


def test_the_latencies_of_a_block_have_three_digits():
    rows = [*requests(1, 1.23456), *requests(18, 2.34567, start_s=0.1), *requests(1, 1_234.5, start_s=0.5)]
    blocks = cut_blocks(samples(rows), Window(name="total", start_s=0.0, end_s=1.0))

    assert (blocks.p50_ms, blocks.p95_ms, blocks.max_ms) == ((2.35,), (2.35,), (1230.0,))


def test_the_last_block_may_be_shorter():
    window = Window(name="total", start_s=1.5, end_s=4.1)

    assert cut_blocks(samples(requests(260, start_s=1.5)), window).samples == (100, 100, 60)


def test_a_length_that_was_added_up_makes_no_block_of_its_own():
    window = Window(name="total", start_s=0.0, end_s=3 * 1.1 - 0.3)

    assert window.end_s != 3.0
    assert len(cut_blocks(samples(requests(10)), window).samples) == 3


def test_an_empty_window_has_no_blocks():
    assert cut_blocks(samples([]), Window(name="total", start_s=3.0, end_s=3.0)).samples == ()


@given(st.lists(st.tuples(st.floats(2.0, 7.4), st.booleans()), max_size=60))
def test_every_request_is_in_one_block(rows):
    window = Window(name="total", start_s=2.0, end_s=7.5)
    made = [(*(failures(1) if failed else requests(1))[0][:1], start, 5.0, int(failed)) for start, failed in rows]
    blocks = cut_blocks(samples(made), window)

    assert len(blocks.samples) == 6
    assert sum(blocks.samples) == len(rows)
    assert sum(blocks.failures) == sum(failed for _, failed in rows)


@pytest.mark.parametrize("rate", [100, 2_000])
def test_a_minute_of_ten_names_is_small_however_many_requests_it_had(rate):
    rng = np.random.default_rng(1)
    count = 60 * rate
    many = Samples(
        keys=tuple(f"GET Get_Something_{number}" for number in range(10)),
        key_index=rng.integers(0, 10, count).astype(np.int32),
        start_s=np.sort(rng.uniform(0, 60, count)),
        latency_ms=rng.lognormal(3, 0.35, count),
        outcome=np.zeros(count, np.uint8),
    )
    baseline = kept(run(samples=many, stages=[Stage(name="hold", duration_s=60, users=5)]))
    text = render_file("main", "peak", [baseline], tailgate="0.1.0")

    assert len(text) < 30_000
    assert parse_file(text, path="peak.json") == (baseline,)
    assert max(map(len, text.splitlines())) < 1_000
    assert len(json.loads(text)["runs"][0]["requests"]) == 10


@pytest.mark.parametrize(
    ("worth", "why"),
    [
        (judged(), ""),
        (judged(verdict=Verdict.WARN, checks=(check("total", "p95_ms", 9, max=1, severity=Severity.WARN),)), ""),
        (invalid_run(), "soak: not saved: the run is invalid: no samples: 0 requests in 3.0 s"),
        (
            failed_run(),
            """spike: not saved: the run failed: GET Health: p95 has no data, wanted <= 50 ms: no request of this name \
was sent (n = 0; thresholds.yaml:18)""",
        ),
    ],
)
def test_only_runs_that_passed_are_saved(worth, why):
    assert refusal(worth) == why


def test_a_run_that_only_its_comparison_failed_is_refused_with_what_was_worse():
    assert refusal(judged(verdict=Verdict.FAIL, checks=()), worse="total: p95 regressed") == (
        "peak: not saved: the run failed: total: p95 regressed"
    )
