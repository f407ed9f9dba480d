"""Log records kept in memory instead of being written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from structlog.testing import LogCapture


@contextmanager
def captured_logs() -> Iterator[LogCapture]:
    """What is logged inside the block; the configuration before is restored after it."""
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, capture], cache_logger_on_first_use=False)
    try:
        yield capture
    finally:
        structlog.configure(**before)
