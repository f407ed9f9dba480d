"""Prometheus's configuration: which servers it reads, with which key, and where alerts go."""

from __future__ import annotations

from typing import Any

from podium.config.gateway import split_address
from podium.config.settings import Settings

JOB = "podium"
MONITOR_JOB = "podium-monitor"
INTERVAL = "5s"


def prometheus_config(settings: Settings, *, rule_files: list[str], key_file: str | None) -> dict[str, Any]:
    """Scrapes of every server whose admin port the settings name, and of the controller's own page.

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
            {"job_name": JOB, **shown, "static_configs": _servers(settings)},
            {**monitor, "static_configs": [{"targets": [f"{host}:{port}"]}]},
        ],
    }


def _servers(settings: Settings) -> list[dict[str, Any]]:
    listed = {name: given.metrics for name, given in settings.gateway.environments.items() if given.metrics}
    if not listed:
        return [{"targets": [f"{settings.server.admin_host}:{settings.server.admin_port}"]}]
    return [
        {"targets": [address.partition("://")[2] for address in addresses], "labels": {"environment": name}}
        for name, addresses in listed.items()
    ]
