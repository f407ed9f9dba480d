"""Who may use the control routes: the same keys and tokens as everywhere, put together from the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from podium.access.gatekeeper import Gatekeeper
from podium.access.key_directory import KeyDirectory
from podium.access.key_set import KeySet
from podium.access.key_store_choice import open_key_store
from podium.access.tokens import TokenVerifier
from podium.config.settings import Settings
from podium.store.link import RedisLink


@asynccontextmanager
async def gatekeeper_of(settings: Settings) -> AsyncIterator[Gatekeeper]:
    """A gatekeeper that follows the key store while it is entered."""
    jwt = settings.access.jwt
    async with AsyncExitStack() as stack:
        link = None
        if settings.redis.url:
            link = RedisLink(settings.redis)
            stack.push_async_callback(link.aclose)
        directory = KeyDirectory(open_key_store(settings, link), settings.access.refresh_seconds)
        await stack.enter_async_context(directory)
        verifier = None
        if jwt is not None:
            verifier = TokenVerifier(jwt, await stack.enter_async_context(KeySet(jwt)))
        yield Gatekeeper(settings.access, directory, verifier)
