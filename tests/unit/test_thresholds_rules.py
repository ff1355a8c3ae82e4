"""Rules of regression in the thresholds file: where they stand, what they mean, and how defaults are merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailgate.errors import ThresholdFileError
from tailgate.model import DuetRules, RegressionRule, Scenario, Severity
from tailgate.thresholds import parse_thresholds

EXAMPLE = Path(__file__).parents[1] / "examples" / "thresholds" / "valid" / "duet.yaml"
NAME = "thresholds.yaml"


def scenario(text: str, name: str = "browse") -> Scenario:
    return parse_thresholds(text, NAME).scenarios[name]


def example(name: str) -> Scenario:
    return scenario(EXAMPLE.read_text(encoding="utf-8"), name)


def rules(text: str, name: str = "browse") -> list[tuple[str, str, str | None, float]]:
    return [(rule.subject, rule.metric, rule.stage, rule.max_change) for rule in scenario(text, name).regressions]


def test_a_rule_holds_all_that_was_written():
    found = example("spike").regressions

    assert found[2] == RegressionRule(
        kind="total",
        subject="total",
        metric="cpu_ms",
        max_change=0.15,
        noise_floor_ratio=0.015,
        severity=Severity.WARN,
        source="thresholds.yaml:15",
    )
    assert found[-2] == RegressionRule(
        kind="counter", subject="retries", metric="count", max_change=0.02, alpha=0.1, source="thresholds.yaml:32"
    )


def test_rules_stand_beside_total_in_requests_in_stages_and_in_counters():
    found = [(rule.kind, rule.subject, rule.stage) for rule in example("spike").regressions]

    assert found == [
        *(("total", "total", None) for _ in range(3)),
        ("request", "GET Search", None),
        ("request", "POST *", None),
        ("total", "total", "hold"),
        ("request", "GET Home", "hold"),
        ("counter", "retries", None),
        ("counter", "misses", None),
    ]


def test_what_a_rule_does_not_say_is_p95_and_ten_percent():
    (rule,) = scenario("scenarios: {browse: {regression: {severity: fail}}}").regressions

    assert rule == RegressionRule(kind="total", subject="total", metric="p95_ms", source="thresholds.yaml:1")
    assert (rule.max_change, rule.alpha) == (0.10, 0.05)


def test_a_failure_ratio_may_rise_by_one_in_a_hundred_unless_a_rule_says_otherwise():
    text = "scenarios: {browse: {regression: [{metric: failure_ratio}, {metric: cpu_ms}]}}"

    assert rules(text) == [("total", "failure_ratio", None, 0.01), ("total", "cpu_ms", None, 0.10)]


def test_the_settings_of_a_duet_are_read():
    assert example("spike").duet == DuetRules(
        looks=(1, 3), fail_from_round=1, noise_floor_ratio=0.03, max_shared_cpu_ratio=0.5
    )
    assert scenario("scenarios: {browse: {regression: {metric: p95_ms}}}").duet == DuetRules()


def test_settings_of_a_duet_are_merged_with_the_defaults():
    assert example("browse").duet == DuetRules(looks=(2, 4), noise_floor_ratio=0.02)
    assert example("search").duet == DuetRules(looks=(2, 4), fail_from_round=4)


def test_a_rule_is_merged_with_the_default_one_of_the_same_metric():
    assert example("search").regressions == (
        RegressionRule(
            kind="total", subject="total", metric="p99_ms", max_change=0.05, alpha=0.01, source="thresholds.yaml:8"
        ),
    )


def test_a_rule_of_another_metric_takes_nothing_from_the_default_one():
    (rule,) = example("buy").regressions

    assert (rule.metric, rule.max_change, rule.alpha) == ("failure_ratio", 0.01, 0.05)


@pytest.mark.parametrize("default", ["{max_change_ratio: 0.2}", "{metric: p95_ms, max_change_ratio: 0.2}"])
def test_a_rule_that_names_the_usual_metric_is_of_the_same_metric_as_one_that_does_not(default: str):
    text = f"defaults: {{regression: {default}}}\nscenarios: {{browse: {{regression: {{metric: p95_ms, alpha: 0.1}}}}}}"

    assert rules(text) == [("total", "p95_ms", None, 0.2)]


def test_a_list_takes_the_place_of_the_default_rules():
    text = """
defaults: {regression: [{metric: p95_ms}, {metric: cpu_ms}]}
scenarios:
  browse: {regression: [{metric: p99_ms}]}
  search: {regression: {metric: p50_ms}}
"""
    assert rules(text) == [("total", "p99_ms", None, 0.10)]
    assert rules(text, "search") == [("total", "p50_ms", None, 0.10)]


def test_null_removes_the_default_rule():
    assert example("soak").regressions == ()


def test_names_may_be_the_words_of_the_file():
    text = """
defaults: {requests: {regression: {regression: {metric: p99_ms}}}}
scenarios:
  browse:
    requests: {regression: {p95_ms: 250}}
    counters: {regression: {max: 1}}
    stages: {regression: {total: {p95_ms: 250}}}
"""
    assert rules(text) == [("regression", "p99_ms", None, 0.10)]
    assert len(scenario(text).thresholds) == 3


def test_a_scenario_may_have_rules_alone():
    assert scenario("scenarios: {browse: {regression: {metric: p95_ms}}}").thresholds == ()


def test_a_block_and_a_counter_may_have_rules_alone():
    text = """
scenarios:
  browse:
    requests: {A: {regression: {metric: p95_ms}}}
    counters: {c: {regression: {max_change: 1}}}
"""

    assert rules(text) == [("A", "p95_ms", None, 0.10), ("c", "count", None, 1.0)]
    assert scenario(text).thresholds == ()


def test_a_rule_of_the_defaults_is_a_rule_of_each_scenario():
    text = "defaults: {regression: {metric: p95_ms}}\nscenarios: {browse: null, search: {total: {p95_ms: 250}}}"

    for name in ("browse", "search"):
        assert rules(text, name) == [("total", "p95_ms", None, 0.10)]


def test_a_broken_rule_of_the_defaults_is_told_once():
    text = "defaults: {regression: {max_change: 0.1}}\nscenarios: {browse: null, search: null}"

    with pytest.raises(ThresholdFileError) as caught:
        parse_thresholds(text, NAME)

    assert str(caught.value) == (
        "thresholds.yaml:1: $.defaults.regression.max_change: p95_ms changes by a ratio: write max_change_ratio, "
        "such as 0.1 for 10 %"
    )
