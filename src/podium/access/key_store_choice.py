"""Which store the settings mean."""

from __future__ import annotations

from pathlib import Path

from podium.access.key_store import KeyStore
from podium.access.redis_keys import RedisKeyStore
from podium.access.sqlite_keys import SqliteKeyStore
from podium.config.settings import Settings
from podium.core.errors import ConfigurationError
from podium.store.link import RedisLink


def keeps_keys_in_redis(settings: Settings) -> bool:
    """Whether keys are in Redis. Raises ``ConfigurationError`` when they should be and none is named."""
    if settings.access.store == "redis" and not settings.redis.url:
        raise ConfigurationError("access.store is 'redis' and redis.url is empty; set it, or use 'sqlite'.")
    return settings.access.store == "redis" or (settings.access.store == "auto" and bool(settings.redis.url))


def open_key_store(settings: Settings, link: RedisLink | None) -> KeyStore:
    """The store of ``settings``; nothing is read or made yet. Close it with ``aclose``.

    ``link`` is needed where keys are in Redis, and stays its maker's to close.
    """
    if not keeps_keys_in_redis(settings):
        return SqliteKeyStore(Path(settings.access.database).expanduser())
    if link is None:
        raise ConfigurationError("Keys are in Redis and there is no connection to one; this is a bug.")
    return RedisKeyStore(link.for_purpose("keys"))
