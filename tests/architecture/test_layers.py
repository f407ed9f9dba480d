"""The import contract of pyproject.toml holds, is complete, and would notice a breach."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from support.source import ROOT

_LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(_LINT_IMPORTS), "--no-logo", "--no-cache"]
    environment = {"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _copy(folder: Path) -> Path:
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.bin", "*.xml"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_imports_point_down(tmp_path: Path) -> None:
    done = _lint(_copy(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_import_that_points_up_is_caught(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    with (copy / "src/podium/core/ids.py").open("a") as file:
        file.write("\nimport podium.config.settings\n")
    done = _lint(copy)
    assert done.returncode == 1
    assert "podium.core is not allowed to import podium.config" in done.stdout


def test_a_package_without_a_layer_is_caught(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    (copy / "src/podium/stray").mkdir()
    (copy / "src/podium/stray/__init__.py").write_text('"""Nowhere."""\n')
    done = _lint(copy)
    assert done.returncode != 0
    assert "stray" in done.stdout + done.stderr


def test_a_web_type_below_the_http_surface_is_caught(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    with (copy / "src/podium/core/ids.py").open("a") as file:
        file.write("\nimport starlette.requests\n")
    assert _lint(copy).returncode == 1
