"""A bound on header bytes and lines."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from podium.api.refusals import HeadersTooLarge

_LINE_OVERHEAD_BYTES = 4  # colon, blank, carriage return, line feed


class HeaderLimit:
    """Refuses a request with more than ``max_bytes`` of headers or ``max_lines`` lines, with 431."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, max_lines: int) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.max_lines = max_lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise HeadersTooLarge."""
        if scope["type"] == "http":
            self._check(scope)
        await self.app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = scope["headers"]
        if len(headers) > self.max_lines:
            raise HeadersTooLarge(f"Too many header lines. At most {self.max_lines} are allowed.")
        size = sum(len(name) + len(value) + _LINE_OVERHEAD_BYTES for name, value in headers)
        if size + len(scope.get("raw_path", b"")) + len(scope.get("query_string", b"")) > self.max_bytes:
            raise HeadersTooLarge(f"The headers are too large. At most {self.max_bytes} bytes are allowed.")
