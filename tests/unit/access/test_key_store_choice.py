from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import uvloop

from podium.access.key_store_choice import keeps_keys_in_redis, open_key_store
from podium.access.redis_keys import RedisKeyStore
from podium.access.sqlite_keys import SqliteKeyStore
from podium.config.access import Access
from podium.config.redis import Redis
from podium.config.settings import Settings
from podium.core.errors import ConfigurationError
from podium.store.link import RedisLink

URL = "redis://127.0.0.1:1/0"


def settings(url: str = "", **access: Any) -> Settings:
    return Settings(access=Access(**access), redis=Redis(url=url))


@pytest.mark.parametrize(
    ("store", "url", "in_redis"),
    [("auto", "", False), ("auto", URL, True), ("sqlite", URL, False), ("sqlite", "", False), ("redis", URL, True)],
)
def test_keys_are_in_redis_when_there_is_one_or_it_is_said_so(store: str, url: str, *, in_redis: bool) -> None:
    assert keeps_keys_in_redis(settings(url, store=store)) == in_redis


def test_redis_without_an_address_is_a_wrong_configuration() -> None:
    with pytest.raises(ConfigurationError, match=r"redis\.url is empty"):
        open_key_store(settings(store="redis"), None)


def test_the_store_is_opened_without_being_asked_or_made(tmp_path: Path) -> None:
    async def main() -> None:
        link = RedisLink(Redis(url=URL))
        shared = open_key_store(settings(URL), link)
        embedded = open_key_store(settings(database=str(tmp_path / "keys.db")), None)
        assert isinstance(shared, RedisKeyStore)
        assert isinstance(embedded, SqliteKeyStore)
        await shared.aclose()
        await embedded.aclose()
        await link.aclose()

    uvloop.run(main())
    assert list(tmp_path.iterdir()) == []


def test_a_missing_link_is_our_mistake() -> None:
    with pytest.raises(ConfigurationError, match="this is a bug"):
        open_key_store(settings(URL), None)
