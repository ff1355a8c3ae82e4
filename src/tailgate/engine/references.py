"""By which name another process can have a user class."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

from locust import User


def reference_of(user_class: type[User]) -> str:
    """Return by which name another process can import a class: ``module:QualifiedName``."""
    return f"{user_class.__module__}:{user_class.__qualname__}"


def import_class(reference: str) -> type[User]:
    """Return the class of a name that ``reference_of`` gave.

    Raises:
        ImportError: There is no such module, or nothing of that name in it.
    """
    module_name, _, path = reference.partition(":")
    found: Any = importlib.import_module(module_name)
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ImportError(f"module {module_name} has no {path}") from None
    return found


def find_unimportable(user_classes: Sequence[Any]) -> list[str]:
    """Return why classes cannot be had in other processes, one complete message each."""
    problems = []
    for user_class in user_classes:
        if not isinstance(user_class, type):
            continue  # refused as what it is
        module_name, _, path = reference_of(user_class).partition(":")
        found: Any = sys.modules.get(module_name)
        for part in path.split("."):
            found = getattr(found, part, None)
        if module_name == "__main__" or found is not user_class:
            problems.append(
                f"load: {user_class.__name__} cannot be imported by worker processes: {module_name} has no {path} that "
                "is this class; define it at the top of a module, not within a function, or run without workers"
            )
    return problems
