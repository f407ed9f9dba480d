"""Logs are kept in memory here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import LogCapture

from support.quiet_logs import captured_logs


@pytest.fixture
def log() -> Iterator[LogCapture]:
    with captured_logs() as capture:
        yield capture
