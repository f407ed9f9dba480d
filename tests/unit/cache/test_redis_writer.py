"""Writes are done in order, in bounds, and not for long after the end."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import pytest
import uvloop

from podium.cache.redis_writer import CLOSE_SECONDS, RedisWriter
from podium.store.link import StoreUnavailable


def test_jobs_are_done_in_the_order_given_and_a_failure_stops_none() -> None:
    async def main() -> list[int]:
        done: list[int] = []

        async def job(number: int) -> None:
            await asyncio.sleep(0)
            if number == 2:
                raise StoreUnavailable("away")
            done.append(number)

        async with RedisWriter() as writer:
            for number in range(5):
                assert writer.submit(partial(job, number))
            await writer.done()
            assert done == [0, 1, 3, 4]
            writer.submit(lambda: job(5))
        return done

    assert uvloop.run(main()) == [0, 1, 3, 4, 5]


def test_more_jobs_than_fit_are_refused() -> None:
    async def main() -> None:
        hold = asyncio.Event()

        async def job() -> None:
            await hold.wait()

        async with RedisWriter(most_waiting=3) as writer:
            assert [writer.submit(job) for _ in range(5)] == [True, True, True, False, False]
            hold.set()
            await writer.done()
            assert writer.submit(job)

    uvloop.run(main())


def test_nobody_takes_jobs_before_the_start_and_after_the_end() -> None:
    async def main() -> None:
        async def job() -> None: ...

        writer = RedisWriter()
        assert not writer.submit(job)
        async with writer:
            assert writer.submit(job)
        assert not writer.submit(job)

    uvloop.run(main())


def test_a_job_that_hangs_is_given_up_soon_after_the_end() -> None:
    async def main() -> float:
        cancelled = False

        async def job() -> None:
            nonlocal cancelled
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled = True
                raise

        async with RedisWriter() as writer:
            writer.submit(job)
            started = time.monotonic()
        assert cancelled
        return time.monotonic() - started

    assert uvloop.run(main()) < CLOSE_SECONDS + 0.4


def test_a_mistake_in_a_job_is_not_hidden() -> None:
    async def main() -> None:
        async def job() -> None:
            raise KeyError

        async with RedisWriter() as writer:
            writer.submit(job)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not writer.submit(job)

    with pytest.raises(KeyError):
        uvloop.run(main())
