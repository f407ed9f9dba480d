"""What a log record may hold."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from podium.telemetry import logs

CANARY = "canary-secret-5512"


@pytest.fixture(autouse=True)
def _the_logs_of_others_are_left_as_they_were() -> Iterator[None]:
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("style", ["human", "json"])
def test_a_traceback_shows_no_values_of_variables(
    style: Literal["human", "json"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key or a prompt is the value of some variable in every frame of a request."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure(style=style, level="info")
    for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
        key = CANARY
        try:
            int(f"x{key[:0]}")
        except ValueError:
            log.exception("unexpected error")
    assert written.getvalue().count("unexpected error") == 2
    assert written.getvalue().count("ValueError") >= 2
    assert CANARY not in written.getvalue()


def test_a_record_for_people_holds_nothing_that_a_terminal_obeys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path, a name or a reason in it may be what somebody sent."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure(style="human", level="info")
    structlog.get_logger("ours").info("refused", path="/\x1b]0;title\x07\x9b2J")
    logging.getLogger("theirs").error("no \x1b[2J file")
    assert not set(written.getvalue()) & {"\x07", "\x9b"}
    assert "\x1b]" not in written.getvalue()
    assert "\x1b[2J" not in written.getvalue()
    assert "/\\x1b]0;title" in written.getvalue()
