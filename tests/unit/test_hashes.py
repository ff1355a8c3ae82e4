"""Hashes of what a load consists of."""

import sys
import types
from dataclasses import replace

import pytest

from tailgate.hashes import hash_scenario, hash_shape, hash_users, hash_value
from tailgate.model import RegressionRule, Stage
from tests.unit.run_examples import HOLD, scenario, total

ONE = """
class Reader:
    weight = 3
    def read(self):
        return self.client.get("/a")
    tasks = [read]
"""


@pytest.fixture
def user_of(tmp_path, monkeypatch):
    """Make the class ``Reader`` of a module with the given text, whose file can be read."""
    monkeypatch.setattr("inspect.linecache.cache", {})

    def make(text):
        path = tmp_path / f"users_{abs(hash(text))}.py"
        path.write_text(text)
        module = types.ModuleType(path.stem)
        module.__file__ = str(path)
        monkeypatch.setitem(sys.modules, path.stem, module)
        exec(compile(text, path, "exec"), module.__dict__)
        return module.Reader

    return make


def test_a_hash_does_not_depend_on_the_order_of_keys():
    assert hash_value({"a": 1, "b": 2}) == hash_value({"b": 2, "a": 1})
    assert hash_value({"a": 1}) != hash_value({"a": 2})


def test_a_hash_is_the_same_in_every_process():
    assert hash_value(["spike", 1.5, None]) == "0e1933afe8f590dd"


def test_users_with_the_same_code_have_one_hash(user_of):
    commented = ONE.replace("    def read", "    # reads\n\n    def read")

    assert hash_users([user_of(ONE)]) == hash_users([user_of(commented)])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"/a"', '"/b"'),
        ("weight = 3", "weight = 4"),
        ("[read]", "[read, read]"),
        ("class Reader:", "class Base:\n    wait = 1\n\nclass Reader(Base):"),
    ],
)
def test_users_that_do_something_else_have_another_hash(user_of, old, new):
    assert hash_users([user_of(ONE)]) != hash_users([user_of(ONE.replace(old, new))])


def test_the_set_of_users_counts(user_of):
    reader = user_of(ONE)

    assert hash_users([reader]) != hash_users([reader, reader])


def test_a_class_without_source_counts_by_its_name():
    made = [type(name, (), {"tasks": []}) for name in ("A", "A", "B")]

    assert hash_users(made[:1]) == hash_users(made[1:2])
    assert hash_users(made[:1]) != hash_users(made[2:])


def test_stages_have_a_hash():
    longer = replace(HOLD, duration_s=11.0)

    assert hash_shape(object(), [HOLD]) == hash_shape(None, [HOLD])
    assert hash_shape(object(), [HOLD]) != hash_shape(object(), [longer])


class Ticking:
    def tick(self):
        return (1, 1)


def test_a_locust_shape_is_its_code_however_long_it_took():
    took = [[Stage(name="shape", duration_s=seconds, users=1)] for seconds in (9.98, 10.02)]

    assert hash_shape(Ticking(), took[0]) == hash_shape(Ticking, took[1])
    assert hash_shape(Ticking(), took[0]) != hash_shape(object(), took[0])


def test_limits_count_wherever_they_stand():
    here = total("p95_ms", max=250.0)

    assert hash_scenario(scenario(here)) == hash_scenario(scenario(replace(here, source="thresholds.yaml:99")))
    assert hash_scenario(scenario(here)) != hash_scenario(scenario(replace(here, max=251.0)))


def test_rules_of_a_duet_count_wherever_they_stand():
    here = RegressionRule(kind="total", subject="total", metric="p95_ms", source="thresholds.yaml:5")
    asked, moved, other = (
        replace(scenario(), regressions=(replace(here, **change),))
        for change in ({}, {"source": "thresholds.yaml:6"}, {"max_change": 0.2})
    )

    assert hash_scenario(asked) == hash_scenario(moved)
    assert hash_scenario(asked) != hash_scenario(other)
