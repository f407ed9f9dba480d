"""What a compose file is told beyond the other settings: the images of other projects, and what is left out."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from podium.config.frozen import Group

_IMAGE = re.compile(
    r"[a-z0-9][a-z0-9._-]*(:[0-9]+)?(/[a-z0-9._-]+)*"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?\Z"
)


def _image(text: str) -> str:
    match = _IMAGE.match(text)
    if match is None or match["tag"] == "latest" or not (match["tag"] or match["digest"]):
        raise ValueError("should be registry/name:tag@sha256:… or at least registry/name:tag, and not `latest`")
    return text


Image = Annotated[str, AfterValidator(_image)]


class Compose(Group):
    """What `podium deploy compose` renders beside Podium itself. Versions and digests are those of 2026-11."""

    redis_image: Image = Field(
        "docker.io/library/redis:7.2.16-bookworm@sha256:74566c6910d13ae61e7ce73ebd3127438a1fe805b309b097c323142719ec8a5b",
        description="Image with `redis-server` 7.0 or later, where `deploy.redis.image` names none.",
    )
    prometheus_image: Image = Field(
        "docker.io/prom/prometheus:v2.55.1@sha256:2659f4c2ebb718e7695cb9b25ffa7d6be64db013daba13e05c875451cf51b0d3",
        description="Image of Prometheus.",
    )
    alertmanager_image: Image = Field(
        "docker.io/prom/alertmanager:v0.27.0@sha256:e13b6ed5cb929eeaee733479dce55e10eb3bc2e9c4586c705a4e8da41e5eacf5",
        description="Image of Alertmanager.",
    )
    grafana_image: Image = Field(
        "docker.io/grafana/grafana:12.4.0@sha256:b0ae311af06228bcfd4a620504b653db80f5b91e94dc3dc2a5b7dab202bcde20",
        description="Image of Grafana.",
    )
    monitoring: bool = Field(True, description="Whether Prometheus, Alertmanager and Grafana are rendered.")
    grafana_port: int = Field(3000, ge=1, le=65535, description="Port of Grafana on the host's loopback.")
    retention_days: int = Field(15, ge=1, le=3650, description="How long Prometheus keeps what it has read.")
