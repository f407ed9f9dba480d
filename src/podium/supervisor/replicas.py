"""Local replicas: how many `podium serve` there are, where they listen, and what the others are told of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from podium.access import api_keys
from podium.config.gateway import Environment
from podium.config.settings import Settings
from podium.controller.run_folder import RunFolder
from podium.supervisor.ports import free_ports
from podium.supervisor.process import Command

_HOST = "127.0.0.1"
BATCHES_FOLDER = "podium-batches"
"""Where files and batches are kept if no setting says so, beside the database of keys."""


@dataclass(frozen=True)
class Replica:
    """One local server of an environment. It keeps its ports when it is restarted."""

    environment: str
    number: int
    port: int
    admin_port: int

    @property
    def name(self) -> str:
        """Its name in the log."""
        return f"{self.environment}-{self.number}"

    @property
    def address(self) -> str:
        """Where it takes traffic, ``host:port``."""
        return f"{_HOST}:{self.port}"

    @property
    def url(self) -> str:
        """The same as a URL."""
        return f"http://{self.address}"

    @property
    def admin_url(self) -> str:
        """Where its probes and its metrics are."""
        return f"http://{_HOST}:{self.admin_port}"

    def command(self, folder: RunFolder) -> Command:
        """How it is started: with the settings of its environment, on its own ports."""
        ports = ("--host", _HOST, "--port", str(self.port), "--admin-port", str(self.admin_port))
        admin_host = ("--set", f"server.admin_host={_HOST}")
        settings = str(folder.settings_of(self.environment))
        words = ("serve", "--until-stdin-closes", "--config", settings, *ports, *admin_host)
        return Command(self.name, (sys.executable, "-m", "podium", *words))


def plan_replicas(environments: Mapping[str, Environment]) -> list[Replica]:
    """The replicas of all environments, each on two free ports."""
    places = [(name, number) for name, given in environments.items() for number in range(1, given.replicas + 1)]
    ports = iter(free_ports(2 * len(places)))
    return [Replica(name, number, next(ports), next(ports)) for name, number in places]


def for_environment(settings: Settings, environment: str) -> Settings:
    """The settings as the replicas of an environment get them: its models are the models, and it runs its batches."""
    batches = settings.batches
    if not batches.folder and all(given.replicas for given in settings.gateway.environments.values()):
        folder = Path(settings.access.database).expanduser().absolute().with_name(BATCHES_FOLDER)
        batches = batches.model_copy(update={"folder": str(folder)})
    batches = batches.model_copy(update={"servers": batches.servers or environment})
    return settings.model_copy(update={"models": settings.models_of(environment), "batches": batches})


def with_endpoints(settings: Settings, replicas: list[Replica], fronts: Mapping[str, str] | None = None) -> Settings:
    """The settings as the controller gets them: every environment names its servers, wherever they are.

    An environment that is in ``fronts`` is reached at that URL instead of at its replicas.
    """
    reached = fronts or {}
    environments = {
        name: _named(given, [replica for replica in replicas if replica.environment == name], reached.get(name))
        for name, given in settings.gateway.environments.items()
    }
    gateway = settings.gateway.model_copy(update={"environments": environments})
    return settings.model_copy(update={"gateway": gateway})


def with_run_keys(settings: Settings, folder: RunFolder) -> Settings:
    """The settings with the keys of the run itself, made here, unless they name some."""
    made = {
        "metrics_key_file": folder.metrics_key,
        "shadow_key_file": folder.shadow_key,
        "deploy_key_file": folder.deploy_key,
    }
    missing = {setting: path for setting, path in made.items() if not getattr(settings.access, setting)}
    for path in missing.values():
        path.touch(mode=0o600)
        path.write_text(api_keys.mint().text, encoding="ascii")
    access = settings.access.model_copy(update={setting: str(path) for setting, path in missing.items()})
    return settings.model_copy(update={"access": access})


def _named(given: Environment, own: list[Replica], front: str | None) -> Environment:
    if not own:
        return given
    reached = tuple(replica.url for replica in own) if front is None else (front,)
    found = {"endpoints": reached, "metrics": tuple(replica.admin_url for replica in own)}
    return given.model_copy(update={"replicas": 0, "models": (), **found})


def controller_command(folder: RunFolder) -> Command:
    """How the controller is started; it finds everything in ``folder``."""
    return Command("controller", (sys.executable, "-m", "podium.controller", str(folder.path)))
