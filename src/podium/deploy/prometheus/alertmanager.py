"""Alertmanager's configuration: who is told is who the settings name."""

from __future__ import annotations

from typing import Any

from podium.config.monitor import Monitor

NOBODY, RECEIVERS = "nobody", "podium"


def alertmanager_config(given: Monitor) -> dict[str, Any]:
    """Routes and receivers. Only receivers of kind ``alertmanager`` understand what an Alertmanager sends."""
    hooks = [_webhook(hook.url) for hook in given.webhooks if hook.kind == "alertmanager"]
    return {
        "route": {
            "receiver": RECEIVERS if hooks else NOBODY,
            "group_by": ["alertname", "model"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "4h",
            "routes": [{"matchers": ['alertname="Watchdog"'], "receiver": NOBODY}],
        },
        "inhibit_rules": [
            {
                "source_matchers": ['severity="page"'],
                "target_matchers": ['severity="ticket"'],
                "equal": ["alertname", "model"],
            }
        ],
        "receivers": [{"name": NOBODY}, *([{"name": RECEIVERS, "webhook_configs": hooks}] if hooks else [])],
    }


def _webhook(url: str) -> dict[str, Any]:
    return {"url": url, "send_resolved": True, "http_config": {"follow_redirects": False}}
