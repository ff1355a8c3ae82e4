"""Let ``import locust`` leave the process as it is.

Locust patches the standard library for gevent when it is imported, which breaks what shares the process with it:
xdist's threads, asyncio, and every SSL context made from ``requests`` imported earlier (gevent issue 1016). It can be
told not to by an environment variable. A finder sets that variable for the one import that reads it, rather than for
the whole process, because child processes, such as a real ``locust`` started by somebody's test, would inherit it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_VARIABLE = "LOCUST_SKIP_MONKEY_PATCH"


class _UnpatchedLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = "1"
        try:
            self._loader.exec_module(module)
        finally:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before

    def __getattr__(self, name: str) -> object:
        # Everything else, such as the resources of the package, is the real loader's business.
        return getattr(self._loader, name)


class _LocustFinder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname != "locust":
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            spec.loader = _UnpatchedLoader(spec.loader)
        return spec


_FINDER = _LocustFinder()


def install() -> None:
    """Make the next first ``import locust`` an unpatched one; calling it again changes nothing."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def uninstall() -> None:
    """Take the finder away again."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)
