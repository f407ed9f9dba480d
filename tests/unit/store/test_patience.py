"""A time limit that does not count what this process spent on other things."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop

from podium.store.patience import Patience

Runner = Callable[[Coroutine[Any, Any, None]], None]
LOOPS = pytest.mark.parametrize("run", [uvloop.run, asyncio.run], ids=["uvloop", "asyncio"])

SECONDS = 0.02
BLOCK_SECONDS = 0.1


@LOOPS
def test_a_wait_in_vain_ends_in_time(run: Runner) -> None:
    async def main() -> None:
        took = []
        for _ in range(5):
            begin = time.monotonic()
            with pytest.raises(TimeoutError):
                await _wait_in_vain(SECONDS)
            took.append(time.monotonic() - begin)
        assert min(took) >= 0.9 * SECONDS
        assert min(took) < 2.5 * SECONDS  # the quickest of five: the machine may be busy

    run(main())


@LOOPS
@pytest.mark.parametrize("after_seconds", [0.0, 0.008, 0.016])
def test_an_answer_that_lay_ready_while_the_loop_was_blocked_is_in_time(run: Runner, after_seconds: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(sock=connection)
        async with Patience(SECONDS):
            loop.call_later(after_seconds, time.sleep, BLOCK_SECONDS)
            await asyncio.sleep(after_seconds)  # the block comes in the same turn, or right after
            writer.write(b"question\n")
            assert await reader.readline() == b"question\n"
        writer.close()

    with _echo() as connection:
        run(main())


@LOOPS
def test_after_a_block_most_of_the_time_is_left(run: Runner) -> None:
    async def main() -> None:
        begin = time.monotonic()
        asyncio.get_running_loop().call_soon(time.sleep, BLOCK_SECONDS)
        with pytest.raises(TimeoutError):
            await _wait_in_vain(SECONDS)
        assert time.monotonic() - begin >= BLOCK_SECONDS + 0.6 * SECONDS

    run(main())


@LOOPS
def test_a_block_that_ends_just_in_time_leaves_most_of_the_time_as_well(run: Runner) -> None:
    async def main() -> None:
        async with Patience(SECONDS):
            asyncio.get_running_loop().call_soon(time.sleep, 0.9 * SECONDS)
            await asyncio.sleep(0)
            await asyncio.sleep(0.4 * SECONDS)

    run(main())


@LOOPS
def test_a_loop_that_is_always_late_still_ends_it(run: Runner) -> None:
    async def main() -> None:
        async def hog() -> None:
            while True:
                time.sleep(SECONDS)  # noqa: ASYNC251 - blocking is what this is about
                await asyncio.sleep(0)

        hogging = asyncio.get_running_loop().create_task(hog())
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            await _wait_in_vain(SECONDS)
        assert time.monotonic() - begin < 20 * SECONDS
        hogging.cancel()

    run(main())


@LOOPS
def test_cancellation_passes_through_and_an_end_in_time_leaves_no_timer(run: Runner) -> None:
    async def main() -> None:
        async with Patience(SECONDS):
            pass
        await asyncio.sleep(2 * SECONDS)  # a timer that was left would cancel this
        task = asyncio.get_running_loop().create_task(_wait_in_vain(60))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


async def _wait_in_vain(seconds: float) -> None:
    async with Patience(seconds):
        await asyncio.Event().wait()


@contextmanager
def _echo() -> Iterator[socket.socket]:
    """A connection to a thread that answers at once, whatever this loop does."""
    ours, its = socket.socketpair()

    def serve() -> None:
        with contextlib.suppress(OSError):  # the other end may be gone
            while data := its.recv(1000):
                its.sendall(data)

    thread = threading.Thread(target=serve, name="echo")
    thread.start()
    with ours, its:
        try:
            yield ours
        finally:
            its.shutdown(socket.SHUT_RDWR)
            thread.join()
