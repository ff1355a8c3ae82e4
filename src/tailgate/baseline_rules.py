"""How a run is judged beside saved ones: how sure to be, what counts, and what each outcome does to the test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tailgate.model import TOTAL, Severity


class FindingKind(StrEnum):
    """What a comparison can find."""

    NO_BASELINE = "no_baseline"
    """Nothing was saved under this name for this scenario."""
    NOT_COMPARABLE = "not_comparable"
    """Every saved run was made on another machine, or with another load."""
    REGRESSED = "regressed"
    """A gate is worse, beyond noise and beyond what is allowed."""
    REQUEST_REGRESSED = "request_regressed"
    """The same of a metric that is no gate: information, since among many some are worse by chance."""
    INCONCLUSIVE = "inconclusive"
    """Of a gate neither a regression nor its absence can be shown."""
    NO_DATA = "no_data"
    """A metric has no value: no request of the name succeeded."""
    ZERO_BASELINE = "zero_baseline"
    """A saved value is 0, so that there is no ratio to it."""
    NEW_REQUEST = "new_request"
    """A request that no saved run had."""
    VANISHED_REQUEST = "vanished_request"
    """A request of a saved run that was not sent any more."""


FAILURE_RATIO, THROUGHPUT = "failure_ratio", "throughput_rps"
METRICS = ("p50_ms", "p95_ms", FAILURE_RATIO, THROUGHPUT)
"""What is compared of each request name and of all."""
Gate = tuple[str, str]
"""Subject and metric: ``("total", "p95_ms")``."""

_SEVERITIES: Mapping[FindingKind, Severity] = {
    **dict.fromkeys(FindingKind, Severity.WARN),
    FindingKind.REGRESSED: Severity.FAIL,
}
_UNANSWERED = (
    FindingKind.NO_BASELINE,
    FindingKind.NOT_COMPARABLE,
    FindingKind.INCONCLUSIVE,
    FindingKind.NO_DATA,
    FindingKind.ZERO_BASELINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRules:
    """How a comparison with saved runs is judged.

    Raises:
        ValueError: A setting that no comparison could have.
    """

    gates: tuple[Gate, ...] = ((TOTAL, "p95_ms"), (TOTAL, "failure_ratio"))
    """What decides, each a subject and one of ``METRICS``; everything else is information."""
    alpha: float = 0.05
    """Highest probability that a run of unchanged code is called regressed, over all gates."""
    max_change_ratio: float = 0.10
    """A smaller change of a latency or of the throughput never counts."""
    min_change_ms: float = 1.0
    """A smaller change of a latency never counts."""
    min_change_rps: float = 1.0
    """A smaller change of the throughput never counts."""
    min_change_failure_ratio: float = 0.01
    """A smaller change of the failure ratio never counts; 0.01 is one request in a hundred."""
    min_runs: int = 5
    """Fewer saved runs decide nothing: their spread is not known well enough."""
    min_apart_s: float = 600.0
    """Of saved runs that began closer than this to one another only the newest is used: they share the machine's state.

    Five runs of one busy afternoon would show a spread that is far too small.
    """
    assumed_spread_ratio: float = 0.15
    """Standard deviation between runs as long as it is not measured; seen for p95 on a shared machine of two cores."""
    min_spread_ratio: float = 0.02
    """Measured spreads are not believed below this: saved runs that are alike by chance must not decide."""
    severities: Mapping[FindingKind, Severity] = field(default_factory=dict)
    """What findings do to the test where that is not the default: all warn, a regression fails."""
    ignore: tuple[str, ...] = ()
    """Fields of the fingerprint that may differ all the same, such as ``fingerprint.kernel``."""

    def __post_init__(self) -> None:
        """Refuse what could not be judged."""
        problems = {
            "gates": not self.gates or any(metric not in METRICS for _, metric in self.gates),
            "alpha": not 0 < self.alpha < 0.5,  # noqa: PLR2004 - a coin does as well
            "max_change_ratio": not 0 < self.max_change_ratio < 1,
            "min_change_ms": not 0 <= self.min_change_ms < math.inf,
            "min_change_rps": not 0 <= self.min_change_rps < math.inf,
            "min_change_failure_ratio": not 0 < self.min_change_failure_ratio < 1,
            "min_runs": self.min_runs < 2,  # noqa: PLR2004 - one value has no spread
            "min_apart_s": not 0 <= self.min_apart_s < math.inf,
            "assumed_spread_ratio": not 0 < self.assumed_spread_ratio < math.inf,
            "min_spread_ratio": not 0 < self.min_spread_ratio < math.inf,
        }
        if wrong := [f"{name}={getattr(self, name)}" for name, is_wrong in problems.items() if is_wrong]:
            raise ValueError(f"a comparison cannot be judged with {', '.join(wrong)}")

    @property
    def gate_level(self) -> float:
        """Probability of a false alarm that one gate may have (Bonferroni)."""
        return self.alpha / len(self.gates)

    def severity(self, kind: FindingKind) -> Severity:
        """Return what a finding does to the test."""
        return self.severities.get(kind, _SEVERITIES[kind])

    def strict(self) -> BaselineRules:
        """Return the same rules, by which a question without an answer fails the test."""
        return replace(self, severities={**self.severities, **dict.fromkeys(_UNANSWERED, Severity.FAIL)})
