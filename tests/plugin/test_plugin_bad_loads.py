"""What cannot be loaded as asked: one failed test with one message each, and nothing is sent."""

import pytest

TESTS = """
    from locust import HttpUser, LoadTestShape, TaskSet, tag
    from tailgate import Peak, Stress

    class Idle(FastHttpUser):
        host = Reader.host

    class Old(HttpUser):
        host = Reader.host

        @task
        def read(self):
            self.client.get("{prefix}/ok")

    class Tagged(FastHttpUser):
        host = Reader.host

        @tag("browse")
        @task
        def read(self):
            self.client.get("{prefix}/ok")

    class Homeless(FastHttpUser):
        @task
        def read(self):
            self.client.get("{prefix}/ok")

    class Odd(LoadTestShape):
        def tick(self):
            return "many"

    Twin = type("Reader", (Reader,), {})

    CASES = {
        "no_classes": dict(users=[]),
        "no_user": dict(users=[TaskSet]),
        "instance": dict(users=42),
        "text": dict(users="Reader"),
        "no_tasks": dict(users=[Idle]),
        "old": dict(users=[Old]),
        "twins": dict(users=[Reader, Twin]),
        "no_tag": dict(users=[Tagged], tags=["brwose"]),
        "tag_text": dict(users=[Tagged], tags="brwose"),
        "no_shape": dict(shape=None),
        "short": dict(shape=Peak(hold_s=0)),
        "negative": dict(shape=Peak(users=-1)),
        "same_names": dict(shape=[SHAPE.stages[0], SHAPE.stages[0]]),
        "no_stages": dict(shape=Stages()),
        "odd": dict(shape=Odd),
        "no_host": dict(users=[Homeless], host=None),
        "no_scheme": dict(host="127.0.0.1:80"),
        "half_host": dict(host="http://[::1"),
        "closed": dict(host="http://127.0.0.1:1"),
        "no_tls": dict(host=Reader.host.replace("http:", "https:")),
        "no_time": dict(request_timeout_s=0),
        "no_scenario": dict(scenario="bda"),
        "no_stage": dict(at_stage={"onyl": print}),
        "two_mistakes": dict(users=[Idle], shape=None),
    }

    @pytest.mark.parametrize("name", CASES)
    @pytest.mark.perf(scenario="bad")
    def test_case(load, name):
        load(**{"users": [Reader], "shape": SHAPE, "host": Reader.host} | CASES[name])

    @pytest.mark.perf
    def test_stage(load):
        load([Reader], shape=SHAPE)

    @pytest.mark.perf
    def test_rules(load):
        load([Reader], shape=SHAPE)

    @pytest.mark.perf
    def test_infos(load):
        load([Reader], shape=SHAPE)

    @pytest.mark.perf
    def test_steps(load):
        load([Reader], shape=Stress(step_users=2, steps=2, step_s=0.1))

    @pytest.mark.perf(["bad", "stage"])
    def test_which(load):
        load([Reader], shape=SHAPE)

    def test_unmarked(load):
        load([Reader], shape=SHAPE)

    @pytest.mark.perf("bad")
    class TestMarked:
        def test_dynamic(self, request):
            request.getfixturevalue("load")([Reader], shape=SHAPE)
"""

LIMITS = """
    bad: {total: {failure_ratio: 0}}
    stage: {stages: {onyl: {regression: {metric: p50_ms}}, only: {total: {failure_ratio: 0}}}}
    rules: {regression: {metric: p95_ms}, stages: {only: {regression: {metric: p95_ms}}}}
    infos: {total: {failure_ratio: {max: 0, severity: info}}}
    steps: {stages: {"step_*": {total: {failure_ratio: 0}}}}
"""

MESSAGES = {
    "test_case[no_classes]": "load: no user classes were given; pass at least one, such as load([Shopper])",
    "test_case[no_user]": "load: TaskSet is not a user class; pass subclasses of tailgate.LeanHttpUser",
    "test_case[instance]": "load: 42 is not a user class; pass subclasses of tailgate.LeanHttpUser",
    "test_case[text]": "load: 'Reader' is not a user class; pass subclasses of tailgate.LeanHttpUser",
    "test_case[no_tasks]": "load: Idle has no tasks; decorate at least one method with @task",
    "test_case[old]": "load: Old is an HttpUser, which needs Locust's monkey patching",
    "test_case[twins]": "load: 2 user classes are called Reader; their names must differ",
    "test_case[no_tag]": "load: tags brwose match no task of Tagged; its tags: browse",
    "test_case[tag_text]": "load: tags brwose match no task of Tagged; its tags: browse",
    "test_case[no_shape]": "shape: None is not a shape; pass Stages, Peak, Stress, Soak, Spike, Arrivals",
    "test_case[short]": "shape: Peak: stage 'hold': duration_s is 0, wanted a positive number of seconds",
    "test_case[negative]": "shape: Peak: stage 'ramp_up': users is -1, wanted a whole number, 0 or more",
    "test_case[same_names]": "shape: two stages are called 'only'; names must differ",
    "test_case[no_stages]": "shape: has no stages; give it at least one",
    "test_case[odd]": "shape: Odd.tick() returned 'many', wanted (users >= 0, spawn rate > 0[, user classes])",
    "test_case[no_host]": "load: there is no host; pass host=",
    "test_case[no_scheme]": "load: host '127.0.0.1:80' has no scheme or name, wanted a base URL",
    "test_case[half_host]": "load: host 'http://[::1': Invalid IPv6 URL",
    "test_case[closed]": "load: nobody answers at http://127.0.0.1:1 (Connection refused); is the service running?",
    "test_case[no_tls]": "does not speak TLS (",
    "test_case[no_time]": "load: request_timeout_s is 0, wanted a positive number of seconds",
    "test_case[no_scenario]": "load(): scenario 'bda' is not named by the test's marker; did you mean 'bad'? "
    "scenarios of this test: bad",
    "test_case[no_stage]": "load: at_stage 'onyl': the shape has no such stage; did you mean 'only'? its stages: only",
    "test_case[two_mistakes]": "load: Idle has no tasks; decorate at least one method with @task\nshape: None is not",
    "test_stage": "thresholds.yaml:7: $.scenarios.stage.stages.onyl: the shape has no such stage; did you mean 'only'? "
    "its stages: only",
    "test_rules": "thresholds.yaml:8: $.scenarios.rules: has rules for --perf-duet alone, so this run would check "
    "nothing; add a limit, such as total: {failure_ratio: 0.01}, or run it with --perf-duet",
    "test_infos": "thresholds.yaml:9: $.scenarios.infos: has only limits of severity info, so this run would check "
    "nothing; add a limit, such as total: {failure_ratio: 0.01}",
    "test_steps": "thresholds.yaml:10: $.scenarios.steps: has limits for the steps of a stress run alone, which fail "
    "nothing by themselves, so this run would check nothing; add counters: {users_held: {min: 2}}, or as many users as",
    "test_which": "load(): no scenario was given; scenarios of this test: bad, stage",
    "test_unmarked": "test_load.py::test_unmarked: load() needs a test marked with @pytest.mark.perf that has load",
    "test_dynamic": "test_load.py::TestMarked::test_dynamic: load() needs a test marked with @pytest.mark.perf",
}


@pytest.fixture(scope="module")
def suite(new_suite):
    suite = new_suite()
    return suite.write(TESTS.replace("{prefix}", suite.prefix), LIMITS)


@pytest.fixture(scope="module")
def session(suite):
    return suite.run("-W", "error", "--perf-json=report.json", "--junitxml=junit.xml")


def test_every_case_is_one_failed_test(session):
    assert session.status == 1
    assert f"{len(MESSAGES)} failed in" in session.output
    assert set(session.cases) == set(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
def test_the_failure_is_one_message_without_a_traceback(session, name):
    text = session.failure(name).text
    assert MESSAGES[name] in text
    assert len(text.splitlines()) == MESSAGES[name].count("\n") + 1
    assert "Traceback" not in text


def test_nothing_was_sent(session, suite):
    assert session.status == 1
    assert suite.requests() == 0


def test_each_is_an_invalid_run_in_the_report(session):
    marked = {name for name in MESSAGES if name not in {"test_unmarked", "test_dynamic"}}
    assert session.verdicts() == {name: ["invalid"] for name in marked}
    (run,) = session.runs_of("test_case[two_mistakes]")
    assert [reason.split(":")[0] for reason in run["reasons"]] == ["load", "shape"]


def test_limits_that_match_nothing_in_the_run_fail_and_name_what_is_there(suite, new_suite):
    suite = new_suite().write(
        """
        @pytest.mark.perf
        def test_counter(load):
            load([Reader], shape=SHAPE)

        @pytest.mark.perf
        def test_request(load):
            load([Reader], shape=SHAPE)
        """,
        """
        counter: {counters: {raeds: {min: 1}}}
        request: {requests: {GET Raed: {failure_ratio: 0}}}
        """,
    )
    session = suite.run("--perf-json=report.json", "--junitxml=junit.xml")
    assert session.verdicts() == {"test_counter": ["fail"], "test_request": ["fail"]}
    assert "raeds: count has no data, wanted >= 1" in session.failure("test_counter").text
    assert "the run has these counters: reads" in session.failure("test_counter").text
    assert "GET Raed: failure_ratio has no data" in session.failure("test_request").text
    assert "GET Read" in session.failure("test_request").text
