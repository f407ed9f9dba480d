"""The rules that every request body shares: strict types, unknown members tolerated and named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

MAX_IGNORED_NAMES = 8
MAX_TOKEN_ID = 2**31 - 1
_PRINTABLE_NAME = re.compile(r"[A-Za-z0-9_]{1,64}\Z")


class WireModel(BaseModel):
    """A JSON object from a caller.

    Types are strict: ``true`` is not 1, ``"7"`` is not 7, but 1 is a fine float. Members that are not
    declared are ignored, because clients and load tools send many; ``ignored_members`` names them.
    """

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, protected_namespaces=(), allow_inf_nan=False)


def ignored_members(kind: type[WireModel], body: Mapping[str, Any]) -> list[str]:
    """Names in ``body`` that ``kind`` does not know, at most 8 and only of ``[A-Za-z0-9_]``.

    They are meant for a response header that helps to find typing errors, so a name that could not
    stand in a header is left out.
    """
    known = kind.model_fields
    found: list[str] = []
    for name in body:
        if name not in known and _PRINTABLE_NAME.match(name):
            found.append(name)
            if len(found) == MAX_IGNORED_NAMES:
                break
    return found


def token_ids(value: Any) -> tuple[int, ...]:
    """``value`` as token ids. Raises ValueError unless it is a list of integers from 0 to 2**31 - 1.

    Done by hand because it must stay cheap for lists of several hundred thousand.
    """
    if type(value) is not list or (value and set(map(type, value)) != {int}):
        raise ValueError("must be a list of integers")
    if value and (min(value) < 0 or max(value) > MAX_TOKEN_ID):
        raise ValueError(f"must hold token ids from 0 to {MAX_TOKEN_ID}")
    return tuple(value)
