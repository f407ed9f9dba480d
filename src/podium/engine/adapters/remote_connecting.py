"""A connection to a remote server while it is opened."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

_CONNECTED = "connection.connect_tcp.complete"
_GREETED = "connection.start_tls.complete"


class Connecting:
    """Closes what a request was opening when it is given up amid the TLS handshake.

    httpcore (1.0) closes it after an error only. After a cancellation the event loop keeps the socket until the
    server ends it, so that callers who hang up while a server does not greet would use up all descriptors.
    ``extensions`` go into the request, which is sent within ``async with``.
    """

    def __init__(self) -> None:
        self.extensions = {"trace": self._trace}
        self._stream: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stream, self._stream = self._stream, None
        if error is not None and stream is not None:
            await stream.aclose()

    async def _trace(self, event: str, info: dict[str, Any]) -> None:
        if event == _CONNECTED:
            self._stream = info["return_value"]
        elif event == _GREETED:  # from here on it is the pool's
            self._stream = None
