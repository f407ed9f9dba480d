"""How targets are asked: with a deadline, a bound on what is read, and nothing followed anywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import httpx

from podium.config.access import is_loopback
from podium.gateway.admin import Gateways
from podium.monitor.catalog import EVERYTHING, FIGURES, Catalog, Key
from podium.monitor.exposition import MOST_BYTES, Garbage
from podium.monitor.meaning import ENVOY_FILTER, of_controller, of_envoy, of_replica
from podium.monitor.recent import MOST_BYTES as MOST_RECENT_BYTES
from podium.monitor.recent import RecentSource
from podium.monitor.target import Fetch, ScrapeRefused, Target

SCRAPE_SECONDS = 0.9
"""Less than the interval between rounds: one target that hangs delays none of the others."""
_OK = 200


def replica_target(
    name: str,
    environment: str,
    address: str,
    *,
    client: httpx.AsyncClient,
    catalog: Catalog,
    key: str | None = None,
) -> Target:
    """A replica whose metrics are at ``address`` (``http://host:port``); ``key`` is shown on this machine only."""
    always = [Key("all", EVERYTHING, figure) for figure in ("good", "bad", "excluded")]
    always += [Key("environment", environment, figure) for figure in ("good", "bad", "excluded")]
    return Target(
        name=name,
        environment=environment,
        address=address,
        fetch=_over_http(client, f"{address}/metrics", key if _is_here(address) else None, MOST_BYTES),
        meaning=lambda series, labels: of_replica(environment, series, labels),
        catalog=catalog,
        always=tuple(always),
    )


def recent_source(name: str, address: str, *, client: httpx.AsyncClient, key: str | None = None) -> RecentSource:
    """The recent requests of the replica at ``address``; ``key`` as in ``replica_target``."""
    shown = key if _is_here(address) else None
    return RecentSource(name, _over_http(client, f"{address}/requests/recent", shown, MOST_RECENT_BYTES))


def envoy_target(admin: Gateways, environments: Sequence[str], *, catalog: Catalog) -> Target:
    """The gateway. What it leaves out of its answer has not happened yet."""
    always = [Key("all", EVERYTHING, figure) for figure in ("gateway_requests", "gateway_errors")]
    always += [Key("all", EVERYTHING, figure) for figure in ("retries", "retry_overflow", "unanswered")]
    for environment in environments:
        counters = [figure for figure in ("attempts", "failed_attempts") if figure in FIGURES["environment"]]
        always += [Key("environment", environment, figure) for figure in counters]

    async def fetch() -> bytes:
        async with asyncio.timeout(SCRAPE_SECONDS):
            try:
                return await admin.exposition(ENVOY_FILTER)
            except httpx.HTTPStatusError as error:
                raise ScrapeRefused(error.response.status_code) from error

    return Target("gateway", "", "its admin socket", fetch, of_envoy, catalog, tuple(always))


def own_target(exposition: Callable[[], bytes], *, catalog: Catalog) -> Target:
    """This controller, whose page is made on the spot."""

    async def fetch() -> bytes:
        return exposition()

    always = (Key("all", EVERYTHING, "messages_lost"),)  # without a receiver there is no series of one
    return Target("controller", "", "this process", fetch, of_controller, catalog, always)


def _is_here(address: str) -> bool:
    return is_loopback(urlsplit(address).hostname or "")


def _over_http(client: httpx.AsyncClient, url: str, key: str | None, most_bytes: int) -> Fetch:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}

    async def fetch() -> bytes:
        async with asyncio.timeout(SCRAPE_SECONDS), client.stream("GET", url, headers=headers) as answer:
            if answer.status_code != _OK:
                raise ScrapeRefused(answer.status_code)
            found = bytearray()
            async for piece in answer.aiter_bytes():
                found += piece
                if len(found) > most_bytes:
                    raise Garbage(f"more than {most_bytes} bytes")
            return bytes(found)

    return fetch
