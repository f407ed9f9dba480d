"""Noticing that the client hung up, while working for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from podium.core.errors import ClientDisconnected


@asynccontextmanager
async def stop_on_disconnect(receive: Receive) -> AsyncIterator[None]:
    """Cancels the body of the ``async with`` when the client hangs up, and raises ClientDisconnected.

    The request's body must have been read before: whatever ``receive`` still brings is thrown away.
    An error of the body is raised as it is, not in a group. Cancellation from outside passes through.
    Watching begins with the first wait of the body: one that never waits costs no task.
    """
    loop = asyncio.get_running_loop()
    watches: list[asyncio.Task[None]] = []
    try:
        async with asyncio.TaskGroup() as group:
            begin = loop.call_soon(lambda: watches.append(group.create_task(_watch(receive), name="disconnect-watch")))
            try:
                yield
            finally:
                begin.cancel()
            for watch in watches:
                watch.cancel()
    except BaseExceptionGroup as failures:
        raise _the_one(failures) from None


async def _watch(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientDisconnected("The client hung up.")


def _the_one(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The disconnect if that came first, otherwise the body's own error."""
    gone = failures.subgroup(ClientDisconnected)
    return (gone or failures).exceptions[0]
