"""Builds of real git repositories: what is checked out and installed, what is refused, and that nothing is left."""

import os
import secrets
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from textwrap import dedent
from urllib.request import urlopen

import pytest

from tailgate.errors import BadInput, StackNotReady, TailgateError
from tailgate.stack import Process, Sandbox, http_answers
from tailgate.stack.builds import Build, named_failures, open_builds, own_imports, resolve, working_tree
from tests.children import mortal, next_line

SOURCE = Path(__file__).parents[2] / "src"
SERVICE = """
import http.server, pathlib, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (pathlib.Path(__file__).parent / "answer").read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
HOLD = """
import pathlib, sys, time
from tailgate.stack.builds import open_builds

with open_builds("HEAD", root=pathlib.Path(sys.argv[1]), stack="embedded", requirements=sys.argv[2:]) as (base, _):
    print(base.directory, flush=True)
    time.sleep(60)
"""


def git(directory, *arguments):
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", *identity, "-c", "protocol.file.allow=always", "-C", directory, *arguments]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


def commit(repository, **files):
    for name, text in files.items():
        (repository / name).write_text(text)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Change it")
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Two commits of a service on ``main``; sandboxes are made beside it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "sandboxes"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "sandboxes").mkdir()
    path = tmp_path / "project"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", path)
    commit(path, answer="old", service="")
    (path / "service.py").write_text(SERVICE)
    commit(path, answer="new")
    return path


def left_behind(repository):
    """Return what is there that was not there before any build."""
    worktrees = git(repository, "worktree", "list").splitlines()[1:]
    metadata = list((repository / ".git" / "worktrees").glob("*"))
    return [*worktrees, *metadata, *(repository.parent / "sandboxes").iterdir()]


def output_of(python, script):
    return subprocess.run([python, "-c", script], check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def open_ref(ref, repository, requirements=()):
    return open_builds(ref, root=repository, stack="embedded", requirements=requirements)


def test_a_ref_is_checked_out_beside_a_dirty_working_tree(repository):
    (repository / "answer").write_text("dirty")
    before = git(repository, "status", "--porcelain", "--branch")
    with open_ref("HEAD~1", repository) as (base, candidate):
        old, new = git(repository, "rev-parse", "HEAD~1"), git(repository, "rev-parse", "HEAD")
        assert (base.name, base.label) == ("baseline", f"HEAD~1 ({old[:7]})")
        assert (candidate.name, candidate.label) == (
            "candidate",
            f"working tree ({new[:7]}, with uncommitted changes)",
        )
        assert (base.directory / "answer").read_text() == "old"
        assert (candidate.directory, candidate.python) == (repository, Path(sys.executable))
        assert git(base.directory, "rev-parse", "HEAD") == old
        assert git(repository, "status", "--porcelain", "--branch") == before
    assert left_behind(repository) == []
    assert git(repository, "status", "--porcelain", "--branch") == before


def test_the_service_of_a_baseline_runs_in_its_own_environment(repository):
    with open_ref("HEAD", repository) as (base, _), Sandbox() as sandbox:
        (repository / "answer").write_text("newer")
        port = sandbox.port()
        command = [str(base.python), str(base.directory / "service.py"), str(port)]
        ready = http_answers(f"http://127.0.0.1:{port}/")
        Process(sandbox, "service", command, port=port, ready=ready).start().wait_ready()
        with urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert answer.read() == b"new"
        assert output_of(base.python, "import sys; print(sys.prefix)") == str(base.python.parents[1]) != sys.prefix


def test_a_baseline_imports_its_own_build_whatever_pythonpath_says(repository, tmp_path, monkeypatch):
    (repository / "src").mkdir()
    commit(repository, **{"src/shop.py": "build = 'old'"})
    (repository / "src" / "shop.py").write_text("build = 'new'")
    monkeypatch.setenv("PYTHONPATH", f"{repository / 'src'}:{tmp_path}")
    show = "import os, shop; print(shop.build, os.environ['PYTHONPATH'].split(':')[1])"
    with open_ref("HEAD", repository) as builds, Sandbox() as sandbox:
        processes = []
        for build in builds:
            with own_imports(build):
                processes.append(Process(sandbox, build.name, [str(build.python), "-c", show]))
        for process, told in zip(processes, ("old", "new"), strict=True):
            process.start()
            while process.is_running:
                time.sleep(0.02)
            assert process.log.read_text() == f"{told} {tmp_path}\n"
    assert os.environ["PYTHONPATH"] == f"{repository / 'src'}:{tmp_path}"


def test_a_project_in_a_folder_of_its_repository_is_found_there(repository):
    (repository / "shop").mkdir()
    commit(repository, **{"shop/answer": "folder"})
    with open_ref("HEAD", repository / "shop") as (base, _):
        assert (base.directory / "answer").read_text() == "folder"
    with pytest.raises(BadInput, match=r"^git ref 'HEAD~1': it has no directory shop/, where this project is now$"):
        resolve("HEAD~1", root=repository / "shop")


def test_hooks_are_not_run_and_a_hook_that_we_run_in_is_not_touched(repository, monkeypatch):
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {repository / 'hook-was-run'}\n")
    hook.chmod(0o755)
    index = (repository / ".git" / "index").read_bytes()
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository / ".git" / "index"))
    with open_ref("HEAD~1", repository) as (base, _):
        assert (base.directory / "answer").read_text() == "old"
    assert not (repository / "hook-was-run").exists()
    assert (repository / ".git" / "index").read_bytes() == index
    assert left_behind(repository) == []


def test_what_pip_clones_does_not_get_into_the_index_of_a_hook(repository, without_index, monkeypatch):
    index = (repository / ".git" / "index").read_bytes()
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository / ".git" / "index"))
    cloned = "does not appear to be a Python project"
    with pytest.raises(TailgateError, match=cloned), open_ref("HEAD", repository, [f"git+file://{repository}"]):
        pass
    assert (repository / ".git" / "index").read_bytes() == index
    assert left_behind(repository) == []


def wait_gone(repository):
    deadline = time.monotonic() + 15
    while left := left_behind(repository):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_session_dies_of(repository, number):
    command = [sys.executable, "-c", HOLD, repository]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    session = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with mortal(session):
        directory = next_line(session).decode().strip()
        assert directory
        assert Path(directory).is_dir()
        assert left_behind(repository)
        session.send_signal(number)
        session.wait(30)
    wait_gone(repository)


def test_nothing_is_left_of_a_checkout_that_was_cut_short(repository, tmp_path):
    git(repository, "config", "filter.slow.smudge", f"touch {tmp_path / 'begun'}; sleep 60")
    commit(repository, **{".gitattributes": "answer filter=slow"})
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    with mortal(subprocess.Popen([sys.executable, "-c", HOLD, repository], env=environment)) as session:
        while not (tmp_path / "begun").exists():
            assert session.poll() is None
            time.sleep(0.01)
    wait_gone(repository)


def test_nothing_is_left_of_an_installation_that_was_cut_short(repository, tmp_path, without_index):
    backend = f"""
        import pathlib, time
        pathlib.Path({str(tmp_path / "begun")!r}).touch()
        time.sleep(60)
    """
    project = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']"
    commit(repository, **{"pyproject.toml": project, "backend.py": dedent(backend)})
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    with mortal(subprocess.Popen([sys.executable, "-c", HOLD, repository, "."], env=environment)) as session:
        while not (tmp_path / "begun").exists():
            assert session.poll() is None
            time.sleep(0.01)
    wait_gone(repository)


def test_two_builds_of_one_repository_do_not_meet(repository):
    with open_ref("HEAD", repository) as (one, _), open_ref("HEAD~1", repository) as (other, _):
        assert ((one.directory / "answer").read_text(), (other.directory / "answer").read_text()) == ("new", "old")
    assert left_behind(repository) == []


def test_submodules_stay_empty_and_a_note_says_so(repository, tmp_path):
    git(tmp_path, "init", "--quiet", tmp_path / "library")
    commit(tmp_path / "library", code="")
    git(repository, "submodule", "--quiet", "add", tmp_path / "library", "library")
    commit(repository)
    with open_ref("HEAD", repository) as (base, _):
        assert base.notes == ("submodules are empty in the baseline: library",)
        assert list((base.directory / "library").iterdir()) == []


@pytest.fixture
def without_index(monkeypatch):
    """Keep pip to itself."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def test_an_environment_has_what_was_asked_for_and_a_note_says_what_differs(repository, without_index, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))  # it is of this environment
    wheel = repository / "psutil-0.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "answer = 42")
        archive.writestr("psutil-0.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: psutil\nVersion: 0.1\n")
        archive.writestr("psutil-0.1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("psutil-0.1.dist-info/RECORD", "")
    commit(repository)
    with open_ref("HEAD", repository, requirements=[f"./{wheel.name}"]) as (base, _):
        assert output_of(base.python, "import tiny; print(tiny.answer)") == "42"
        (note,) = base.notes
        assert note.startswith("packages differ too, from baseline to candidate: psutil 0.1 -> ")
    assert left_behind(repository) == []


def test_what_pip_says_is_in_the_one_message_of_a_failed_installation(repository, without_index):
    label = resolve("HEAD", root=repository).label
    with pytest.raises(TailgateError) as caught, open_ref("HEAD", repository, requirements=["no-such-package"]):
        pass
    first, *others = str(caught.value).splitlines()
    assert first == f"pip install no-such-package (fixture perf_duet_requirements) failed for {label}:"
    assert others[-1] == "  pip | ERROR: No matching distribution found for no-such-package"
    assert left_behind(repository) == []


def test_what_git_says_is_in_the_message_of_a_failed_checkout(repository):
    git(repository, "config", "filter.broken.clean", "cat")
    git(repository, "config", "filter.broken.smudge", "false")
    git(repository, "config", "filter.broken.required", "true")
    commit(repository, **{".gitattributes": "answer filter=broken"})
    with pytest.raises(TailgateError, match=r"^HEAD \(.{7}\) cannot be checked out:\n(.*\n)*  git \| .*smudge filter"):
        open_ref("HEAD", repository).__enter__()
    wait_gone(repository)


def test_an_unknown_ref_is_refused_with_names_that_are_like_it(repository):
    git(repository, "tag", "v1.0")
    with pytest.raises(BadInput) as caught:
        resolve("mian", root=repository)
    assert str(caught.value) == f"git ref 'mian': no such commit in {repository}; did you mean 'main'?"
    with pytest.raises(BadInput, match=r"git branch --all and git tag say what there is$"):
        resolve("HEAD~7", root=repository)
    with pytest.raises(BadInput, match=r"^git ref '--all': no such commit"):
        resolve("--all", root=repository)


def test_a_shallow_clone_that_lacks_the_ref_says_how_to_get_it(repository, tmp_path):
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", tmp_path / "shallow")
    with pytest.raises(BadInput) as caught:
        resolve("HEAD~1", root=tmp_path / "shallow")
    assert str(caught.value) == (
        "git ref 'HEAD~1': no such commit in this shallow clone; fetch the rest: git fetch --unshallow "
        "(in CI: a checkout with fetch-depth: 0 or GIT_DEPTH: 0)"
    )
    with open_ref("HEAD", tmp_path / "shallow") as (base, _):
        assert (base.directory / "answer").read_text() == "new"


def test_without_a_repository_or_git_nothing_can_be_resolved(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(BadInput, match=rf"^git ref 'main': git cannot use {tmp_path}: fatal: not a git repository"):
        resolve("main", root=tmp_path)
    assert working_tree(tmp_path).label == "working tree"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput) as caught:
        resolve("main", root=tmp_path)
    assert str(caught.value) == "git ref 'main': there is no git on the PATH; install it, or compare two URLs"


def test_a_dot_is_the_working_tree_twice_and_installs_nothing(repository):
    with open_ref(".", repository, requirements=["no-such-package"]) as (base, candidate):
        assert (base.name, base.label) == ("baseline", f"working tree ({git(repository, 'rev-parse', 'HEAD')[:7]})")
        assert (base.directory, base.python, base.label) == (candidate.directory, candidate.python, candidate.label)


@pytest.fixture
def image():
    """An image that has nothing in it but this test's name."""
    name = f"tailgate-test:{secrets.token_hex(6)}"
    done = subprocess.run(
        ["docker", "image", "import", "--message", name, "-", name],
        input=bytes(1024),
        check=True,
        capture_output=True,
        timeout=60,
    )
    yield name
    subprocess.run(["docker", "image", "rm", done.stdout.decode().strip()], check=True, capture_output=True, timeout=60)


@pytest.mark.docker
def test_an_image_is_a_baseline_by_its_id_which_no_build_can_move(repository, image):
    with open_builds(image, root=repository, stack="docker", requirements=()) as (base, candidate):
        assert base.image.startswith("sha256:")
        assert base.label == f"{image} ({base.image[7:19]})"
        assert (candidate.image, candidate.directory) == (None, repository)


@pytest.mark.docker
def test_an_image_that_cannot_be_had_is_refused(repository):
    name = "127.0.0.1:1/no-such-image"
    with pytest.raises(BadInput, match=f"^the image '{name}' is not here and cannot be pulled: "):
        open_builds(name, root=repository, stack="docker", requirements=()).__enter__()


def test_two_urls_are_two_builds_that_somebody_else_runs(tmp_path):
    with open_ref("http://old.example/, https://new.example:8443", tmp_path) as (base, candidate):
        assert (base.name, base.url, base.label) == ("baseline", "http://old.example", "http://old.example")
        assert (candidate.name, candidate.url) == ("candidate", "https://new.example:8443")


@pytest.mark.parametrize(
    ("reference", "stack", "message"),
    [
        ("http://a.example", "embedded", "'http://a.example' has 1 URL(s), wanted two: BASELINE_URL,CANDIDATE_URL"),
        ("http://a.example,b", "embedded", "'b' is not the URL of a service, wanted one such as http://127.0.0.1:8000"),
        (
            "main",
            "http://a.example",
            "a duet needs two stacks, but --perf-stack=http://a.example is one; name two running ones by",
        ),
    ],
)
def test_what_is_not_two_stacks_is_refused(tmp_path, reference, stack, message):
    with pytest.raises(BadInput) as caught:
        open_builds(reference, root=tmp_path, stack=stack, requirements=()).__enter__()
    assert str(caught.value).startswith(message)


def test_a_stack_that_is_not_ready_says_of_which_build_it_is():
    build = Build(name="baseline", label="main (1a2b3c4)")
    command = ["/bin/sh", "-c", "echo no such luck; exit 3"]
    with Sandbox() as sandbox:
        process = Process(sandbox, "shop", command, ready=http_answers("http://127.0.0.1:1")).start()
        with pytest.raises(StackNotReady) as caught, named_failures(build):
            process.wait_ready()
    assert caught.value.build == "baseline main (1a2b3c4)"
    assert str(caught.value).startswith("baseline main (1a2b3c4): service 'shop' not ready after ")
    assert str(caught.value).endswith("  shop | no such luck")
