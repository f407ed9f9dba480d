"""Query parameters of OpenAI's lists."""

from __future__ import annotations

from starlette.requests import Request

from podium.core.errors import InvalidRequest


def limit_of(request: Request, default: int, most: int) -> int:
    """``limit``: how many at most."""
    text = request.query_params.get("limit")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= most):
        raise InvalidRequest(f"`limit` must be a whole number from 1 to {most}.", param="limit")
    return int(text)


def newest_first(request: Request) -> bool:
    """``order``: ``desc`` (the default) or ``asc``."""
    text = request.query_params.get("order", "desc")
    if text not in ("asc", "desc"):
        raise InvalidRequest("`order` must be asc or desc.", param="order")
    return text == "desc"
