"""What this benchmark borrows from the tests: a real Redis, the oracle of sliding windows, waiting with an end."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from support.deadline import soon
from support.ledger_oracle import most_in_any_window
from support.redis import RedisServer, redis_server

__all__ = ["RedisServer", "most_in_any_window", "redis_server", "soon", "tests_module"]

TESTS = Path(__file__).resolve().parents[2] / "tests"


def tests_module(name: str) -> ModuleType:
    """A file of the tests as a module, by its path without ``.py``."""
    spec = importlib.util.spec_from_file_location(name.replace("/", "_"), TESTS / f"{name}.py")
    assert spec is not None, "this is a bug: a path that ends in .py has a loader"
    assert spec.loader is not None, "this is a bug: a path that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
