"""A real Envoy that is fed: what it confirms, what it refuses, and what it does when nobody feeds it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from podium.aio import tasks
from podium.controller.attempts_reader import AttemptsReader
from podium.controller.run_folder import RunFolder
from podium.controller.traffic_view import TrafficView
from podium.core.errors import GatewayRejected, GatewayUnavailable
from podium.gateway import bootstrap
from podium.gateway.attempts import AttemptCounts, AttemptsLog
from podium.gateway.canonical import pack
from podium.gateway.resources import ROUTE, documents, resources
from podium.gateway.snapshot import Snapshot, snapshot_of
from podium.gateway.topology import Topology
from podium.gateway.traffic import Traffic
from podium.gateway.weights_file import WeightsFile
from podium.gateway.xds import DiscoveryServer
from support.deadline import soon
from support.fed_envoy import Fed, fed
from support.ports import free_port
from support.scripted_server import Received, ScriptedServer, begin_stream, end_stream, reply, send
from support.topologies import topology


def with_envoy(act: Callable[[Fed], Awaitable[None]], *, ack_seconds: float = 10.0) -> None:
    async def run() -> None:
        async with fed(ack_seconds=ack_seconds) as one:
            await act(one)

    asyncio.run(run())


def to_an_unknown_cluster(wanted: Topology) -> Snapshot:
    """What Podium itself would not build."""
    routes = documents(wanted)[ROUTE]
    routes[0]["virtual_hosts"][0]["routes"][0]["route"]["cluster"] = "nowhere"
    good = snapshot_of(wanted)
    packed = tuple(pack(message) for message in resources({ROUTE: routes})[ROUTE])
    return replace(good, packed={**good.packed, ROUTE: packed}, versions={**good.versions, ROUTE: "bad"})


def test_a_refusal_brings_envoys_words_and_leaves_everything_as_it_was() -> None:
    async def act(one: Fed) -> None:
        before = one.discovery.snapshot
        with pytest.raises(GatewayRejected, match="unknown cluster 'nowhere'"):
            await one.discovery.push(to_an_unknown_cluster(one.topology))
        assert one.discovery.rejections == 1
        assert one.discovery.snapshot is before
        assert one.discovery.confirmed
        assert await one.admin.is_live()
        await one.discovery.push(snapshot_of(one.topology.with_weights({"green": 100})))

    with_envoy(act)


def test_a_change_of_weights_is_confirmed_at_once_and_kept() -> None:
    """Twenty changes; each is one new route configuration and no new listener."""

    async def act(one: Fed) -> None:
        traffic = Traffic(one.topology, one.discovery, WeightsFile(one.folder.weights))
        routes = await one.route_version()
        listeners = await one.admin.counters("listener_manager.listener_(modified|added|in_place_updated)")
        began = time.monotonic()
        for green in range(1, 21):
            await traffic.set_weights({"blue": 100 - green, "green": green})
        assert time.monotonic() - began < 5
        assert await one.route_version() == routes + 20
        assert await one.admin.counters("listener_manager.listener_(modified|added|in_place_updated)") == listeners
        assert WeightsFile(one.folder.weights).read(("blue", "green")) == {"blue": 8000, "green": 2000}

    with_envoy(act)


def test_when_the_roles_change_no_stream_is_cut_and_no_request_fails() -> None:
    """A stream that came through the shield that goes, and eight clients while it goes and comes back ten times."""

    def streams(connection: socket.socket, request: Received) -> None:
        if not (request.body or {}).get("stream"):
            reply(connection, 200, {})
            return
        begin_stream(connection)
        for number in range(20):
            send(connection, {"number": number})
            time.sleep(0.1)
        end_stream(connection)

    async def act(ports: dict[str, int]) -> None:
        async with fed(servers=ports) as one, httpx.AsyncClient(timeout=30) as client:
            traffic = Traffic(one.topology, one.discovery, WeightsFile(one.folder.weights))
            await traffic.set_weights({"green": 100})
            url = f"http://127.0.0.1:{one.topology.listen.port}/"
            await until_answered(client, url)
            running = asyncio.get_running_loop().create_task(client.post(url, json={"stream": True}))
            await soon("the stream runs", lambda: len(green.posted) > 1)
            statuses: list[int] = []
            enough = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for _ in range(8):
                    group.create_task(ask_on(client, url, statuses, enough), name="client")
                for environment in ("green", "blue") * 10:
                    await traffic.set_stable(environment)
                    await asyncio.sleep(0.02)
                enough.set()
            assert set(statuses) == {200}
            assert len((await running).text.split("data: ")) == 21
            assert traffic.topology.former == ""
            assert set(await one.admin.healthy_endpoints()) == {"xds", "blue", "green", "green_shielded"}

    with ScriptedServer(_answers, keeps_alive=True) as blue, ScriptedServer(streams) as green:
        asyncio.run(act({"blue": _port(blue), "green": _port(green)}))


def test_a_draining_environment_finishes_what_runs_and_gets_nothing_new_not_even_by_header() -> None:
    go_on = threading.Event()

    def streams(connection: socket.socket, request: Received) -> None:
        if request.body != {"stream": True}:
            reply(connection, 200, {})
            return
        begin_stream(connection)
        send(connection, b"data: first\n\n")
        go_on.wait(30)
        end_stream(connection)

    async def act(port: int) -> None:
        async with fed(servers={"blue": free_port(), "green": port}) as one, httpx.AsyncClient(timeout=30) as client:
            traffic = Traffic(one.topology, one.discovery, WeightsFile(one.folder.weights))
            url, arm = f"http://127.0.0.1:{one.topology.listen.port}/", {"x-podium-arm": "green"}
            await until_answered(client, url)
            async with client.stream("POST", url, json={"stream": True}, headers=arm) as running:
                assert running.status_code == 200
                await traffic.set_draining("green")
                assert (await client.post(url, json={}, headers=arm)).status_code == 503
                attempts = AttemptsLog(one.folder.attempts_log)
                view = TrafficView(traffic, one.discovery, admin=one.admin, attempts=attempts, taken=lambda: None)
                assert {name: each.running for name, each in (await view.show()).environments.items()} == {
                    "blue": 0,
                    "green": 1,
                }
                go_on.set()
                assert "data: first" in (await running.aread()).decode()
            await traffic.set_draining("")
            await until_answered(client, url)

    with ScriptedServer(streams) as green:
        asyncio.run(act(_port(green)))


async def ask_on(client: httpx.AsyncClient, url: str, statuses: list[int], enough: asyncio.Event) -> None:
    """Ask again and again, until it is enough."""
    while not enough.is_set():
        statuses.append((await client.post(url, json={})).status_code)


async def until_answered(client: httpx.AsyncClient, url: str) -> None:
    """Wait until green passes its check."""
    async with asyncio.timeout(30):
        while (await client.post(url, json={}, headers={"x-podium-arm": "green"})).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def _port(server: ScriptedServer) -> int:
    return int(server.base_url.split(":")[2].split("/")[0])


def test_a_gateway_that_does_not_answer_is_waited_for_to_the_deadline_and_gets_the_state_before() -> None:
    async def act(one: Fed) -> None:
        pid = one.envoy.pid
        assert pid is not None
        before = one.discovery.snapshot
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(GatewayUnavailable, match="did not confirm the change within"):
                await one.discovery.push(snapshot_of(one.topology.with_weights({"green": 100})))
        finally:
            os.kill(pid, signal.SIGCONT)
        assert one.discovery.snapshot is before
        await soon("the state before is confirmed", lambda: one.discovery.confirmed)

    with_envoy(act, ack_seconds=0.5)


def test_with_no_gateway_connected_nothing_is_changed() -> None:
    async def act() -> None:
        with tempfile.TemporaryDirectory(prefix="podium-") as name:
            folder = RunFolder(Path(name))
            first = snapshot_of(topology())
            async with DiscoveryServer(str(folder.discovery_socket), first, ack_seconds=1.0) as discovery:
                with pytest.raises(GatewayUnavailable, match="No gateway is connected"):
                    await discovery.push(snapshot_of(topology({"green": 100})))
                assert discovery.snapshot is first

    asyncio.run(act())


def test_no_attempt_is_lost_while_the_log_is_replaced_again_and_again() -> None:
    """40 requests through a server that answers, with a log that is too long after every line."""

    async def act(port: int) -> None:
        async with fed(servers={"blue": port}) as one:
            attempts = AttemptsLog(one.folder.attempts_log)
            reader = AttemptsReader(one.folder.attempts_log, attempts, one.admin, most_bytes=1)
            reading = tasks.start(reader.run(), name="reader")
            url = f"http://127.0.0.1:{one.topology.listen.port}/"
            try:
                async with httpx.AsyncClient(timeout=30) as client:
                    await soon("the server is found", lambda: one.discovery.confirmed)
                    answers = [await client.post(url, json={}) for _ in range(40)]
                served = sum(answer.status_code == 200 for answer in answers)
                assert served > 0
                await soon("every attempt is counted", lambda: _counted(attempts) == served)
            finally:
                await tasks.stop(reading)
                attempts.close()
            assert attempts.unreadable == 0

    with ScriptedServer(_answers, keeps_alive=False) as server:
        asyncio.run(act(int(server.base_url.split(":")[2].split("/")[0])))


def _answers(connection: socket.socket, _: Received) -> None:
    reply(connection, 200, {})


def _counted(attempts: AttemptsLog) -> int:
    return sum(counts.attempts for counts in attempts.counts.values())


def test_a_client_may_be_kept_from_choosing_its_environment() -> None:
    """Blue has all traffic. The check of green, and a copy with the run's key, reach it; nothing else does."""

    async def act(ports: dict[str, int]) -> None:
        async with fed(servers=ports) as one, httpx.AsyncClient(timeout=30) as client:
            url, arm = f"http://127.0.0.1:{one.topology.listen.port}", {"x-podium-arm": "green"}
            await until_answered(client, f"{url}/")
            await one.discovery.push(snapshot_of(replace(one.topology, has_pins=False, shadow_key="secret")))
            before = len(green.posted)
            assert (await client.post(f"{url}/", json={}, headers=arm)).status_code == 200
            assert len(green.posted) == before
            guess = {**arm, "x-podium-shadow": "guess"}
            assert (await client.post(f"{url}/", json={}, headers=guess)).status_code == 200
            assert len(green.posted) == before
            copy = {**arm, "x-podium-shadow": "secret"}
            assert (await client.post(f"{url}/", json={}, headers=copy)).status_code == 200
            assert len(green.posted) == before + 1
            assert (await client.get(f"{url}/readyz", headers=arm)).status_code == 200

    with ScriptedServer(_answers) as blue, ScriptedServer(_answers) as green:
        asyncio.run(act({"blue": _port(blue), "green": _port(green)}))


async def _until_answered(client: httpx.AsyncClient, url: str) -> None:
    async with asyncio.timeout(30):
        while (await client.post(url, json={})).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def test_a_header_that_is_no_text_neither_ends_the_reader_nor_hides_an_attempt() -> None:
    async def act(port: int) -> None:
        async with fed(servers={"blue": port, "green": free_port()}) as one:
            url = f"http://127.0.0.1:{one.topology.listen.port}/"
            async with httpx.AsyncClient(timeout=30) as client:
                await _until_answered(client, url)
                odd = [(b"x-podium-user", b"\xff\xfe\x80"), (b"x-request-id", b'\xc3"\\')]
                assert (await client.post(url, json={}, headers=odd)).status_code == 200
            attempts = AttemptsLog(one.folder.attempts_log)
            answered = AttemptCounts(attempts=2, first=2, failed=0)
            await soon("both count", lambda: attempts.read_lines() == [] and attempts.counts.get("blue") == answered)
            assert attempts.unreadable == 0
            attempts.close()

    with ScriptedServer(_answers) as server:
        asyncio.run(act(_port(server)))


def test_a_client_cannot_make_its_attempts_fail_repeat_or_look_repeated_by_envoys_own_headers() -> None:
    """Else whoever knows that he is in the canary could fail it."""

    def slow(connection: socket.socket, _: Received) -> None:
        time.sleep(0.3)
        reply(connection, 200, {})

    async def act(port: int) -> None:
        async with fed(servers={"blue": port, "green": free_port()}) as one:
            url = f"http://127.0.0.1:{one.topology.listen.port}/"
            async with httpx.AsyncClient(timeout=30) as client:
                await _until_answered(client, url)
                waits = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-upstream-rq-per-try-timeout-ms": "1"}
                repeats = {"x-envoy-max-retries": "9", "x-envoy-retry-on": "5xx", "x-envoy-attempt-count": "2"}
                assert (await client.post(url, json={}, headers={**waits, **repeats})).status_code == 200
            attempts = AttemptsLog(one.folder.attempts_log)
            answered = AttemptCounts(attempts=2, first=2, failed=0)
            await soon("both count", lambda: attempts.read_lines() == [] and attempts.counts.get("blue") == answered)
            attempts.close()

    with ScriptedServer(slow) as server:
        asyncio.run(act(_port(server)))


def test_envoy_has_nothing_to_complain_about() -> None:
    async def act(one: Fed) -> None:
        assert [line for line in one.said if "][warning]" in line or "][error]" in line] == []

    with_envoy(act)


def test_a_gateway_may_ask_over_and_over_whether_its_controller_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPC's servers hang up at the fourth such question, unless they are told not to."""
    monkeypatch.setattr(bootstrap, "PING_INTERVAL", "0.050s")

    async def act(one: Fed) -> None:
        await asyncio.sleep(2)
        connections = await one.admin.counters(r"cluster\.xds\.upstream_cx_total")
        assert connections == {"cluster.xds.upstream_cx_total": 1}

    with_envoy(act)
