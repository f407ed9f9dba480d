"""The member ``cache`` of a generating request: what its caller wants of the response cache."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from podium.core.generation import CacheControl

MAX_AGE_SECONDS = 2.0**31
"""More is as good as no bound (RFC 9111, 1.2.2)."""

_FLAGS = ("no-cache", "no-store", "force")
_AGES = ("max-age", "s-maxage", "ttl")


def _cache(value: Any) -> CacheControl | None:
    if value is None:
        return None
    if value == "force":
        return CacheControl(force=True)
    if type(value) is not dict:
        raise ValueError('must be "force" or an object')
    return CacheControl(
        read=not _flag(value, "no-cache"),
        write=not _flag(value, "no-store"),
        max_age_seconds=min((age for name in _AGES if (age := _age(value, name)) is not None), default=None),
        force=_flag(value, "force"),
    )


def _flag(value: dict[str, Any], name: str) -> bool:
    given = value.get(name)
    if given is not None and type(given) is not bool:
        raise ValueError(f"must have true or false as `{name}`")
    return bool(given)


def _age(value: dict[str, Any], name: str) -> float | None:
    given = value.get(name)
    if given is None:
        return None
    if type(given) not in (int, float) or not given >= 0:
        raise ValueError(f"must have a number of seconds, 0 or more, as `{name}`")
    return float(min(given, MAX_AGE_SECONDS))


_SCHEMA = {
    "anyOf": [
        {"const": "force"},
        {
            "type": "object",
            "properties": {
                **{name: {"type": "boolean"} for name in _FLAGS},
                **{name: {"type": "number", "minimum": 0} for name in _AGES},
            },
        },
        {"type": "null"},
    ]
}

CacheMember = Annotated[CacheControl | None, PlainValidator(_cache), WithJsonSchema(_SCHEMA)]
"""``"force"``, or an object. The three ages are one thing, by the names that clients know; the least one counts."""
