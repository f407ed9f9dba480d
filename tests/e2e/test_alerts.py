"""Alerts of a real stack: an engine that hangs, and a replica that is frozen, reach a real receiver."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from support.command import podium
from support.deadline import until
from support.gateway_stack import ECHO, RunningStack, running_stack
from support.prometheus import running_prometheus
from support.scripted_server import Received, ScriptedServer, reply

pytestmark = pytest.mark.slow


def takes(connection: socket.socket, _: Received) -> None:
    reply(connection, 200, {}, headers="connection: close\r\n")
    connection.close()  # and with it the thread that serves it


@pytest.fixture(scope="module")
def receiver() -> Iterator[ScriptedServer]:
    """Takes every message."""
    with ScriptedServer(takes) as server:
        yield server


@pytest.fixture(scope="module")
def stack(receiver: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One replica, whose engine is restarted when it makes no step for ten seconds."""
    hook = {"url": receiver.base_url.removesuffix("/v1") + "/alerts", "kind": "alertmanager"}
    folder = tmp_path_factory.mktemp("alerts")
    monitor = {"down_seconds": 2, "webhooks": [hook]}
    with running_stack(folder, models=[ECHO], server={"stall_seconds": 10}, monitor=monitor) as running:
        yield running


def state(stack: RunningStack, rule: str, subject: str) -> str:
    told = httpx.get(f"{stack.control}/monitoring/alerts", timeout=10).raise_for_status().json()
    (found,) = [alert for alert in told["alerts"] if (alert["rule"], alert["subject"]) == (rule, subject)]
    return str(found["state"])


def told(receiver: ScriptedServer, rule: str, status: str) -> list[Any]:
    return [
        alert
        for message in receiver.posted
        for alert in message.body["alerts"]
        if alert["labels"]["alertname"] == rule and alert["status"] == status
    ]


def test_an_engine_that_hangs_is_told_before_it_is_restarted_and_is_well_afterwards(
    stack: RunningStack, receiver: ScriptedServer
) -> None:
    until("the engine is known", lambda: state(stack, "EngineStalled", "echo") == "ok")
    client = threading.Thread(target=lambda: stack.ask(prompt="fault:hang@2", max_tokens=9), name="client")
    client.start()
    until("it is told", lambda: told(receiver, "EngineStalled", "firing"), seconds=30)
    until("it is over", lambda: told(receiver, "EngineStalled", "resolved"), seconds=60)
    client.join(60)
    assert state(stack, "EngineStalled", "echo") == "ok"


def test_an_engine_that_is_slow_and_makes_steps_is_not_stalled(stack: RunningStack, receiver: ScriptedServer) -> None:
    until("the gateway knows that it is well", lambda: stack.ask(prompt="hello", max_tokens=2).is_success)
    before = len(told(receiver, "EngineStalled", "firing"))
    for _ in range(7):  # each with a second without a step
        assert stack.ask(prompt="fault:slow@1" + "x" * 9, max_tokens=9).is_success
    assert len(told(receiver, "EngineStalled", "firing")) == before


def test_prometheus_can_see_what_became_of_messages(stack: RunningStack, receiver: ScriptedServer) -> None:
    text = httpx.get(f"{stack.control}/monitoring/metrics", timeout=10).text
    delivered = 'podium_alert_webhook_deliveries_total{receiver="1 127.0.0.1",result="delivered"}'
    assert f"{delivered} {len(receiver.posted)}.0" in text


def test_a_prometheus_with_the_exported_configuration_finds_the_servers_whatever_their_ports(
    stack: RunningStack, tmp_path: Path
) -> None:
    exported = podium("monitor", "export", "--out", str(tmp_path), cwd=stack.folder)
    assert exported.status == 0, exported.err
    config = yaml.safe_load((tmp_path / "prometheus.yml").read_text())
    with running_prometheus(config, tmp_path) as prometheus:
        until("it reads both", lambda: prometheus.ask('up{job=~"podium.*"}') == [1.0, 1.0], seconds=60)
        assert prometheus.ask('count by (environment) (podium_build_info{environment="blue"})') == [1.0]


def test_a_frozen_replica_is_told_once_though_the_controller_is_killed_meanwhile(
    stack: RunningStack, receiver: ScriptedServer
) -> None:
    replica = stack.child("serve")
    replica.suspend()
    (alert,) = until("it is told", lambda: told(receiver, "ReplicaDown", "firing"), seconds=30)
    assert alert["labels"] == {"alertname": "ReplicaDown", "subject": "blue-1", "severity": "page"}
    assert health(stack) == "unhealthy"
    until("users are told of", lambda: told_of_users(stack, receiver), seconds=60)
    before = firing(stack)
    stack.child("podium.controller").kill()
    until("it is back, and fires as before", lambda: firing(stack) == before, seconds=60)
    replica.resume()
    (ended,) = until("it is well again", lambda: told(receiver, "ReplicaDown", "resolved"), seconds=60)
    (begun,) = told(receiver, "ReplicaDown", "firing")
    assert begun["startsAt"] == ended["startsAt"]


def told_of_users(stack: RunningStack, receiver: ScriptedServer) -> list[Any]:
    """Whether requests that the gateway answers itself are told, after one more of them."""
    with suppress(httpx.TimeoutException):  # until the gateway knows, it goes to the frozen replica
        httpx.post(f"{stack.gateway}/v1/completions", json={"model": "echo", "prompt": "x"}, timeout=2)
    return told(receiver, "NoHealthyServer", "firing")


def health(stack: RunningStack) -> str:
    return str(httpx.get(f"{stack.control}/monitoring/health", timeout=10).json()["status"])


def firing(stack: RunningStack) -> set[tuple[str, float]]:
    """What fires, and since when; empty while the controller is away."""
    return {(episode["rule"], episode["fired_at"]) for episode in told_by(stack, "firing")}


def test_what_was_told_is_still_known_after_the_controller_was_killed(stack: RunningStack) -> None:
    before = told_by(stack, "past")
    assert {"EngineStalled", "ReplicaDown"} <= {episode["rule"] for episode in before}
    stack.child("podium.controller").kill()
    until("it is back and knows", lambda: knows(stack, before), seconds=60)


def knows(stack: RunningStack, episodes: list[Any]) -> bool:
    """Whether all of these have ended, as far as the controller tells; others may have ended since."""
    past = told_by(stack, "past")
    return all(episode in past for episode in episodes)


def told_by(stack: RunningStack, which: str) -> list[Any]:
    """Alerts that fire or have ended; empty while the controller is away."""
    try:
        found: list[Any] = httpx.get(f"{stack.control}/monitoring/alerts", timeout=10).raise_for_status().json()[which]
    except httpx.HTTPError:
        return []
    return found
