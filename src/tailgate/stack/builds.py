"""The builds that a duet compares: the working tree, and a git ref in a worktree and an environment of its own."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailgate.errors import BadInput, StackNotReady, TailgateError
from tailgate.fingerprint import take_commit
from tailgate.stack.docker import check_engine, require_image, run_docker
from tailgate.stack.probes import http_answers
from tailgate.stack.process import POLL_S, Process
from tailgate.stack.sandbox import Sandbox

BASELINE, CANDIDATE = "baseline", "candidate"
SHORT_SHA = 7
LOG_LINES = 20
"""How much of the output of git or pip an error shows."""

# Inside of a git hook variables name the repository, and the index, of the hook, whatever -C says.
_HOOK_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
_WITHOUT_HOOK = ("env", *(f"-u{name}" for name in _HOOK_VARIABLES))
_GIT = (*_WITHOUT_HOOK, "git")

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
    """Id of a container image that is here."""
    url: str | None = None
    """Where somebody else runs it, without a slash at the end."""
    python_path: str | None = None
    """``PYTHONPATH`` of its processes; None where that of this process will do."""
    notes: tuple[str, ...] = ()
    """What differs from the other build beside the sources, a sentence each: it is compared as well."""

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


@contextlib.contextmanager
def open_builds(
    reference: str, *, root: Path, stack: str, requirements: Sequence[str]
) -> Iterator[tuple[Build, Build]]:
    """Make baseline and candidate ready to be started, and take away what was made for them.

    Args:
        reference: ``.`` (the working tree, twice), ``BASELINE_URL,CANDIDATE_URL``, an image if ``stack`` is ``docker``,
            else a git ref.
        root: Directory of the project.
        stack: What ``--perf-stack`` says.
        requirements: What `check_out` installs.

    Raises:
        BadInput: ``reference`` names nothing that could be compared.
        TailgateError: The baseline cannot be checked out or installed.
    """
    check_reference(reference, root=root, stack=stack)
    if "://" in reference:
        yield _running_builds(reference)
        return
    candidate = working_tree(root)
    if reference == ".":
        yield working_tree(root, name=BASELINE), candidate
    elif stack == "docker":
        yield _image_build(reference), candidate
    else:
        revision = resolve(reference, root=root)
        with Sandbox() as sandbox:
            yield check_out(revision, sandbox, requirements=requirements), candidate


def check_reference(reference: str, *, root: Path, stack: str) -> None:
    """Refuse what names nothing that could be compared, before anything is made for it.

    Raises:
        BadInput: As `open_builds` does.
    """
    if "://" in reference:
        _running_builds(reference)
    elif "://" in stack:
        advice = "name two running ones by --perf-duet=BASELINE_URL,CANDIDATE_URL"
        raise BadInput([f"a duet needs two stacks, but --perf-stack={stack} is one; {advice}"])
    elif reference != "." and stack != "docker":
        resolve(reference, root=root)


def working_tree(root: Path, *, name: str = CANDIDATE) -> Build:
    """Return what is in ``root`` now, in the environment that runs pytest; nothing is copied or installed."""
    commit = take_commit(root)
    state = [commit.sha[:SHORT_SHA], "with uncommitted changes"][: 1 + commit.is_dirty] if commit else []
    label = "working tree" + (f" ({', '.join(state)})" if state else "")
    return Build(name=name, label=label, directory=root, python=Path(sys.executable))


def resolve(ref: str, *, root: Path) -> Revision:
    """Find the commit that ``ref`` names in the repository around ``root``.

    Raises:
        BadInput: There is no git, no repository, no such commit, or it has no such directory.
    """
    if shutil.which("git") is None:
        raise BadInput([f"git ref {ref!r}: there is no git on the PATH; install it, or compare two URLs"])
    inside = _git(root, "rev-parse", "--show-prefix")
    if inside.returncode:
        raise BadInput([f"git ref {ref!r}: git cannot use {root}: {' '.join(inside.stderr.split())}"])
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.returncode:
        raise BadInput([_unknown_ref(ref, root)])
    sha, prefix = found.stdout.strip(), inside.stdout.rstrip("\n")
    if prefix and _git(root, "rev-parse", "--verify", "--quiet", f"{sha}:{prefix}").returncode:
        raise BadInput([f"git ref {ref!r}: it has no directory {prefix}, where this project is now"])
    return Revision(ref=ref, sha=sha, root=root, prefix=prefix)


def check_out(revision: Revision, sandbox: Sandbox, *, requirements: Sequence[str]) -> Build:
    """Make a worktree of a commit and an environment for it, which vanish with the sandbox.

    Submodules stay empty, and a note says so. Files of Git LFS are what they are in any checkout of the machine: it
    fetches what the repository does not have yet.

    Args:
        revision: What to check out.
        sandbox: Where to; entered.
        requirements: Arguments of ``pip install``, run in the directory of the project in the worktree: ``["."]``,
            ``["--group", "service"]``. Without any the environment has the standard library alone.

    Raises:
        TailgateError: git or pip failed; the message has the end of what it said.
    """
    tree = _add_worktree(revision, sandbox)
    directory = tree / revision.prefix
    python = _make_environment(revision, sandbox, directory, requirements)
    return Build(
        name=BASELINE,
        label=revision.label,
        directory=directory,
        python=python,
        python_path=_moved_python_path(revision, tree),
        notes=(*_note_submodules(tree), *_note_packages(python)),
    )


@contextlib.contextmanager
def own_imports(build: Build) -> Iterator[None]:
    """Have what is made here import its own build, where ``PYTHONPATH`` leads into the working tree."""
    before = os.environ.get("PYTHONPATH")
    if build.python_path is None or before is None:
        yield
        return
    os.environ["PYTHONPATH"] = build.python_path
    try:
        yield
    finally:
        os.environ["PYTHONPATH"] = before


@contextlib.contextmanager
def named_failures(build: Build) -> Iterator[None]:
    """Have what is started here, and is not ready in time, say of which build it is.

    Raises:
        StackNotReady: What was raised, with the build.
    """
    try:
        yield
    except StackNotReady as err:
        raise StackNotReady(
            build=str(build),
            service=err.service,
            url=err.url,
            waited_s=err.waited_s,
            last_error=err.last_error,
            log_tail=err.log_tail,
        ) from None


def _running_builds(reference: str) -> tuple[Build, Build]:
    """Return the builds that somebody else runs at two URLs.

    Raises:
        BadInput: It is not two URLs.
    """
    urls = [url.strip().rstrip("/") for url in reference.split(",")]
    if len(urls) != 2:  # noqa: PLR2004 - baseline and candidate
        raise BadInput([f"{reference!r} has {len(urls)} URL(s), wanted two: BASELINE_URL,CANDIDATE_URL"])
    for url in urls:
        http_answers(url)
    base, candidate = (
        Build(name=name, label=url, url=url) for name, url in zip((BASELINE, CANDIDATE), urls, strict=True)
    )
    return base, candidate


def _image_build(image: str) -> Build:
    """Return a baseline by what an image is now: to build the candidate's may give its name to another one.

    Raises:
        BadInput: There is no Docker, or the image cannot be had.
    """
    check_engine()
    require_image(image)
    identity = run_docker("image", "inspect", "--format", "{{.Id}}", image).strip()
    return Build(name=BASELINE, label=f"{image} ({identity.removeprefix('sha256:')[:12]})", image=identity)


def _unknown_ref(ref: str, root: Path) -> str:
    """Say why ``ref`` may not be there, and which names are like it."""
    if _git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == "true":
        advice = "fetch the rest: git fetch --unshallow (in CI: a checkout with fetch-depth: 0 or GIT_DEPTH: 0)"
        return f"git ref {ref!r}: no such commit in this shallow clone; {advice}"
    known = _git(root, "for-each-ref", "--format=%(refname:short)").stdout.split()
    near = difflib.get_close_matches(ref, known, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "git branch --all and git tag say what there is"
    return f"git ref {ref!r}: no such commit in {root}; {hint}"


def _add_worktree(revision: Revision, sandbox: Sandbox) -> Path:
    """Check a commit out into a directory that vanishes with the sandbox, without a trace in the repository.

    A worktree has the tags, the Git LFS files and the depth of the repository; an export or a clone may lack them. Its
    other half is a directory in the repository: git takes that away in the end, or the sandbox's guard does where this
    process was killed. So nobody has to prune, which would also hit the worktrees of other people.
    """
    tree = sandbox.directory / f"{sandbox.directory.name}-baseline"  # git calls its half so too: nobody else's name
    common = revision.root / _git(revision.root, "rev-parse", "--git-common-dir").stdout.rstrip("\n")
    sandbox.claim(common.resolve() / "worktrees" / tree.name)
    # Hooks could do anything, such as installing the project's dependencies.
    add = ["-c", f"core.hooksPath={tree / 'no-hooks'}", "worktree", "add", "--detach", str(tree), revision.sha]
    _run(sandbox, "git", ["git", "-C", str(revision.root), *add], why=f"{revision.label} cannot be checked out")

    def remove() -> None:
        _git(revision.root, "worktree", "remove", "--force", str(tree))

    sandbox.at_exit(remove)
    return tree


def _moved_python_path(revision: Revision, tree: Path) -> str | None:
    """Return ``PYTHONPATH`` with what lies in the working tree replaced by the same of its worktree.

    It counts before an environment's packages: the baseline would import the candidate.
    """
    top = Path(_git(revision.root, "rev-parse", "--show-toplevel").stdout.rstrip("\n"))
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    moved = [
        str(tree / Path(entry).resolve().relative_to(top))
        if Path(entry).is_absolute() and Path(entry).resolve().is_relative_to(top)
        else entry
        for entry in entries
    ]
    return None if moved == entries else os.pathsep.join(moved)


def _make_environment(revision: Revision, sandbox: Sandbox, directory: Path, requirements: Sequence[str]) -> Path:
    """Return the interpreter of a new environment with the requirements installed.

    The pip that comes with an interpreter may be too old to know ``--group``, so it is brought up to date first.
    """
    home = sandbox.directory / "baseline-python"
    python = home / "bin" / "python"
    pip = "--upgrade-deps" if requirements else "--without-pip"
    why = f"no environment could be made for {revision.label}"
    # Isolated (-I), since neither PYTHONPATH nor a module of the checkout may get in their way.
    _run(sandbox, "venv", [sys.executable, "-I", "-m", "venv", pip, str(home)], why=why)
    if requirements:
        install = ["-m", "pip", "install", "--quiet", "--no-input", "--prefer-binary", *requirements]
        why = f"pip install {' '.join(requirements)} (fixture perf_duet_requirements) failed for {revision.label}"
        _run(sandbox, "pip", [str(python), "-I", *install], why=why, cwd=directory)
    return python


def _run(sandbox: Sandbox, name: str, argv: Sequence[str], *, why: str, cwd: Path | None = None) -> None:
    """Run a program to its end; it ends with this process, however that ends.

    Raises:
        TailgateError: It failed.
    """
    # What venv and pip make while they work vanishes with the sandbox too, should they be killed.
    env = {"GIT_TERMINAL_PROMPT": "0", "TMPDIR": str(sandbox.folder(f"{name}-temporary"))}
    with Process(sandbox, name, [*_WITHOUT_HOOK, *argv], cwd=cwd, env=env) as process:
        while process.is_running:
            time.sleep(POLL_S)
        if process.exit_code:
            lines = process.log_tail(LOG_LINES).splitlines()
            raise TailgateError("\n".join([f"{why}:", *(f"  {name} | {line}" for line in lines)]))


def _git(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask git something about the repository around ``directory``; the caller looks at the exit code."""
    command = [*_GIT, "-C", str(directory), *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False)


def _note_submodules(tree: Path) -> list[str]:
    lines = _git(tree, "submodule", "status").stdout.splitlines()
    empty = [line.split()[1] for line in lines if line.startswith("-")]
    return [f"submodules are empty in the baseline: {', '.join(empty)}"] if empty else []


def _note_packages(python: Path) -> list[str]:
    """Say which packages have another version than here; this environment also has what only the tests need."""
    base, candidate = (_installed(one) for one in (python, Path(sys.executable)))
    differing = [
        f"{name} {version} -> {candidate.get(name, 'none')}"
        for name, version in sorted(base.items())
        if name not in _TOOLS and candidate.get(name) != version
    ]
    if not differing:
        return []
    return [f"packages differ too, from baseline to candidate: {', '.join(differing)}"]


def _installed(python: Path) -> dict[str, str]:
    """Return the versions of the packages that an interpreter finds, by normalised name, local projects left out."""
    done = subprocess.run([python, "-I", "-c", _LIST_PACKAGES], capture_output=True, check=True)
    versions: dict[str, str] = json.loads(done.stdout)
    return versions
