"""Prometheus's configuration: which servers it reads, with which key, and where alerts go."""

from __future__ import annotations

from typing import Any

from podium.config.gateway import split_address
from podium.config.settings import Settings

JOB = "podium"
MONITOR_JOB = "podium-monitor"
INTERVAL = "5s"


def prometheus_config(settings: Settings, *, rule_files: list[str], key_file: str | None) -> dict[str, Any]:
    """Scrapes of every server, and of the controller's own page.

    The ports of local replicas are drawn by each ``podium up``: its controller is asked for them, over and over.
    ``key_file`` is a path on Prometheus's machine with a key of the role ``metrics``; None: none is shown.
    """
    host, port = split_address(settings.gateway.control)
    shown = {"authorization": {"credentials_file": key_file}} if key_file else {}
    monitor = {"job_name": MONITOR_JOB, "metrics_path": "/monitoring/metrics", **shown}
    return {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": rule_files,
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:9093"]}]}]},
        "scrape_configs": [
            {"job_name": JOB, **shown, **_servers(settings, shown)},
            {**monitor, "static_configs": [{"targets": [f"{host}:{port}"]}]},
        ],
    }


def _servers(settings: Settings, shown: dict[str, Any]) -> dict[str, Any]:
    environments = settings.gateway.environments
    if any(given.replicas and not given.metrics for given in environments.values()):
        url = f"http://{settings.gateway.control}/monitoring/targets"
        return {"http_sd_configs": [{"url": url, "refresh_interval": INTERVAL, **shown}]}
    listed = [
        {"targets": [address.partition("://")[2] for address in given.metrics], "labels": {"environment": name}}
        for name, given in environments.items()
        if given.metrics
    ]
    return {"static_configs": listed}
