"""From a plan to files: the compose file, and what its services read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from podium.config.settings import Settings
from podium.core.errors import ConfigurationError
from podium.deploy.compose import monitoring, services
from podium.deploy.compose.host_plan import HostPlan, host_plan
from podium.deploy.compose.service import SECRETS_VARIABLE, Service
from podium.deploy.compose.settings_files import gateway_file, server_file
from podium.deploy.environments import Profile
from podium.deploy.folder import refuse_foreign, replace
from podium.deploy.pod_settings import digest
from podium.deploy.secrets import STACK_SECRETS

COMPOSE, DOWNLOADS, CONFIG_FOLDER = "compose.yaml", "weights.yaml", "config"
MARK = "# Written by `podium deploy compose`; change podium.yaml and render again.\n"
PROJECT = "podium"
_DIGITS = 12
_INSIDE = (services.SERVING, services.STORE, services.MONITORING)


def render_compose(settings: Settings, profile: Profile, *, swarm: bool) -> dict[str, str]:
    """Text by path below the folder: the same bytes for the same settings.

    Raises ``ConfigurationError`` with every reason when the result could not work.
    """
    plan = host_plan(settings, profile, swarm=swarm)
    configs = _configs(plan)
    documents = {COMPOSE: _document(plan, _services(plan, configs), configs)}
    if plan.hub_ids:
        downloads = services.downloads(plan)
        if swarm:  # jobs of their own, so that the stack does not run them with every update
            documents[DOWNLOADS] = _document(plan, downloads, {})
        else:
            documents[COMPOSE] = _document(plan, {**_services(plan, configs), **downloads}, configs)
    texts = {name: MARK + _dump(document) for name, document in documents.items()}
    return {**texts, **{f"{CONFIG_FOLDER}/{path}": text for path, text in configs.values()}}


def write_compose(files: Mapping[str, str], folder: Path) -> None:
    """Write ``files`` and remove what an earlier rendering left; ``secrets`` and ``files`` are never touched.

    Raises ``ConfigurationError`` when a compose file is there that was not rendered.
    """
    old = [path for path in (folder / COMPOSE, folder / DOWNLOADS) if path.exists()]
    config = folder / CONFIG_FOLDER
    if config.exists() and not old:
        raise ConfigurationError(f"{config} is there without {COMPOSE}; name an empty folder with --out.")
    refuse_foreign(old, MARK)
    replace([*old, *(path for path in config.rglob("*") if path.is_file())], files, folder)


def _configs(plan: HostPlan) -> dict[str, tuple[str, str]]:
    """Configurations by name: path below ``config``, and text."""
    found = {each.name: (f"{each.name}.yaml", MARK + server_file(plan, each.name)) for each in plan.environments}
    found[services.GATEWAY_CONFIG] = ("gateway.yaml", MARK + gateway_file(plan))
    return {**found, **(monitoring.monitoring_configs(plan) if plan.monitored else {})}


def _services(plan: HostPlan, configs: Mapping[str, tuple[str, str]]) -> dict[str, Service]:
    def read(*names: str) -> str:
        return digest("".join(configs[name][1] for name in names))[:_DIGITS]

    found = {"gateway": services.gateway(plan, read(services.GATEWAY_CONFIG))}
    found |= {each.name: services.servers(plan, each, read(each.name)) for each in plan.environments}
    if plan.own_redis:
        found["redis"] = services.redis(plan)
    if plan.monitored:
        found["prometheus"] = monitoring.prometheus(plan, read("prometheus", "rules"))
        found["alertmanager"] = monitoring.alertmanager(plan, read("alertmanager"))
        boards = ("grafana-datasource", "grafana-dashboards", "grafana-podium")
        found["grafana"] = monitoring.grafana(plan, read(*boards))
    return found


def _document(plan: HostPlan, found: Mapping[str, Service], configs: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    used = {name for each in found.values() for name in each.secrets}
    rendered = {name: each.in_swarm() if plan.swarm else each.on_host() for name, each in found.items()}
    groups = {
        "services": rendered,
        "networks": {name: _network(name, plan) for name in _named(found, "networks")},
        "volumes": {name: _volume(name) for name in _named(found, "volumes")},
        "configs": {name: _config(plan, name, *each) for name, each in configs.items()},
        "secrets": {name: _secret(plan, name, path) for name, path in _secret_files(plan).items() if name in used},
    }
    head: dict[str, Any] = {"version": "3.13"} if plan.swarm else {"name": PROJECT}
    return head | {name: members for name, members in groups.items() if members}


def _named(found: Mapping[str, Service], kind: str) -> list[str]:
    """Networks or volumes that are used, each once, in order of first use."""
    if kind == "networks":
        return list(dict.fromkeys(name for each in found.values() for name in each.networks))
    return list(dict.fromkeys(v["source"] for each in found.values() for v in each.volumes if "source" in v))


def _network(name: str, plan: HostPlan) -> dict[str, Any]:
    inside = {"internal": True} if name in _INSIDE else {}
    if not plan.swarm:
        return inside
    return {"driver": "overlay", **inside, "driver_opts": {"encrypted": ""}}


def _volume(name: str) -> dict[str, Any]:
    return {"name": f"{PROJECT}-{name}"}


def _config(plan: HostPlan, name: str, path: str, text: str) -> dict[str, Any]:
    """In a Swarm a configuration never changes: another text has another name."""
    named = {"name": f"{PROJECT}-{name}-{digest(text)[:_DIGITS]}"} if plan.swarm else {}
    return {**named, "file": f"./{CONFIG_FOLDER}/{path}"}


def _secret(plan: HostPlan, name: str, path: str) -> dict[str, Any]:
    named = {"name": f"{PROJECT}-{name}-${{{SECRETS_VARIABLE}:-1}}"} if plan.swarm else {}
    return {**named, "file": f"./{path}"}


def _secret_files(plan: HostPlan) -> dict[str, str]:
    given = {name: f"files/{path.rpartition('/')[2]}" for name, path in services.own_files(plan).items()}
    given[services.HUB_TOKEN] = f"files/{services.HUB_TOKEN}"
    return {**{name: f"secrets/{file}" for name, file in STACK_SECRETS.items()}, **given}


class _Plain(yaml.SafeDumper):
    """No anchors: each service can be read by itself."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _dump(document: Mapping[str, Any]) -> str:
    return yaml.dump(dict(document), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
