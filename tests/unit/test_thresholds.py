"""The thresholds file: values, defaults, and each message that a person can meet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailgate.baseline_rules import BaselineRules, FindingKind
from tailgate.errors import ThresholdFileError
from tailgate.model import GeneratorLimits, Scenario, Severity, Threshold
from tailgate.thresholds import parse_thresholds

EXAMPLES = Path(__file__).parents[1] / "examples" / "thresholds"
INVALID = sorted((EXAMPLES / "invalid").glob("*.yaml"))
NAME = "thresholds.yaml"
SMALL = "scenarios: {browse: {total: {p95_ms: 250}}}"


def scenario(text: str, name: str = "browse") -> Scenario:
    return parse_thresholds(text, NAME).scenarios[name]


def limits(text: str, name: str = "browse") -> list[tuple[str, str, float | None, float | None]]:
    return [(limit.subject, limit.metric, limit.min, limit.max) for limit in scenario(text, name).thresholds]


def example(name: str) -> str:
    return (EXAMPLES / "valid" / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_file_is_refused_with_the_messages_in_its_first_lines(path: Path):
    text = path.read_text(encoding="utf-8")
    header = [line for line in text.splitlines() if line.startswith(f"# {NAME}:")]

    with pytest.raises(ThresholdFileError) as caught:
        parse_thresholds(text, NAME)

    assert list(caught.value.problems) == [line.removeprefix("# ") for line in header]


def test_there_are_many_invalid_examples():
    assert len(INVALID) > 60


def test_a_threshold_holds_all_that_was_written():
    found = scenario(example("everything"), "spike").thresholds

    assert found[0] == Threshold(
        kind="total",
        subject="total",
        metric="failure_ratio",
        max=0.02,
        severity=Severity.WARN,
        min_samples=200,
        source="thresholds.yaml:17",
    )
    assert found[8] == Threshold(
        kind="request",
        subject="GET Get_All_Products",
        metric="p99.9_ms",
        min=1.0,
        max=400.0,
        severity=Severity.WARN,
        min_samples=3000,
        source="thresholds.yaml:23",
    )
    assert found[12] == Threshold(
        kind="request", subject="*", metric="p50_ms", stage="recovery", max=50.0, source="thresholds.yaml:30"
    )
    assert found[-1] == Threshold(
        kind="counter",
        subject="successful_purchases",
        metric="count",
        min=1.0,
        severity=Severity.WARN,
        allow_no_data=True,
        source="thresholds.yaml:36",
    )


def test_a_scenario_holds_its_settings():
    found = scenario(example("everything"), "spike")

    assert (found.name, found.warmup_s, found.max_task_exceptions, found.source) == (
        "spike",
        0.5,
        2,
        "thresholds.yaml:6",
    )
    assert found.generator == GeneratorLimits(max_loop_lag_ratio=0.3, min_loop_lag_ms=15, max_cpu_ratio=0.9)


def test_settings_that_are_not_written_are_the_models():
    found = scenario(SMALL)

    assert found == Scenario(name="browse", thresholds=found.thresholds, source="thresholds.yaml:1")


def test_rules_of_a_baseline_are_merged_with_the_defaults():
    browse, spike, soak = (scenario(example("baseline"), name).baseline for name in ("browse", "spike", "soak"))

    assert browse == BaselineRules(
        min_runs=8,
        severities={FindingKind.NO_BASELINE: Severity.FAIL, FindingKind.NEW_REQUEST: Severity.INFO},
        ignore=("fingerprint.kernel",),
    )
    assert spike == BaselineRules(
        gates=(
            ("total", "p95_ms"),
            ("total", "failure_ratio"),
            ("GET Get_All_Products", "p50_ms"),
            ("GET Get_All_Products", "throughput_rps"),
        ),
        alpha=0.01,
        max_change_ratio=0.2,
        min_change_ms=5,
        min_change_rps=2,
        min_change_failure_ratio=0.05,
        min_runs=8,
        min_apart_s=3600,
        assumed_spread_ratio=0.3,
        min_spread_ratio=0.05,
        severities={
            FindingKind.NO_BASELINE: Severity.WARN,
            FindingKind.NEW_REQUEST: Severity.INFO,
            FindingKind.REGRESSED: Severity.WARN,
        },
        ignore=("fingerprint.kernel",),
    )
    assert soak == BaselineRules(
        severities={FindingKind.NO_BASELINE: Severity.FAIL, FindingKind.NEW_REQUEST: Severity.INFO}
    )


def test_a_gate_that_is_written_twice_is_one():
    text = "scenarios: {browse: {total: {p95_ms: 250}, baseline: {gates: {total: [p95_ms, p95_ms]}}}}"

    assert scenario(text).baseline == BaselineRules(gates=(("total", "p95_ms"),))


def test_a_partial_generator_block_keeps_the_other_limits():
    text = "scenarios: {browse: {generator: {max_cpu_ratio: 2}, total: {p95_ms: 250}}}"

    assert scenario(text).generator == GeneratorLimits(max_cpu_ratio=2)


@pytest.mark.parametrize("metric", ["p95_ms", "p0.5_ms", "mean_ms", "max_ms", "failure_ratio", "failures"])
def test_a_bare_number_is_an_upper_limit(metric: str):
    assert limits(f"scenarios: {{browse: {{total: {{{metric}: 1}}}}}}") == [("total", metric, None, 1)]


@pytest.mark.parametrize("metric", ["throughput_rps", "requests"])
def test_a_bare_number_is_a_lower_limit_of_throughput_and_requests(metric: str):
    assert limits(f"scenarios: {{browse: {{total: {{{metric}: 1}}}}}}") == [("total", metric, 1, None)]


def test_options_of_a_limit_win_over_those_of_its_block():
    text = """
scenarios:
  browse:
    total:
      severity: warn
      min_samples: 300
      allow_no_data: true
      p95_ms: 250
      p99_ms: {max: 500, severity: fail, min_samples: 400, allow_no_data: false}
"""
    of_block, of_limit = scenario(text).thresholds

    assert (of_block.severity, of_block.min_samples, of_block.allow_no_data) == (Severity.WARN, 300, True)
    assert (of_limit.severity, of_limit.min_samples, of_limit.allow_no_data) == (Severity.FAIL, 400, False)


def test_scenarios_keep_the_order_of_the_file():
    text = "scenarios: {b: {total: {p95_ms: 1}}, a: {total: {p95_ms: 1}}, c: {total: {p95_ms: 1}}}"

    assert list(parse_thresholds(text, NAME).scenarios) == ["b", "a", "c"]


def test_an_empty_scenario_takes_the_defaults_as_they_are():
    for name in ("browse", "search"):
        (found,) = scenario(example("defaults_alone"), name).thresholds
        assert (found.metric, found.max, found.min_samples, found.source) == ("p95_ms", 250, 100, "thresholds.yaml:2")


def test_defaults_merge_key_by_key_and_the_scenario_wins():
    text = """
defaults:
  total: {p95_ms: 250, failure_ratio: {max: 0.01, severity: warn}, requests: 10, p99_ms: {max: 500, severity: warn}}
scenarios:
  browse:
    total: {p95_ms: 300, failure_ratio: {max: 0.02}, requests: {max: 90}, p99_ms: 600}
"""
    found = {limit.metric: limit for limit in scenario(text).thresholds}

    assert found["p95_ms"].max == 300
    assert (found["failure_ratio"].max, found["failure_ratio"].severity) == (0.02, Severity.WARN)
    assert (found["requests"].min, found["requests"].max) == (None, 90)
    assert (found["p99_ms"].max, found["p99_ms"].severity) == (600, Severity.FAIL)
    assert {limit.source for limit in found.values()} == {"thresholds.yaml:6"}


def test_null_removes_a_default():
    found = scenario(example("null_removes_a_default"), "slow_but_sure")

    assert found.warmup_s == 0
    assert [limit.metric for limit in found.thresholds] == ["failure_ratio"]


def test_null_may_take_all_limits_of_a_block_away():
    text = "defaults: {total: {p95_ms: 1}}\nscenarios: {browse: {total: {p95_ms: null}, counters: {sold: {min: 1}}}}"

    assert limits(text) == [("sold", "count", 1, None)]


def test_options_in_defaults_need_a_limit_in_one_scenario_only():
    text = example("options_in_defaults")

    assert scenario(text, "browse").thresholds[0].min_samples == 500
    assert scenario(text, "buy").thresholds[0].min_samples is None


def test_a_limit_behind_an_alias_or_merge_key_has_the_line_where_it_was_written():
    text = example("merge_keys")

    assert limits(text, "search") == [("total", "p95_ms", None, 400), ("total", "failure_ratio", None, 0.01)]
    assert [limit.source for limit in scenario(text, "search").thresholds] == ["thresholds.yaml:7", "thresholds.yaml:3"]
    assert [limit.source for limit in scenario(text, "buy").thresholds] == ["thresholds.yaml:3", "thresholds.yaml:3"]


def test_a_name_may_look_like_a_number_a_date_or_a_boolean():
    found = parse_thresholds(example("names_that_look_like_values"), NAME).scenarios

    assert {name: limit.thresholds[0].max for name, limit in found.items()} == {"on": 1000, "404": 250, "2024-01-01": 1}


def test_a_broken_default_is_told_once_however_many_scenarios_inherit_it():
    text = "defaults: {total: {p95_ms: {min: 2, max: 1}}}\nscenarios:\n  a:\n  b:\n"

    with pytest.raises(ThresholdFileError) as caught:
        parse_thresholds(text, NAME)

    assert (
        str(caught.value)
        == "thresholds.yaml:1: $.defaults.total.p95_ms: min 2 is greater than max 1, so nothing could pass"
    )


@given(st.text())
@settings(deadline=None)
def test_no_text_raises_anything_else(text: str):
    _parses_or_is_refused(text)


_KEYS = st.sampled_from(
    [
        *(
            "defaults",
            "scenarios",
            "a",
            "total",
            "requests",
            "stages",
            "counters",
            "generator",
            "warmup_s",
            "min",
            "max",
        ),
        *(
            "p95_ms",
            "p99.9_ms",
            "p100_ms",
            "failure_ratio",
            "severity",
            "min_samples",
            "allow_no_data",
            "max_cpu_ratio",
        ),
        *("regression", "duet", "looks", "fail_from_round", "metric", "max_change", "max_change_ratio"),
    ]
)
_VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, -1, 0.5, 10**400, float("nan"), "warn", "p95_ms", "", "5", "é\n"]),
    lambda inner: st.dictionaries(_KEYS, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=20,
)
_BODIES = st.dictionaries(_KEYS, _VALUES, max_size=4)
_FILES = st.fixed_dictionaries(
    {"scenarios": st.dictionaries(_KEYS, _BODIES | _VALUES, max_size=3)}, optional={"defaults": _BODIES | _VALUES}
)


@given(_FILES)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_content_raises_anything_else(content: dict[str, Any]):
    _parses_or_is_refused(yaml.safe_dump(content, allow_unicode=True))
    _parses_or_is_refused(json.dumps(content))


def _parses_or_is_refused(text: str) -> None:
    problems: tuple[str, ...] = ()
    scenarios: list[Scenario] = []
    try:
        scenarios += parse_thresholds(text, NAME).scenarios.values()
    except ThresholdFileError as err:
        problems = err.problems
    assert bool(problems) != bool(scenarios)
    assert all(problem.startswith(f"{NAME}:") for problem in problems)
    assert all(scenario.thresholds or scenario.regressions for scenario in scenarios)
