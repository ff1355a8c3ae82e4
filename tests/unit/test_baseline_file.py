"""Files of saved runs: what is in them, and what is wrong with those that cannot be read."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.baseline_file import baseline_record, baseline_schema, parse_file, parse_record, render_file
from tailgate.errors import BaselineFileError
from tests.unit.baseline_examples import COMMIT, history, saved, series

RUNS = tuple(history(20.0, 21.0))
TEXT = render_file("main", "peak", RUNS, tailgate="0.1.0")
ADVICE = "; move it away, and save again with --perf-save"


def changed(path, value):
    """The text with the value at ``path`` replaced, or taken out where it is None."""
    document = json.loads(TEXT)
    *way, last = path
    place = document
    for key in way:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(document)


def problem_of(text, **options):
    with pytest.raises(BaselineFileError) as raised:
        parse_file(text, path="peak.json", **options)
    return str(raised.value)


def test_the_schema_is_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(baseline_schema())


def test_a_file_keeps_its_schema():
    jsonschema.Draft202012Validator(baseline_schema()).validate(json.loads(TEXT))


def test_runs_come_back_as_they_were():
    assert parse_file(TEXT, path="peak.json", scenario="peak") == RUNS


def test_a_record_is_made_of_json_values():
    record = baseline_record(RUNS[0])

    assert json.loads(json.dumps(record, allow_nan=False)) == json.loads(TEXT)["runs"][0]
    assert parse_record(json.loads(json.dumps(record))) == RUNS[0]


@pytest.mark.parametrize("commit", [COMMIT, None])
def test_a_commit_comes_back(commit):
    text = render_file("main", "peak", [saved(commit=commit)], tailgate="0.1.0")

    assert parse_file(text, path="peak.json")[0].commit == commit


@given(
    p95=st.none() | st.floats(0, 1e9),
    failures=st.integers(0, 10**9),
    key=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    settings=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), st.lists(st.integers())),
)
def test_any_run_comes_back(p95, failures, key, settings):
    total = series(p95, failures=failures)
    run = saved(total, {key: total}, configuration=settings)

    assert parse_file(render_file("main", "peak", [run], tailgate="0.1.0"), path="peak.json") == (run,)


def test_a_column_is_one_line_and_a_setting_is_one():
    lines = [line.strip() for line in TEXT.splitlines()]

    assert '"samples": [6000, 0],' in lines
    assert '"p95_ms": [20.0, null],' in lines
    assert '"cpu_count": 2,' in lines


def test_every_key_of_the_schema_has_a_description():
    for name, definition in baseline_schema()["$defs"].items():
        for key, field in definition.get("properties", {}).items():
            assert "description" in field, f"{name}.{key}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "broken: not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "broken: $: [] is not of type 'object'"),
        ("{}", "broken: $: 'schema' is a required property"),
        (changed(["schema"], 0), "broken: $.schema: 1 was expected"),
        (changed(["runs"], []), "broken: $.runs: [] should be non-empty"),
        (
            changed(["runs", 1, "verdict"], "fail"),
            "broken: $.runs[1].verdict: 'fail' is not one of ['pass', 'warn']",
        ),
        (
            changed(["runs", 0, "started_at"], "yesterday"),
            "broken: $.runs[0].started_at: Invalid isoformat string: 'yesterday'",
        ),
        (
            changed(["runs", 0, "total", "blocks", "p95_ms"], [1.0]),
            "broken: $.runs[0]: the columns of the blocks of total differ in length",
        ),
        (
            changed(["runs", 0, "total", "blocks", "samples"], [1, 1.5]),
            "broken: $.runs[0].total.blocks.samples[1]: 1.5 is not of type 'integer'",
        ),
        (
            changed(["runs", 0, "total", "blocks", "p50_ms"], [-1.0, 1.0]),
            "broken: $.runs[0].total.blocks.p50_ms[0]: -1.0 is less than the minimum of 0",
        ),
        (
            changed(["runs", 0, "total", "blocks", "p50_ms"], [True, 1.0]),
            "broken: $.runs[0].total.blocks.p50_ms[0]: True is not of type 'number', 'null'",
        ),
        (
            changed(["runs", 0, "total", "blocks", "max_ms"], "fast"),
            "broken: $.runs[0].total.blocks.max_ms: 'fast' is not of type 'array'",
        ),
        (TEXT.replace("6000", "NaN", 1), "broken: not JSON: NaN is not a number that JSON can hold"),
        (TEXT.replace("20.0", "1e999", 1), "broken: not JSON: 1e999 is not a number that JSON can hold"),
    ],
)
def test_a_broken_file_is_one_clear_error(text, message):
    assert problem_of(text) == f"peak.json: {message}{ADVICE}"


@pytest.mark.parametrize("text", [TEXT[:200], TEXT[:-10], TEXT + "}", "[" * 100_000])
def test_half_a_file_and_nonsense_are_an_error_as_well(text):
    assert problem_of(text).startswith("peak.json: broken: not JSON: ")


@pytest.mark.parametrize("rest", [{}, {"tailgate": "9.0"}])
def test_a_newer_file_says_so_whatever_is_in_it(rest):
    writer = rest.get("tailgate", "unknown")

    assert problem_of(json.dumps({"schema": 2, **rest})) == (
        f"peak.json: schema 2, written by tailgate {writer}; this one reads schema 1; "
        "upgrade tailgate, or save under another name"
    )


def test_the_file_of_another_scenario_is_refused():
    assert problem_of(TEXT, scenario="spike") == (
        "peak.json: is the baseline of scenario 'peak', wanted 'spike'; give it its own name back"
    )


@pytest.mark.parametrize("key", ["schema", "tailgate", "name", "scenario", "runs"])
def test_every_key_is_needed(key):
    assert problem_of(changed([key], None)) == f"peak.json: broken: $: '{key}' is a required property{ADVICE}"


@pytest.mark.parametrize("key", sorted(baseline_record(RUNS[0])))
def test_every_key_of_a_run_is_needed(key):
    assert f"$.runs[0]: '{key}' is a required property" in problem_of(changed(["runs", 0, key], None))


@pytest.mark.parametrize(
    "place", [[], ["runs", 0], ["runs", 0, "hashes"], ["runs", 0, "total", "summary"], ["runs", 0, "total", "blocks"]]
)
def test_unknown_keys_are_refused(place):
    text = changed([*place, "surprise"], 1)

    assert "Additional properties are not allowed ('surprise' was unexpected)" in problem_of(text)


def test_a_long_message_is_cut():
    assert len(problem_of(json.dumps({"schema": 1, "tailgate": ["x" * 10_000]}))) < 400


def test_the_fields_of_the_error_are_its_text():
    with pytest.raises(BaselineFileError) as raised:
        parse_file("[]", path="peak.json")

    assert raised.value.path == "peak.json"
    assert raised.value.reason == "broken: $: [] is not of type 'object'"
    assert raised.value.advice == "move it away, and save again with --perf-save"
