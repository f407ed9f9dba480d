"""``make check-pins``: a pinned version that is not on the package index is found, and so is a hash or an image tag."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.source import ROOT

SCRIPT = ROOT / "scripts/check_pins.py"
UNREACHABLE = 75
SMALL_LOCK = ROOT / "requirements/build.lock"


def _checked(*locks: Path) -> tuple[int, str]:
    words = [sys.executable, str(SCRIPT), *map(str, locks)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False)
    if done.returncode == UNREACHABLE:
        pytest.skip("the package index cannot be reached")
    return done.returncode, done.stdout + done.stderr


def test_the_pins_of_a_lock_are_on_the_index() -> None:
    """The smallest lock; `make check-pins` looks at all."""
    status, said = _checked(SMALL_LOCK)
    assert status == 0, said


def test_a_version_that_is_not_there_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "build.lock"
    lock.write_text(re.sub(r"^(hatchling)==\S+", r"\1==999.1", SMALL_LOCK.read_text(), flags=re.MULTILINE))
    status, said = _checked(lock)
    assert status == 1
    assert "hatchling==999.1" in said


def test_a_hash_that_is_not_there_is_found(tmp_path: Path) -> None:
    lock = tmp_path / "build.lock"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, SMALL_LOCK.read_text(), count=1))
    status, said = _checked(lock)
    assert status == 1
    assert "1 hashes that are not on the index" in said
