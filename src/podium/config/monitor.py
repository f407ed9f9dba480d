"""When somebody must be told, and where."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from podium.config.frozen import Group


class Webhook(Group):
    """One receiver of alerts. Nothing is ever sent to an address that is not listed."""

    url: str = Field(description="Address, `http://` or `https://`, that takes a POST; redirects are not followed.")
    kind: Literal["generic", "alertmanager", "alertmanager-api", "slack"] = Field(
        "generic",
        description="Shape of the body. `generic`: one alert. `alertmanager`: version 4 of Alertmanager's webhook. "
        "`alertmanager-api`: what an Alertmanager takes at `/api/v2/alerts`, told again every minute while it fires. "
        "`slack`: Slack's incoming webhooks.",
    )
    secret_file: str = Field(
        "",
        description="File with a secret, 16 bytes or more, by which messages are signed: `x-podium-signature` is the "
        "HMAC-SHA256 of `x-podium-timestamp`, a dot and the body. Empty: not signed.",
    )
    timeout_seconds: float = Field(
        10.0, gt=0, le=60, description="Longest wait for an answer; then the delivery is tried again."
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good:
            raise ValueError("should be an address such as https://hooks.example/podium")
        return value


class Monitor(Group):
    """The thresholds of the alerts, and who is told. What each alert means is told in docs/monitoring.md."""

    max_error_rate: float = Field(
        0.05, ge=0, le=1, description="Bad share of a model's requests in 5 minutes; more is an alert. 1: never."
    )
    max_p95_seconds: float = Field(
        5.0,
        gt=0,
        description="95th percentile of a model's end-to-end time in 5 minutes; more is an alert. 5 is the bound of a "
        "bucket of the histogram, where the figure is exact.",
    )
    max_ttft_p95_seconds: float = Field(
        2.5,
        gt=0,
        description="95th percentile of a model's time to the first token in 5 minutes; more is an alert. 2.5 is the "
        "bound of a bucket of the histogram. 60: never.",
    )
    max_tpot_p95_seconds: float = Field(
        0.5,
        gt=0,
        description="95th percentile of a model's time per output token in 5 minutes; more is an alert. 0.5 is the "
        "bound of a bucket of the histogram. 2.5: never.",
    )
    max_stream_error_rate: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of a model's requests in 5 minutes whose stream broke after its first byte, which nothing "
        "can retry; more is an alert. 1: never.",
    )
    max_unanswered_requests: int = Field(
        5,
        ge=0,
        description="Requests in a minute that the gateway answered itself, because no server was healthy; more is an "
        "alert, once a server has been healthy.",
    )
    rollout_waiting_seconds: float = Field(
        900.0,
        gt=0,
        description="A rollout that waits for somebody for so long, or that could not take the canary's traffic away, "
        "is an alert.",
    )
    max_gpu_memory_ratio: float = Field(
        0.9, gt=0, le=1, description="Lowest part of GPU memory in use in 5 minutes; more is an alert. 1: never."
    )
    max_kv_cache_ratio: float = Field(
        0.95,
        gt=0,
        le=1,
        description="Lowest part of a model's KV cache in use in 5 minutes; more is an alert. 1: never.",
    )
    min_cache_hit_rate: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Share of kept answers among a model's cacheable requests in 15 minutes; less is an alert. 0: "
        "never.",
    )
    min_requests: int = Field(
        20, ge=1, description="Fewer requests in a window say nothing about error rate and latency: no alert."
    )
    min_cacheable_requests: int = Field(
        100, ge=1, description="Fewer cacheable requests in a window say nothing about the hit rate: no alert."
    )
    down_seconds: float = Field(
        10.0, gt=0, description="A replica that does not answer the monitor for so long is an alert."
    )
    stalled_seconds: float = Field(
        3.5,
        gt=0,
        description="An engine that has work and makes no step for so long is an alert; with the default it is told "
        "within 5 s. Raise it where single steps take seconds.",
    )
    objective: float = Field(
        0.99,
        gt=0,
        lt=1,
        description="Share of requests that should be good, of which the rest is the error budget. Burning it too "
        "fast is an alert.",
    )
    history_file: str = Field(
        "podium-alerts.jsonl",
        description="File that tells what alerts did, a JSON object a line, made by the first one; it survives "
        "restarts, and so do alerts that fire. Messages that wait are beside it, under its name with `.waiting` added. "
        "Empty: all of that ends with the controller.",
    )
    webhooks: tuple[Webhook, ...] = Field((), max_length=16, description="Who is told when an alert fires or ends.")
