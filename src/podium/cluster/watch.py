"""Following EndpointSlices: one list, then every change, for as long as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Self

import httpx
import msgspec
import structlog

from podium.aio.backoff import Backoff
from podium.cluster.account import ServiceAccount
from podium.cluster.endpoint_slices import (
    SERVICE_LABEL,
    EndpointSlice,
    EndpointSliceList,
    Server,
    SliceHead,
    servers_of,
)
from podium.core.errors import ConfigurationError, GatewayUnavailable

log = structlog.get_logger(__name__)

WATCH_SECONDS = 240
"""After this long the API server ends a watch, which is then begun again where it ended."""
_SILENCE_SECONDS = WATCH_SECONDS + 30.0  # a connection that died without a word
_PAGE = 500
_FIRST_PAUSE_SECONDS = 0.2
_MOST_PAUSE_SECONDS = 10.0
_SHORT_SECONDS = 1.0
"""A watch that ends sooner and tells nothing is followed by a pause: servers in trouble are not asked in a loop."""
_GONE = 410


class _Gone(Exception):
    """The API server does not know the version any more from which changes were asked."""


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Status(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""


class SliceWatch:
    """The slices of ``services`` in the pod's own namespace. A context manager; the account needs `list` and `watch`.

    ``changed`` is called after every change, once everything was listed. What was known last stays while the API
    server is away, and of a slice that cannot be read. ``address`` is its URL.
    """

    def __init__(
        self, address: str, account: ServiceAccount, services: Sequence[str], *, changed: Callable[[], None]
    ) -> None:
        self._account = account
        self._path = f"/apis/discovery.k8s.io/v1/namespaces/{account.namespace}/endpointslices"
        self._selector = f"{SERVICE_LABEL} in ({','.join(services)})"
        self._changed = changed
        self._slices: dict[str, EndpointSlice] = {}
        self._unreadable: set[str] = set()
        self._version = ""
        timeout = httpx.Timeout(10.0, read=_SILENCE_SECONDS)
        self._client = httpx.AsyncClient(base_url=address, verify=account.trust(), timeout=timeout, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    def servers(self, service: str, port_name: str) -> tuple[Server, ...]:
        """The pods behind a Service; see ``servers_of``."""
        return servers_of(self._slices.values(), service, port_name)

    async def list_once(self) -> None:
        """Read everything. Raises ``GatewayUnavailable`` with what the API server says, when it cannot be read."""
        try:
            await self._list()
        except (httpx.HTTPError, msgspec.DecodeError, msgspec.ValidationError) as error:
            raise GatewayUnavailable(f"The endpoints could not be listed: {_reason(error)}.") from error

    async def run(self) -> None:
        """Follow until cancelled. Nothing that the API server does ends this; every trouble is logged."""
        pause = Backoff(_FIRST_PAUSE_SECONDS, _MOST_PAUSE_SECONDS)
        clock = asyncio.get_running_loop().time
        while True:
            began, version = clock(), self._version
            try:
                if not self._version:
                    await self._list()
                    self._changed()
                await self._follow()
            except _Gone:
                self._version = ""
            except (httpx.HTTPError, msgspec.DecodeError, ConfigurationError) as error:
                log.warning("endpoints cannot be followed; the last ones stay", reason=_reason(error))
                await asyncio.sleep(pause.next_seconds())
                continue
            if clock() - began >= _SHORT_SECONDS or (version and self._version not in {"", version}):
                pause.reset()
            else:
                await asyncio.sleep(pause.next_seconds())

    async def _list(self) -> None:
        found: dict[str, EndpointSlice] = {}
        query: dict[str, Any] = {"labelSelector": self._selector, "limit": _PAGE}
        while True:
            answer = await self._client.get(self._path, params=query, headers=self._headers)
            page = msgspec.json.decode(answer.raise_for_status().content, type=EndpointSliceList)
            found |= dict(filter(None, map(self._read, page.items or ())))
            if not page.metadata.next_page:
                break
            query["continue"] = page.metadata.next_page
        self._slices, self._version = found, page.metadata.resourceVersion

    async def _follow(self) -> None:
        async for event in self._events():
            if event.type == "ERROR":
                status = msgspec.json.decode(event.object, type=_Status)
                if status.code == _GONE:
                    raise _Gone
                raise msgspec.DecodeError(f"the watch ended: {status.message}")
            self._take(event)

    def _take(self, event: _Event) -> None:
        try:
            head = msgspec.json.decode(event.object, type=SliceHead).metadata
        except msgspec.DecodeError:
            self._version = ""  # where to go on is not known: everything is listed again
            raise
        self._version = head.resourceVersion
        if event.type == "BOOKMARK":
            return
        if event.type == "DELETED":
            self._slices.pop(head.name, None)
            self._unreadable.discard(head.name)
        elif (found := self._read(event.object)) is not None:
            self._slices |= dict([found])
        self._changed()

    def _read(self, written: msgspec.Raw) -> tuple[str, EndpointSlice] | None:
        """A slice by its name. Of one that cannot be read, which is told once, what was known before."""
        name = "?"
        try:
            name = msgspec.json.decode(written, type=SliceHead).metadata.name
            found = msgspec.json.decode(written, type=EndpointSlice)
        except msgspec.DecodeError as error:
            if name not in self._unreadable:
                told = "a slice of endpoints cannot be read; what was known of it stays"
                log.error(told, slice=name, reason=str(error))  # noqa: TRY400 - the cause is told
            self._unreadable.add(name)
            return (name, self._slices[name]) if name in self._slices else None
        self._unreadable.discard(name)
        return name, found

    async def _events(self) -> AsyncIterator[_Event]:
        query: dict[str, Any] = {
            "watch": "true",
            "labelSelector": self._selector,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": WATCH_SECONDS,
        }
        async with self._client.stream("GET", self._path, params=query, headers=self._headers) as answer:
            if answer.status_code == _GONE:
                raise _Gone
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line:
                    yield msgspec.json.decode(line, type=_Event)

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._account.token}", "accept": "application/json"}


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        hint = {401: "the token was refused", 403: "the account may not list and watch EndpointSlices"}
        code = error.response.status_code
        return hint.get(code, f"the API server answers {code}")
    return str(error) or type(error).__name__
