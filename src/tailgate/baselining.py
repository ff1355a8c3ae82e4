"""Save runs and judge runs beside saved ones, as ``--perf-save``, ``--perf-compare`` and ``--perf-list`` ask."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tailgate.errors import TailgateError
from tailgate.model import Judged, Scenario, Severity, Verdict
from tailgate.options import OPTIONS

if TYPE_CHECKING:
    from tailgate.baseline import Baseline, LoadIdentity
    from tailgate.baseline_compare import BaselineComparison
    from tailgate.engine import LoadPlan
    from tailgate.fingerprint import Commit
    from tailgate.run import RunResult

_COMMIT = pytest.StashKey["Commit | None"]()
_VERDICT_BY_SEVERITY = {Severity.WARN: Verdict.WARN, Severity.FAIL: Verdict.FAIL}


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Show what is saved, if that was asked for, and stop."""
    if not config.getoption("perf_list"):
        return None
    from tailgate.baseline_store import BaselineStore  # noqa: PLC0415 - only if asked for
    from tailgate.baseline_text import render_baseline_list  # noqa: PLC0415

    try:
        lines = render_baseline_list(BaselineStore(config.rootpath).list())
    except TailgateError as error:
        raise pytest.UsageError(f"--perf-list: {error}") from error
    # A scenario may be called anything, and the terminal may be able to show little of that.
    encoding = sys.stdout.encoding or "ascii"
    for line in lines:
        print(line.encode(encoding, "replace").decode(encoding))  # noqa: T201 - there is no terminal reporter yet
    return pytest.ExitCode.OK


def identify_load(plan: LoadPlan, shape: object, stack: str) -> LoadIdentity:
    """Return what makes two loads the same; of a URL only that it is one, since ports change."""
    from tailgate.baseline import LoadIdentity  # noqa: PLC0415 - NumPy only for a load
    from tailgate.hashes import hash_shape, hash_users  # noqa: PLC0415

    configuration: dict[str, Any] = {
        "tags": sorted(plan.tags),
        "request_timeout_s": plan.request_timeout_s,
        "stop_timeout_s": plan.stop_timeout_s,
        "stack": stack if stack in {"embedded", "docker"} else "url",
    }
    return LoadIdentity(
        shape=hash_shape(shape, plan.stages), users=hash_users(plan.user_classes), configuration=configuration
    )


def read_saved(config: pytest.Config, scenario: str) -> tuple[Baseline, ...]:
    """Return the runs that a run of ``scenario`` is going to be compared with; nothing if that was not asked for.

    This is done before the load, so that a file that cannot be read, be it to compare or to save, costs none.

    Raises:
        BaselineFileError: The file is broken, was written by a newer tailgate, or cannot be read.
    """
    options = config.stash[OPTIONS]
    names = {name for name in (options.compare, options.save) if name is not None}
    if not names:
        return ()
    from tailgate.baseline_store import BaselineStore  # noqa: PLC0415 - only if asked for

    store = BaselineStore(config.rootpath)
    runs = {name: store.load(name, scenario) for name in sorted(names)}
    return runs[options.compare] if options.compare is not None else ()


def compare_with_saved(
    config: pytest.Config,
    run: RunResult,
    judged: Judged,
    scenario: Scenario,
    *,
    load: LoadIdentity,
    saved: Sequence[Baseline],
) -> tuple[Judged, BaselineComparison | None]:
    """Judge a run beside the saved ones, if that was asked for and its own verdict lets it pass.

    Returns:
        The run, with the comparison's sentences and what it does to the verdict, and the comparison.
    """
    options = config.stash[OPTIONS]
    if options.compare is None or judged.verdict not in {Verdict.PASS, Verdict.WARN}:
        return judged, None
    from tailgate.baseline import make_baseline  # noqa: PLC0415 - only if asked for
    from tailgate.baseline_compare import compare_with_baseline  # noqa: PLC0415
    from tailgate.baseline_rules import BaselineRules  # noqa: PLC0415
    from tailgate.baseline_text import render_comparison  # noqa: PLC0415

    rules = scenario.baseline or BaselineRules()
    rules = rules.strict() if options.is_strict else rules
    candidate = make_baseline(run, judged, scenario, load=load)
    comparison = compare_with_baseline(candidate, saved, rules, name=options.compare)
    verdict = _VERDICT_BY_SEVERITY.get(comparison.severity or Severity.INFO, judged.verdict)
    return replace(judged, verdict=verdict, comparison=tuple(render_comparison(comparison))), comparison


def record_to_save(
    config: pytest.Config,
    run: RunResult,
    judged: Judged,
    scenario: Scenario,
    *,
    load: LoadIdentity,
    comparison: BaselineComparison | None,
) -> tuple[dict[str, Any] | None, str]:
    """Return the run as JSON values to be saved by the controller, or why it must not be; both empty if not asked."""
    if config.stash[OPTIONS].save is None:
        return None, ""
    from tailgate.baseline import make_baseline, refusal  # noqa: PLC0415 - only if asked for
    from tailgate.baseline_file import baseline_record  # noqa: PLC0415

    findings = comparison.findings if comparison is not None else ()
    if reason := refusal(judged, worse=findings[0].text if findings else ""):
        return None, reason
    return baseline_record(make_baseline(run, judged, scenario, load=load, commit=_commit(config))), ""


def why_not_saved(config: pytest.Config, judged: Judged) -> str:
    """Return why a test that never loaded anything saves nothing; empty if that was not asked for."""
    if config.stash[OPTIONS].save is None:
        return ""
    from tailgate.baseline import refusal  # noqa: PLC0415 - only if asked for

    return refusal(judged)


def save_records(config: pytest.Config, records: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Save runs under the name that was asked for; return one line for each, and what went wrong."""
    name = config.stash[OPTIONS].save
    if name is None:
        return [], []
    from tailgate.baseline_file import parse_record  # noqa: PLC0415 - only if asked for
    from tailgate.baseline_store import BaselineStore  # noqa: PLC0415

    store = BaselineStore(config.rootpath)
    lines, errors = [], []
    for record in records:
        run = parse_record(record)
        try:
            path = store.save(name, run)
        except TailgateError as error:
            errors.append(str(error))
        else:
            lines.append(f"{run.scenario}: saved as baseline {name!r} in {path.relative_to(config.rootpath)}")
    return lines, errors


def _commit(config: pytest.Config) -> Commit | None:
    if _COMMIT not in config.stash:
        from tailgate.fingerprint import take_commit  # noqa: PLC0415 - psutil only for a load

        config.stash[_COMMIT] = take_commit(config.rootpath)
    return config.stash[_COMMIT]
