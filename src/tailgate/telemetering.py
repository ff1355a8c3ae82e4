"""Trace load tests: a span for each test, and what its runs hand to ``tailgate.telemetry``."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from itertools import zip_longest
from random import getrandbits
from typing import TYPE_CHECKING, Any

import pytest

from tailgate.collecting import is_load_test
from tailgate.errors import BadInput
from tailgate.telemetry.settings import ALIAS, ENDPOINT, TelemetrySettings, read_settings

if TYPE_CHECKING:
    from tailgate.telemetry.delivery import Delivered, Delivery
    from tailgate.telemetry.recording import RunTracer
    from tailgate.telemetry.spans import FinishedTest

_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.grpc", "opentelemetry.exporter.otlp.proto.http")
_MISSING = "OpenTelemetry is not installed; pip install 'pytest-tailgate[otel]'"


@dataclass(slots=True)
class _Test:
    """A load test that goes on."""

    trace_id: int = field(default_factory=lambda: getrandbits(128) or 1)
    span_id: int = field(default_factory=lambda: getrandbits(64) or 1)
    began: float = field(default_factory=time.time)
    failure: str | None = None
    tracers: list[RunTracer] = field(default_factory=list)
    """One for each of its runs."""
    records: list[Mapping[str, Any]] = field(default_factory=list)
    """Its runs as the reports have them, in the same order; one that could not be begun may lack."""


class Telemetry:
    """The telemetry of one session: a plugin of its own, registered only if somebody asked for it."""

    def __init__(self, config: pytest.Config, settings: TelemetrySettings, *, is_address_given: bool) -> None:
        self._config = config
        self._settings = settings
        self._is_address_given = is_address_given
        self._delivery: Delivery | None = None
        self._tests: dict[str, _Test] = {}
        self._delivered: list[Delivered] = []
        """What became of the spans of each process."""

    def begin_run(self, nodeid: str, scenario: str, host: str) -> RunTracer | None:
        """Return what follows the requests of a run that is about to begin; None after the body of its test."""
        from tailgate.telemetry.recording import RunIdentity, RunTracer  # noqa: PLC0415 - only if asked for

        test = self._tests.get(nodeid)
        if test is None:
            return None
        run = RunIdentity(
            test=nodeid,
            scenario=scenario,
            host=host,
            trace_id=test.trace_id,
            test_span_id=test.span_id,
            began=time.time(),
        )
        settings = self._settings
        tracer = RunTracer(run, settings.sample_ratio, self._open().put, put_every_s=settings.spans_every_s)
        test.tracers.append(tracer)
        return tracer

    def prefer_collector(self, endpoints: Mapping[str, str]) -> None:
        """Send to one of these by protocol, unless a person said where to, or something was sent already."""
        if not self._is_address_given and self._delivery is None:
            endpoint = endpoints[self._settings.protocol]
            self._settings = replace(self._settings, endpoint=endpoint)
            os.environ[ENDPOINT] = endpoint

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Follow a load test from its setup on."""
        if is_load_test(item):
            self._tests[item.nodeid] = _Test()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Take from each report of a test what its span will say."""
        report = yield
        test = self._tests.get(item.nodeid)
        if test is not None:
            test.records += getattr(report, "tailgate_runs", [])
            if report.failed and test.failure is None:
                # All of it: the first line of a verdict does not say why. A strict xfail has a report only.
                test.failure = (str(call.excinfo.value) if call.excinfo else "") or report.longreprtext
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """End the test's span with its body: after the last test the stack goes away, and its collector with it."""
        self._end_test(item.nodeid)
        if nextitem is None:
            self._close()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send what is left; a worker of xdist tells its controller what became of it."""
        for nodeid, test in list(self._tests.items()):
            test.failure = test.failure or "interrupted"
            self._end_test(nodeid)
        self._close()
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["tailgate_telemetry"] = [asdict(delivered) for delivered in self._delivered]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of xdist tells."""
        from tailgate.telemetry.delivery import Delivered  # noqa: PLC0415 - as above

        told = getattr(node, "workeroutput", {}).get("tailgate_telemetry", [])
        self._delivered += [Delivered(**delivered) for delivered in told]

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say how many spans went where, and warn of those that did not arrive."""
        if not self._delivered:
            return
        sent, lost = (sum(getattr(one, name) for one in self._delivered) for name in ("sent", "lost"))
        where = " and ".join(dict.fromkeys(one.where for one in self._delivered))
        reason = next((one.reason for one in self._delivered if one.reason), "")
        if lost or any(one.failed_metrics for one in self._delivered):
            text = f"WARNING: telemetry: {lost:,} of {sent + lost:,} spans were lost on the way to {where}: {reason}"
            terminalreporter.write_line(text, yellow=True)
        else:
            terminalreporter.write_line(f"telemetry: {sent:,} spans sent to {where}")

    def _end_test(self, nodeid: str) -> None:
        test = self._tests.pop(nodeid, None)
        if test is None:
            return
        for tracer, record in zip_longest(test.tracers, test.records[: len(test.tracers)]):
            tracer.end(record["counters"] if record else {})
        if self._settings.sample_ratio is not None:
            self._open().put(_finished(nodeid, test))

    def _close(self) -> None:
        if self._delivery is not None:
            self._delivered.append(self._delivery.close())
            self._delivery = None

    def _open(self) -> Delivery:
        """Begin to export, when there is something to; the controller of xdist never has anything."""
        if self._delivery is None:
            from tailgate.fingerprint import take_commit  # noqa: PLC0415 - as above
            from tailgate.telemetry.opening import open_delivery  # noqa: PLC0415

            commit = take_commit(self._config.rootpath)
            self._delivery = open_delivery(self._settings, {"vcs.ref.head.revision": commit.sha} if commit else {})
        return self._delivery


_TELEMETRY = pytest.StashKey[Telemetry]()


class _Unavailable:
    """Says in the summary why there is no telemetry, though a variable asks for it."""

    def __init__(self, variable: str) -> None:
        self._variable = variable

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        text = f"WARNING: telemetry: none was sent: {self._variable} is set, but {_MISSING}"
        terminalreporter.write_line(text, yellow=True)


def begin(config: pytest.Config) -> None:
    """Read what is asked for, and have the services of a stack asked for the same through the environment.

    Raises:
        pytest.UsageError: A variable cannot be used, or the option was given and OpenTelemetry is not installed.
    """
    is_asked = bool(config.getoption("perf_otel"))
    try:
        settings = read_settings(os.environ, is_asked=is_asked)
    except BadInput as error:
        raise pytest.UsageError(f"telemetry: {error}") from error
    if settings is None:
        return
    if not _is_installed():
        if is_asked:
            raise pytest.UsageError(f"--perf-otel: {_MISSING}")
        variable = ENDPOINT if os.environ.get(ENDPOINT) else ALIAS
        config.pluginmanager.register(_Unavailable(variable), "tailgate-telemetry")
        return
    is_address_given = bool(os.environ.get(ENDPOINT) or os.environ.get(ALIAS))
    if not os.environ.get(ENDPOINT):
        os.environ[ENDPOINT] = settings.endpoint
        config.add_cleanup(_forget_endpoint)
    telemetry = config.stash[_TELEMETRY] = Telemetry(config, settings, is_address_given=is_address_given)
    config.pluginmanager.register(telemetry, "tailgate-telemetry")


def _forget_endpoint() -> None:
    os.environ.pop(ENDPOINT, None)


def begin_run(item: pytest.Item, scenario: str, host: str) -> RunTracer | None:
    """Return what follows the requests of a run that is about to begin; None without telemetry."""
    telemetry = item.config.stash.get(_TELEMETRY, None)
    return None if telemetry is None else telemetry.begin_run(item.nodeid, scenario, host)


def prefer_collector(config: pytest.Config, endpoints: Mapping[str, str]) -> None:
    """Send telemetry, if there is any, to the collector of a stack, unless a person said where to.

    Args:
        config: Of the session.
        endpoints: Base URL by protocol, ``grpc`` and ``http/protobuf``.
    """
    if (telemetry := config.stash.get(_TELEMETRY, None)) is not None:
        telemetry.prefer_collector(endpoints)


def _is_installed() -> bool:
    try:
        return all(find_spec(package) is not None for package in _PACKAGES)
    except ModuleNotFoundError:
        return False


def _finished(nodeid: str, test: _Test) -> FinishedTest:
    from tailgate.model import Verdict  # noqa: PLC0415 - only if asked for
    from tailgate.reports.record import checks_of  # noqa: PLC0415
    from tailgate.telemetry.spans import FinishedTest, JudgedRun  # noqa: PLC0415

    runs = [
        JudgedRun(
            scenario=record["scenario"],
            verdict=Verdict(record["verdict"]),
            checks=checks_of(record),
        )
        for record in test.records
    ]
    return FinishedTest(
        name=nodeid,
        trace_id=test.trace_id,
        span_id=test.span_id,
        began=test.began,
        ended=time.time(),
        failure=test.failure,
        runs=runs,
    )
