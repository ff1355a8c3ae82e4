"""Telemetry of small suites, from the command line to a real receiver of OTLP."""

from __future__ import annotations

import json
import socket
from collections import Counter

import pytest

from tests.acceptance.otlp_receiver import running_receiver

ALL = {"OTEL_TRACES_SAMPLER": "always_on"}
WITHOUT_OTEL = """
import sys
sys.modules["opentelemetry.sdk"] = None  # as if it were not installed
"""
DUMP = """
    with open("samples.json", "w") as file:
        json.dump(run.samples.latency_ms.tolist(), file)
"""
"""What the run recorded, for a test to compare with."""
READ = f"""
import json

@pytest.mark.perf
def test_read(load):
    run = load([Reader], shape=SHAPE)
{DUMP}"""
READ_LIMITS = "read: {total: {p50_ms: 500, failure_ratio: 0}, counters: {reads: {min: 1}}}"


@pytest.fixture
def receiver():
    with running_receiver() as receiver:
        yield receiver


def recorded(suite):
    """Return the latencies that the run recorded, in ms."""
    return json.loads((suite.directory / "samples.json").read_text())


def telemetry_line(session):
    (line,) = [line for line in session.output.splitlines() if "telemetry: " in line]
    return line


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_each_request_is_a_span_with_the_times_that_were_recorded(suite, receiver, protocol):
    suite.write(READ, READ_LIMITS)
    session = suite.run("--perf-json=report.json", "-W", "error", **receiver.environment(protocol), **ALL)
    assert session.status == 0, session.output
    latencies_ms = recorded(suite)
    requests = receiver.spans_of("client")
    assert sorted(span.took_ms for span in requests) == pytest.approx(sorted(latencies_ms), abs=0.002)
    (test,) = receiver.spans_of("internal")
    assert {(span.trace_id, span.parent_id) for span in requests} == {(test.trace_id, test.span_id)}
    assert {span.name for span in requests} == {"GET Read"}
    assert all(test.start_ns <= span.start_ns < span.end_ns <= test.end_ns for span in requests)
    endpoint = receiver.environment(protocol)["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert telemetry_line(session) == f"telemetry: {len(requests) + 1} spans sent to {endpoint} ({protocol})"


def test_metrics_say_the_same_as_the_report(suite, receiver):
    suite.write(READ, READ_LIMITS)
    session = suite.run("--perf-json=report.json", **receiver.environment("grpc"))
    (run,) = session.runs
    durations = {
        attributes["tailgate.request.name"]: point
        for attributes, point in receiver.points_of("http.client.request.duration")
    }
    latencies_ms = recorded(suite)
    assert durations["Read"].count == len(latencies_ms)
    assert durations["Read"].sum == pytest.approx(sum(latencies_ms) / 1000)
    counters = {a["tailgate.counter.name"]: p.as_int for a, p in receiver.points_of("tailgate.counter")}
    assert counters == run["counters"]
    assert max(point.as_int for _, point in receiver.points_of("tailgate.users")) <= 2


def test_metrics_count_from_when_a_load_has_its_turn(suite, receiver):
    tests = """
    import threading, time
    from filelock import FileLock
    from tailgate import turns

    @pytest.mark.perf
    def test_read(load):
        has_turn = threading.Event()
        def load_something_else():
            with FileLock(turns.LOCK_PATH):
                has_turn.set()
                time.sleep(0.5)
        threading.Thread(target=load_something_else).start()
        has_turn.wait()
        waiting_ns = time.time_ns()
        load([Reader], shape=SHAPE)
        with open("waiting_ns", "w") as file:
            file.write(str(waiting_ns))
    """
    session = suite.write(tests, READ_LIMITS).run(**receiver.environment("grpc"))
    assert session.status == 0, session.output
    (_, point), *_ = receiver.points_of("http.client.request.duration")
    assert point.start_time_unix_nano - int((suite.directory / "waiting_ns").read_text()) >= 0.4e9


def test_the_test_span_tells_verdict_and_checks_and_the_resource_who_we_are(suite, receiver):
    suite.write(READ, "read: {total: {p50_ms: 0.0001, failure_ratio: 0}}")
    environment = receiver.environment("grpc") | {"OTEL_SERVICE_NAME": "nightly", "OTEL_RESOURCE_ATTRIBUTES": "a=b"}
    assert suite.run("--perf-json=report.json", **environment).status == 1
    (test,) = receiver.spans_of("internal", "nightly")
    assert test.is_error
    assert test.message.startswith("read: 1 check failed")
    assert "breaks <= 0.0001 ms" in test.message
    assert test.attributes["tailgate.verdict"] == "fail"
    assert test.attributes["test.case.result.status"] == "fail"
    outcomes = {event["tailgate.check.metric"]: event["tailgate.check.outcome"] for _, event in test.events}
    assert outcomes == {"p50_ms": "fail", "failure_ratio": "pass"}
    assert test.resource["a"] == "b"
    assert test.resource.keys() >= {"service.instance.id", "service.version", "telemetry.sdk.version"}


def test_failures_and_the_slowest_are_kept_though_nothing_is_sampled(suite, receiver):
    tests = """
    import json

    class Mixed(FastHttpUser):
        host = Reader.host
        wait_time = constant(0.01)

        @task
        def ask(self):
            self.client.get("/delay/1,1,1,1,1,1,1,1,1,30/x", name="Read")
            self.client.get("/status/200,200,200,500", name="Sometimes")
            with self.client.get("/status/409", name="Expected", catch_response=True) as response:
                response.success()

    @pytest.mark.perf
    def test_mixed(load):
        run = load([Mixed], shape=Stages(Stage(name="only", duration_s=1, users=2)))
        with open("samples.json", "w") as file:
            json.dump(run.samples.of_key("GET Read").latency_ms.tolist(), file)
    """
    suite.write(tests, "mixed: {total: {failure_ratio: 1}}")
    environment = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    session = suite.run("--perf-json=report.json", **receiver.environment("grpc"), **environment)
    (run,) = session.runs
    spans = receiver.spans_of("client")
    errors = [span for span in spans if span.is_error]
    assert len(errors) >= run["requests"]["GET Sometimes"]["failures"] > 0
    assert {
        (span.name, span.attributes["error.type"], span.attributes["http.response.status_code"]) for span in errors
    } == {("GET Sometimes", "500", 500)}
    latencies_ms = recorded(suite)
    reads = sorted(span.took_ms for span in spans if span.name == "GET Read")
    assert reads == pytest.approx(sorted(latencies_ms)[-10:], abs=0.002)
    assert not any(span.is_error for span in spans if span.attributes["http.response.status_code"] == 409)


def test_an_arrival_starts_when_it_was_sent_and_tells_when_it_was_due(suite, receiver):
    tests = """
    from tailgate import Arrivals

    @pytest.mark.perf
    def test_arrive(load):
        load([Reader], shape=Arrivals(rate_rps=50, duration_s=0.5))
    """
    suite.write(tests, "arrive: {total: {p50_ms: 5000}}")
    suite.run(**receiver.environment("grpc"), **ALL)
    spans = receiver.spans_of("client")
    assert spans
    for span in spans:
        assert "T" in span.attributes["tailgate.request.due_at"]


def test_a_request_without_an_answer_is_a_span_too(suite, receiver):
    tests = """
    class Patient(FastHttpUser):
        host = Reader.host

        @task
        def wait(self):
            self.client.get("/hang", name="Hang")

    @pytest.mark.perf
    def test_hang(load):
        load([Patient], shape=SHAPE, stop_timeout_s=0.2)
    """
    suite.write(tests, "hang: {total: {p95_ms: 100}}")
    suite.run(**receiver.environment("grpc"))
    spans = receiver.spans_of("client")
    assert Counter(span.attributes["error.type"] for span in spans) == {"no_answer": 2}
    assert all(span.took_ms >= 200 for span in spans)


def test_each_worker_of_xdist_sends_its_own(suite, receiver):
    suite.write(
        READ + READ.replace("test_read", "test_again").replace("import json", ""),
        f"{READ_LIMITS}\nagain: {{total: {{p50_ms: 500}}}}",
    )
    session = suite.run("-n2", "--dist=each", "-W", "error", **receiver.environment("grpc"), **ALL)
    assert session.status == 0, session.output
    tests = receiver.spans_of("internal")
    assert Counter(span.attributes["test.case.name"].partition("::")[2] for span in tests) == {
        "test_read": 2,
        "test_again": 2,
    }
    assert len({span.resource["service.instance.id"] for span in tests}) == 2
    assert telemetry_line(session).startswith(f"telemetry: {len(receiver.spans):,} spans sent to ")


def test_an_unreachable_collector_costs_a_warning_with_the_number_of_lost_spans(suite):
    suite.write(READ, READ_LIMITS)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # not listening, so connections are refused
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        session = suite.run("--perf-json=report.json", "-W", "error", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **ALL)
    assert session.status == 0, session.output
    latencies_ms = recorded(suite)
    lost = len(latencies_ms) + 1
    wanted = f"WARNING: telemetry: {lost} of {lost} spans were lost on the way to {endpoint} (grpc): Failed to export"
    assert telemetry_line(session).startswith(wanted)
    (run,) = session.runs
    assert run["verdict"] == "pass"


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_collector_that_never_answers_holds_nobody_up(suite, protocol):
    """It takes the connection and says nothing; without time limits the session would never end."""
    suite.write(READ, READ_LIMITS)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        session = suite.run("--perf-json=report.json", "-W", "error", OTEL_EXPORTER_OTLP_TIMEOUT="0.3", **environment)
    assert session.status == 0, session.output
    (run,) = session.runs
    assert run["duration_s"] == 0.2
    assert "spans were lost on the way to" in telemetry_line(session)


def test_nothing_is_imported_unless_asked(suite):
    suite.write(READ + "    import sys\n    assert 'opentelemetry.sdk' not in sys.modules\n", READ_LIMITS)
    session = suite.run(OTEL_SERVICE_NAME="shop")
    assert session.status == 0, session.output
    assert "telemetry" not in session.output


def test_the_option_alone_asks_the_services_as_well(suite):
    suite.put(
        "conftest.py", "import os\ndef pytest_sessionstart():\n    print(os.environ['OTEL_EXPORTER_OTLP_ENDPOINT'])\n"
    )
    suite.put("test_nothing.py", "def test_nothing(): pass\n")
    session = suite.run("--perf-otel", "-s", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
    assert "http://localhost:4318" in session.output
    assert "telemetry:" not in session.output


def test_wrong_variables_are_told_before_anything_starts(suite):
    suite.write(READ, READ_LIMITS)
    session = suite.run("--perf-otel", OTEL_TRACES_SAMPLER_ARG="2", OTEL_EXPORTER_OTLP_PROTOCOL="udp")
    assert session.status == 4
    assert "telemetry: OTEL_EXPORTER_OTLP_PROTOCOL: 'udp', wanted grpc or http/protobuf" in session.output
    assert "OTEL_TRACES_SAMPLER_ARG: '2', wanted a number from 0 to 1" in session.output
    assert suite.requests() == 0


def test_the_option_needs_the_extra(suite):
    suite.put("conftest.py", WITHOUT_OTEL).write(READ, READ_LIMITS)
    session = suite.run("--perf-otel")
    assert session.status == 4
    assert "--perf-otel: OpenTelemetry is not installed; pip install 'pytest-tailgate[otel]'" in session.output


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_ENDPOINT"])
def test_a_variable_without_the_extra_is_a_warning(suite, variable):
    suite.put("conftest.py", WITHOUT_OTEL).write(READ, READ_LIMITS)
    session = suite.run(**{variable: "http://127.0.0.1:4317"})
    assert session.status == 0, session.output
    assert telemetry_line(session).startswith(
        f"WARNING: telemetry: none was sent: {variable} is set, but OpenTelemetry is not installed"
    )
