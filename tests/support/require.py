"""What a test cannot run without: a visible skip on a person's machine, a failure in CI."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest


def in_ci() -> bool:
    """Whether a CI machine runs the tests (``CI=true``)."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def require(module: str) -> None:
    """Skip the test when ``module`` cannot be imported here; fail it in CI, where everything must be installed."""
    if importlib.util.find_spec(module) is None:
        _missing(f"the module {module!r} is not installed")


def require_program(name: str) -> str:
    """The path of an executable; without it the test is skipped, or fails in CI."""
    found = shutil.which(name)
    if found is None:
        _missing(f"the program {name!r} is not on PATH (make test-deps)")
    return found


def _missing(what: str) -> NoReturn:
    if in_ci():
        pytest.fail(f"{what}, and in CI every test must run", pytrace=False)
    pytest.skip(what)
