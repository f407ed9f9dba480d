"""The pages of benchmarks over loopback hold what their raw files give, nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = """
import sys
from pathlib import Path
from importlib import import_module
import_module(f"benchmarks.{sys.argv[2]}.render").PAGE.check(Path(sys.argv[1]))
"""
PAGES = REPOSITORY / "docs" / "benchmarks"
PACKAGES = {"access": "access", "gateway": "gateway", "observability": "observe", "tasks": "tasks"}


def check(name: str, page: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CODE, str(page), PACKAGES[name]]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", PACKAGES)
def test_the_page_is_rendered_from_its_raw_file(name: str) -> None:
    done = check(name, PAGES / f"{name}.md")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PACKAGES)
def test_a_figure_changed_by_hand_is_noticed(tmp_path: Path, name: str) -> None:
    shutil.copytree(PAGES / "raw", tmp_path / "raw")
    page = tmp_path / f"{name}.md"
    text, changed = re.subn(r"\*\*no\*\* \||yes \|", "perhaps |", (PAGES / page.name).read_text(), count=1)
    assert changed
    page.write_text(text)
    assert check(name, page).returncode == 1


@pytest.mark.parametrize("name", PACKAGES)
def test_every_row_has_been_measured_and_none_of_them_quickly(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text()
    assert "## Not measured" not in text
    assert "--quick" not in text
