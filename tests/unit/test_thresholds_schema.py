"""The packaged JSON Schema: valid itself, useful to editors, and as strict alone as a schema can be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tailgate.baseline_match import BLOCKING
from tailgate.baseline_rules import METRICS, BaselineRules, FindingKind
from tailgate.compare import CompareSettings
from tailgate.model import DuetRules, GeneratorLimits, Severity
from tailgate.percentiles import quantile_of
from tailgate.threshold_schema import check_schema, is_metric, threshold_schema
from tailgate.thresholds import parse_thresholds
from tailgate.yaml_lines import read_yaml

EXAMPLES = Path(__file__).parents[1] / "examples" / "thresholds"
BEYOND_A_SCHEMA = {
    "default_block_without_metric",
    "duet_that_cannot_fail",
    "limit_min_above_max",
    "min_from_defaults_above_max",
    "null_leaves_neither_min_nor_max",
    "null_without_default",
    "regression_does_not_fit",
    "regression_in_defaults_wrong",
    "regression_twice",
    "scenario_checks_nothing",
    "scenario_removes_all_defaults",
}


def data_of(path: Path) -> Any:
    """Return the content of a file, or None when the reader refuses it."""
    document = read_yaml(path.read_text(encoding="utf-8"))
    return None if document.problems else document.data


READABLE = [path for path in sorted((EXAMPLES / "invalid").glob("*.yaml")) if data_of(path) is not None]


def properties(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every property of the schema, by name, but for those that are refused."""
    if isinstance(schema, dict):
        for keyword in ("properties", "patternProperties"):
            yield from ((name, each) for name, each in schema.get(keyword, {}).items() if each != {"not": {}})
        for value in schema.values():
            yield from properties(value)


PROPERTIES = list(properties(threshold_schema()))


def test_the_schema_keeps_to_its_metaschema():
    Draft202012Validator.check_schema(threshold_schema())


@pytest.mark.parametrize(("name", "schema"), PROPERTIES, ids=[name for name, _ in PROPERTIES])
def test_every_property_tells_editors_what_it_is(name: str, schema: dict[str, Any]):
    assert schema["title"]
    assert schema["description"].endswith(".")
    in_context = {**schema, "$defs": threshold_schema()["$defs"]}
    for sample in schema["examples"]:
        Draft202012Validator(in_context).validate(sample)


def test_no_mapping_takes_unknown_keys():
    def mappings(schema: Any) -> Iterator[dict[str, Any]]:
        if isinstance(schema, dict):
            if "object" in schema.get("type", ()):
                referred = schema.get("$ref", "").rpartition("/")[2]
                yield threshold_schema()["$defs"].get(referred, {}) | schema
            for value in schema.values():
                yield from mappings(value)

    assert all("additionalProperties" in schema for schema in mappings(threshold_schema()))
    assert all(schema["additionalProperties"] is not True for schema in mappings(threshold_schema()))


@pytest.mark.parametrize("path", sorted((EXAMPLES / "valid").glob("*.yaml")), ids=lambda path: path.stem)
def test_valid_files_pass_the_schema_alone(path: Path):
    assert list(check_schema(data_of(path))) == []


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.stem)
def test_the_schema_alone_refuses_all_that_a_schema_can(path: Path):
    is_refused = bool(list(check_schema(data_of(path))))

    assert is_refused == (path.stem not in BEYOND_A_SCHEMA)


def test_severities_are_those_of_the_model():
    assert threshold_schema()["$defs"]["severity"]["enum"] == [*Severity, None]


def test_generator_limits_are_those_of_the_model():
    generator = threshold_schema()["$defs"]["scenario"]["properties"]["generator"]["properties"]

    assert list(generator) == [field.name for field in fields(GeneratorLimits)]


def rules_schema() -> dict[str, Any]:
    return threshold_schema()["$defs"]["scenario"]["properties"]["baseline"]["properties"]


def test_rules_of_baselines_are_those_of_the_model():
    rules = rules_schema()

    assert list(rules) == [field.name for field in fields(BaselineRules)]
    assert list(rules["severities"]["properties"]) == list(FindingKind)
    assert rules["gates"]["additionalProperties"]["items"]["enum"] == list(METRICS)
    assert rules["ignore"]["items"]["enum"] == list(BLOCKING)


@pytest.mark.parametrize("side", ["minimum", "maximum"])
def test_what_the_schema_allows_for_baselines_the_model_takes(side: str):
    numbers = {name: schema[side] for name, schema in rules_schema().items() if side in schema}

    assert BaselineRules(**numbers).alpha == numbers["alpha"]


def test_the_defaults_of_baselines_are_told_as_they_are():
    for name, schema in rules_schema().items():
        if "number" in schema["type"] or "integer" in schema["type"]:
            told = re.search(r"Default: ([0-9.]+[0-9])|Default: ([0-9])", schema["description"])
            assert told is not None
            assert float(told[1] or told[2]) == getattr(BaselineRules(), name)


def test_rules_of_a_duet_are_those_of_the_model():
    duet = threshold_schema()["$defs"]["scenario"]["properties"]["duet"]["properties"]

    assert list(duet) == [field.name for field in fields(DuetRules)]
    for name, default in asdict(DuetRules()).items():
        told = (
            "what tailgate calibrate learned" if default is None else str(list(default) if name == "looks" else default)
        )
        assert f"Default: {told}" in duet[name]["description"]


def test_the_defaults_of_a_rule_are_told_as_they_are():
    (found,) = parse_thresholds("scenarios: {a: {regression: {severity: fail}}}", "t").scenarios["a"].regressions

    for kind in ("rule", "part_rule"):
        rule = threshold_schema()["$defs"][kind]["properties"]
        for name, default in (
            ("metric", found.metric),
            ("max_change_ratio", found.max_change),
            ("alpha", found.alpha),
            ("severity", found.severity),
        ):
            assert rule[name]["description"].endswith(f"Default: {default}.")


@pytest.mark.parametrize("metric", ["p50_ms", "p95_ms", "p99.9_ms", "p0.5_ms", "failure_ratio", "cpu_ms"])
def test_a_rule_of_all_requests_takes_any_percentile_failures_and_processor_time(metric: str):
    assert list(check_schema({"scenarios": {"a": {"regression": {"metric": metric}}}})) == []


@pytest.mark.parametrize("metric", ["p0_ms", "p100_ms", "p95", "p95_ms\n", "mean_ms", "xp95_ms", "", "cpu_msx"])
def test_a_rule_takes_no_other_metric(metric: str):
    assert len(list(check_schema({"scenarios": {"a": {"regression": {"metric": metric}}}}))) == 1


@pytest.mark.parametrize("side", ["minimum", "maximum"])
def test_what_the_schema_allows_for_rules_can_be_judged(side: str):
    numbers = {
        name: schema[side]
        for name, schema in threshold_schema()["$defs"]["rule"]["properties"].items()
        if side in schema
    }
    del numbers["max_change"]

    assert CompareSettings(**numbers).alpha == numbers["alpha"]


@pytest.mark.parametrize("name", ["p1_ms", "p50_ms", "p99_ms", "p99.9_ms", "p99.999999_ms", "p0.5_ms", "p10.0_ms"])
def test_any_percentile_between_0_and_100_is_a_metric(name: str):
    assert is_metric(name)
    assert quantile_of(name) is not None


@pytest.mark.parametrize(
    "name",
    [
        *("p0_ms", "p0.0_ms", "p100_ms", "p099_ms", "p99.9999999_ms", "p95", "p95ms", "p95_s", "p.5_ms", "p95._ms"),
        *("xp95_ms", "p\u0669\u0665_ms", "p95_ms\n", "p50_ms\n", "", "severity", "min_samples", "allow_no_data"),
        "regression",
    ],
)
def test_nothing_else_that_looks_like_a_percentile_is_a_metric(name: str):
    assert not is_metric(name)


def test_a_common_percentile_is_described_once():
    block = threshold_schema()["$defs"]["block"]

    assert not [
        name for name in block["properties"] for pattern in block["patternProperties"] if re.search(pattern, name)
    ]
