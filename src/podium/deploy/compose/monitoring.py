"""Prometheus with the exported rules, Alertmanager and Grafana, set up for the stack."""

from __future__ import annotations

from typing import Any

import yaml

from podium.deploy.compose.host_plan import HostPlan
from podium.deploy.compose.service import Health, Service, volume
from podium.deploy.compose.services import BOARD, CONFIG_LABEL, MONITORING, OUTSIDE
from podium.deploy.compose.settings_files import alertmanager_settings
from podium.deploy.prometheus.alertmanager import alertmanager_config
from podium.deploy.prometheus.files import RULES, dashboard_text, monitoring_files
from podium.deploy.prometheus.scrapes import INTERVAL, JOB

PROMETHEUS_PORT, ALERTMANAGER_PORT, GRAFANA_PORT = 9090, 9093, 3000
GRAFANA_PASSWORD = "grafana-password"  # noqa: S105 - a name
_NOBODY = 65534  # the user of both images
_GRAFANA_USER = 472
_MOST_SECONDS = 60
_DNS_SECONDS = "5s"


def monitoring_configs(plan: HostPlan) -> dict[str, tuple[str, str]]:
    """Files below ``config``, each as its path there and its text, by the name of the configuration."""
    exported = monitoring_files(plan.settings)
    return {
        "prometheus": ("prometheus/prometheus.yml", _yaml(_prometheus(plan))),
        "rules": (f"prometheus/{RULES}", exported[RULES]),
        "alertmanager": ("alertmanager.yml", _yaml(alertmanager_config(alertmanager_settings(plan)))),
        "grafana-datasource": ("grafana/datasource.yaml", _yaml(_DATASOURCE)),
        "grafana-dashboards": ("grafana/dashboards.yaml", _yaml(_DASHBOARDS)),
        "grafana-podium": ("grafana/podium.json", dashboard_text()),
    }


def prometheus(plan: HostPlan, digest: str) -> Service:
    """Reads every server, with the key that servers know."""
    return Service(
        image=plan.settings.deploy.compose.prometheus_image,
        user=_NOBODY,
        command=(
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={plan.settings.deploy.compose.retention_days}d",
            f"--web.listen-address=0.0.0.0:{PROMETHEUS_PORT}",
        ),
        health=_answers(PROMETHEUS_PORT, "/-/healthy"),
        networks=(MONITORING,),
        cpus=1,
        memory_bytes=1024**3,
        stop_seconds=_MOST_SECONDS,
        labels={CONFIG_LABEL: digest},
        files={"prometheus": "/etc/prometheus/prometheus.yml", "rules": f"/etc/prometheus/{RULES}"},
        secrets={"metrics-key": "/etc/prometheus/metrics-key"},
        volumes=(volume("prometheus", "/prometheus"),),
        stateful=True,
    )


def alertmanager(plan: HostPlan, digest: str) -> Service:
    """Tells those whom the settings name; it leaves the stack only for them."""
    tells = bool(alertmanager_settings(plan).webhooks)
    return Service(
        image=plan.settings.deploy.compose.alertmanager_image,
        user=_NOBODY,
        command=(
            "--config.file=/etc/alertmanager/alertmanager.yml",
            "--storage.path=/alertmanager",
            f"--web.listen-address=0.0.0.0:{ALERTMANAGER_PORT}",
            "--cluster.listen-address=",
        ),
        health=_answers(ALERTMANAGER_PORT, "/-/healthy"),
        networks=(MONITORING, *((OUTSIDE,) if tells else ())),
        cpus=0.25,
        memory_bytes=256 * 1024**2,
        stop_seconds=_MOST_SECONDS,
        labels={CONFIG_LABEL: digest},
        files={"alertmanager": "/etc/alertmanager/alertmanager.yml"},
        volumes=(volume("alertmanager", "/alertmanager"),),
        stateful=True,
    )


def grafana(plan: HostPlan, digest: str) -> Service:
    """Shows the exported dashboard. It calls nobody but Prometheus: no plugins, no news, no reports."""
    port = plan.settings.deploy.compose.grafana_port
    return Service(
        image=plan.settings.deploy.compose.grafana_image,
        user=_GRAFANA_USER,
        command=(),
        health=_answers(GRAFANA_PORT, "/api/health"),
        networks=(MONITORING, *(() if plan.swarm else (BOARD,))),
        cpus=0.5,
        memory_bytes=512 * 1024**2,
        stop_seconds=_MOST_SECONDS,
        labels={CONFIG_LABEL: digest},
        environment={
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_NEWS_NEWS_FEED_ENABLED": "false",
            "GF_PLUGINS_PREINSTALL_DISABLED": "true",
            "GF_SECURITY_ADMIN_PASSWORD__FILE": f"/etc/grafana/{GRAFANA_PASSWORD}",
            "GF_SECURITY_DISABLE_GRAVATAR": "true",
            "GF_USERS_ALLOW_SIGN_UP": "false",
        },
        files={
            "grafana-datasource": "/etc/grafana/provisioning/datasources/podium.yaml",
            "grafana-dashboards": "/etc/grafana/provisioning/dashboards/podium.yaml",
            "grafana-podium": "/etc/grafana/dashboards/podium.json",
        },
        secrets={GRAFANA_PASSWORD: f"/etc/grafana/{GRAFANA_PASSWORD}"},
        volumes=(volume("grafana", "/var/lib/grafana"),),
        ports=() if plan.swarm else (f"127.0.0.1:{port}:{GRAFANA_PORT}",),
        stateful=True,
    )


_DATASOURCE = {
    "apiVersion": 1,
    "datasources": [
        {
            "name": "Prometheus",
            "uid": "prometheus",
            "type": "prometheus",
            "access": "proxy",
            "url": f"http://prometheus:{PROMETHEUS_PORT}",
            "isDefault": True,
            "jsonData": {"timeInterval": INTERVAL},
        }
    ],
}
_DASHBOARDS = {
    "apiVersion": 1,
    "providers": [
        {
            "name": "podium",
            "type": "file",
            "disableDeletion": True,
            "options": {"path": "/etc/grafana/dashboards"},
        }
    ],
}


def _prometheus(plan: HostPlan) -> dict[str, Any]:
    """Not the controller's own page: it is on loopback in the gateway's container."""
    found = {"job_name": JOB, "authorization": {"credentials_file": "/etc/prometheus/metrics-key"}}
    return {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": [f"/etc/prometheus/{RULES}"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"alertmanager:{ALERTMANAGER_PORT}"]}]}]},
        "scrape_configs": [{**found, **_targets(plan)}],
    }


def _targets(plan: HostPlan) -> dict[str, Any]:
    """One server by its name, so that it is missed when it is gone; several by what their name leads to."""
    port = plan.settings.server.admin_port
    listed = {
        name: [address.partition("://")[2] for address in given.metrics]
        for name, given in plan.settings.gateway.environments.items()
        if given.endpoints and given.metrics
    }
    several = []
    for each in plan.environments:
        if each.replicas == 1 and not plan.swarm:
            listed[each.name] = [f"{each.name}:{port}"]
        else:
            several.append(each.name)
    found: dict[str, Any] = {}
    if listed:
        found["static_configs"] = [
            {"targets": targets, "labels": {"environment": name}} for name, targets in listed.items()
        ]
    if several:
        found["dns_sd_configs"] = [{"names": several, "type": "A", "port": port, "refresh_interval": _DNS_SECONDS}]
        found["relabel_configs"] = [
            {"source_labels": ["__meta_dns_name"], "regex": "(.+)", "target_label": "environment"}
        ]
    return found


def _answers(port: int, path: str) -> Health:
    return Health(("wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}{path}"))


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=110, allow_unicode=True)
