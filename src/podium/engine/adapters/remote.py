"""The remote engine: any OpenAI-compatible server, with Podium's limits, cache and rollouts in front.

A text engine: prompts go out as text (or messages, or the caller's token ids), text comes back. One
streamed HTTP request for each sequence; at most ``max_batch_sequences`` at a time, the rest wait here.
An answer counts as whole only when it had a finish reason and ``[DONE]``.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from podium.config.engine import RemoteEngine
from podium.core.errors import ModelLoadError, PodiumError
from podium.engine.adapters import remote_failures, sse
from podium.engine.adapters.remote_connecting import Connecting
from podium.engine.adapters.remote_discovery import Discovered, discover, read_api_key
from podium.engine.adapters.remote_failures import Broken
from podium.engine.adapters.remote_request import OutgoingRequest, build
from podium.engine.adapters.remote_stream import AnswerReader
from podium.engine.adapters.remote_tokenizer import RemoteTokenizer
from podium.engine.adapters.stepped_loop import SteppedLoop
from podium.engine.interface import EngineFacts, EngineGauges, EngineSequence, LoadContext, SequenceOutput

POLL_SECONDS = 0.005  # longest wait of a new request while others are in flight
CONNECT_SECONDS = 10.0
LINGER_SECONDS = 0.5  # for the last bytes after [DONE], so that the connection can be used again
MAX_ERROR_BYTES = 64 * 1024


class Remote:
    """``Engine`` over HTTP."""

    def __init__(self, config: RemoteEngine, context: LoadContext) -> None:
        self._config = config
        self._loop = SteppedLoop()
        self._in_flight = 0
        self._waiting = 0
        self._permits = asyncio.Semaphore(config.max_batch_sequences)
        try:
            self._client, found = self._loop.run(_open(config))
        except BaseException:
            self._loop.close()
            raise
        self._dialect = found.dialect
        self.facts = _facts(config, context, found)

    def submit(self, sequence: EngineSequence) -> None:
        """Accept a sequence. Raises ``UnsupportedParameter`` for what the protocol cannot say."""
        self._loop.start(sequence.id, self._answer(sequence.id, build(sequence, self._dialect)))

    def abort(self, sequence_id: int) -> None:
        """Drop a sequence; its connection is closed when this returns."""
        self._loop.cancel(sequence_id)

    def has_unfinished(self) -> bool:
        """Whether a request is in flight or waits."""
        return self._loop.busy

    def step(self) -> list[SequenceOutput]:
        """What arrived since the last call; waits at most ``POLL_SECONDS``."""
        return self._loop.step(POLL_SECONDS)

    def gauges(self) -> EngineGauges:
        """Requests at the server, and requests that wait here."""
        return EngineGauges(running=self._in_flight, waiting=self._waiting)

    def close(self) -> None:
        """Close every connection."""
        self._loop.cancel_all()
        self._loop.run(self._client.aclose())
        self._loop.close()

    async def _answer(self, sequence_id: int, request: OutgoingRequest) -> None:
        """The life of one sequence; foreign errors become Podium's here."""
        failure: PodiumError
        try:
            async with self._turn():
                await self._exchange(AnswerReader(sequence_id), request)
                return
        except PodiumError as error:
            failure = error
        except (httpx.ConnectError, httpx.ConnectTimeout):
            failure = remote_failures.unreachable()
        except (TimeoutError, httpx.TimeoutException):
            failure = remote_failures.silent(self._config.timeout_seconds)
        except (httpx.HTTPError, sse.EventTooLarge):
            failure = remote_failures.cut()
        self._loop.emit(SequenceOutput(sequence_id=sequence_id, error=(failure.code, failure.message)))

    async def _exchange(self, answer: AnswerReader, request: OutgoingRequest) -> None:
        patience = self._config.timeout_seconds
        connecting = Connecting()
        outgoing = self._client.build_request("POST", request.path, json=request.body, extensions=connecting.extensions)
        async with connecting, asyncio.timeout(patience):
            response = await self._client.send(outgoing, stream=True)
        try:
            async with asyncio.timeout(patience):
                await _check(response)
            chunks, reader = response.aiter_raw(), sse.EventReader()
            while not answer.finished:
                async with asyncio.timeout(patience):
                    events = await _next_events(chunks, reader)
                for event in events:
                    for output in answer.read(event):
                        self._loop.emit(output)
            await _drain(chunks)
        finally:
            await response.aclose()

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for one of ``max_batch_sequences`` places, and count."""
        self._waiting += 1
        try:
            await self._permits.acquire()
        finally:
            self._waiting -= 1
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            self._permits.release()


async def _open(config: RemoteEngine) -> tuple[httpx.AsyncClient, Discovered]:
    client = _client(config)
    try:
        return client, await discover(client, config)
    except BaseException:
        await client.aclose()
        raise


def _client(config: RemoteEngine) -> httpx.AsyncClient:
    key = read_api_key(config)
    headers = {"accept": "text/event-stream, application/json", "accept-encoding": "identity"}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    try:
        address = httpx.URL(config.base_url)
    except httpx.InvalidURL as error:
        raise ModelLoadError("engine.base_url is not an address.") from error
    if address.scheme not in {"http", "https"} or not address.host:
        raise ModelLoadError("engine.base_url must begin with http:// or https:// and name a host.")
    return httpx.AsyncClient(
        base_url=address,
        headers=headers,
        timeout=httpx.Timeout(config.timeout_seconds, connect=min(CONNECT_SECONDS, config.timeout_seconds), pool=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=config.max_batch_sequences),
        follow_redirects=False,  # the key would go along
        trust_env=False,  # no proxy that a variable names, no key from ~/.netrc
    )


async def _check(response: httpx.Response) -> None:
    """Raise what a refusal means; a bounded part of its body is read for that."""
    if response.status_code == httpx.codes.OK:
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise Broken("The remote server answered with something else than an event stream.")
        return
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ERROR_BYTES:
            break
    raise remote_failures.of_status(response.status_code, bytes(body))


async def _next_events(chunks: AsyncIterator[bytes], reader: sse.EventReader) -> list[sse.Event]:
    """Read until at least one whole line has come: bytes that trickle within a line are no sign of life."""
    events: list[sse.Event] = []
    lines = reader.lines
    while reader.lines == lines:
        try:
            events += reader.feed(await anext(chunks))
        except StopAsyncIteration:
            raise remote_failures.cut() from None
    return events


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read the little that follows [DONE], so that the connection can be used again."""
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(LINGER_SECONDS):
            while await anext(chunks, None) is not None:
                pass


def _facts(config: RemoteEngine, context: LoadContext, found: Discovered) -> EngineFacts:
    lengths = (config.max_model_len, found.max_model_len, context.max_model_len)
    return EngineFacts(
        engine="remote",
        engine_version=importlib.metadata.version("httpx"),
        device="remote",
        precision="remote",
        max_model_len=min(length for length in lengths if length),
        max_batch_sequences=config.max_batch_sequences,
        unsupported=found.dialect.unsupported(),
        text_engine=True,
    )


def tokenizer(_folder: Path, _chat_template: str | None) -> RemoteTokenizer:
    """Tokens stay at the remote server."""
    return RemoteTokenizer()


def load(_model_dir: Path, config: RemoteEngine, context: LoadContext) -> Remote:
    """Find the model at the server. Raises ``ModelLoadError`` when that fails."""
    context.report("asking the remote server for its models", -1)
    return Remote(config, context)
