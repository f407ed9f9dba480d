"""The page of the simulations holds what its raw file gives, and the bars are kept."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "benchmarks" / "load-statistics.md"
_RENDER = """
import sys; from pathlib import Path; from benchmarks.load_statistics.render import page
print(page(Path(sys.argv[1])), end="")
"""


def _raw() -> Path:
    named = re.search(r"raw/(load-statistics-[\d-]+\.json)", PAGE.read_text("utf-8"))
    assert named is not None
    return PAGE.parent / "raw" / named[1]


def test_the_page_is_what_its_raw_file_gives() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RENDER, str(_raw())], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout == PAGE.read_text("utf-8")


def test_the_bars_are_kept_in_the_published_figures() -> None:
    found = json.loads(_raw().read_text("utf-8"))
    for row in found["compare"]:
        assert row["same"]["different"] <= 0.05 * row["same"]["comparisons"]
        assert row["slower"]["worse"] >= 0.9 * row["slower"]["comparisons"]
    for row in found["find-max"]:
        assert row["covered"] >= 0.99 * row["searches"]
        assert 3 * row["runs"] <= row["grid_runs"]
        assert row["estimate_spread"] < 0.05
