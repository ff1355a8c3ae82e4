"""Where the arms of a duet run."""

from types import SimpleNamespace

import pytest

from tailgate import playing
from tailgate.model import Scenario
from tailgate.playing import Duet
from tailgate.stack.builds import Build


@pytest.fixture
def many_cores(monkeypatch):
    """Have eight cores, each with one thread, and no quota."""
    monkeypatch.setattr(playing, "os", SimpleNamespace(sched_getaffinity=lambda pid: set(range(8))))
    monkeypatch.setattr(playing, "usable_cores", lambda: tuple((core,) for core in range(8)))
    monkeypatch.setattr(playing, "count_cores", lambda: 8)


def duet(*, are_processes_ours=True):
    return Duet(
        builds=(Build(name="baseline", label="old"), Build(name="candidate", label="new")),
        start=None,
        scenario=Scenario(name="checkout"),
        plan=None,
        noise_floor_ratio=None,
        injected_ratio=0.0,
        are_processes_ours=are_processes_ours,
    )


def test_processes_of_ours_have_cores_of_their_own_where_there_are_enough(many_cores):
    assert duet().cores(1).baseline == duet().cores(2).candidate == (2, 3, 4)
    assert not duet().are_cores_shared


def test_containers_and_what_is_behind_urls_share_cores_as_far_as_anybody_knows(many_cores):
    assert duet(are_processes_ours=False).cores(1) is None
    assert duet(are_processes_ours=False).are_cores_shared


def test_a_quota_of_processor_time_is_one_purse_for_both(many_cores, monkeypatch):
    monkeypatch.setattr(playing, "count_cores", lambda: 4)
    assert duet().are_cores_shared
