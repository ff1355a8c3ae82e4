"""The command ``tailgate``: what is done beside test sessions."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tailgate.errors import TailgateError
from tailgate.parsing import read_address, read_number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 well, 1 a finding, 2 wrong usage, 3 it could not be done."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except TailgateError as error:
        print(f"tailgate {options.command}: {error}", file=sys.stderr)  # noqa: T201 - a command line
        return 3
    except KeyboardInterrupt:
        return 130
    return code


def _calibrate(options: argparse.Namespace) -> int:
    from tailgate.calibrating import calibrate  # noqa: PLC0415 - NumPy only when it is needed

    return calibrate(duets=options.duets, inject=options.inject, pytest_args=options.pytest_args)


def _recover(options: argparse.Namespace) -> int:
    from tailgate.recovering import recover  # noqa: PLC0415 - as above

    return recover(json=options.json, summary=options.summary, reads_running=options.running, removes=options.remove)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tailgate", description="What is done beside test sessions.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_calibrate(commands)
    _add_recover(commands)
    _add_worker(commands)
    return parser


def _add_calibrate(commands: Any) -> None:
    command = commands.add_parser(
        "calibrate",
        help="play duets of this build against itself: how noisy is this machine, how often is the gate wrong?",
        description="Play duets of this build against itself, one after the other. Learn from them how much two pairs "
        "of processes of one build differ on this class of machine, which later duets take into account, and show how "
        "often the gate was wrong. With --inject also how often it finds a candidate that is slower.",
    )
    command.add_argument(
        "--duets", type=_count, default=20, metavar="N", help="how many; 8 are the least to learn from (default: 20)"
    )
    command.add_argument(
        "--inject",
        type=_ratio,
        metavar="RATIO",
        help="as many duets again, judged as if the candidate were slower by it",
    )
    command.add_argument(
        "pytest_args", nargs="*", metavar="PYTEST_ARG", help="for pytest, after --: paths, -k, options"
    )
    command.set_defaults(run=_calibrate)


def _add_recover(commands: Any) -> None:
    command = commands.add_parser(
        "recover",
        help="report the load runs of sessions that were killed before they wrote their reports",
        description="Show the load runs of sessions of this directory that ended before their reports were written, "
        "as by kill -9: those that were judged, and, invalid, those that went on, as far as they got.",
    )
    command.add_argument("--json", type=Path, metavar="PATH", help="write them to PATH, as --perf-json does")
    command.add_argument("--summary", type=Path, metavar="PATH", help="write them as Markdown to PATH")
    command.add_argument("--running", action="store_true", help="read sessions that still run as well")
    command.add_argument("--remove", action="store_true", help="delete what was read, once the reports are written")
    command.set_defaults(run=_recover)


def _add_worker(commands: Any) -> None:
    command = commands.add_parser(
        "worker",
        help="be one of the processes in which the users of a load test live",
        description="Wait for load tests that pytest runs with --perf-workers-expect, and be one of the processes in "
        "which their users live, one test after the other. It needs the same checkout as pytest, at --path.",
    )
    command.add_argument(
        "--master", type=_address, required=True, metavar="HOST:PORT", help="where pytest listens: its --perf-bind"
    )
    command.add_argument(
        "--path",
        action="append",
        metavar="DIR",
        help="where the modules of the users are imported from; may be given again (default: the current directory)",
    )
    command.add_argument("--name", default="", help="what reports call it (default: the machine's name and a number)")
    command.add_argument("--once", action="store_true", help="end after one load test")
    command.set_defaults(run=_work)


def _work(options: argparse.Namespace) -> int:
    from gevent import monkey  # noqa: PLC0415 - in this process only, and before anything else is imported

    monkey.patch_all()  # type: ignore[no-untyped-call] # gevent has no types there
    from tailgate.engine.fleet.worker import work  # noqa: PLC0415 - as above

    sys.path[:0] = [str(Path(path).resolve()) for path in options.path or ["."]]
    host, port = options.master
    return work(host, port, name=options.name, is_once=options.once)


def _address(text: str) -> tuple[str, int]:
    address = read_address(text)
    if address is None:
        raise argparse.ArgumentTypeError(f"{text!r}, wanted HOST:PORT, such as 127.0.0.1:5557")
    return address


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r}, wanted a whole number above 0")
    return int(text)


def _ratio(text: str) -> float:
    ratio = read_number(text)
    if not 0 < ratio < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}, wanted a ratio above 0, such as 0.2 for 20 % slower")
    return ratio
