"""Commands run in an empty folder, inside the test, without Podium's variables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.command import Command


@pytest.fixture(autouse=True)
def _fresh_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PODIUM__")]:
        monkeypatch.delenv(name)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``podium`` with arguments and returns status, output and errors."""
    return Command(capsys)
