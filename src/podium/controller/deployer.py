"""Loads a version of a model on every server of an environment: ``Deployer`` of ``podium.rollout.ports``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

import httpx
import msgspec

from podium.aio import tasks
from podium.core.errors import Unavailable
from podium.gateway.topology import Topology
from podium.protocols.native import ModelBody, ModelsAnswer

_LIST_SECONDS = 5.0
_LOAD_SECONDS = 1800.0
_MOST_TEXT = 300


class Deployer:
    """Asks the servers' own routes, not through the gateway, with the key of the run. A context manager.

    Left, it cancels what it waits for; servers finish loading what they were told to.
    """

    def __init__(self, client: httpx.AsyncClient, topology: Callable[[], Topology], key: str | None) -> None:
        self._client = client
        self._topology = topology
        self._headers = {} if key is None else {"authorization": f"Bearer {key}"}
        self._loads: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._failures: dict[tuple[str, str], str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await tasks.stop(*self._loads.values())

    async def problems(self, environment: str, version: str) -> list[str]:
        """See ``Deployer``."""
        found = []
        for server in self._servers(environment):
            models = await self._models(server)
            if models is None:
                found.append(
                    f"the server {server} of {environment} does not tell its models, so nothing can be loaded there; "
                    "deploy the version where it runs, and start without a version"
                )
            elif _wanted(models, version) is None:
                known = ", ".join(sorted(f"{model.name}@{model.version}" for model in models)) or "none"
                found.append(f"{environment} has no model {version}; it has {known}. Add it to its models first")
        self._failures.clear()
        return sorted(set(found))

    async def deployed(self, environment: str, version: str) -> bool:
        """See ``Deployer``."""
        states = [await self._is_deployed(server, version) for server in self._servers(environment)]
        return all(states)

    async def _is_deployed(self, server: str, version: str) -> bool:
        models = await self._models(server)
        model = None if models is None else _wanted(models, version)
        if model is not None and model.state == "ready" and model.active:
            return True
        if (server, version) in self._failures:
            raise Unavailable(self._failures[server, version])
        if model is not None and (server, version) not in self._loads:
            task = tasks.start(self._load(server, version), name=f"load {version} on {server}")
            self._loads[server, version] = task
            task.add_done_callback(lambda _: self._loads.pop((server, version), None))
        return False

    async def _load(self, server: str, version: str) -> None:
        url = f"http://{server}/models/{version}/load"
        try:
            answer = await self._client.post(url, json={}, headers=self._headers, timeout=_LOAD_SECONDS)
        except httpx.HTTPError as error:
            said = type(error).__name__
        else:
            if answer.is_success:
                return
            said = answer.text[:_MOST_TEXT]
        self._failures[server, version] = f"{version} could not be loaded on {server}: {said}"

    async def _models(self, server: str) -> list[ModelBody] | None:
        try:
            answer = await self._client.get(f"http://{server}/models", headers=self._headers, timeout=_LIST_SECONDS)
            return list(msgspec.json.decode(answer.raise_for_status().content, type=ModelsAnswer).models.values())
        except (httpx.HTTPError, msgspec.DecodeError):
            return None

    def _servers(self, environment: str) -> list[str]:
        (found,) = [each for each in self._topology().environments if each.name == environment]
        return [f"{endpoint.host}:{endpoint.port}" for endpoint in found.endpoints]


def _wanted(models: list[ModelBody], version: str) -> ModelBody | None:
    return next((model for model in models if f"{model.name}@{model.version}" == version), None)
