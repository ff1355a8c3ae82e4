"""What people read of comparisons with saved runs, and of what is saved."""

from pathlib import Path

from tailgate.baseline_compare import compare_with_baseline
from tailgate.baseline_rules import BaselineRules
from tailgate.baseline_store import BaselineEntry
from tailgate.baseline_text import render_baseline_list, render_comparison, render_sight
from tests.unit.baseline_examples import ALIKE, history, on, saved, series


def entry(name, *runs, problem=""):
    return BaselineEntry(name=name, path=Path("peak.json"), runs=runs, problem=problem)


def test_one_saved_run_sees_almost_nothing_and_says_so():
    assert render_comparison(compare_with_baseline(saved(series(60.0)), history(20.0), name="main")) == [
        "peak against baseline 'main': inconclusive; comparable with 1 saved run",
        (
            "  warn: total: p95 inconclusive, 20.0 ms -> 60.0 ms: +200.0 % (+97.9 % to +354.7 %; "
            "1 saved run, assumed spread 15.0 %, which does not explain the change)"
        ),
        (
            "  warn: total: failure_ratio inconclusive, 0 % -> 0 %: +0.00 points (+0.00 points to +0.03 points; "
            "1 saved run, assumed spread 0.00 points)"
        ),
        (
            "  Runs at different times differ by themselves, and 1 saved run cannot show how far: "
            "with an assumed spread of 15 % only p95 +81.2 % or beyond and failure ratio +1.16 points or beyond "
            "would stand out. It sees almost nothing, and decides nothing: save 4 more with --perf-save, "
            "at other times."
        ),
    ]


def test_several_saved_runs_say_what_they_see():
    assert render_comparison(compare_with_baseline(saved(series(31.0)), history(*ALIKE), name="main")) == [
        "peak against baseline 'main': regressed; comparable with 6 saved runs",
        (
            "  fail: total: p95 regressed, 20.0 ms -> 31.0 ms: +55.1 % (+40.6 % to +71.1 %; "
            "6 saved runs, measured spread 3.5 %)"
        ),
        (
            "  warn: GET Home: p95 regressed, 20.0 ms -> 31.0 ms: +55.1 % (+43.6 % to +67.5 %; "
            "6 saved runs, measured spread 3.5 %)"
        ),
        (
            "  total: failure_ratio unchanged, 0 % -> 0 %: +0.00 points (+0.00 points to +0.03 points; "
            "6 saved runs, measured spread 0.00 points)"
        ),
        (
            "  Runs at different times differ by themselves, here as 6 saved runs show: "
            "it can see p95 +13.9 % or beyond and failure ratio +1.12 points or beyond, nothing smaller."
        ),
    ]


def test_a_gate_on_a_request_is_named():
    rules = BaselineRules(gates=(("GET Home", "throughput_rps"),))

    # With the smallest spread, 2 %, noise is less than the allowed 10 %, to which 0.84 standard deviations are added.
    assert "it can see throughput of GET Home -11.6 % or beyond, nothing smaller." in render_sight(
        compare_with_baseline(saved(), history(*ALIKE), rules)
    )


def test_without_a_saved_run_nothing_is_seen():
    assert render_comparison(compare_with_baseline(saved(), [], name="main")) == [
        "peak against baseline 'main': inconclusive; no run was saved yet",
        "  It sees nothing: save runs of this very load on this machine with --perf-save first.",
    ]


def test_on_another_machine_nothing_is_seen():
    lines = render_comparison(compare_with_baseline(saved(fingerprint=on(cpu_count=4)), history(20.0), name="main"))

    assert lines[0] == (
        "peak against baseline 'main': inconclusive; not comparable with 1 saved run: fingerprint.cpu_count was 2, is 4"
    )


def test_a_gate_without_a_value_sees_nothing():
    rules = BaselineRules(gates=(("GET Gone", "p95_ms"),))

    assert render_sight(compare_with_baseline(saved(), history(*ALIKE), rules)) == (
        "It sees nothing: no gate has a value in both this run and a saved one."
    )


def test_a_list_has_a_line_for_each_file():
    odd = saved(series(None), scenario="soak", commit=None)
    entries = [entry("main", *history(20.0, 22.0)), entry("release-1.2", odd)]

    assert render_baseline_list(entries) == [
        "name         scenario  runs  newest            commit      p95      spread",
        "main         peak      2     2025-03-02 12:00  0123456789  21.0 ms  6.7 %",
        "release-1.2  soak      1     2025-03-01 12:00  -           -        -",
    ]


def test_a_list_tells_what_is_unusable():
    assert render_baseline_list([entry("main", problem="peak.json: broken")]) == ["unusable: peak.json: broken"]


def test_an_empty_list_says_what_to_do():
    assert render_baseline_list([]) == ["no baselines are saved; save one with --perf-save"]
