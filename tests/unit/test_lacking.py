"""Tests that a machine cannot run are skipped, except where none may be."""

from __future__ import annotations

import pytest

from tests.lacking import VARIABLE, skip_or_fail


def test_what_a_machine_lacks_skips_a_test(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"^no Docker$"):
        skip_or_fail("no Docker")


def test_what_ci_lacks_fails_a_test(monkeypatch):
    monkeypatch.setenv(VARIABLE, "1")
    with pytest.raises(pytest.fail.Exception, match=rf"^no Docker \(a skip elsewhere; here {VARIABLE} is set\)$"):
        skip_or_fail("no Docker")
