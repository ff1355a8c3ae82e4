"""The simulator's configuration: what beats what, every mistake at once, and weights that reach the users."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from perf_tests.users import CONFIGURATION, Collector, Shopper, apply_weights
from simulations.configuration import EdgeCase, load_configuration, merge
from tailgate import BadInput, Stage

NOWHERE = Path("/nonexistent/config.yaml")


@pytest.fixture
def load(tmp_path):
    def load(text="", **environ):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return load_configuration(path, environ)

    return load


def test_the_shipped_file_says_what_the_defaults_are(load):
    assert load_configuration(environ={}) == load("")


def test_the_defaults(load):
    defaults = load("")
    assert (defaults.base_url, defaults.timeout_s, defaults.shape) == ("http://localhost:8082", 30, "stages")
    assert defaults.stages == (
        Stage(name="stage_1", duration_s=60, users=10, spawn_rate=10),
        Stage(name="stage_2", duration_s=300, users=50, spawn_rate=10),
        Stage(name="stage_3", duration_s=600, users=50, spawn_rate=10),
        Stage(name="stage_4", duration_s=120, users=0, spawn_rate=10),
    )
    assert defaults.categories == ("Electronics", "Clothing", "Books")
    assert defaults.edge_cases == (
        EdgeCase(name="Buy_Nonexistent", product="NonExistentProduct", expected_status=404),
        EdgeCase(name="Buy_Sold_Out", product="ZeroStockItem", expected_status=409),
    )


def test_a_missing_file_is_a_warning_and_the_defaults(load, caplog):
    assert load_configuration(NOWHERE, {}) == load("")
    assert caplog.messages == [f"{NOWHERE}: no such file; the simulator runs with its defaults"]


def test_a_file_changes_what_it_names_and_nothing_else(load):
    changed = load("service: {timeout_seconds: 5}\nscenario_weights: {buy_product: 50}\n")
    defaults = load("")
    assert (changed.timeout_s, changed.base_url) == (5, defaults.base_url)
    assert changed.weights == {**defaults.weights, "buy_product": 50}


def test_the_environment_beats_the_file_which_beats_the_defaults(load):
    text = "service: {base_url: 'http://file:1/'}\nload_profile: {shape: soak}\n"
    assert load(text).base_url == "http://file:1"
    changed = load(text, PRODUCT_SERVICE_URL="http://environment:2/shop", SIMULATOR_SHAPE="none")
    assert (changed.base_url, changed.shape) == ("http://environment:2/shop", "none")


def test_an_empty_variable_counts_as_absent(load):
    assert load("load_profile: {shape: soak}", SIMULATOR_SHAPE="", PRODUCT_SERVICE_URL="").shape == "soak"


def test_a_variable_names_the_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("service: {timeout_seconds: 7}")
    assert load_configuration(environ={"SIMULATOR_CONFIG": str(path)}).timeout_s == 7


def test_mappings_are_merged_and_anything_else_is_replaced():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 4}
    assert merge(base, {"a": {"c": [3]}, "e": {"f": 5}}) == {"a": {"b": 1, "c": [3]}, "d": 4, "e": {"f": 5}}
    assert merge(base, {"a": None}) == {"a": None, "d": 4}


def test_every_mistake_is_told_at_once_with_its_place(load, tmp_path):
    text = """\
service: {base_url: localhost, timeout_seconds: 0}
load_profile:
  shape: peek
  stages: [{duration_seconds: 60}]
scenario_weights:
  buy_produkt: 3
  browse_products: many
test_data:
"""
    with pytest.raises(BadInput) as caught:
        load(text, PRODUCT_SERVICE_URL="ftp://x", SIMULATOR_SHAPE="spice")
    shapes = "['none', 'stages', 'peak', 'stress', 'soak', 'spike']"
    about_shape = "the shape of the load where no number of users is asked for; none leaves it to the web UI"
    about_url = "what is loaded, a base URL such as http://localhost:8082"
    assert [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems] == [
        f"config.yaml:1: $.service.base_url: 'localhost' cannot be used; wanted: {about_url}",
        (
            "config.yaml:1: $.service.timeout_seconds: 0 is less than or equal to the minimum of 0; "
            "wanted: how long an answer may take, a positive number of seconds"
        ),
        f"config.yaml:3: $.load_profile.shape: 'peek' is not one of {shapes}; wanted: {about_shape}",
        (
            "config.yaml:4: $.load_profile.stages[0]: 'users' is a required property; "
            "wanted: a stage, such as {duration_seconds: 60, users: 10, spawn_rate: 10}"
        ),
        "config.yaml:6: $.scenario_weights.buy_produkt: is not known here; did you mean buy_product?",
        (
            "config.yaml:7: $.scenario_weights.browse_products: 'many' is not of type 'integer'; "
            "wanted: how often this task is done beside the others, a whole number from 0 to 1000"
        ),
        "config.yaml:8: $.test_data: None is not of type 'object'; wanted: a mapping with categories and edge_cases",
        f"PRODUCT_SERVICE_URL: 'ftp://x' cannot be used; wanted: {about_url}",
        f"SIMULATOR_SHAPE: 'spice' is not one of {shapes}; wanted: {about_shape}",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "config.yaml:1: column 5: not valid YAML: "),
        ("- 1", "config.yaml:1: $: [1] is not of type 'object'; wanted: a mapping with any of "),
        ("extra: 1", "config.yaml:1: $.extra: is not known here; known are service, load_profile, "),
        (
            "load_profile:\n  stages: [{duration_seconds: 1, users: 50, spawn_rate: 2}]",
            "config.yaml:2: $.load_profile.stages: shape: stage 'stage_1' goes from 0 to 50 users at 2 users/s",
        ),
        (
            "scenario_weights: {" + ", ".join(f"{task}: 0" for task in CONFIGURATION.weights) + "}",
            "config.yaml:1: $.scenario_weights: every weight is 0, so nothing would be done; raise one of them",
        ),
    ],
)
def test_what_no_run_could_follow_is_refused(load, tmp_path, text, problem):
    with pytest.raises(BadInput) as caught:
        load(text)
    (told,) = caught.value.problems
    assert told.replace(f"{tmp_path}/", "").startswith(problem)


def test_stages_that_no_run_could_follow_are_told_beside_other_mistakes(load):
    text = "load_profile:\n  stages: [{duration_seconds: 1, users: 50, spawn_rate: 2}]\nservice: {timeout_seconds: 0}\n"
    with pytest.raises(BadInput) as caught:
        load(text)
    stages, timeout = caught.value.problems
    assert "config.yaml:2: $.load_profile.stages: shape: stage 'stage_1' goes from 0 to 50 users" in stages
    assert "config.yaml:3: $.service.timeout_seconds: 0 is less" in timeout


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(BadInput, match=f"^{tmp_path}: cannot be read: Is a directory; wanted a file in UTF-8$"):
        load_configuration(tmp_path, {})
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(BadInput, match="cannot be read: 'utf-8' codec can't decode byte 0xe9"):
        load_configuration(tmp_path / "latin", {})


def test_there_is_a_weight_for_every_task_of_the_shopper():
    assert {task.__name__ for task in Shopper.tasks} == set(CONFIGURATION.weights)


def test_weights_change_how_often_a_task_is_done():
    other = type("Other", (Shopper,), {})
    apply_weights(other, dict.fromkeys(CONFIGURATION.weights, 0) | {"buy_product": 3, "update_stock": 1})
    assert Counter(task.__name__ for task in other.tasks) == {"buy_product": 3, "update_stock": 1}


def test_the_collector_is_not_weighted():
    assert [task.__name__ for task in Collector.tasks] == ["buy_scarce_product"]
