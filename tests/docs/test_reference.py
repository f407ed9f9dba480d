"""``docs/reference`` is what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.source import ROOT

PAGES = {"cli.md", "configuration.md", "errors.md", "metrics.md"}


def _reference(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts/reference.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_pages_are_up_to_date() -> None:
    checked = _reference("--check")
    assert checked.returncode == 0, checked.stderr


def test_a_page_that_differs_is_named(tmp_path: Path) -> None:
    assert _reference("--folder", str(tmp_path)).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == PAGES
    with (tmp_path / "cli.md").open("a") as page:
        page.write("drift\n")
    checked = _reference("--check", "--folder", str(tmp_path))
    assert checked.returncode == 1
    assert "docs/reference/cli.md" in checked.stderr
    assert "errors.md" not in checked.stderr


def test_a_missing_page_is_named(tmp_path: Path) -> None:
    checked = _reference("--check", "--folder", str(tmp_path))
    assert all(page in checked.stderr for page in PAGES)
