"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from podium.client.attempts import Attempts, broken, decoded
from podium.client.calls import (
    CONNECT_SECONDS,
    GOOD,
    HEALTH_STATUSES,
    Batch,
    Progress,
    generation,
    headers_for,
    new_idempotency_key,
)
from podium.client.events import StreamReader
from podium.client.results import BatchAnswer, BatchResult, Generated, Health, Piece, StreamEnd
from podium.client.retries import Retries

T = TypeVar("T")


class ModelClient:
    """Calls one server. Open it with ``async with``, or ``aclose`` it.

    ``api_key`` goes with every request. ``timeout_seconds`` is the longest silence of the server; None waits for ever.
    A call is tried again as ``retries`` says, before the first byte of its answer only; a retry joins the generation
    that it began. Keyword arguments of the calls are members of the request: ``max_new_tokens``, ``temperature``, …

    Raises ``Refused``, ``Unreachable`` and ``AnswerBroken`` (``podium.client.errors``). Cancelling a call
    ends its generation.
    """

    def __init__(
        self,
        base_url: str = "http://localhost:8000",
        *,
        api_key: str | None = None,
        timeout_seconds: float | None = 600.0,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._retries = retries or Retries()
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers=headers_for(api_key),
            timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def generate(self, model: str | None, prompt: str, **members: Any) -> Generated:
        """Continue ``prompt``; ``model`` None is the server's default."""
        body = generation(model, prompt, members)
        return await self._call("POST", "/generate", Generated, json=body, headers=new_idempotency_key())

    def stream(self, model: str | None, prompt: str, **members: Any) -> GenerationStream:
        """Continue ``prompt``: ``async with client.stream(…) as stream: async for piece in stream: …``."""
        body = generation(model, prompt, {**members, "stream": True})
        return GenerationStream(self._open, body)

    async def batch_generate(
        self,
        model: str | None,
        prompts: Sequence[str],
        *,
        progress: Progress | None = None,
        batch_size: int = 32,
        concurrency: int = 2,
        **members: Any,
    ) -> BatchResult:
        """Continue each of ``prompts``, any number of them, each with its own text or its own error.

        They go in calls of ``batch_size``, ``concurrency`` of which run at once; prompts that failed for the moment are
        sent again. A call that fails as a whole ends all.
        """
        batch = Batch(prompts, batch_size, self._retries.most)
        running = asyncio.Semaphore(concurrency)

        async def call(positions: list[int], *, last: bool) -> None:
            body = {**members, "prompts": [prompts[position] for position in positions]}
            if model is not None:
                body["model"] = model
            async with running:
                headers = new_idempotency_key()
                answer = await self._call("POST", "/batch_generate", BatchAnswer, json=body, headers=headers)
            batch.take(positions, answer.results, answer.usage, last=last)
            if progress is not None:
                progress(batch.done, len(prompts))

        for tried in range(self._retries.most + 1):
            if tried and batch.calls():
                await asyncio.sleep(self._retries.wait_seconds(tried - 1, None) or 0.0)
            try:
                async with asyncio.TaskGroup() as group:
                    for number, positions in enumerate(batch.calls()):
                        last = tried == self._retries.most
                        group.create_task(call(positions, last=last), name=f"batch-{tried}-{number}")
            except BaseExceptionGroup as failures:
                raise failures.exceptions[0] from None
        return batch.result()

    async def health_check(self) -> Health:
        """State of the server, also when it is not well."""
        return await self._call("GET", "/health", Health, accepted=HEALTH_STATUSES)

    async def _call(
        self, method: str, path: str, kind: type[T], *, accepted: tuple[int, ...] = GOOD, **members: Any
    ) -> T:
        return decoded(await self._send(self._client.build_request(method, path, **members), accepted=accepted), kind)

    async def _open(self, body: dict[str, Any]) -> httpx.Response:
        return await self._send(self._client.build_request("POST", "/generate", json=body), stream=True)

    async def _send(
        self, request: httpx.Request, *, accepted: tuple[int, ...] = GOOD, stream: bool = False
    ) -> httpx.Response:
        attempts = Attempts(self._retries)
        while True:
            try:
                response = await self._client.send(request, stream=stream)
                if response.status_code in accepted:
                    return response
                await response.aread()
                wait = attempts.after_refusal(response)
            except httpx.TransportError as error:
                wait = attempts.after_silence(error, request.url.host)
            await asyncio.sleep(wait)


class GenerationStream:
    """Pieces of one text. ``end`` is there after the last one: the loop ends without an error only when all came."""

    def __init__(self, open_: Callable[[dict[str, Any]], Awaitable[httpx.Response]], body: dict[str, Any]) -> None:
        self.end: StreamEnd | None = None
        self._open = open_
        self._body = body
        self._response: httpx.Response | None = None

    async def __aenter__(self) -> Self:
        self._response = await self._open(self._body)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._response is not None:
            await self._response.aclose()

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """The pieces, once. Leaving early ends the generation."""
        if self._response is None:
            raise RuntimeError("open the stream first: `async with client.stream(…) as stream`")
        reader = StreamReader()
        try:
            async for line in self._response.aiter_lines():
                if (piece := reader.read(line)) is not None:
                    yield piece
        except httpx.TransportError as error:
            broken(error)
        reader.finish()
        self.end = reader.end
