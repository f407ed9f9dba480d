"""The controller's place in a Kubernetes cluster: gateways and servers are pods that come and go."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import httpx

from podium.cluster.account import ServiceAccount
from podium.cluster.watch import SliceWatch
from podium.config.settings import Settings
from podium.controller.attempts_reader import Watcher
from podium.controller.fleet import EnvoyFleet
from podium.controller.restarts_file import RestartsFile
from podium.controller.run_folder import RunFolder
from podium.controller.site import PROBE_SECONDS, Site
from podium.gateway.attempts import Attempt
from podium.gateway.attempts_delivery import AttemptsIntake
from podium.gateway.health_service import health_handler
from podium.gateway.own_ports import own_ports_client
from podium.gateway.route import PIN_HEADER
from podium.gateway.several import SeveralEnvoys
from podium.gateway.topology import Endpoint, Topology
from podium.gateway.traffic import Traffic

TRAFFIC_PORT = "http"
"""Name of the port of Services that requests go to."""
_DIGITS = 8


@dataclass(frozen=True)
class ClusterPlace:
    """How a controller finds its way in a cluster. Called with settings and folder, it is a ``Place``.

    Attributes:
        api_server: URL of the API server.
        account: the pod's own.
        discovery: ``host:port`` on which gateways are fed.
        gateways: the Service of the gateways; ``status_port`` is where each of its pods is asked how it is.
        servers: the Services of the environments, by name of the environment.
        gateway_log: the path of the attempts log in a gateway's pod.
        scraped: as ``Site`` has it.
    """

    api_server: str
    account: ServiceAccount
    discovery: str
    gateways: str
    status_port: int
    servers: dict[str, str]
    gateway_log: str
    scraped: str = ""

    @asynccontextmanager
    async def __call__(self, settings: Settings, folder: RunFolder) -> AsyncIterator[Site]:
        """Entered, all servers and gateways are known.

        Raises ``GatewayUnavailable`` when they cannot be listed: told of no servers, gateways would serve nobody.
        """
        changed = asyncio.Event()
        async with AsyncExitStack() as stack:
            services = [self.gateways, *self.servers.values()]
            watching = SliceWatch(self.api_server, self.account, services, changed=changed.set)
            watch = await stack.enter_async_context(watching)
            await watch.list_once()
            intake = AttemptsIntake(folder.attempts_log)
            stack.callback(intake.close)
            envoys = await stack.enter_async_context(SeveralEnvoys(intake.reopen))
            client = await stack.enter_async_context(own_ports_client(PROBE_SECONDS))
            pods = _Pods(self, watch, envoys)
            restarts = RestartsFile(folder.restarts)
            await envoys.follow(pods.gateway_urls())
            yield Site(
                admin=envoys,
                discovery=self.discovery,
                began=time.time(),
                loading_seconds=0.0,
                revisions=_revisions(settings),
                log=self.gateway_log,
                fleet=lambda topology: _PodFleet(envoys, client, topology, restarts),
                client=client,
                scraped=self.scraped,
                handlers=(intake.handler, health_handler()),
                populated=lambda topology: replace(topology.with_servers(pods.endpoints()), watched=True),
                watcher=lambda watcher: _AfterAll(watcher, intake),
                loops=lambda traffic: {"endpoints": watch.run(), "servers": pods.follow(traffic, changed)},
            )


class _Pods:
    """What the watch knows, in the gateway's words."""

    def __init__(self, place: ClusterPlace, watch: SliceWatch, envoys: SeveralEnvoys) -> None:
        self._place = place
        self._watch = watch
        self._envoys = envoys

    def endpoints(self) -> dict[str, tuple[Endpoint, ...]]:
        """The servers of every environment."""
        return {
            environment: tuple(Endpoint(each.host, each.port) for each in self._watch.servers(service, TRAFFIC_PORT))
            for environment, service in self._place.servers.items()
        }

    def gateway_urls(self) -> list[str]:
        """Where gateways that are ready are asked."""
        hosts = [each.host for each in self._watch.servers(self._place.gateways, TRAFFIC_PORT) if each.ready]
        return [f"http://{f'[{host}]' if ':' in host else host}:{self._place.status_port}" for host in hosts]

    async def follow(self, traffic: Traffic, changed: asyncio.Event) -> None:
        """Tell of every change until cancelled."""
        while True:
            await changed.wait()
            changed.clear()
            await self._envoys.follow(self.gateway_urls())
            await traffic.set_servers(self.endpoints())


class _AfterAll:
    """``Watcher`` that says so only when all gateways have said so."""

    def __init__(self, watcher: Watcher, intake: AttemptsIntake) -> None:
        self._watcher = watcher
        self._intake = intake

    def take(self, attempts: list[Attempt]) -> None:
        """See ``Watcher``."""
        self._watcher.take(attempts)

    def caught_up(self, at: float) -> None:
        """See ``Watcher``. What a gateway has sent before it said so has been read from the file by now."""
        seen_until = self._intake.seen_until
        if seen_until is not None:
            self._watcher.caught_up(min(at, seen_until))


class _PodFleet(EnvoyFleet):
    """``Fleet`` over gateways that are pods: their listener is at each pod's own address."""

    def __init__(
        self,
        envoys: SeveralEnvoys,
        client: httpx.AsyncClient,
        topology: Callable[[], Topology],
        restarts: RestartsFile,
    ) -> None:
        super().__init__(envoys, client, topology, restarts)
        self._envoys = envoys

    async def answers(self, environment: str) -> bool:
        """See ``Fleet``: through every gateway."""
        topology = self._topology()
        path = next(each.health_path for each in topology.environments if each.name == environment)
        urls = [httpx.URL(url).copy_with(port=topology.listen.port, path=path) for url in self._envoys.urls]
        try:
            answers = await asyncio.gather(*(self._client.get(url, headers={PIN_HEADER: environment}) for url in urls))
        except httpx.HTTPError:
            return False
        return bool(answers) and all(answer.is_success for answer in answers)


def _revisions(settings: Settings) -> dict[str, str]:
    """``ENVIRONMENT@DIGEST``, of its image and of the models that it serves."""
    deploy = settings.deploy
    found = {}
    for name in settings.gateway.environments:
        given = deploy.environments.get(name)
        image = (given.image if given else "") or deploy.image
        text = image + "".join(model.model_dump_json() for model in settings.models_of(name))
        found[name] = f"{name}@{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}"
    return found
