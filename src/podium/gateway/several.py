"""Several Envoys of the same configuration, asked as if they were one: ``Gateways`` of ``podium.gateway.admin``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Self, TypeVar

import httpx

from podium.gateway.admin import EnvoyAdmin

T = TypeVar("T")


class SeveralEnvoys:
    """Asks all that it was last told of. A context manager.

    One that does not answer makes the answer an ``httpx.HTTPError``: half of a sum would be wrong. So does having none.
    ``reopened`` opens the attempts log anew, which is not theirs.
    """

    def __init__(self, reopened: Callable[[], None]) -> None:
        self._reopened = reopened
        self._all: dict[str, EnvoyAdmin] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.follow(())

    @property
    def urls(self) -> tuple[str, ...]:
        """Where they are asked."""
        return tuple(self._all)

    async def follow(self, urls: Iterable[str]) -> None:
        """From now on these are all."""
        wanted = list(urls)
        left = [self._all.pop(url) for url in list(self._all) if url not in wanted]
        for url in wanted:
            if url not in self._all:
                self._all[url] = EnvoyAdmin(url)
        for each in left:
            await each.__aexit__()

    async def counters(self, pattern: str) -> dict[str, int]:
        """See ``Gateways``."""
        found: dict[str, int] = {}
        for one in await self._ask(lambda envoy: envoy.counters(pattern)):
            for name, value in one.items():
                found[name] = found.get(name, 0) + value
        return found

    async def exposition(self, pattern: str) -> bytes:
        """See ``Gateways``. When one of them goes, what it has counted goes from the sum."""
        return added(await self._ask(lambda envoy: envoy.exposition(pattern)))

    async def healthy_endpoints(self) -> dict[str, dict[str, bool]]:
        """See ``Gateways``."""
        return {
            cluster: {address: bool(state) for address, state in states.items()}
            for cluster, states in (await self.server_states()).items()
        }

    async def server_states(self) -> dict[str, dict[str, bool | None]]:
        """See ``Gateways``."""
        found: dict[str, dict[str, bool | None]] = {}
        for one in await self._ask(lambda envoy: envoy.server_states()):
            for cluster, states in one.items():
                known = found.setdefault(cluster, {})
                for address, state in states.items():
                    known[address] = _both(known.get(address, True), state)
        return found

    async def reopen_logs(self) -> None:
        """See ``Gateways``."""
        self._reopened()

    async def _ask(self, question: Callable[[EnvoyAdmin], Awaitable[T]]) -> list[T]:
        if not self._all:
            raise httpx.ConnectError("there is no gateway to ask")
        return list(await asyncio.gather(*map(question, self._all.values())))


def added(pages: Iterable[bytes]) -> bytes:
    """Expositions in Prometheus's text format as one, each series the sum of its values."""
    sums: dict[str, float] = {}
    comments: dict[str, None] = {}
    for line in (line for page in pages for line in page.decode().splitlines() if line):
        if line.startswith("#"):
            comments[line] = None
            continue
        series, _, value = line.rpartition(" ")
        sums[series] = sums.get(series, 0.0) + float(value)
    return "".join(f"{line}\n" for line in _ordered(comments, sums)).encode()


def _ordered(comments: Iterable[str], sums: Mapping[str, float]) -> Iterable[str]:
    yield from comments
    for series, value in sums.items():
        yield f"{series} {value:.17g}"


def _both(first: bool | None, second: bool | None) -> bool | None:  # noqa: FBT001 - states, not switches
    """Unhealthy for one is unhealthy; else unknown to one is unknown."""
    if first is False or second is False:
        return False
    return None if first is None or second is None else True
