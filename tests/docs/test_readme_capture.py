"""What the README says that ``make run`` prints is what it prints."""

from __future__ import annotations

from pathlib import Path

from podium.cli.up import next_steps
from podium.config.settings import Settings
from support.documents import blocks
from support.source import ROOT


def test_the_captured_lines_are_those_of_the_defaults() -> None:
    (captured,) = [
        block for block in blocks(Path("README.md"), (ROOT / "README.md").read_text()) if "capture" in block.mark
    ]
    defaults = Settings()
    gateway, control = f"http://{defaults.gateway.listen}", f"http://{defaults.gateway.control}"
    printed = next_steps(gateway, f"{control}/", defaults.models[0].name)
    assert captured.body.splitlines() == [line for line in printed if line]
