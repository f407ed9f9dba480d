"""``inference.GRPCInferenceService``: each call becomes a request to the HTTP surface of the same process.

So a call meets the same authentication, roles, limits, quotas, log and metrics as a request over HTTP, and no rule has
to be written twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio
import msgspec
from starlette.types import ASGIApp

from podium.api.in_process import Header, LocalAnswer, Piece, ask
from podium.api.inference.body import JSON_LENGTH
from podium.api.inference.grpc_messages import MESSAGES, PACKAGE
from podium.api.inference.grpc_stream import answer_stream
from podium.api.inference.grpc_translate import infer_body, infer_message, model_path, repository_body
from podium.api.refusals import StalledReader
from podium.config.server import RequestLimits
from podium.core.errors import ClientDisconnected, ConfigurationError, InvalidRequest

SERVICE = f"{PACKAGE}.GRPCInferenceService"
_PASSED_ON = frozenset({"authorization", "x-api-key", "x-request-id", "cache-control", "idempotency-key"})
_TIMEOUT = b"x-podium-timeout-seconds"
_LONGEST_SECONDS = 86400.0
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
MOST_CALLS = 100
"""Of one connection at a time, as at the gateway over HTTP/2; more wait at the client."""
_OK = 200
_UNAVAILABLE = 503
Context = Any
Method = Callable[[Any, Context], Awaitable[Any]]


class InferencePort:
    """The gRPC service on a port of its own. ``address`` is there once it is started; leaving ends it.

    ``host_name`` is what calls count as addressed to. ``limits`` are those of requests over HTTP. Raises
    ``ConfigurationError`` when the port is taken.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, *, host_name: str, limits: RequestLimits) -> None:
        self._methods = _Methods(app, host_name, limits.stalled_reader_seconds)
        self._wanted = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._host = host
        self._limits = limits
        self.address = ""

    async def __aenter__(self) -> Self:
        # Made here, because it belongs to the loop that runs.
        options = [
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", self._limits.body_bytes),
            ("grpc.max_metadata_size", self._limits.header_bytes),
            ("grpc.absolute_max_metadata_size", self._limits.header_bytes),
            ("grpc.max_concurrent_streams", MOST_CALLS),
            ("grpc.http.overload_protection", 0),  # it refuses calls below that limit
        ]
        self._server = grpc.aio.server(options=options)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, self._methods.table()),))
        try:
            port = self._server.add_insecure_port(self._wanted)
        except RuntimeError as error:
            raise ConfigurationError(f"Cannot listen on {self._wanted} for gRPC. Choose another grpc_port.") from error
        await self._server.start()
        self.address = f"{self._host}:{port}"
        return self

    async def drain(self, seconds: float) -> None:
        """Take no new calls, and end when the running ones have, at the latest after ``seconds``."""
        await self._server.stop(seconds)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop(None)


class _Methods:
    """One method for each of the service's."""

    def __init__(self, app: ASGIApp, host_name: str, stall_seconds: float) -> None:
        self._app = app
        self._stall_seconds = stall_seconds
        self._host = (b"host", host_name.encode("ascii"))

    def table(self) -> dict[str, grpc.RpcMethodHandler]:
        """Handlers by the methods' names."""
        methods: dict[str, Method] = {
            "ServerLive": self._health("/v2/health/live", "live"),
            "ServerReady": self._health("/v2/health/ready", "ready"),
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._infer,
            "RepositoryIndex": self._index,
            "RepositoryModelLoad": self._repository("load"),
            "RepositoryModelUnload": self._repository("unload"),
        }
        stream = grpc.stream_stream_rpc_method_handler(
            self._infer_stream,
            request_deserializer=MESSAGES["ModelInferRequest"].FromString,
            response_serializer=MESSAGES["ModelStreamInferResponse"].SerializeToString,
        )
        return {"ModelStreamInfer": stream} | {
            name: grpc.unary_unary_rpc_method_handler(
                method,
                request_deserializer=MESSAGES[f"{name}Request"].FromString,
                response_serializer=MESSAGES[f"{name}Response"].SerializeToString,
            )
            for name, method in methods.items()
        }

    def _health(self, path: str, member: str) -> Method:
        async def method(_message: Any, context: Context) -> Any:
            answer = await self._ask(context, "GET", path, allowed=_UNAVAILABLE)
            name = "ServerLiveResponse" if member == "live" else "ServerReadyResponse"
            return MESSAGES[name](**{member: answer.status == _OK})

        return method

    async def _model_ready(self, message: Any, context: Context) -> Any:
        path = f"{model_path(message.name, message.version)}/ready"
        answer = await self._ask(context, "GET", path, allowed=_UNAVAILABLE)
        return MESSAGES["ModelReadyResponse"](ready=answer.status == _OK)

    async def _server_metadata(self, _message: Any, context: Context) -> Any:
        answer = await self._ask(context, "GET", "/v2")
        return MESSAGES["ServerMetadataResponse"](**msgspec.json.decode(answer.body))

    async def _model_metadata(self, message: Any, context: Context) -> Any:
        answer = await self._ask(context, "GET", model_path(message.name, message.version))
        return MESSAGES["ModelMetadataResponse"](**msgspec.json.decode(answer.body))

    async def _infer(self, message: Any, context: Context) -> Any:
        try:
            head, raw = infer_body(message)
        except InvalidRequest as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
            raise
        path = f"{model_path(message.model_name, message.model_version)}/infer"
        length = (JSON_LENGTH.encode(), b"%d" % len(head))
        return infer_message(await self._ask(context, "POST", path, head + raw, length))

    async def _infer_stream(self, messages: AsyncIterator[Any], context: Context) -> None:
        async def ask_app(path: str, head: bytes, raw: bytes | None, piece: Piece | None) -> LocalAnswer:
            lengths = [] if raw is None else [(JSON_LENGTH.encode(), b"%d" % len(head))]
            headers = [self._host, *_headers_of(context), *lengths]
            return await ask(self._app, "POST", path, headers, head + (raw or b""), piece=piece)

        async def write(message: Any) -> None:
            try:
                async with asyncio.timeout(self._stall_seconds):
                    await context.write(message)
            except TimeoutError:
                raise StalledReader("The client read nothing for too long.") from None
            except grpc.aio.BaseError as error:
                raise ClientDisconnected("The client hung up.") from error

        try:
            await answer_stream(messages, ask_app, write)
        except ClientDisconnected as error:
            await context.abort(grpc.StatusCode.ABORTED, error.message)

    async def _index(self, message: Any, context: Context) -> Any:
        body = msgspec.json.encode({"ready": message.ready})
        answer = await self._ask(context, "POST", "/v2/repository/index", body)
        return MESSAGES["RepositoryIndexResponse"](models=msgspec.json.decode(answer.body))

    def _repository(self, verb: str) -> Method:
        async def method(message: Any, context: Context) -> Any:
            path = f"/v2/repository/models/{message.model_name}/{verb}"
            await self._ask(context, "POST", path, repository_body(message))
            return MESSAGES[f"RepositoryModel{verb.capitalize()}Response"]()

        return method

    async def _ask(
        self, context: Context, method: str, path: str, body: bytes = b"", *headers: Header, allowed: int = _OK
    ) -> LocalAnswer:
        answer = await ask(self._app, method, path, [self._host, *_headers_of(context), *headers], body)
        if answer.status not in (_OK, allowed) or (answer.status == allowed != _OK and b'"error"' in answer.body):
            await _abort(context, answer)
        return answer


def _headers_of(context: Context) -> list[Header]:
    """The caller's credentials and wishes. The deadline becomes the request's; browsers cannot come this way."""
    found: list[Header] = []
    for name, value in context.invocation_metadata() or ():
        if name in _PASSED_ON and isinstance(value, str):
            found.append((name.encode(), value.encode("latin-1", "replace")))
    remaining = context.time_remaining()
    if remaining is not None and 0 < remaining <= _LONGEST_SECONDS:
        found.append((_TIMEOUT, b"%.6f" % remaining))
    return found


async def _abort(context: Context, answer: LocalAnswer) -> None:
    passed_on = [(name, answer.headers[name]) for name in ("x-request-id", "retry-after") if name in answer.headers]
    context.set_trailing_metadata(tuple(passed_on))
    await context.abort(_CODES.get(answer.status, grpc.StatusCode.INTERNAL), answer.error())
