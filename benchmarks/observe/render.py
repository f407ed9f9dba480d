"""Writes the page from a raw file, and nothing that is not in it: ``python -m benchmarks.observe.render RAW``."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.loopback.page import REPOSITORY, Page
from benchmarks.observe.sections import SECTIONS

_INTRODUCTION = """# Observability benchmark

Written by `python -m benchmarks.observe` from its raw file; do not edit. Whether what Podium says of itself is so, and
what saying it costs, on real processes over loopback. The engine is `echo`. Each part says what it measures, how to
measure it again, and how it stands to its bar.
"""

PAGE = Page("benchmarks.observe", REPOSITORY / "docs" / "benchmarks" / "observability.md", _INTRODUCTION, SECTIONS)


def main() -> None:
    """Write the page from the raw file that is named."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m benchmarks.observe.render RAW")
    PAGE.write(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
