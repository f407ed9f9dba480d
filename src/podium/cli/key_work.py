"""Work on the configured key store, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from podium.access.key_store import KeyStore
from podium.access.key_store_choice import keeps_keys_in_redis, open_key_store
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.config.settings import Settings
from podium.core.errors import Unavailable
from podium.store.link import RedisLink

T = TypeVar("T")

PATIENCE_SECONDS = 5.0  # a person waits longer than a request may


def in_key_store(settings: Settings, work: Callable[[KeyStore], Awaitable[T]]) -> T:
    """The result of ``work`` on the store that ``settings`` name; the store is closed afterwards.

    Raises ``Failure`` when the store cannot be asked.
    """

    async def run() -> T:
        patient = settings.redis.model_copy(
            update={"call_seconds": PATIENCE_SECONDS, "connect_seconds": PATIENCE_SECONDS}
        )
        link = RedisLink(patient) if keeps_keys_in_redis(settings) else None
        store = open_key_store(settings, link)
        try:
            return await work(store)
        finally:
            await store.aclose()
            if link is not None:
                await link.aclose()

    try:
        return asyncio.run(run())
    except Unavailable as error:
        raise Failure(error.message, ExitCode.NOT_READY) from error
