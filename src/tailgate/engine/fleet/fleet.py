"""An arm of a run whose users live in worker processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import Runner

from tailgate.engine.arm import Arm
from tailgate.engine.fleet.health import join_health
from tailgate.engine.fleet.master import Master, Seat
from tailgate.engine.fleet.muster import Muster
from tailgate.engine.fleet.remote_users import RemoteUsers
from tailgate.engine.fleet.wire import BEGIN, FLUSH, Report
from tailgate.engine.fleet.workers import Workers
from tailgate.engine.plan import LoadPlan
from tailgate.engine.tally import Tally
from tailgate.errors import EngineError
from tailgate.model import GeneratorHealth, count_of
from tailgate.run import RunFacts

LEAD_S = 0.1
"""The run is announced this long before it begins, so that all begin together."""
LATE_S = 0.5
"""A worker that begins later than this after the run is a finding."""
SILENT_AFTER_S = 5.0
"""A worker of which nothing was heard for so long is given up; it reports four times a second."""
_FLUSH_PATIENCE_S = 2.0
_UNTRACED = "telemetry has no requests of this run: those of worker processes are not traced"
_LONGEST_LOOK_S = 0.5
"""What this process itself slept through is not held against the workers."""


class Fleet(Arm):
    """An arm whose users live in worker processes; its recorder and counters are fed by their reports."""

    def __init__(self, plan: LoadPlan, workers: Workers, *, seed: int) -> None:
        """Listen for the workers; start nothing."""
        self._plan = plan
        self._workers = workers
        self._seed = seed
        self._flushes = 0
        self._looked_s = time.monotonic()
        super().__init__(plan, plan.host, share=1)

    def _make_runner(self, environment: Environment) -> Runner:
        environment.runner = self._master = Master(environment, *self._workers.bind, self._on_report)
        # Locust's own statistics do not come here, so nothing is to be done with its own reports.
        environment.events.worker_report._handlers.clear()  # noqa: SLF001 - Locust has no other way
        return self._master

    def _make_users(self, plan: LoadPlan, share: float) -> RemoteUsers:
        del share
        return RemoteUsers(self._master, self._workers, plan, look=self._look)

    @property
    def _seats(self) -> Sequence[Seat]:
        return tuple(self._master.seats.values())

    def begin(self, *, is_interrupted: Callable[[], bool]) -> None:
        """Wait for the workers, have them get ready, and tell listeners that a test starts.

        Raises:
            BadInput: Workers did not come, or cannot do what is asked of them.
            EngineError: One that we started has ended.
        """
        self.tell_init()
        muster = Muster(self._master, self._workers, is_interrupted=is_interrupted)
        if muster.hold(self._plan, first_number=self.recorder.first_number, seed=self._seed):
            self.tell_start()
        self._looked_s = time.monotonic()

    def set_clock(self) -> tuple[float, float]:
        """Tell the workers when the run begins, wait for that, and return it by both of our clocks."""
        began = time.time() + LEAD_S
        self._master.tell(BEGIN, {"began": began})
        gevent.sleep(LEAD_S)
        return began, time.perf_counter() - (time.time() - began)

    def flush(self) -> None:
        """Have what was measured up to now reported."""
        self._flushes += 1
        self._master.tell(FLUSH, {"number": self._flushes})
        deadline_s = time.monotonic() + _FLUSH_PATIENCE_S
        while time.monotonic() < deadline_s:
            if all(seat.is_over or seat.last.answers_flush >= self._flushes for seat in self._seats):
                return
            self._master.news.clear()
            self._master.news.wait(_FLUSH_PATIENCE_S)

    def note_users(self) -> None:
        """Note how many users live; each worker keeps its own highest level of each stage."""
        for stage in range(len(self.reached)):
            self.reached[stage] = sum(sum(seat.last.reached[stage : stage + 1]) for seat in self._seats)

    @property
    def stopped(self) -> str:
        """What in a worker, or in the code of the users, ended the run early; empty if nothing did."""
        self._look()
        for seat in self._seats:
            if seat.lost:
                return seat.lost
            if seat.last.left:
                return f"worker {seat.name} left: {seat.last.left}"
        return super().stopped

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of the workers."""
        late = [
            f"worker {greeting.name} on {greeting.host} came when the run had {self._workers.count}, and was not used"
            for greeting in self._master.late
        ]
        return (*late, _UNTRACED) if self._plan.tracer is not None else tuple(late)

    def close(self) -> None:
        """Let the workers go, and leave nothing of Locust behind."""
        self._master.dismiss()
        super().close()

    def with_own(self, facts: RunFacts) -> RunFacts:
        """Return the facts of the run together with those of the workers."""
        self.note_users()
        reports = [seat.last for seat in self._seats]
        jumps_s = [facts.clock_jump_s, *(report.clock_jump_s for report in reports)]
        findings = [finding for seat in self._seats for finding in _findings(seat) if finding != facts.stopped]
        return replace(super().with_own(facts), worker_problems=tuple(findings), clock_jump_s=max(jumps_s, key=abs))

    def with_health(self, health: GeneratorHealth) -> GeneratorHealth:
        """Return the figures of all processes; ``health`` has those of this one."""
        return join_health(health, self._seats)

    def _look(self) -> None:
        """Find workers that have died or fallen silent.

        Raises:
            EngineError: A report could not be read.
        """
        if self._master.error is not None:
            raise EngineError(f"a message of a worker was not understood: {self._master.error}") from self._master.error
        now_s = time.monotonic()
        passed_s, self._looked_s = min(now_s - self._looked_s, _LONGEST_LOOK_S), now_s
        ended = self._workers.ended()
        for seat in self._seats:
            if seat.is_over:
                continue
            seat.silent_s += passed_s
            kept = f"the {count_of(seat.last.samples, 'request')} that it had reported until then are kept"
            if seat.name in ended:
                seat.lost = f"worker {seat.name} {ended[seat.name]}; {kept}"
            elif seat.silent_s >= SILENT_AFTER_S:
                seat.lost = f"worker {seat.name} fell silent for {SILENT_AFTER_S:g} s; {kept}"
                self._workers.kill(seat.name)  # it must not wake up and go on

    def _on_report(self, seat: Seat, report: Report) -> None:
        """Record what a worker did since its last report, unless one between the two is missing."""
        recorder = self.recorder
        seat.received += len(report.columns.get("outcome", b""))
        if missing := report.samples - seat.received:
            seat.lost = f"worker {seat.name} could not report {count_of(missing, 'request')}; its log tells why"
            return
        seat.keys.extend((method, name) for method, name in report.keys)
        if report.columns:
            recorder.log.extend(seat.keys, report.columns)
        recorder.sends.extend(report.sends_s, report.send_lags_ms)
        _add(recorder.failures, report.errors)
        _add(recorder.user_deaths, report.user_deaths)
        _add(recorder.task_exceptions, report.task_exceptions)
        _add(self.events.tally, report.listener_errors)
        for name, count in report.counters.items():
            self.counters.add(name, count)
        seat.last = replace(report, columns={}, sends_s=b"", send_lags_ms=b"")
        recorder.sent = sum(other.last.sent for other in self._seats)
        recorder.answered = sum(other.last.answered for other in self._seats)
        # What a LoadTestShape reads as the number of users.
        self._master.clients[seat.client_id].user_classes_count = {"users": report.users}


def _add(tally: Tally, counts: Sequence[Any]) -> None:
    for where, error, count in counts:
        tally.add(where, error, count)


def _findings(seat: Seat) -> list[str]:
    findings = [seat.lost] if seat.lost else []
    if seat.last.left:
        findings.append(f"worker {seat.name} left: {seat.last.left}")
    if seat.last.late_s > LATE_S:
        findings.append(f"worker {seat.name} joined late: it began {seat.last.late_s:.1f} s after the run did")
    return findings
