"""What a request reads that was made here, not by a client."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.types import Receive


def receiving(body: bytes) -> Receive:
    """ASGI's ``receive``: all of ``body`` at once, and then nothing. Nobody hangs up; cancel the call instead."""
    whole = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if whole:
            return whole.pop()
        await asyncio.Event().wait()
        raise AssertionError("this is a bug: nothing sets that event")

    return receive
