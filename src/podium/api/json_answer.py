"""Plain JSON answers."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import IGNORED_KEY

IGNORED_HEADER = "x-podium-ignored"
PRIVATE = {"cache-control": "no-store"}
"""Headers of an answer that depends on who asks: no proxy may give it to somebody else."""


class JsonAnswer(Response):
    """``content`` (msgspec structs, dicts, lists) as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body's bytes."""
        return msgspec.json.encode(content)


def ignored_headers(request: Request) -> dict[str, str]:
    """The header that names members of the body which nobody read, if there were any."""
    names = request.scope.get(IGNORED_KEY)
    return {IGNORED_HEADER: ",".join(names)} if names else {}
