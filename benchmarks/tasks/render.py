"""Writes the page from a raw file, and nothing that is not in it: ``python -m benchmarks.tasks.render RAW``."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.loopback.page import REPOSITORY, Page
from benchmarks.tasks.sections import SECTIONS

_INTRODUCTION = """# Tasks benchmark

Written by `python -m benchmarks.tasks` from its raw file; do not edit. Tasks beside generation, each server as a
process of its own on this machine, asked over HTTP. Each part says what it measures, how to measure it again, and how
it stands to its bar.
"""

PAGE = Page("benchmarks.tasks", REPOSITORY / "docs" / "benchmarks" / "tasks.md", _INTRODUCTION, SECTIONS)


def main() -> None:
    """Write the page from the raw file that is named."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m benchmarks.tasks.render RAW")
    PAGE.write(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
