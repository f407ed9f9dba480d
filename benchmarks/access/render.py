"""Writes the page from a raw file, and nothing that is not in it: ``python -m benchmarks.access.render RAW``."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.access.sections import SECTIONS
from benchmarks.loopback.page import REPOSITORY, Page

_INTRODUCTION = """# Access benchmark

Written by `python -m benchmarks.access` from its raw file; do not edit. Keys, quotas, the response cache and a Redis
that fails, on real processes over loopback. The engine is `echo`, which repeats the prompt, so that what is measured
is everything around an engine. Each part says what it measures, how to measure it again, and how it stands to its bar.
"""

PAGE = Page("benchmarks.access", REPOSITORY / "docs" / "benchmarks" / "access.md", _INTRODUCTION, SECTIONS)


def main() -> None:
    """Write the page from the raw file that is named."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m benchmarks.access.render RAW")
    PAGE.write(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
