"""The root of the configuration."""

from __future__ import annotations

from pydantic import Field, model_validator

from podium.config.access import Access
from podium.config.batches import Batches
from podium.config.cache import Cache
from podium.config.deploy import Deploy
from podium.config.frozen import Group
from podium.config.gateway import Gateway
from podium.config.logs import Logs
from podium.config.models import Model, check_names, names_of
from podium.config.monitor import Monitor
from podium.config.redis import Redis
from podium.config.rollout import Rollout
from podium.config.server import Server
from podium.config.telemetry import Telemetry

DEMO = Model(name="demo", source="builtin:demo")


class Settings(Group):
    """Everything that `podium.yaml` can say. Order of precedence: flag, environment, file, default."""

    models: tuple[Model, ...] = Field((DEMO,), description="Models to serve; the first one is the default.")
    server: Server = Field(Server(), description="The data plane.")
    access: Access = Field(Access(), description="Who may call, and how much.")
    cache: Cache = Field(Cache(), description="Answers that were computed before.")
    batches: Batches = Field(Batches(), description="Files, and batches of requests that run in the background.")
    redis: Redis = Field(Redis(), description="The store that several replicas share.")
    rollout: Rollout = Field(Rollout(), description="How a new version takes over.")
    gateway: Gateway = Field(Gateway(), description="The gateway of `podium up`.")
    monitor: Monitor = Field(Monitor(), description="When somebody must be told, and where.")
    logs: Logs = Field(Logs(), description="The log.")
    telemetry: Telemetry = Field(Telemetry(), description="Traces, and other forms of the metrics.")
    deploy: Deploy = Field(Deploy(), description="Where else the same file runs.")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Settings:
        check_names(self.models)
        return self

    @model_validator(mode="after")
    def _semantic_model_is_served(self) -> Settings:
        semantic = self.cache.semantic
        if semantic is None:
            return self
        lists = self._served_lists
        if any(semantic.model.partition("@")[0] not in names_of(models) for models in lists):
            msg = f"cache.semantic.model is {semantic.model!r}, and no model of that name is configured"
            raise ValueError(msg + (" in every environment" if len(lists) > 1 else ""))
        return self

    def models_of(self, environment: str) -> tuple[Model, ...]:
        """What local replicas of an environment serve: its own models, or else the top-level ones."""
        return self.gateway.environments[environment].models or self.models

    @property
    def all_models(self) -> tuple[Model, ...]:
        """Every model that a local server of the configuration serves, each once."""
        found: list[Model] = []
        for models in self._served_lists:
            found += [model for model in models if model not in found]
        return tuple(found)

    @property
    def _served_lists(self) -> list[tuple[Model, ...]]:
        local = [name for name, given in self.gateway.environments.items() if given.replicas]
        return [self.models_of(name) for name in local] or [self.models]
