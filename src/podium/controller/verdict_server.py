"""``python -m podium.controller.verdict_server``: the verdict's own pod, as rendered for Argo Rollouts and Flagger."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import structlog
import uvicorn

from podium.access.run_keys import read_run_key
from podium.aio import tasks
from podium.api.verdict_app import create_verdict_app
from podium.cluster.account import ServiceAccount
from podium.cluster.endpoint_slices import Server
from podium.cluster.route_weights import RouteWeights
from podium.cluster.watch import SliceWatch
from podium.config.settings import Settings
from podium.config.sources import load
from podium.controller.in_cluster import API_SERVER
from podium.controller.verdict_keeper import VerdictKeeper
from podium.core.errors import ConfigurationError, PodiumError
from podium.monitor.exposition import MOST_BYTES, Garbage
from podium.monitor.target import Fetch, ScrapeRefused
from podium.rollout.configured import policy_of
from podium.telemetry import logs

TRAFFIC_PORT = "http"
_SCRAPE_SECONDS = 3.0
_FAILED = 1
_NO_KEY = 401  # what a server would answer without one
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class VerdictServer:
    """What one is started with. ``stable`` and ``canary`` are Services, ``route`` the HTTPRoute that leads to both.

    The key in ``key_file`` is read for every look: whoever changes it restarts nothing.
    """

    settings: Settings
    account: ServiceAccount
    api_server: str
    route: str
    stable: str
    canary: str
    admin_port: int
    host: str
    port: int
    key_file: str

    async def run(self) -> None:
        """Serve until SIGTERM. Raises ``GatewayUnavailable`` when the cluster does not let it see the servers."""
        services = [self.stable, self.canary]
        async with AsyncExitStack() as stack:
            watching = SliceWatch(self.api_server, self.account, services, changed=lambda: None)
            watch = await stack.enter_async_context(watching)
            await watch.list_once()
            weights = await stack.enter_async_context(RouteWeights(self.api_server, self.account, self.route))
            client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=_SCRAPE_SECONDS))
            keeper = VerdictKeeper(
                policy_of(self.settings.rollout),
                servers=lambda arm: watch.servers(self.canary if arm == "canary" else self.stable, TRAFFIC_PORT),
                share=lambda: weights.share(self.canary, self.stable),
                fetch=lambda server: self._fetch(client, server),
            )
            running = [tasks.start(watch.run(), name="endpoints"), tasks.start(keeper.run(), name="verdict")]
            stack.push_async_callback(tasks.stop, *running)
            config = uvicorn.Config(
                create_verdict_app(keeper),
                host=self.host,
                port=self.port,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
            )
            await uvicorn.Server(config).serve()

    def _fetch(self, client: httpx.AsyncClient, server: Server) -> Fetch:
        host = f"[{server.host}]" if ":" in server.host else server.host

        async def fetch() -> bytes:
            try:
                key = read_run_key(self.key_file, "--key-file")
            except ConfigurationError as error:
                log.warning("no key to read metrics with", reason=error.message)
                raise ScrapeRefused(_NO_KEY) from error
            headers = {} if key is None else {"authorization": f"Bearer {key}"}
            answer = await client.get(f"http://{host}:{self.admin_port}/metrics", headers=headers)
            if not answer.is_success:
                raise ScrapeRefused(answer.status_code)
            if len(answer.content) > MOST_BYTES:
                raise Garbage(f"more than {MOST_BYTES} bytes")
            return answer.content

        return fetch


def main(arguments: Sequence[str]) -> int:
    """Tell the verdict until SIGTERM; returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        settings = load({}, given.config, {}).settings
        logs.configure(style=settings.logs.format, level=settings.logs.level)
        host, _, port = given.listen.rpartition(":")
        read_run_key(given.key_file, "--key-file")  # one that is none ends the program now, not each look
        server = VerdictServer(
            settings=settings,
            account=ServiceAccount(given.account),
            api_server=given.api_server,
            route=given.route,
            stable=given.stable,
            canary=given.canary,
            admin_port=given.admin_port,
            host=host.strip("[]"),
            port=int(port),
            key_file=given.key_file,
        )
        asyncio.run(server.run())
    except PodiumError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return _FAILED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--config", type=Path, required=True, help="podium.yaml of the controller")
    parser.add_argument("--account", type=Path, required=True, help="folder of the service account's files")
    parser.add_argument("--route", required=True, help="HTTPRoute whose weights are moved")
    parser.add_argument("--stable", required=True, help="Service of the stable version")
    parser.add_argument("--canary", required=True, help="Service of the new version")
    parser.add_argument("--admin-port", type=int, required=True, help="port of the servers' metrics")
    parser.add_argument("--key-file", default="", help="file with a key that may read metrics")
    parser.add_argument("--listen", required=True, help="host:port to answer on")
    parser.add_argument("--api-server", default=API_SERVER, help="URL of the API server")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
