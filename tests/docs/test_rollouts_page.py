"""The rollout benchmark's page and plots hold what its raw file gives, and the explanation quotes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BENCHMARKS = REPOSITORY / "docs" / "benchmarks"
CODE = """
import sys
from pathlib import Path
from benchmarks.rollouts.render import check_page
check_page(Path(sys.argv[1]))
"""


def check(page: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CODE, str(page)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def copied(folder: Path) -> Path:
    shutil.copytree(BENCHMARKS / "plots", folder / "plots")
    (folder / "raw").mkdir()
    for raw in (BENCHMARKS / "raw").glob("rollouts-*"):
        shutil.copy(raw, folder / "raw")
    return Path(shutil.copy(BENCHMARKS / "rollouts.md", folder))


def test_page_and_plots_are_rendered_from_the_raw_file() -> None:
    done = check(BENCHMARKS / "rollouts.md")
    assert done.returncode == 0, done.stderr


def test_a_figure_or_a_plot_changed_by_hand_is_noticed(tmp_path: Path) -> None:
    for name, changed in (("figure", "rollouts.md"), ("plot", "plots/rollouts-detection.svg")):
        (tmp_path / name).mkdir()
        page = copied(tmp_path / name)
        assert check(page).returncode == 0
        file = page.parent / changed
        file.write_text(file.read_text().replace("10", "11", 1))
        assert check(page).returncode == 1


def test_the_simulation_computes_what_the_product_computes() -> None:
    code = "from benchmarks.rollouts.agreement import check_agreement; check_agreement()"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_explanation_quotes_figures_of_the_page() -> None:
    page, explanation = (BENCHMARKS / "rollouts.md").read_text(), (REPOSITORY / "docs/rollouts.md").read_text()
    quoted = {  # what the explanation says: what the page says
        "rolls\nback 5.8 %": "| 5.81 % |",
        "| 0.05 | 2.7 % | 5.0 min |": "| alpha 0.05 | 2.69 %",
        "| 0.01 | 0.46 % | 7.9 min |": "| alpha 0.01 | 0.46 %",
        "| 0.001 | 0.04 % | 12.0 min |": "| alpha 0.001 | 0.04 %",
        "15 %\n  of good canaries": "| 15.2 % |",
        "(Fisher's test: 29 %)": "| 29 % |",
        "in 12 % of one-hour runs": "| 1.5 times as bad | 10,000 | 11.9 % |",
    }
    assert [words for words, figure in quoted.items() if words not in explanation or figure not in page] == []
