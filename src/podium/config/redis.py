"""The store that several replicas share."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from podium.config.frozen import Group

SCHEMES = ("redis", "rediss", "unix")


class Redis(Group):
    """A Redis server (7.0 or later). Without one, each process keeps its own keys' use and its own cache."""

    url: str = Field(
        "",
        description="`redis://host:6379/0`, `rediss://…` or `unix:///path`; empty: none. Keys, quotas, usage and "
        "cached answers are then shared by every replica that names the same one.",
    )
    username: str = Field("", description="Redis user (ACL); empty is the default user.")
    password_file: str | None = Field(
        None, description="File that holds the password, so that it is in no configuration and no process list."
    )
    ca_file: str | None = Field(
        None, description="Certificates (PEM) that a `rediss://` server is checked with; none: the system's."
    )
    prefix: str = Field(
        "podium", description="Start of every key; two installations may share a Redis under two prefixes."
    )
    call_seconds: float = Field(
        0.02,
        gt=0,
        le=5,
        description="Longest wait for one call of a request, connecting included; later it counts as failed and "
        "its connection is closed. Three in a row, and for a second or more the store is not asked at all.",
    )
    connect_seconds: float = Field(
        0.1,
        gt=0,
        le=5,
        description="Longest time for a connection to open; a request waits for one no longer than for a call.",
    )
    max_connections: int = Field(32, ge=1, description="Most connections of one process.")

    @field_validator("url")
    @classmethod
    def _is_understood(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in SCHEMES:
            raise ValueError("should start with redis://, rediss:// or unix://")
        return value
