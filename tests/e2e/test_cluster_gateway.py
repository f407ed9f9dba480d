"""The gateways of a cluster: a controller watches an API server and feeds them; servers come and go."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from podium.bench.request_log import gateway_entries
from podium.deploy.kubernetes.alerting import conditions
from podium.deploy.plan import plan_of
from support.cluster import Cluster, GatewayProcess, cluster
from support.controlled_gateway import QUICK
from support.deadline import soon, until
from support.deployments import GATEWAYS, SMALL, sets_of, settings_of
from support.keys import new_key
from support.pod import Pod, server_pod
from support.prometheus import running_prometheus
from support.require import require_program
from support.streams import ECHO, STREAMS, TIMING, Replica, Traffic, replica
from support.upstreams import Upstream, crowd, upstream

LONG_SECONDS = 120.0
OF_THE_CONTROLLER = (
    "GatewayConfigRejected", "ModelsWithoutHistory", "MonitorAway", "NoHealthyServer", "RetryOverflow", "RolloutStuck",
)  # fmt: skip


def _rollout(one: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{one.control}/control/rollouts/current", timeout=30).json()
    return found


def _healthy(one: Cluster, environment: str, *servers: Upstream) -> None:
    ports = [server.port for server in servers]
    until(f"{environment} is healthy", lambda: one.are_healthy(environment, *ports), seconds=LONG_SECONDS)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_servers_come_and_go_and_a_rollout_ends_over_two_gateways(tmp_path: Path) -> None:
    """Also while the controller is killed on the way."""
    with (
        upstream("blue") as blue,
        upstream("second") as second,
        upstream("green") as green,
        cluster(tmp_path, rollout=QUICK) as one,
    ):
        one.tell_servers("blue", blue.port)
        _healthy(one, "blue", blue)
        assert one.traffic()["gateways"] == 2
        one.tell_servers("blue", blue.port, second.port)
        one.tell_servers("green", green.port)
        _healthy(one, "green", green)
        _healthy(one, "blue", *sorted((blue, second), key=lambda each: each.port))
        with crowd(one.gateway, per_second=60) as seen:
            body = {"environment": "green"}
            answer = httpx.post(f"{one.control}/control/rollouts", json=body, timeout=30)
            assert answer.status_code == 201, answer.text
            until("green has traffic", lambda: green.requests > 5, seconds=LONG_SECONDS)
            one.kill_controller()
            one.start_controller()
            until("it is done", lambda: _rollout(one)["phase"] == "done", seconds=2 * LONG_SECONDS)
        assert seen.failed == []
        assert one.traffic()["weights"] == {"blue": 0.0, "green": 100.0}
        assert one.traffic()["environments"]["green"]["first_attempts"] > 0


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_canary_that_died_while_no_controller_was_there_is_taken_back_by_the_next_one(tmp_path: Path) -> None:
    with (
        upstream("blue") as blue,
        upstream("green") as green,
        cluster(tmp_path, gateways=1, rollout=QUICK) as one,
    ):
        one.tell_servers("blue", blue.port)
        one.tell_servers("green", green.port)
        _healthy(one, "blue", blue)
        _healthy(one, "green", green)
        body = {"environment": "green"}
        assert httpx.post(f"{one.control}/control/rollouts", json=body, timeout=30).status_code == 201
        until("green has its share", lambda: _rollout(one)["phase"] == "acked", seconds=LONG_SECONDS)
        one.kill_controller()
        green.ready = False
        one.start_controller()
        until("it is taken back", lambda: _rollout(one)["phase"] == "rolled-back", seconds=LONG_SECONDS)
        assert _rollout(one)["reason"] == "the canary has no ready replica"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_an_environment_that_loses_all_servers_is_shielded_and_comes_back(tmp_path: Path) -> None:
    with upstream("blue") as blue, upstream("green") as green, cluster(tmp_path, gateways=1) as one:
        one.tell_servers("blue", blue.port)
        one.tell_servers("green", green.port)
        _healthy(one, "blue", blue)
        _healthy(one, "green", green)
        weights = {"weights": {"blue": 0, "green": 100}}
        assert httpx.put(f"{one.control}/control/traffic", json=weights, timeout=30).is_success
        with crowd(one.gateway, per_second=50) as seen:
            one.tell_servers("green")
            until("green is empty", lambda: one.servers("green") == {}, seconds=LONG_SECONDS)
            until("blue takes over", lambda: blue.requests > 20, seconds=LONG_SECONDS)
            had = green.requests
            one.tell_servers("green", green.port)
            until("green is back", lambda: green.requests > had, seconds=LONG_SECONDS)
        assert seen.failed == []


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_without_controller_and_api_server_gateways_go_on(tmp_path: Path) -> None:
    """And a controller that cannot list the servers feeds nobody: told of none, gateways would serve nobody."""
    with upstream("blue") as blue, cluster(tmp_path, gateways=1) as one:
        one.tell_servers("blue", blue.port)
        _healthy(one, "blue", blue)
        one.kill_controller()
        one.api.broken = 10_000
        with pytest.raises(AssertionError, match="endpoints could not be listed: the API server answers 503"):
            one.start_controller()
        assert httpx.post(f"{one.gateway}/v1/completions", json={}, timeout=10).text == "blue"
        one.api.broken = 0
        one.start_controller()
        _healthy(one, "blue", blue)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_gateway_obeys_nobody_and_when_it_ends_lets_a_running_request_finish(tmp_path: Path) -> None:
    with upstream("blue") as blue, cluster(tmp_path, gateways=1) as one:
        one.tell_servers("blue", blue.port)
        _healthy(one, "blue", blue)
        gateway = one.gateways[0]
        _obeys_nobody(gateway)
        blue.seconds = 3.0
        answers: list[httpx.Response] = []
        asking = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{one.gateway}/v1/completions", json={}, timeout=30))
        )
        asking.start()
        until("it has begun", lambda: blue.requests == 1)
        gateway.process.send_signal(signal.SIGTERM)
        until("it is unready", lambda: gateway.get("/readyz") == 503)
        assert gateway.get("/livez") == 200
        assert gateway.process.wait(30) == 0
        asking.join()
        assert [answer.text for answer in answers] == ["blue"]
        until("its last attempt has come", lambda: _attempts(one) == 1)
        (entry,) = gateway_entries(gateway.log.read_text().splitlines())
        assert (entry["status"], entry["environment"], entry["path"]) == (200, "blue", "/v1/completions")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_prometheus_elsewhere_judges_what_only_the_controller_knows(tmp_path: Path) -> None:
    """Every query about it has a value, but those about receivers, who are Alertmanager's matter in a cluster."""
    require_program("prometheus")
    rendered = sets_of(tmp_path / "k8s", GATEWAYS)["overlays/production"]
    monitor = rendered.find("PodMonitor", "podium-controller", "podium")
    assert monitor is not None
    path = monitor.entries("spec", "podMetricsEndpoints")[0]["path"]
    asked = {each.name: each.value for each in conditions(plan_of(settings_of(GATEWAYS), "cpu"))}
    key = tmp_path / "metrics.key"
    key.write_text(new_key(roles=("metrics",))[0])
    with cluster(tmp_path, gateways=1, access={"metrics_key_file": str(key)}) as one:
        target = f"127.0.0.1:{one.scraped.rpartition(':')[2]}"
        assert httpx.get(f"http://{target}{path}", timeout=10, trust_env=False).status_code == 401
        scrape = {
            "job_name": "controller",
            "scrape_interval": "1s",
            "metrics_path": path,
            "authorization": {"credentials_file": str(key)},
            "static_configs": [{"targets": [target], "labels": {"namespace": "podium"}}],
        }
        with running_prometheus({"scrape_configs": [scrape]}, tmp_path) as prometheus:
            for name in OF_THE_CONTROLLER:
                until(name, lambda query=asked[name]: prometheus.ask(query), seconds=30)  # type: ignore[misc]


def _attempts(one: Cluster) -> int:
    count: int = one.traffic()["environments"]["blue"]["attempts"]
    return count


def _obeys_nobody(gateway: GatewayProcess) -> None:
    assert gateway.get("/stats/prometheus?usedonly") == 200
    for path in ("/quitquitquit", "/healthcheck/fail", "/config_dump", "/", "/readyz/../quitquitquit"):
        assert httpx.post(f"{gateway.status}{path}", timeout=10).status_code == 404
        assert gateway.get(path) == 404
    assert httpx.post(f"{gateway.status}/stats", timeout=10).status_code == 404
    assert gateway.get("/readyz") == 200


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_rolling_restart_behind_our_gateways_cuts_and_refuses_no_stream(tmp_path: Path) -> None:
    """With the rendered numbers, scaled down; the cluster's part is to say who leaves when the hook begins."""
    document = {**SMALL, "models": [ECHO]}
    pod = server_pod(sets_of(tmp_path / "k8s", document, timing=TIMING)["overlays/production"], tmp_path)
    config = tmp_path / "pod.yaml"
    config.write_text(pod.config)
    (tmp_path / "cluster").mkdir()
    with cluster(tmp_path / "cluster") as one, ExitStack() as stack:
        running = [stack.enter_context(replica(config)) for _ in range(2)]
        until("both are ready", lambda: all(each.is_ready() for each in running), seconds=LONG_SECONDS)
        one.tell_servers("blue", *(each.port for each in running))
        until("gateways know", lambda: one.are_healthy("blue", *(r.port for r in running)), seconds=LONG_SECONDS)
        traffic = Traffic([one.gateway])
        statuses = asyncio.run(_restart_all(one, pod, config, running, traffic))
    assert statuses == [0, 0]
    assert (traffic.refused, traffic.cut) == ([], [])
    assert traffic.whole > 2 * STREAMS


async def _restart_all(one: Cluster, pod: Pod, config: Path, running: list[Replica], traffic: Traffic) -> list[int]:
    statuses = []
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)  # else one may close as it is used
    with ExitStack() as stack:
        async with (
            httpx.AsyncClient(trust_env=False, timeout=60.0, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            for number in range(STREAMS):
                group.create_task(traffic.run(client, number), name=f"stream {number}")
            await soon("streams run", lambda: traffic.whole >= STREAMS, seconds=LONG_SECONDS)
            for old in list(running):
                new = stack.enter_context(replica(config))
                while not await asyncio.to_thread(new.is_ready):  # noqa: ASYNC110 - another process has no event
                    await asyncio.sleep(0.1)
                running[running.index(old)] = new
                await asyncio.to_thread(one.tell_servers, "blue", *(each.port for each in running))
                ports = [each.port for each in running]
                while not await asyncio.to_thread(one.are_healthy, "blue", *ports):  # noqa: ASYNC110 - same
                    await asyncio.sleep(0.1)
                await asyncio.sleep(pod.pre_stop_seconds)
                old.process.send_signal(signal.SIGTERM)
                statuses.append(await asyncio.to_thread(old.process.wait, pod.grace_seconds))
            traffic.ending.set()
    return statuses
