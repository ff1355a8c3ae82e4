"""The living users, kept at the level that is asked for."""

from collections import Counter

import gevent
import pytest
from locust import User, constant, task
from locust.env import Environment

from tailgate import Peak, Stage, Stages
from tailgate.counters import Counters
from tailgate.engine import LoadPlan, run_load
from tailgate.engine.context import RunContext
from tailgate.engine.plan import Level
from tailgate.engine.population import Population
from tailgate.engine.recorder import Recorder
from tailgate.engine.users import make_run_class
from tailgate.errors import BadInput


class Browser(User):
    weight = 3
    wait_time = constant(60)

    @task
    def work(self):
        """Do nothing."""


class Buyer(Browser):
    weight = 1


class Admin(Browser):
    fixed_count = 1


class Broken(Browser):
    def __init__(self, environment):
        raise OSError("no disk")


class Stubborn(Browser):
    @task
    def work(self):
        gevent.sleep(60)


class Crowd:
    """A population with its surroundings."""

    def __init__(self, *classes, stop_timeout_s=5.0):
        self.recorder = Recorder()
        self.context = RunContext(self.recorder, Counters(), "http://127.0.0.1", 1.0)
        run_classes = [make_run_class(cls, frozenset(), self.context) for cls in classes]
        self.runner = Environment(user_classes=run_classes).create_local_runner()
        self.population = Population(self.runner, run_classes, self.context, stop_timeout_s)

    def move_to(self, users, classes=None):
        self.population.move_to(Level(0, users, classes))
        gevent.sleep(0)
        return self.names

    @property
    def names(self):
        """How many greenlets of each class live; one that is over has dropped its arguments."""
        return Counter(type(user.args[0]).__name__ for user in self.runner.user_greenlets.greenlets if user.args)


@pytest.fixture
def crowd():
    crowds = []

    def make(*classes, **settings):
        crowds.append(Crowd(*classes, **settings))
        return crowds[-1]

    yield make
    for one in crowds:
        one.population.stop_all()
        one.runner.quit()


def test_users_come_at_once_by_weight_and_fixed_count(crowd):
    some = crowd(Browser, Buyer, Admin)

    some.population.move_to(Level(0, 9))

    assert some.population.alive == 9
    assert some.names == {"Admin": 1, "Browser": 6, "Buyer": 2}


def test_users_that_came_last_go_first(crowd):
    some = crowd(Browser, Buyer, Admin)

    assert some.move_to(9) == {"Admin": 1, "Browser": 6, "Buyer": 2}
    assert some.move_to(5) == {"Admin": 1, "Browser": 3, "Buyer": 1}
    assert some.move_to(1) == {"Admin": 1}
    assert some.move_to(0) == {}


def test_a_shape_may_start_users_of_some_classes_only(crowd):
    some = crowd(Browser, Buyer)

    assert some.move_to(4, (Buyer,)) == {"Buyer": 4}
    assert some.move_to(6, (Browser,)) == {"Buyer": 4, "Browser": 2}


def test_a_shape_that_names_another_class_is_refused(crowd):
    some = crowd(Browser, Buyer)

    with pytest.raises(BadInput) as caught:
        some.population.move_to(Level(0, 1, (Admin,)))

    assert str(caught.value) == "shape: tick() asks for users of Admin; the classes of this run: Browser, Buyer"


def test_users_that_were_asked_to_end_are_no_deaths(crowd):
    some = crowd(Browser)
    some.move_to(5)

    some.population.stop_all()

    assert some.names == {}
    assert some.population.alive == some.population.unstoppable == 0
    assert some.recorder.user_deaths.counts == ()


def test_a_user_that_dies_is_counted_and_not_replaced(crowd):
    class Mortal(Browser):
        def on_start(self):
            raise ValueError("boom")

    some = crowd(Mortal)
    some.move_to(3)
    gevent.sleep(0.01)

    assert some.move_to(3) == {}
    assert some.population.alive == 0
    (death,) = some.recorder.user_deaths.counts
    assert (death.where, death.error, death.count) == ("Mortal", "ValueError: boom", 3)


def test_a_user_that_cannot_be_made_is_a_death(crowd):
    some = crowd(Broken)
    some.move_to(2)

    (death,) = some.recorder.user_deaths.counts
    assert (death.where, death.error, death.count) == ("Broken", "OSError: no disk", 2)
    assert some.population.alive == 0


def test_a_user_whose_task_takes_too_long_is_killed(crowd):
    some = crowd(Stubborn, stop_timeout_s=0.02)
    some.move_to(2)

    some.population.stop_all()

    assert some.names == {}
    assert some.population.unstoppable == 0


# A whole run without a network


class Silent:
    """A monitor that lets a run go on."""

    def on_progress(self, live):
        return ""

    def on_stage_begin(self, stage):
        pass

    def on_stage_end(self, stage, so_far):
        return True


def run_of(shape, *classes):
    plan = LoadPlan(
        user_classes=classes or (Browser,),
        stages=shape.stages,
        locust_shape=None,
        host="http://127.0.0.1",
        tags=frozenset(),
        request_timeout_s=1,
        stop_timeout_s=1,
        time_scale=1,
    )
    return run_load(plan, test="test", scenario="peak", warmup_s=0, monitor=Silent())


@pytest.mark.parametrize("users", [3, 40])
def test_a_ramp_reaches_its_level_even_if_its_last_users_are_due_between_two_ticks(users):
    result = run_of(Peak(users=users, ramp_s=0.2, hold_s=0.3, ramp_down_s=0.1))

    assert result.users_reached[:2] == (users, users)
    assert result.duration_s == pytest.approx(0.6)


def test_a_level_is_reached_in_short_stages():
    stages = [Stage(name=f"stage_{n}", duration_s=0.3, users=users) for n, users in enumerate([2, 30, 1, 8])]

    # A stage that asks for fewer users than there are finds those that the one before had.
    assert run_of(Stages(*stages)).users_reached == (2, 30, 1, 8)


def test_a_user_that_stops_the_runner_ends_the_run():
    class Stopper(Browser):
        def on_start(self):
            self.environment.runner.stop()

    result = run_of(Stages(Stage(name="hold", duration_s=5, users=1)), Stopper)

    assert result.duration_s < 2
    assert result.facts.stopped == "user code stopped Locust's runner"
    assert result.facts.cut == ""
