"""Named tasks with an owner, and stopping them for sure."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def start(coroutine: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Run ``coroutine`` as a task that its caller owns: keep it, and end it with ``stop``.

    For work that outlives the call that starts it (a receive loop, a watchdog). Anything else belongs
    in an ``asyncio.TaskGroup``.
    """
    return asyncio.get_running_loop().create_task(coroutine, name=name)


async def stop(*tasks: asyncio.Task[None] | None) -> None:
    """Cancel the tasks and wait for their end; their own errors are raised, cancellation is not.

    When the caller is cancelled while waiting, the tasks stay cancelled and the cancellation goes on.
    """
    living = [task for task in tasks if task is not None]
    for task in living:
        task.cancel()
    results = await asyncio.gather(*living, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result
