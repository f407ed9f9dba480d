"""A missing requirement is a visible skip for a person and a failure in CI."""

from __future__ import annotations

import pytest
from _pytest.outcomes import Failed, Skipped

from support.require import require, require_program


def test_what_is_there_is_no_obstacle() -> None:
    require("json")
    assert require_program("sh").endswith("/sh")


def test_a_missing_module_or_program_skips_on_a_persons_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(Skipped, match="no_such_module"):
        require("no_such_module")
    with pytest.raises(Skipped, match="no-such-program"):
        require_program("no-such-program")


def test_a_missing_module_or_program_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(Failed, match="in CI every test must run"):
        require("no_such_module")
    with pytest.raises(Failed, match="in CI every test must run"):
        require_program("no-such-program")
