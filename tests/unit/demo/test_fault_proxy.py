"""The proxy of the demonstration: what it fails is failed on the socket, what it does not comes back as it was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from podium.demo.fault_proxy import SLOW_SECONDS, Fault, FaultProxy, listening
from podium.demo.load import Load
from support.deadline import soon
from support.fake_server import Canned, FakeServer, fake_server
from support.ports import free_port

GOOD = {"choices": [{"text": "abc", "finish_reason": "length"}]}
ROUTES = {"POST /v1/completions": Canned(GOOD), "GET /readyz": Canned({"status": "ready"})}


@asynccontextmanager
async def proxied(fault: Fault, rate: float = 1.0) -> AsyncIterator[tuple[FaultProxy, str, FakeServer]]:
    port = free_port()
    with fake_server(ROUTES) as behind:
        proxy = FaultProxy(behind.port, fault, rate)
        async with listening(proxy, port):
            yield proxy, f"http://127.0.0.1:{port}", behind


def client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, trust_env=False, timeout=10)


def test_without_a_fault_requests_and_answers_pass_unchanged_on_one_connection() -> None:
    async def main() -> None:
        async with proxied("none") as (proxy, url, behind), client(url) as asking:
            for number in range(3):
                answer = await asking.post("/v1/completions", json={"number": number})
                assert answer.json() == GOOD
            assert [body for _, body in behind.requests] == [{"number": number} for number in range(3)]
            assert (proxy.counts.requests, proxy.counts.failures) == (3, 0)

    asyncio.run(main())


@pytest.mark.parametrize("fault", ["errors", "slow", "reset", "hang"])
def test_probes_pass_whatever_the_fault(fault: Fault) -> None:
    async def main() -> None:
        async with proxied(fault) as (proxy, url, _), client(url) as asking:
            assert (await asking.get("/readyz")).status_code == 200
            assert proxy.counts.requests == 0

    asyncio.run(main())


def test_errors_are_500s_of_which_the_server_never_hears_and_keep_the_connection() -> None:
    async def main() -> None:
        async with proxied("errors") as (proxy, url, behind), client(url) as asking:
            codes = [(await asking.post("/v1/completions", json={})).status_code for _ in range(2)]
            assert codes == [500, 500]
            assert (await asking.get("/readyz")).status_code == 200
            assert [route for route, _ in behind.requests] == ["GET /readyz"]
            assert (proxy.counts.requests, proxy.counts.failures) == (2, 2)

    asyncio.run(main())


def test_a_reset_is_a_reset() -> None:
    async def main() -> None:
        async with proxied("reset") as (proxy, url, behind), client(url) as asking:
            with pytest.raises(httpx.ReadError):
                await asking.post("/v1/completions", json={})
            assert (proxy.counts.failures, behind.requests) == (1, [])

    asyncio.run(main())


def test_a_hang_never_answers_and_the_server_never_hears_of_it() -> None:
    async def main() -> None:
        async with proxied("hang") as (proxy, url, behind), client(url) as asking:
            with pytest.raises(httpx.ReadTimeout):
                await asking.post("/v1/completions", json={}, timeout=0.3)
            assert (proxy.counts.failures, behind.requests) == (1, [])

    asyncio.run(main())


def test_slow_is_late_and_otherwise_right() -> None:
    async def main() -> None:
        async with proxied("slow") as (proxy, url, _), client(url) as asking:
            began = time.monotonic()
            assert (await asking.post("/v1/completions", json={})).json() == GOOD
            assert time.monotonic() - began >= SLOW_SECONDS
            assert proxy.counts.failures == 1

    asyncio.run(main())


def test_a_part_is_failed_and_counted_exactly() -> None:
    async def main() -> None:
        async with proxied("errors", 0.5) as (proxy, url, _), client(url) as asking:
            codes = [(await asking.post("/v1/completions", json={})).status_code for _ in range(60)]
            assert proxy.counts.failures == codes.count(500)
            assert 0 < codes.count(500) < 60  # both, but for a chance of 2 in 2**60

    asyncio.run(main())


def test_a_server_that_is_gone_ends_the_connection() -> None:
    async def main() -> None:
        port = free_port()
        async with listening(FaultProxy(free_port(), "none", 0.0), port), client(f"http://127.0.0.1:{port}") as asking:
            with pytest.raises(httpx.TransportError):
                await asking.post("/v1/completions", json={})

    asyncio.run(main())


def test_the_load_counts_what_came_back_and_waits_for_the_last_answer() -> None:
    async def main() -> None:
        async with proxied("errors", 0.5) as (proxy, url, _):
            load = Load(url, "echo", 100.0)
            async with asyncio.TaskGroup() as group:
                group.create_task(load.run(), name="load")
                await soon("both outcomes were seen", lambda: load.counts.ok > 5 and load.counts.failed > 5)
                load.end()
            counts = load.counts
            assert counts.sent == counts.ok + counts.failed == proxy.counts.requests
            assert counts.failed == proxy.counts.failures
            assert (counts.quantile_seconds(0.5) or 0) <= (counts.quantile_seconds(0.99) or 0)

    asyncio.run(main())


def test_an_answer_that_is_no_completion_is_a_failure_of_the_load() -> None:
    async def main() -> None:
        with fake_server({"POST /v1/completions": Canned({"choices": []})}) as server:
            load = Load(server.url, "echo", 50.0)
            async with asyncio.TaskGroup() as group:
                group.create_task(load.run(), name="load")
                await soon("one has failed", lambda: load.counts.failed)
                load.end()
            assert load.counts.ok == 0

    asyncio.run(main())
