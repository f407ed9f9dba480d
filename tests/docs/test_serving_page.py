"""The benchmark page holds what its raw file gives, nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = """
import sys
from pathlib import Path
from benchmarks.serving.render import check_page
check_page(Path(sys.argv[1]))
"""


def check(page: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CODE, str(page)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_the_serving_page_is_rendered_from_its_raw_file() -> None:
    done = check(REPOSITORY / "docs" / "benchmarks" / "serving.md")
    assert done.returncode == 0, done.stderr


def test_a_figure_changed_by_hand_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "docs" / "benchmarks" / "raw", tmp_path / "raw")
    text = (REPOSITORY / "docs" / "benchmarks" / "serving.md").read_text()
    (tmp_path / "serving.md").write_text(text.replace("| podium-int8 | ", "| podium-int8 | 1", 1))
    assert check(tmp_path / "serving.md").returncode == 1
