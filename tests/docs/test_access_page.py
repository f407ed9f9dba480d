"""The access benchmark's page holds what its raw file gives, nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = """
import sys
from pathlib import Path
from benchmarks.access.render import PAGE
PAGE.check(Path(sys.argv[1]))
"""
PAGE = REPOSITORY / "docs" / "benchmarks" / "access.md"


def check(page: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CODE, str(page)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_the_access_page_is_rendered_from_its_raw_file() -> None:
    done = check(PAGE)
    assert done.returncode == 0, done.stderr


def test_a_figure_changed_by_hand_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(PAGE.parent / "raw", tmp_path / "raw")
    text, changed = re.subn(r"\*\*no\*\* \||yes \|", "perhaps |", PAGE.read_text(), count=1)
    assert changed
    (tmp_path / "access.md").write_text(text)
    assert check(tmp_path / "access.md").returncode == 1


def test_every_row_has_been_measured_and_none_of_them_quickly() -> None:
    text = PAGE.read_text()
    assert "## Not measured" not in text
    assert "--quick" not in text
