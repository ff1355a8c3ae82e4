"""Run the benchmarks and print their tables: ``python -m benchmarks [NAME …] [--rounds N] [--json PATH]``."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks import accuracy, arrivals, generator, memory, overhead, recording, startup, telemetry, tiers, truth
from benchmarks.processes import BenchmarkError, say
from benchmarks.values import Contest, Table, render
from tailgate import TailgateError

Shown = list[Table] | list[Table | Contest]
BENCHMARKS: Mapping[str, Callable[[int], Shown]] = {
    "overhead": overhead.measure,
    "recording": recording.measure,
    "accuracy": accuracy.measure,
    "arrivals": arrivals.measure,
    "memory": memory.measure,
    "startup": startup.measure,
    "telemetry": telemetry.measure,
    "tiers": tiers.measure,
    "generator": generator.measure,
    "truth": truth.measure,
}
LONG = ("generator", "truth")
"""Run when they are asked for by name only."""
ROUNDS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 if something could not be run. Missed goals are shown, not punished."""
    asked = _parse(arguments)
    command = " ".join(["python -m benchmarks", *(sys.argv[1:] if arguments is None else arguments)])
    print(f"{command}\n{_machine()}\n")
    tables: dict[str, Shown] = {}
    failed = []
    for name in asked.names or [name for name in BENCHMARKS if name not in LONG]:
        began_s = time.monotonic()
        say(f"{name} …")
        try:
            tables[name] = BENCHMARKS[name](asked.rounds)
        except (BenchmarkError, TailgateError, OSError, subprocess.SubprocessError) as error:
            failed.append(name)
            say(f"{name} could not be run: {error}")
            continue
        print(f"## {name} ({time.monotonic() - began_s:.0f} s)\n")
        print("\n\n".join(map(render, tables[name])), end="\n\n", flush=True)
    if asked.json:
        asked.json.write_text(_document(command, tables, failed), encoding="utf-8")
    return 1 if failed else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)} (default: all but {' and '.join(LONG)})"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"alternations (default: {ROUNDS})")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every value of every round to PATH")
    asked = parser.parse_args(arguments)
    if asked.rounds < 1:
        parser.error(f"--rounds: {asked.rounds}, wanted 1 or more")
    if unknown := [name for name in asked.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    if asked.json and not asked.json.absolute().parent.is_dir():
        parser.error(f"--json: {asked.json.parent} is not a directory")
    return asked


def _machine() -> str:
    load = psutil.getloadavg()[0]
    return (
        f"{platform.system()} {platform.machine()}, {psutil.cpu_count()} processors, load {load:.1f} before the start; "
        f"Python {platform.python_version()}, Locust {version('locust')}, pytest {version('pytest')}"
    )


def _document(command: str, tables: Mapping[str, Shown], failed: Sequence[str]) -> str:
    benchmarks = {name: [table.as_json() for table in some] for name, some in tables.items()}
    document = {"command": command, "machine": _machine(), "failed": list(failed), "benchmarks": benchmarks}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
