"""How lines of batches become requests to the server that runs them."""

from __future__ import annotations

from starlette.types import ASGIApp

from podium.api.in_process import LocalAnswer, ask
from podium.api.sampling import MAX_TIMEOUT_SECONDS, TIMEOUT_HEADER
from podium.batches.keeper import BatchKeeper
from podium.batches.runner import BatchRunner
from podium.config.server import Server
from podium.core.identity import Principal


def batch_runner(app: ASGIApp, keeper: BatchKeeper | None, server: Server) -> BatchRunner | None:
    """What runs batches, if they are kept. A line passes everything that a request of its owner would pass.

    But ``server.default_timeout_seconds``, which is for callers that wait: a line ends with its batch's window.
    """
    if keeper is None:
        return None
    host = next(iter(server.allowed_hosts), "localhost").encode("ascii")

    async def ask_line(owner: Principal, endpoint: str, body: bytes, request_id: str) -> LocalAnswer:
        headers = [
            (b"host", host),
            (b"content-type", b"application/json"),
            (b"x-request-id", request_id.encode("ascii")),
            (TIMEOUT_HEADER.encode("ascii"), b"%d" % MAX_TIMEOUT_SECONDS),
        ]
        return await ask(app, "POST", endpoint, headers, body, for_whom=owner)

    return BatchRunner(keeper, ask_line, body_bytes=server.limits.body_bytes)
