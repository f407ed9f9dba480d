"""What else is told of requests, and to whom."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from podium.config.frozen import Group


class Telemetry(Group):
    """Traces, and forms of the metrics that not everybody wants. Needs `podium[otel]` where `otlp_endpoint` is set."""

    otlp_endpoint: str = Field(
        "",
        description="OpenTelemetry collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`: traces go to "
        "`/v1/traces` there, metrics to `/v1/metrics`. Empty: nothing is sent to anybody, and requests have trace ids "
        "all the same.",
    )
    otlp_headers_file: str = Field(
        "", description="File with headers for the collector, one `name: value` a line, such as a token. Empty: none."
    )
    trace_ratio: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of requests whose trace is recorded, of those that come without a trace: a caller's "
        "`traceparent` says so itself. Without `otlp_endpoint` nothing is recorded.",
    )
    otlp_metrics_seconds: float = Field(
        60.0, ge=0, le=3600, description="Seconds between two pages of metrics sent to the collector; 0: none are sent."
    )
    native_histograms: bool = Field(
        False,
        description="Answer scrapers that ask for protocol buffers with histograms of both kinds of buckets. Of "
        "those a Prometheus with `--enable-feature=native-histograms` keeps the exponential ones alone, and the "
        "exported rules find no `_bucket` series, unless it scrapes classic histograms too (2.45 and later).",
    )
    vllm_names: bool = Field(
        False,
        description="Show metrics that vLLM has too under its names as well (`vllm:num_requests_waiting`, …), for "
        "routers and dashboards that know only those.",
    )

    @property
    def gateway_traces(self) -> bool:
        """Whether the gateway makes spans of its own: not for a collector that wants TLS or a header."""
        return self.otlp_endpoint.startswith("http://") and not self.otlp_headers_file

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and not parts.query
        except ValueError:
            good = False
        if value and not good:
            raise ValueError("should be an address such as http://127.0.0.1:4318")
        return value.rstrip("/")
