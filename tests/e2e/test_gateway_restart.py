"""A rolling restart of the gateways themselves, with the rendered numbers, scaled down.

Each gateway has a machine of its own (a network namespace), so that all listen on one port as pods do. The cluster's
part is played here: a new gateway first; then, at once, the old one's hook begins and the news that it leaves is on its
way to clients; SIGTERM after the hook, and no longer than the grace period.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import yaml

from support.cluster import Cluster, GatewayProcess, cluster
from support.deadline import soon, until
from support.deployments import GATEWAYS, SMALL, sets_of
from support.hosts import Hosts, hosts
from support.pod import Pod, pod_of, server_pod
from support.streams import ECHO, STREAMS, TIMING, Traffic, replica

LONG_SECONDS = 120.0
NEWS_SECONDS = 1.0
"""Until clients' load balancer knows that a gateway leaves."""


async def _replace(one: Cluster, old: GatewayProcess, address: str, pod: Pod, traffic: Traffic) -> int:
    """What the cluster does to one gateway; returns the exit status of the old one."""
    new = await asyncio.to_thread(one.start_gateway, address)
    traffic.endpoints.append(f"http://{new.host}:{one.port}")
    url = f"http://{old.host}:{one.port}"

    async def tell_clients() -> None:
        await asyncio.sleep(NEWS_SECONDS)
        traffic.endpoints.remove(url)
        one.gateways.remove(old)
        await asyncio.to_thread(one.tell_gateways)

    async with asyncio.timeout(LONG_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(tell_clients(), name="news")
        await asyncio.sleep(pod.pre_stop_seconds)
        await soon("nobody is on his way there", lambda: not traffic.beginning[url], seconds=60)
        old.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(old.process.wait, pod.grace_seconds)


async def _replace_all(one: Cluster, machines: Hosts, pod: Pod, traffic: Traffic) -> list[int]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)  # else one may close as it is used
    spare = list(machines.inside.values())[2:]
    async with (
        httpx.AsyncClient(trust_env=False, timeout=60.0, limits=limits) as client,
        asyncio.TaskGroup() as group,
    ):
        for number in range(STREAMS):
            group.create_task(traffic.run(client, number), name=f"stream {number}")
        await soon("streams run", lambda: traffic.whole >= STREAMS, seconds=LONG_SECONDS)
        pairs = zip(list(one.gateways), spare, strict=True)
        statuses = [await _replace(one, old, address, pod, traffic) for old, address in pairs]
        traffic.ending.set()
    return statuses


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_rolling_restart_of_the_gateways_cuts_and_refuses_no_stream(tmp_path: Path) -> None:
    deploy = {**GATEWAYS["deploy"], "timing": TIMING}
    graph = sets_of(tmp_path / "k8s", {**GATEWAYS, "deploy": deploy})["overlays/production"]
    rendered = pod_of(graph, "gateway", tmp_path)
    assert rendered.workload.item.at("spec", "strategy", "rollingUpdate") == {"maxUnavailable": 0, "maxSurge": 1}
    config = graph.find("ConfigMap", "podium-gateway-config", "podium")
    assert config is not None
    drain_seconds = yaml.safe_load(config.at("data", "podium.yaml"))["gateway"]["drain_seconds"]
    server = server_pod(sets_of(tmp_path / "s", {**SMALL, "models": [ECHO]}, timing=TIMING)["overlays/dev"], tmp_path)
    (tmp_path / "pod.yaml").write_text(server.config)
    (tmp_path / "cluster").mkdir()
    with (
        hosts(4) as machines,
        cluster(tmp_path / "cluster", machines=machines, drain_seconds=drain_seconds) as one,
        ExitStack() as stack,
    ):
        serving = [stack.enter_context(replica(tmp_path / "pod.yaml")) for _ in range(2)]
        until("both are ready", lambda: all(each.is_ready() for each in serving), seconds=LONG_SECONDS)
        one.tell_servers("blue", *(each.port for each in serving))
        until("gateways know", lambda: one.are_healthy("blue", *(r.port for r in serving)), seconds=LONG_SECONDS)
        traffic = Traffic([f"http://{each.host}:{one.port}" for each in one.gateways])
        statuses = asyncio.run(_replace_all(one, machines, rendered, traffic))
    assert statuses == [0, 0]
    assert (traffic.refused, traffic.cut) == ([], [])
    assert traffic.whole > 2 * STREAMS
