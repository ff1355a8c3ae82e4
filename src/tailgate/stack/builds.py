"""The builds that a duet compares: the working tree, and a git ref in a worktree and an environment of its own."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailgate.errors import BadInput, TailgateError
from tailgate.fingerprint import take_commit
from tailgate.stack.process import POLL_S, Process
from tailgate.stack.sandbox import Sandbox

BASELINE, CANDIDATE = "baseline", "candidate"
SHORT_SHA = 7
LOG_LINES = 20
"""How much of the output of git or pip ends in an error."""

_REPOSITORY_VARIABLES = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH"),
)
"""Inside of a git hook these name the repository, and the index, of the hook, whatever ``-C`` says."""

_LIST_PACKAGES = """
import importlib.metadata, json
versions = {}
for found in importlib.metadata.distributions():
    is_local = '"dir_info"' in (found.read_text("direct_url.json") or "")
    if found.name and not is_local:
        versions.setdefault(found.name.lower().replace("_", "-").replace(".", "-"), found.version)
print(json.dumps(versions))
"""
_TOOLS = frozenset({"pip", "setuptools", "wheel"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What one arm of a duet runs."""

    name: str
    """``baseline`` or ``candidate``."""
    label: str
    """``HEAD~1 (1a2b3c4)``, ``working tree (5d6e7f8, with uncommitted changes)``, an image, or a URL."""
    directory: Path | None = None
    """Where its sources are; None for an image or a URL."""
    python: Path | None = None
    """Interpreter of its environment; None for an image or a URL."""
    image: str | None = None
    """Tag of a container image that is there already."""
    url: str | None = None
    """Where somebody else runs it, without a slash at the end."""

    def __str__(self) -> str:
        return f"{self.name} {self.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit that a person named."""

    ref: str
    """As it was written: ``HEAD~1``, ``origin/main``."""
    sha: str
    """Full name of the commit."""
    root: Path
    """Directory of the project, in the repository that has the commit."""
    prefix: str
    """That directory, relative to the top of the repository; empty where it is the top."""

    @property
    def label(self) -> str:
        """Ref and commit as people read them."""
        return f"{self.ref} ({self.sha[:SHORT_SHA]})"


def working_tree(root: Path, *, name: str = CANDIDATE) -> Build:
    """Return what is in ``root`` now, in the environment that runs pytest; nothing is copied or installed."""
    commit = take_commit(root)
    state = [commit.sha[:SHORT_SHA], "with uncommitted changes"][: 1 + commit.is_dirty] if commit else []
    label = "working tree" + (f" ({', '.join(state)})" if state else "")
    return Build(name=name, label=label, directory=root, python=Path(sys.executable))


def resolve(ref: str, *, root: Path) -> Revision:
    """Find the commit that ``ref`` names in the repository around ``root``.

    Raises:
        BadInput: There is no git, no repository or no such commit.
    """
    raise NotImplementedError


def check_out(revision: Revision, sandbox: Sandbox, *, requirements: Sequence[str]) -> Build:
    """Make a worktree of a commit and an environment for it, which vanish with the sandbox.

    Args:
        revision: What to check out.
        sandbox: Where to; entered.
        requirements: Arguments of ``pip install``, run in the directory of the project in the worktree: ``["."]``,
            ``["--group", "service"]``. Without any the environment has the standard library alone.

    Raises:
        TailgateError: git or pip failed; the message has the end of what it said.
    """
    raise NotImplementedError


def note_differences(base: Build, candidate: Build) -> tuple[str, ...]:
    """Return a sentence for everything but the sources that differs between two builds: it is compared as well."""
    raise NotImplementedError


@contextlib.contextmanager
def open_builds(reference: str, *, root: Path, stack: str, requirements: Sequence[str]) -> Iterator[tuple[Build, Build]]:
    """Make baseline and candidate ready to be started, and take away what was made for them.

    Args:
        reference: ``.`` (the working tree, twice), ``BASELINE_URL,CANDIDATE_URL``, an image if ``stack`` is ``docker``,
            else a git ref.
        root: Directory of the project.
        stack: ``embedded`` or ``docker``.
        requirements: What `check_out` installs.

    Raises:
        BadInput: ``reference`` names nothing that could be compared.
        TailgateError: The baseline cannot be checked out or installed.
    """
    raise NotImplementedError
    yield
