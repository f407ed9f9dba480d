"""The rendered Redis: with its own arguments and users, servers can do all they do, and nobody else can do anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from podium.deploy.kubernetes.redis import redis_arguments
from podium.deploy.secrets import write_redis_secret
from podium.testing.server_process import server_process
from support.command import podium
from support.redis import RedisServer, redis_server

BODY = {"model": "echo", "prompt": "hello", "max_tokens": 4, "temperature": 0}


def _options(folder: Path) -> list[str]:
    """The rendered options, without the port and the folder, which the test chooses."""
    words = redis_arguments(128 * 1024**2, users=str(folder / "users.acl"), folder="-")[1:]
    pairs = dict(zip(words[0::2], words[1::2], strict=True))
    return [word for name, value in pairs.items() if name not in {"--port", "--dir"} for word in (name, value)]


def _settings(server: RedisServer, folder: Path) -> dict[str, Any]:
    return {"url": server.url, "username": "podium", "password_file": str(folder / "password")}


def test_keys_quotas_usage_and_kept_answers_work_with_the_rights_that_are_given(tmp_path: Path) -> None:
    write_redis_secret(tmp_path, "podium")
    with redis_server(*_options(tmp_path), password=(tmp_path / "password").read_text(), user="podium") as store:
        shared = _settings(store, tmp_path)
        created = podium("keys", "create", "--role", "admin", "--json", *_set(shared), cwd=tmp_path)
        assert created.status == 0, created.err
        key = json.loads(created.out)["key"]
        access = {"tenants": {"*": {"tokens_per_minute": 1000}}, "anonymous": "never"}
        with server_process(redis=shared, access=access) as server:
            caller = httpx.Client(base_url=server.traffic, headers={"authorization": f"Bearer {key}"}, trust_env=False)
            with caller:
                answers = [caller.post("/v1/completions", json=BODY) for _ in range(2)]
                assert [answer.status_code for answer in answers] == [200, 200]
                assert caller.get("/cache/stats").json()["hits"] == 1
                assert caller.get("/usage").json()["total"]["requests"] == 2
                assert caller.delete("/cache").json()["cleared"] == 1
            assert server.logged("ledger functions missing in the store") is None
        with store.client() as client:
            assert client.exists("podium:{keys}")  # in the store, and not in a file of the server


@pytest.mark.parametrize("command", [("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("EVAL", "return 1", 0),
                                     ("SET", "other", "1"), ("SHUTDOWN",), ("ACL", "LIST")])  # fmt: skip
def test_everything_else_is_refused(command: tuple[Any, ...], tmp_path: Path) -> None:
    write_redis_secret(tmp_path, "podium")
    with (
        redis_server(*_options(tmp_path), password=(tmp_path / "password").read_text(), user="podium") as store,
        store.client() as client,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        client.execute_command(*command)


def test_nobody_comes_in_without_the_password(tmp_path: Path) -> None:
    write_redis_secret(tmp_path, "podium")
    with redis_server(*_options(tmp_path), password=(tmp_path / "password").read_text(), user="podium") as store:
        for who in ({}, {"username": "podium", "password": "wrong"}):
            stranger = redis.Redis(port=store.port, **who)  # type: ignore[arg-type]
            with stranger, pytest.raises(redis.exceptions.AuthenticationError):
                stranger.ping()


def _set(shared: dict[str, Any]) -> list[str]:
    return [word for name, value in shared.items() for word in ("--set", f"redis.{name}={value}")]
