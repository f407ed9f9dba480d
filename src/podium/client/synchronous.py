"""The client for programs without asyncio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
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


class SyncModelClient:
    """Calls one server. Open it with ``with``, or ``close`` it.

    ``api_key`` goes with every request. ``timeout_seconds`` is the longest silence of the server; None waits for ever.
    A call is tried again as ``retries`` says, before the first byte of its answer only; a retry joins the generation
    that it began. Keyword arguments of the calls are members of the request: ``max_new_tokens``, ``temperature``, …

    Raises ``Refused``, ``Unreachable`` and ``AnswerBroken`` (``podium.client.errors``).
    """

    def __init__(
        self,
        base_url: str = "http://localhost:8000",
        *,
        api_key: str | None = None,
        timeout_seconds: float | None = 600.0,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retries = retries or Retries()
        self._client = httpx.Client(
            base_url=base_url,
            headers=headers_for(api_key),
            timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def generate(self, model: str | None, prompt: str, **members: Any) -> Generated:
        """Continue ``prompt``; ``model`` None is the server's default."""
        body = generation(model, prompt, members)
        return self._call("POST", "/generate", Generated, json=body, headers=new_idempotency_key())

    def stream(self, model: str | None, prompt: str, **members: Any) -> SyncGenerationStream:
        """Continue ``prompt``: ``with client.stream(…) as stream: for piece in stream: …``."""
        body = generation(model, prompt, {**members, "stream": True})
        return SyncGenerationStream(self._open, body)

    def batch_generate(
        self,
        model: str | None,
        prompts: Sequence[str],
        *,
        progress: Progress | None = None,
        batch_size: int = 32,
        **members: Any,
    ) -> BatchResult:
        """Continue each of ``prompts``, any number of them, each with its own text or its own error.

        They go in calls of ``batch_size``, one after the other; prompts that failed for the moment are sent again. A
        call that fails as a whole ends all.
        """
        batch = Batch(prompts, batch_size, self._retries.most)
        for tried in range(self._retries.most + 1):
            if tried and batch.calls():
                time.sleep(self._retries.wait_seconds(tried - 1, None) or 0.0)
            for positions in batch.calls():
                body = {**members, "prompts": [prompts[position] for position in positions]}
                if model is not None:
                    body["model"] = model
                headers = new_idempotency_key()
                answer = self._call("POST", "/batch_generate", BatchAnswer, json=body, headers=headers)
                batch.take(positions, answer.results, answer.usage, last=tried == self._retries.most)
                if progress is not None:
                    progress(batch.done, len(prompts))
        return batch.result()

    def health_check(self) -> Health:
        """State of the server, also when it is not well."""
        return self._call("GET", "/health", Health, accepted=HEALTH_STATUSES)

    def _call(self, method: str, path: str, kind: type[T], *, accepted: tuple[int, ...] = GOOD, **members: Any) -> T:
        return decoded(self._send(self._client.build_request(method, path, **members), accepted=accepted), kind)

    def _open(self, body: dict[str, Any]) -> httpx.Response:
        return self._send(self._client.build_request("POST", "/generate", json=body), stream=True)

    def _send(
        self, request: httpx.Request, *, accepted: tuple[int, ...] = GOOD, stream: bool = False
    ) -> httpx.Response:
        attempts = Attempts(self._retries)
        while True:
            try:
                response = self._client.send(request, stream=stream)
                if response.status_code in accepted:
                    return response
                response.read()
                wait = attempts.after_refusal(response)
            except httpx.TransportError as error:
                wait = attempts.after_silence(error, request.url.host)
            time.sleep(wait)


class SyncGenerationStream:
    """Pieces of one text. ``end`` is there after the last one: the loop ends without an error only when all came."""

    def __init__(self, open_: Callable[[dict[str, Any]], httpx.Response], body: dict[str, Any]) -> None:
        self.end: StreamEnd | None = None
        self._open = open_
        self._body = body
        self._response: httpx.Response | None = None

    def __enter__(self) -> Self:
        self._response = self._open(self._body)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._response is not None:
            self._response.close()

    def __iter__(self) -> Iterator[Piece]:
        """The pieces, once. Leaving early ends the generation."""
        if self._response is None:
            raise RuntimeError("open the stream first: `with client.stream(…) as stream`")
        reader = StreamReader()
        try:
            for line in self._response.iter_lines():
                if (piece := reader.read(line)) is not None:
                    yield piece
        except httpx.TransportError as error:
            broken(error)
        reader.finish()
        self.end = reader.end
