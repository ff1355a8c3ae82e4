"""README.md and docs: their examples run, and what they name exists."""

from __future__ import annotations

import re
import tomllib
from dataclasses import asdict, fields
from pathlib import Path

import pytest

import tailgate
from tailgate.baseline_rules import BaselineRules, FindingKind
from tailgate.model import GeneratorLimits
from tailgate.threshold_schema import is_metric, threshold_schema
from tailgate.thresholds import parse_thresholds
from tests.plugin.suites import DEFAULTS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCS = {page.name: page.read_text() for page in (ROOT / "docs").glob("*.md")}
OPTION = re.compile(r"(?<![\w-])--perf-[a-z-]*[a-z]")
OPTIONS_OF_A_LIMIT = {"min", "max", "severity", "min_samples", "allow_no_data"}


def blocks(page, language):
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)


def first_column(page, heading):
    """Return what stands in backquotes in the first column of the table below a heading."""
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def rows(page, heading):
    """Return the cells of the table below a heading whose first column is in backquotes."""
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip(" `") for cell in line.strip("| ").split(" | ")] for line in lines]


def test_the_readmes_example_passes_as_it_stands_there(suite):
    (test,) = blocks(README, "python")
    (limits,) = blocks(README, "yaml")
    assert "http://127.0.0.1:8080" in test
    suite.put("test_spike.py", test.replace("http://127.0.0.1:8080", suite.host))
    suite.put("thresholds.yaml", limits.replace("scenarios:\n", DEFAULTS.lstrip()))
    session = suite.run("-m", "perf", "-W", "error", "--perf-time-scale=0.7", "--perf-json=report.json")
    assert session.status == 0, session.output
    assert session.verdicts() == {"test_spike": ["pass"]}
    (run,) = session.runs
    assert {check["subject"] for check in run["checks"]} == {"total", "GET Get_Articles", "articles_read"}


def test_every_option_is_documented_and_every_documented_option_exists(run_here):
    real = set(OPTION.findall(run_here("--help").stdout.str()))
    assert set(OPTION.findall(README)) == real
    assert set(OPTION.findall("".join(DOCS.values()))) <= real


def test_the_example_of_a_thresholds_file_is_valid_and_shows_every_block():
    example, _ = [block for block in blocks(DOCS["thresholds.md"], "yaml") if "scenarios:" in block]
    scenario = parse_thresholds(example, "docs/thresholds.md").scenarios["spike"]
    assert {limit.kind for limit in scenario.thresholds} == {"total", "request", "counter"}
    assert any(limit.stage for limit in scenario.thresholds)
    keys = set(threshold_schema()["$defs"]["scenario"]["properties"])
    assert keys <= set(re.findall(r"^ *(\w+):", example, flags=re.MULTILINE))


def test_every_metric_is_documented_and_every_documented_metric_exists():
    documented = set(first_column(DOCS["thresholds.md"], "Metrics"))
    named = {name for name in threshold_schema()["$defs"]["block"]["properties"] if is_metric(name)}
    assert {re.sub(r"^p[0-9.]+_ms$", "pNN_ms", name) for name in named} == documented
    assert all(is_metric(name.replace("NN", "95")) for name in documented)


def test_every_option_of_a_limit_is_documented():
    documented = first_column(DOCS["thresholds.md"], "Options of a limit")
    assert {name.partition(":")[0] for name in documented} == OPTIONS_OF_A_LIMIT
    assert set(threshold_schema()["$defs"]["limit"]["properties"]) == OPTIONS_OF_A_LIMIT


def test_the_limits_of_the_generator_are_documented_with_their_defaults():
    documented = {name: float(default) for name, _, default in rows(DOCS["thresholds.md"], "Limits of the generator")}
    assert documented == asdict(GeneratorLimits())


def test_the_rules_of_a_comparison_are_documented():
    documented = [name for name, *_ in rows(DOCS["thresholds.md"], "Rules of a comparison")]
    assert "`, `".join(documented).split("`, `") == [field.name for field in fields(BaselineRules)]


def test_the_rules_of_a_duet_are_documented():
    documented = [name for name, *_ in rows(DOCS["thresholds.md"], "Rules of a duet")]
    rule, duet = (threshold_schema()["$defs"]["rule"], threshold_schema()["$defs"]["scenario"]["properties"]["duet"])
    assert documented == [*rule["properties"], *duet["properties"]]


def test_the_example_of_rules_of_a_duet_is_valid():
    *_, example = [block for block in blocks(DOCS["thresholds.md"], "yaml") if "scenarios:" in block]
    scenario = parse_thresholds(example, "docs/thresholds.md").scenarios["steady"]
    assert {rule.metric for rule in scenario.regressions} >= {"p95_ms", "cpu_ms", "failure_ratio", "count"}


def test_every_kind_of_finding_is_documented_with_its_severities():
    documented = {kind: severities for kind, _, *severities in rows(DOCS["baselines.md"], "Outcomes") if severities}
    rules = BaselineRules()
    assert {kind: [text.partition(":")[0] for text in texts] for kind, texts in documented.items()} == {
        kind: [rules.severity(kind), rules.strict().severity(kind)] for kind in FindingKind
    }


def test_the_example_of_rules_of_a_baseline_is_valid():
    (example,) = blocks(DOCS["baselines.md"], "yaml")
    assert parse_thresholds(example, "docs/baselines.md").scenarios["spike"].baseline is not None


@pytest.mark.parametrize("row", re.findall(r"^\| `(\w+\(.*?)` \| (`.*?) \|", DOCS["runs.md"], flags=re.MULTILINE))
def test_the_table_of_shapes_gives_the_right_arguments_and_stages(row):
    call, stages = row
    name, *arguments = re.findall(r"\w+", call)
    shape = getattr(tailgate, name)()
    assert all(hasattr(shape, argument) for argument in arguments)
    wanted = [stage.name for stage in shape.stages]
    documented = re.findall(r"`(\w+)`", stages)
    assert documented == wanted[: len(documented)]
    assert len(documented) == len(wanted) or "…" in stages


def test_the_table_of_shapes_was_found():
    assert len(re.findall(r"^\| `(?:Peak|Stress|Soak|Spike)\(", DOCS["runs.md"], flags=re.MULTILINE)) == 4


def test_every_extra_that_is_named_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(r"pytest-tailgate\[([\w,]+)\]", README + "".join(DOCS.values()))
    assert named
    assert {extra for names in named for extra in names.split(",")} <= set(extras)


def test_every_link_within_the_repository_leads_somewhere():
    pages = {ROOT / "README.md": README} | {ROOT / "docs" / name: text for name, text in DOCS.items()}
    broken = [
        (page.name, link)
        for page, text in pages.items()
        for link in re.findall(r"\]\(([^)#:]+)\)", text)
        if not (page.parent / link).exists()
    ]
    assert broken == []
