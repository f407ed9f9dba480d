"""Writes the page from a raw file, and nothing that is not in it: ``python -m benchmarks.gateway.render RAW``."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.gateway.sections import SECTIONS
from benchmarks.loopback.page import REPOSITORY, Page

_INTRODUCTION = """# Gateway benchmark

Written by `python -m benchmarks.gateway` from its raw file; do not edit. A real Envoy and its controller, as
`podium up` starts them, in front of small servers of the benchmark that answer at once or fail as they are told. Each
part says what it measures, how to measure it again, and how it stands to its bar.
"""

PAGE = Page("benchmarks.gateway", REPOSITORY / "docs" / "benchmarks" / "gateway.md", _INTRODUCTION, SECTIONS)


def main() -> None:
    """Write the page from the raw file that is named."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m benchmarks.gateway.render RAW")
    PAGE.write(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
