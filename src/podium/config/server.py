"""The data plane: addresses, limits while a request arrives, admission, drain."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from podium.config.frozen import Group

MIB = 1024**2
PlatformPath = Annotated[str, Field(pattern=r"^/[!-~]*$")]
PlatformRoute = Literal["/ping", "/invocations", "/predict", "/score"]


class RequestLimits(Group):
    """Bounds checked while bytes arrive and before any engine work."""

    body_bytes: int = Field(1 * MIB, ge=1024, le=256 * MIB, description="Largest body, in bytes; more is 413.")
    body_seconds: float = Field(30.0, gt=0, description="Longest time for a body to arrive; later is 408.")
    header_bytes: int = Field(32 * 1024, ge=1024, description="Largest header block, in bytes; more is 431.")
    header_count: int = Field(100, ge=8, description="Most header lines; more is 431.")
    header_seconds: float = Field(5.0, gt=0, description="Longest time for a header block to arrive; later is 408.")
    json_depth: int = Field(64, ge=4, description="Deepest JSON nesting; more is 400.")
    choices: int = Field(8, ge=1, description="Largest `n`.")
    stops: int = Field(16, ge=1, description="Most stop strings.")
    prompts: int = Field(64, ge=1, description="Most prompts in one call.")
    logprobs: int = Field(20, ge=0, description="Most log probabilities for each token.")
    grammar_bytes: int = Field(64 * 1024, ge=64, description="Largest schema or regex source, in bytes.")
    stalled_reader_seconds: float = Field(
        30.0, gt=0, description="A client that reads nothing of an answer for this long is dropped."
    )


class Server(Group):
    """Addresses and behaviour of `podium serve`."""

    host: str = Field("127.0.0.1", description="Address of the traffic port.")
    port: int = Field(8000, ge=0, le=65535, description="Traffic port; 0 takes a free one.")
    admin_host: str = Field("127.0.0.1", description="Address of the probes and metrics port.")
    admin_port: int = Field(
        8001,
        ge=0,
        le=65535,
        description="Port of `/startupz /livez /readyz /metrics /requests/recent`; 0 takes a free one.",
    )
    grpc_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of the Open Inference Protocol over gRPC, on `host`; 0 takes a free one, none is no gRPC.",
    )
    max_queue: int = Field(
        256, ge=0, description="Most requests waiting for a model's batch; more is 503 with Retry-After."
    )
    max_queue_tokens: int = Field(
        0, ge=0, description="Most tokens of work (prompt and output) waiting for a model's batch; 0 means no bound."
    )
    default_max_tokens: int = Field(
        512, ge=1, description="Output tokens when a completion names none (chat: up to the context)."
    )
    default_timeout_seconds: float = Field(0.0, ge=0, description="Deadline when a request names none; 0 means none.")
    drain_seconds: float = Field(30.0, ge=0, description="Longest wait for running requests after SIGTERM.")
    cors_origins: tuple[str, ...] = Field((), description="Origins that browsers may call from; empty turns CORS off.")
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Accepted Host names; empty accepts any well-formed one (the gateway checks)."
    )
    path_aliases: dict[PlatformPath, PlatformRoute] = Field(
        {},
        description="Further paths of the routes for hosting platforms, where a platform chooses them: path to route.",
    )
    gzip_minimum_bytes: int = Field(1024, ge=0, description="Smallest plain body to compress; streams never are.")
    memory_budget_bytes: int = Field(
        0, ge=0, description="Memory for all loaded models together; 0 takes 80 % of what is available at start."
    )
    model_roots: tuple[str, ...] = Field(
        (), description="Folders that models may come from; empty allows exactly the folders named in `models`."
    )
    cache_dir: str = Field("~/.cache/podium", description="Converted checkpoints, keyed by content hash.")
    stall_seconds: float = Field(
        20.0, gt=1, description="A worker with work and no engine step for this long is killed and restarted."
    )
    load_seconds: float = Field(
        1800.0, gt=0, description="Longest time for a worker to load its model; then it is killed."
    )
    heartbeat_seconds: float = Field(
        0.5, gt=0, le=5, description="Interval of worker heartbeats; six missed mean frozen."
    )
    limits: RequestLimits = Field(RequestLimits(), description="Bounds on one request.")
