"""The attempts log does not grow for ever, whatever Envoy does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from podium.controller.attempts_reader import AttemptsReader
from podium.gateway.attempts import AttemptsLog


class Envoy:
    """Cannot be reached the first time."""

    asked = 0

    async def reopen_logs(self) -> None:
        self.asked += 1
        if self.asked == 1:
            raise httpx.ConnectTimeout("busy")


def test_an_envoy_that_could_not_be_told_of_the_new_file_is_told_again(tmp_path: Path) -> None:
    """It writes into the renamed file meanwhile, which nobody would ever replace."""
    path, envoy = tmp_path / "attempts.jsonl", Envoy()
    admin: Any = envoy
    reader = AttemptsReader(path, AttemptsLog(path), admin, most_bytes=1)
    asyncio.run(reader._replace_a_long_file())
    assert envoy.asked == 0  # there is no file yet
    path.write_text("{}\n")
    for asked in (1, 2):
        asyncio.run(reader._replace_a_long_file())
        assert envoy.asked == asked
    path.write_text("")
    asyncio.run(reader._replace_a_long_file())
    assert envoy.asked == 2
