"""The header ``Idempotency-Key``: a retry gets the first answer, or joins it while it is computed."""

from __future__ import annotations

import re

from starlette.requests import Request

from podium.core.errors import InvalidRequest

HEADER = "Idempotency-Key"
INSTANCE = "podium.instance"
"""Of the scope of a request that is one of several which came in one body: its number, from 0."""
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}\Z")


def idempotency_key(request: Request) -> str | None:
    """The key of the call, or of its instance that ``request`` is (``INSTANCE``); None where there is none.

    Raises InvalidRequest unless it is given at most once, as 1 to 255 visible ASCII characters.
    """
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    if len(given) > 1 or not _VISIBLE.match(given[0]):
        raise InvalidRequest(
            "The header Idempotency-Key must be sent once and hold 1 to 255 visible ASCII characters, without blanks. "
            "A UUID is a good one.",
            param=HEADER,
        )
    key, instance = given[0], request.scope.get(INSTANCE, 0)
    return f"{len(key)}:{key} instance {instance}" if instance else key


def key_of_prompt(key: str | None, number: int) -> str | None:
    """The key of prompt ``number`` of a call; no two pairs of key and number have the same.

    The first prompt has the call's own key, so that a call with one prompt and a retry with more are told
    apart by their content. The others have it behind its length, with a blank, which no key of a caller holds.
    """
    return key if key is None or number == 0 else f"{len(key)}:{key} {number}"
