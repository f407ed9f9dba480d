"""Settings of the shell can be kept from the programs that a process starts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from podium.config.sources import forget_settings


def test_programs_that_are_started_afterwards_do_not_see_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODIUM__SERVER__PORT", "1")
    monkeypatch.setenv("PODIUM_API_KEY", "kept")
    forget_settings()
    code = "import os; print([name for name in os.environ if name.startswith('PODIUM_')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "['PODIUM_API_KEY']\n"
    assert "PODIUM__SERVER__PORT" not in os.environ
