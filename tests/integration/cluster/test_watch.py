"""Following EndpointSlices over real HTTPS: what the API server does, and what is known then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from podium.aio import tasks
from podium.cluster.account import ServiceAccount
from podium.cluster.endpoint_slices import Server
from podium.cluster.watch import SliceWatch
from podium.core.errors import ConfigurationError, GatewayUnavailable
from support.api_server import PATH, ApiServer, api_server, endpoint
from support.deadline import soon

A, B, C = (Server(f"10.1.0.{number}", 8000, ready=True) for number in (1, 2, 3))


def followed(folder: Path, act: Callable[[ApiServer, SliceWatch], Awaitable[None]], *, page: int = 500) -> None:
    """``act`` beside a watch that follows blue and green, where blue has one server."""

    async def run() -> None:
        with api_server(folder) as api:
            api.page = page
            api.put("blue-1", "blue", [endpoint(A.host)], 8000)
            api.put("other-1", "other", [endpoint("10.9.9.9")], 8000)
            account = ServiceAccount(folder)
            async with SliceWatch(api.url, account, ["blue", "green"], changed=lambda: None) as watch:
                await watch.list_once()
                task = tasks.start(watch.run(), name="watch")
                try:
                    await act(api, watch)
                finally:
                    await tasks.stop(task)

    asyncio.run(run())


async def _knows(watch: SliceWatch, *servers: Server) -> None:
    await soon(f"{servers} are known", lambda: watch.servers("blue", "http") == servers)


def test_what_is_added_changed_and_deleted_is_known(tmp_path: Path) -> None:
    async def act(api: ApiServer, watch: SliceWatch) -> None:
        await _knows(watch, A)
        api.put("blue-2", "blue", [endpoint(B.host)], 8000)
        await _knows(watch, A, B)
        api.put("blue-1", "blue", [endpoint(A.host), endpoint(C.host, ready=False)], 8000)
        await _knows(watch, A, B, C._replace(ready=False))
        api.delete("blue-1")
        await _knows(watch, B)

    followed(tmp_path, act)


def test_a_pod_that_leaves_is_not_a_server_any_more(tmp_path: Path) -> None:
    async def act(api: ApiServer, watch: SliceWatch) -> None:
        api.put("blue-1", "blue", [endpoint(A.host, terminating=True), endpoint(B.host)], 8000)
        await _knows(watch, B)

    followed(tmp_path, act)


def test_pods_that_all_leave_get_requests_for_as_long_as_they_serve_and_no_other_is_ready(tmp_path: Path) -> None:
    """Better than refusing everybody; the gateway checks each of them all the same."""

    async def act(api: ApiServer, watch: SliceWatch) -> None:
        leaving = [endpoint(A.host, terminating=True), endpoint(B.host, ready=False, terminating=True)]
        api.put("blue-1", "blue", leaving, 8000)
        await _knows(watch, A._replace(ready=False))
        api.put("blue-1", "blue", [*leaving, endpoint(C.host, ready=False)], 8000)
        await _knows(watch, A._replace(ready=False), C._replace(ready=False))
        api.put("blue-1", "blue", [*leaving, endpoint(C.host)], 8000)
        await _knows(watch, C)

    followed(tmp_path, act)


@pytest.mark.parametrize("odd", [{"addressType": "IPv9"}, {"ports": [{"port": "http"}]}, {"ports": {}}])
def test_a_slice_of_another_time_is_left_out_and_freezes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], odd: dict[str, Any]
) -> None:
    async def act(api: ApiServer, watch: SliceWatch) -> None:
        api.put("blue-2", "blue", [endpoint(B.host)], 8000, of_today=False, **odd)
        api.put("blue-3", "blue", [endpoint(C.host)], 8000)
        await _knows(watch, A, C)
        api.forget()  # and in a list
        api.delete("blue-3")
        await _knows(watch, A)
        api.put("blue-1", "blue", [endpoint(A.host)], 8000, of_today=False, ports="?")
        api.put("blue-2", "blue", [endpoint(B.host)], 8000)
        await _knows(watch, A, B)  # of the first one what was known before
        lists = _lists(api)
        api.forget()
        await soon("it is listed again", lambda: _lists(api) > lists)
        api.put("blue-3", "blue", [endpoint(C.host)], 8000)
        await _knows(watch, A, B, C)

    followed(tmp_path, act)
    assert capsys.readouterr().out.count("blue-2") == (odd.get("addressType") is None)


def test_a_list_of_many_pages_is_read_to_its_end(tmp_path: Path) -> None:
    async def act(api: ApiServer, watch: SliceWatch) -> None:
        for number in range(2, 8):
            api.put(f"blue-{number}", "blue", [endpoint(f"10.1.0.{number}")], 8000)
        api.forget()
        await soon("all are known", lambda: len(watch.servers("blue", "http")) == 7)
        assert sum("continue=" in path for path in api.requests) == 3

    followed(tmp_path, act, page=2)


def test_after_a_hang_up_the_watch_goes_on_where_it_was(tmp_path: Path) -> None:
    async def act(api: ApiServer, watch: SliceWatch) -> None:
        api.put("blue-2", "blue", [endpoint(B.host)], 8000)
        await _knows(watch, A, B)
        lists = _lists(api)
        api.hang_up()
        api.delete("blue-1")
        await _knows(watch, B)
        assert _lists(api) == lists

    followed(tmp_path, act)


def test_a_version_that_is_too_old_leads_to_a_new_list(tmp_path: Path) -> None:
    async def act(api: ApiServer, watch: SliceWatch) -> None:
        lists = _lists(api)
        await soon("it watches", lambda: any("watch=true" in path for path in api.requests))
        del api.slices["blue-1"]  # behind its back
        api.put("blue-2", "blue", [endpoint(B.host)], 8000)
        api.forget()
        await _knows(watch, B)
        assert _lists(api) > lists

    followed(tmp_path, act)


def test_a_bookmark_moves_the_version_from_which_a_watch_goes_on(tmp_path: Path) -> None:
    async def act(api: ApiServer, watch: SliceWatch) -> None:
        await soon("it watches", lambda: any("watch=true" in path for path in api.requests))
        api.bookmark()
        version = api.version
        await soon("it was told", lambda: watch._version == str(version))
        api.hang_up()
        await soon("it goes on there", lambda: f"resourceVersion={version}" in api.requests[-1])

    followed(tmp_path, act)


def test_what_was_known_stays_while_the_api_server_is_in_trouble(tmp_path: Path) -> None:
    async def act(api: ApiServer, watch: SliceWatch) -> None:
        api.broken = 2
        api.hang_up()
        await soon("it was refused twice", lambda: api.broken == 0)
        assert watch.servers("blue", "http") == (A,)
        api.put("blue-2", "blue", [endpoint(B.host)], 8000)
        await _knows(watch, A, B)

    followed(tmp_path, act)


def test_an_api_server_that_ends_every_watch_at_once_is_not_asked_in_a_loop(tmp_path: Path) -> None:
    async def act(api: ApiServer, watch: SliceWatch) -> None:
        api.ends_at_once = True
        api.hang_up()
        count = len(api.requests)
        await asyncio.sleep(1.0)
        assert len(api.requests) - count <= 10  # without a pause some hundred
        api.ends_at_once = False
        api.put("blue-2", "blue", [endpoint(B.host)], 8000)
        await _knows(watch, A, B)

    followed(tmp_path, act)


def test_a_token_that_cannot_be_read_for_a_moment_is_trouble_and_no_end(tmp_path: Path) -> None:
    async def act(api: ApiServer, watch: SliceWatch) -> None:
        token = tmp_path / "token"
        token.replace(tmp_path / "away")
        api.hang_up()
        await asyncio.sleep(0.1)
        (tmp_path / "away").replace(token)
        api.put("blue-2", "blue", [endpoint(B.host)], 8000)
        await _knows(watch, A, B)

    followed(tmp_path, act)


def test_nothing_but_list_and_watch_of_the_named_services_is_asked(tmp_path: Path) -> None:
    async def act(api: ApiServer, _: SliceWatch) -> None:
        await soon("it watches", lambda: any("watch=true" in path for path in api.requests))
        for path in api.requests:
            parts = urlsplit(path)
            assert parts.path == PATH
            assert parse_qs(parts.query)["labelSelector"] == ["kubernetes.io/service-name in (blue,green)"]

    followed(tmp_path, act)


def test_a_token_that_was_renewed_is_the_one_that_is_shown(tmp_path: Path) -> None:
    async def run() -> None:
        with api_server(tmp_path) as api:
            account = ServiceAccount(tmp_path)
            good = account.token
            (tmp_path / "token").write_text("of yesterday")
            async with SliceWatch(api.url, account, ["blue"], changed=lambda: None) as watch:
                with pytest.raises(GatewayUnavailable, match="the token was refused"):
                    await watch.list_once()
                (tmp_path / "token").write_text(good)
                await watch.list_once()

    asyncio.run(run())


def test_a_folder_without_an_account_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"namespace: No such file.*service account"):
        ServiceAccount(tmp_path).namespace  # noqa: B018 - it raises


def _lists(api: ApiServer) -> int:
    return sum("watch=true" not in path for path in api.requests)
