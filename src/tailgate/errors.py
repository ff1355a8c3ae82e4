"""The error tree: a failing harness is a ``TailgateError``, a failing service an ``AssertionError``.

Errors are values with fields; the text is made from them, so that reports can use either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tailgate.model import Check


class TailgateError(Exception):
    """Something in the harness, its configuration or its stack is wrong."""


class BadInput(TailgateError):
    """What a person wrote cannot be used; every message says where, what was found and what to do.

    Attributes:
        problems: One complete message each, in the order found.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class ThresholdFileError(BadInput):
    """The thresholds file cannot be read, breaks its schema, or names something that does not exist."""


class StackNotReady(TailgateError):
    """A service did not become healthy in time.

    Attributes:
        service: Name of the service, such as ``nginx``.
        url: What was asked for an answer; a URL or an address.
        waited_s: Seconds waited until giving up.
        last_error: The last thing that went wrong, as text.
        log_tail: The end of the service's own log; may be empty.
        build: Which of several builds it belongs to, such as ``baseline main (1a2b3c4)``; empty where there is one.
    """

    def __init__(
        self, *, service: str, url: str, waited_s: float, last_error: str, log_tail: str = "", build: str = ""
    ) -> None:
        self.build = build
        self.service = service
        self.url = url
        self.waited_s = waited_s
        self.last_error = last_error
        self.log_tail = log_tail
        text = f"{build}: " if build else ""
        text += f"service {service!r} not ready after {waited_s:.1f} s ({url}: {last_error})"
        if log_tail:
            text += "\n" + "\n".join(f"  {service} | {line}" for line in log_tail.splitlines())
        super().__init__(text)


class InvalidRun(TailgateError):
    """The run cannot answer the question that was asked of it.

    Attributes:
        scenario: The scenario that was run.
        reasons: Why, one sentence with figures each.
        failed: Checks that failed all the same, worst first.
    """

    def __init__(self, scenario: str, reasons: Sequence[str], failed: Sequence[Check] = ()) -> None:
        self.scenario = scenario
        self.reasons = tuple(reasons)
        self.failed = tuple(failed)
        lines = [f"{scenario}: invalid run, it cannot be judged:"]
        lines += [f"  - {reason}" for reason in self.reasons]
        if self.failed:
            lines.append("  checks that failed as well:")
            lines += [f"  - {check}" for check in self.failed]
        super().__init__("\n".join(lines))


class BaselineFileError(TailgateError):
    """What was stored below ``.tailgate``, baselines or the noise floor, cannot be read or written.

    Attributes:
        path: The file or directory.
        reason: What is wrong with it.
        advice: What to do.
    """

    def __init__(self, path: str, reason: str, advice: str) -> None:
        self.path = path
        self.reason = reason
        self.advice = advice
        super().__init__(f"{path}: {reason}; {advice}")


class BaselineMismatch(TailgateError):
    """There is no saved run that this one could be compared with.

    Attributes:
        scenario: The scenario that was run.
        decision: Why not, in a sentence.
        fields: The fields of the saved runs that differ; empty if nothing was saved.
    """

    def __init__(self, scenario: str, decision: str, fields: Sequence[str] = ()) -> None:
        self.scenario = scenario
        self.decision = decision
        self.fields = tuple(fields)
        super().__init__(f"{scenario}: {decision}")


class InconclusiveComparison(TailgateError):
    """A comparison could not answer, and was told that this is not enough.

    Attributes:
        scenario: The scenario that was run.
        findings: What could not be answered, one sentence each.
    """

    def __init__(self, scenario: str, findings: Sequence[str]) -> None:
        self.scenario = scenario
        self.findings = tuple(findings)
        lines = [f"{scenario}: the comparison is inconclusive:", *(f"  - {text}" for text in self.findings)]
        super().__init__("\n".join(lines))


class EngineError(TailgateError):
    """Locust, or code that it called for us, raised where it must not."""


class ThresholdBreach(AssertionError):
    """At least one check of a valid run failed.

    Attributes:
        scenario: The scenario that was run.
        failed: The failed checks, worst first.
    """

    def __init__(self, scenario: str, failed: Sequence[Check]) -> None:
        self.scenario = scenario
        self.failed = tuple(failed)
        noun = "check" if len(self.failed) == 1 else "checks"
        lines = [f"{scenario}: {len(self.failed)} {noun} failed:"]
        lines += [f"  - {check}" for check in self.failed]
        super().__init__("\n".join(lines))


class Regression(AssertionError):
    """The candidate is worse than the baseline, beyond noise and beyond what is allowed.

    Attributes:
        scenario: The scenario that was run.
        findings: What is worse, one sentence each, worst first.
    """

    def __init__(self, scenario: str, findings: Sequence[str]) -> None:
        self.scenario = scenario
        self.findings = tuple(findings)
        super().__init__("\n".join([f"{scenario}: regressed:", *(f"  - {text}" for text in self.findings)]))
