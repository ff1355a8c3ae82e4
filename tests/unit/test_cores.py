"""Which cores the arms of a duet and the generator run on."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.stack import Process, Sandbox
from tailgate.stack.cores import CoreShares, pinned, share_cores, usable_cores


def single(*numbers):
    """Return cores of one thread each."""
    return [(number,) for number in numbers]


@pytest.mark.parametrize("cores", [[], single(0), single(4, 5, 6), [(0, 1), (2, 3)], [(0, 4), (1, 5), (2, 6)]])
def test_fewer_than_four_cores_are_not_shared_out_however_many_threads_they_have(cores):
    assert share_cores(cores, 1) is None


@pytest.mark.parametrize(
    ("cores", "generator", "arms"),
    [
        (single(0, 1, 2, 3), (0, 1), ((2,), (3,))),
        (single(2, 3, 5, 7, 11), (2,), ((3, 5), (7, 11))),
        (single(*range(8)), (0, 1), ((2, 3, 4), (5, 6, 7))),
        ([(0, 4), (1, 5), (2, 6), (3, 7)], (0, 4, 1, 5), ((2, 6), (3, 7))),
    ],
)
def test_the_threads_of_a_core_stay_together(cores, generator, arms):
    assert share_cores(cores, 1) == CoreShares(baseline=arms[0], candidate=arms[1], generator=generator)


@given(st.lists(st.integers(0, 500), min_size=4, max_size=64, unique=True), st.integers(1, 10))
def test_every_core_is_in_one_share_and_the_arms_have_as_many(cores, round_number):
    shares = share_cores(single(*cores), round_number)
    assert sorted(shares.baseline + shares.candidate + shares.generator) == sorted(cores)
    assert len(shares.baseline) == len(shares.candidate) >= 1
    assert len(shares.generator) in {1, 2}


def test_the_arms_change_places_from_round_to_round():
    first, second, third = (share_cores(single(*range(6)), number) for number in (1, 2, 3))
    assert (first.of("baseline"), first.of("candidate")) == (second.of("candidate"), second.of("baseline"))
    assert first == third
    assert first.generator == second.generator


def test_usable_cores_are_those_of_this_thread():
    threads = [thread for core in usable_cores() for thread in core]
    assert sorted(threads) == sorted(os.sched_getaffinity(0))


def affinity_of_a_child() -> set[int]:
    script = "import os; print(*os.sched_getaffinity(0))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    return {int(core) for core in done.stdout.split()}


def test_what_is_started_inside_stays_on_the_cores_and_this_thread_comes_back():
    before = os.sched_getaffinity(0)
    core = max(before)
    with pinned([core]):
        assert affinity_of_a_child() == {core}
    assert os.sched_getaffinity(0) == before
    assert affinity_of_a_child() == before


def test_a_process_of_a_sandbox_that_was_entered_before_stays_on_the_cores():
    core = min(os.sched_getaffinity(0))
    with Sandbox() as sandbox:
        with pinned([core]):
            process = Process(sandbox, "sleeper", ["sleep", "60"]).start()
        assert os.sched_getaffinity(process.pid) == {core}


def test_without_cores_nothing_is_changed():
    with pinned(None):
        assert affinity_of_a_child() == os.sched_getaffinity(0)
