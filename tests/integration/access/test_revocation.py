"""A revocation acts in every process within a second."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest
import uvloop

from podium.config.access import Access
from support.deadline import until
from support.directory_process import DirectoryProcess, directory_process
from support.keys import RedisSubject, SqliteSubject, StoreSubject, new_key
from support.redis import redis_server

REVOCATIONS = 25
BAR_SECONDS = 1.0


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_revocation_is_seen_by_every_process_within_a_second(kind: str, tmp_path: Path) -> None:
    refresh_seconds = Access().refresh_seconds
    with redis_server() as server:
        path = tmp_path / "podium.db"
        subject: StoreSubject = SqliteSubject(path) if kind == "sqlite" else RedisSubject(server)
        place = str(path) if kind == "sqlite" else server.url
        keys = [new_key()[1] for _ in range(REVOCATIONS)]

        async def add() -> None:
            async with subject.open() as store:
                for record in keys:
                    await store.add(record)

        async def revoke() -> dict[str, float]:
            rng = random.Random(7)  # noqa: S311 - moments, not secrets
            at = {}
            async with subject.open() as store:
                for record in keys:
                    await asyncio.sleep(rng.uniform(0, 2 * refresh_seconds))
                    await store.revoke(record.id, time.time())
                    at[record.id] = time.time()
            return at

        uvloop.run(add())
        with (
            directory_process(kind, place, refresh_seconds) as first,
            directory_process(kind, place, refresh_seconds) as second,
        ):
            revoked = uvloop.run(revoke())
            for process in (first, second):
                _wait_until_all_are_seen(process)
                delays = sorted(process.seen[key_id] - at for key_id, at in revoked.items())
                assert len(delays) == REVOCATIONS
                assert delays[-1] < BAR_SECONDS, delays


def _wait_until_all_are_seen(process: DirectoryProcess) -> None:
    until("every revocation was seen", lambda: len(process.seen) == REVOCATIONS)
