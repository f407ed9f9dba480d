"""The root of the configuration."""

from __future__ import annotations

from pydantic import Field, model_validator

from podium.config.access import Access
from podium.config.cache import Cache
from podium.config.frozen import Group
from podium.config.gateway import Gateway
from podium.config.logs import Logs
from podium.config.models import Model
from podium.config.monitor import Monitor
from podium.config.redis import Redis
from podium.config.rollout import Rollout
from podium.config.server import Server

DEMO = Model(name="demo", source="builtin:demo")


class Settings(Group):
    """Everything that `podium.yaml` can say. Order of precedence: flag, environment, file, default."""

    models: tuple[Model, ...] = Field((DEMO,), description="Models to serve; the first one is the default.")
    server: Server = Field(Server(), description="The data plane.")
    access: Access = Field(Access(), description="Who may call, and how much.")
    cache: Cache = Field(Cache(), description="Answers that were computed before.")
    redis: Redis = Field(Redis(), description="The store that several replicas share.")
    rollout: Rollout = Field(Rollout(), description="How a new version takes over.")
    gateway: Gateway = Field(Gateway(), description="The gateway of `podium up`.")
    monitor: Monitor = Field(Monitor(), description="When somebody must be told, and where.")
    logs: Logs = Field(Logs(), description="The log.")

    @model_validator(mode="after")
    def _semantic_model_is_served(self) -> Settings:
        semantic = self.cache.semantic
        if semantic is not None:
            names = {name for model in self.models for name in (model.name, *model.aliases)}
            if semantic.model.partition("@")[0] not in names:
                msg = f"cache.semantic.model is {semantic.model!r}, and no model of that name is configured"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> Settings:
        seen: set[str] = set()
        versions: set[tuple[str, str]] = set()
        for model in self.models:
            if (model.name, model.version) in versions:
                msg = f"model {model.name!r} version {model.version!r} is listed twice"
                raise ValueError(msg)
            versions.add((model.name, model.version))
            for alias in model.aliases:
                if alias in seen:
                    msg = f"alias {alias!r} is used twice"
                    raise ValueError(msg)
                seen.add(alias)
        for name, _ in versions:
            if name in seen:
                msg = f"{name!r} is both a model and an alias"
                raise ValueError(msg)
        return self
