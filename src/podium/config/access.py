"""Who may call, and how much."""

from __future__ import annotations

import ipaddress
from typing import Literal

from pydantic import Field, field_validator

from podium.config.frozen import Group
from podium.core.identity import Role


class QuotaLimits(Group):
    """Upper bounds; none is no bound. Windows slide: any 60 seconds, any 24 hours."""

    requests_per_minute: int | None = Field(None, ge=1, description="Requests in any 60 seconds.")
    tokens_per_minute: int | None = Field(None, ge=1, description="Prompt and output tokens in any 60 seconds.")
    tokens_per_day: int | None = Field(None, ge=1, description="Prompt and output tokens in any 24 hours.")
    concurrent_requests: int | None = Field(None, ge=1, description="Requests at the same time.")
    budget_per_day: float | None = Field(None, gt=0, description="Money for any 24 hours, by the price table.")
    budget_per_30_days: float | None = Field(None, gt=0, description="Money for any 30 days, by the price table.")


class Price(Group):
    """What a model's tokens cost, in one currency of your choice."""

    input_per_million: float = Field(0.0, ge=0, description="Price of a million prompt tokens.")
    output_per_million: float = Field(0.0, ge=0, description="Price of a million output tokens.")


class Jwt(Group):
    """Bearer tokens of your own issuer, beside keys."""

    issuer: str = Field(description="Required `iss`.")
    audience: str = Field(description="Required `aud`.")
    jwks: str = Field(
        description="Public keys: a file, or an https address that is fetched by the server, never by a request."
    )
    algorithm: Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"] = Field(
        "RS256", description="The one accepted algorithm."
    )
    ca_file: str | None = Field(
        None, description="Certificates (PEM) that the address is checked with; none: those of well-known authorities."
    )
    leeway_seconds: float = Field(30.0, ge=0, le=60, description="Tolerance for clocks that differ.")
    refresh_seconds: float = Field(
        300.0, ge=10, description="How often the keys are read again; when that fails the last good ones stay."
    )
    tenant_claim: str = Field("tenant", description="Claim that names the tenant; a token without it is refused.")
    roles_claim: str = Field("roles", description="Claim with the list of roles.")
    default_roles: tuple[Role, ...] = Field(("infer",), description="Roles of a token without the claim.")
    models_claim: str = Field("models", description="Claim with the list of allowed models; without it, all.")

    @field_validator("issuer", "audience", "jwks", "tenant_claim")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("should not be empty")
        return value

    @field_validator("jwks")
    @classmethod
    def _is_safe_to_fetch(cls, value: str) -> str:
        if "://" in value and not value.startswith("https://"):
            raise ValueError("should be a file, or an address that starts with https://")
        return value


class Access(Group):
    """Authentication, quotas and prices."""

    anonymous: Literal["loopback", "never", "everywhere"] = Field(
        "loopback",
        description="Where requests without a key are served. `loopback`: only while the server listens on a "
        "loopback address and there are no keys; on any other address it refuses to start without keys.",
    )
    store: Literal["auto", "sqlite", "redis"] = Field(
        "auto",
        description="Where keys, quotas and usage are kept. `auto`: `redis` when redis.url is set, else `sqlite`.",
    )
    database: str = Field(
        "podium.db",
        description="SQLite file for keys, quotas and usage, made by `podium keys create`. A server without it "
        "serves anonymous callers only and forgets usage when it ends.",
    )
    jwt: Jwt | None = Field(None, description="Bearer tokens of your own issuer; none: keys only.")
    metrics_key_file: str = Field(
        "",
        description="File with the text of a key that may read `/metrics` and `/requests/recent` and nothing else, "
        "beside all other keys. Empty: none; `podium up` makes one for each run, with which its monitor asks its own "
        "servers.",
    )
    deploy_key_file: str = Field(
        "",
        description="File with the text of a key with the role `admin`, with which the controller loads the version of "
        "`rollout start --version` on servers. Empty: none; `podium up` makes one for each run. Servers of your own "
        "need the controller's.",
    )
    shadow_key_file: str = Field(
        "",
        description="File with the text of a key with which the controller marks its copies of requests "
        "(`rollout start --shadow`): they count in no quota and no answer of theirs is kept. It opens nothing else. "
        "Empty: none; `podium up` makes one for each run. Servers of your own need the controller's.",
    )
    refresh_seconds: float = Field(
        0.25,
        ge=0.02,
        le=0.5,
        description="How often keys and quotas are looked at for changes; a revocation acts within two.",
    )
    key_quotas: QuotaLimits = Field(QuotaLimits(), description="For each key that names no quotas of its own.")
    tenants: dict[str, QuotaLimits] = Field(
        {}, description="For all keys of a tenant together, by tenant; `*` is for every tenant that is not listed."
    )
    models: dict[str, QuotaLimits] = Field({}, description="For all callers of a model together, by model.")
    prices: dict[str, Price] = Field({}, description="By model; `*` is for every model that is not listed.")
    lease_seconds: float = Field(
        30.0, ge=5, le=60, description="How long a reservation outlives a process that died without settling it."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host`` (an address, or a name: ``localhost`` alone is trusted)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
