"""Alerts are posted to a real Alertmanager: it knows what fires, tells its own receivers once, and hears of the end."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest

from podium.config.monitor import Webhook
from podium.monitor import messages
from podium.monitor.alerts import Alert, Episode
from podium.monitor.webhooks import Deliveries, Receiver
from support.alertmanager import Alertmanager, running_alertmanager
from support.deadline import soon
from support.scripted_server import Received, ScriptedServer, reply

FIRED = Episode(Alert("HighErrorRate", "page", "m", "firing", 0.0, "too many", 0.5), fired_at=round(time.time()) - 5.0)
LABELS = {"alertname": "HighErrorRate", "subject": "m", "severity": "page"}


def takes(connection: socket.socket, _: Received) -> None:
    reply(connection, 200, {}, headers="connection: close\r\n")
    connection.close()  # and with it the thread that serves it


@pytest.fixture(scope="module")
def told() -> Iterator[ScriptedServer]:
    """Whom Alertmanager tells."""
    with ScriptedServer(takes) as server:
        yield server


@pytest.fixture(scope="module")
def alertmanager(told: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    folder = tmp_path_factory.mktemp("alertmanager")
    with running_alertmanager(folder, told.base_url.removesuffix("/v1") + "/hook") as running:
        yield running


def statuses(told: ScriptedServer) -> list[str]:
    return [str(message.body["status"]) for message in told.posted]


async def posted(url: str, episodes: list[Episode], until: Any, *, repeat_seconds: float) -> None:
    """Tell of ``episodes``, one when ``until`` says so of the one before."""
    async with httpx.AsyncClient(trust_env=False) as client:
        given = Webhook(url=f"{url}/api/v2/alerts", kind="alertmanager-api")
        deliveries = Deliveries([Receiver(given, client, repeat_seconds=repeat_seconds)])
        async with asyncio.TaskGroup() as group:
            running = group.create_task(deliveries.run(), name="deliveries")
            for number, episode in enumerate(episodes, 1):
                deliveries.tell(episode)
                await soon("it is taken", partial(_is_taken, deliveries, number))
                await soon("it has come through", until[number - 1])
            running.cancel()


def _is_taken(deliveries: Deliveries, number: int) -> bool:
    return deliveries.receivers[0].counts.delivered == number


def test_it_knows_what_fires_and_hears_of_the_end(alertmanager: Alertmanager, told: ScriptedServer) -> None:
    ended = replace(FIRED, ended_at=time.time(), end="resolved")
    steps = [lambda: statuses(told) == ["firing"], lambda: statuses(told) == ["firing", "resolved"]]
    asyncio.run(posted(alertmanager.url, [FIRED, ended], steps, repeat_seconds=60))
    assert alertmanager.alerts() == []
    (alert,) = told.posted[0].body["alerts"]
    assert alert["labels"] == LABELS
    assert alert["annotations"] == {"summary": "too many"}


def test_it_is_told_again_before_it_forgets(alertmanager: Alertmanager, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was told of is over for it after a while; here after three seconds, and it is told every half."""
    monkeypatch.setattr(messages, "EXPIRES_SECONDS", 3.0)
    other = replace(FIRED, alert=replace(FIRED.alert, subject="n"))
    ends: list[str] = []

    def has_been_renewed() -> bool:
        ends.extend(alert["endsAt"] for alert in alertmanager.alerts())
        return len(set(ends)) > 3

    asyncio.run(posted(alertmanager.url, [other], [has_been_renewed], repeat_seconds=0.5))
    assert [alert["labels"]["subject"] for alert in alertmanager.alerts()] == ["n"]


def test_an_alert_from_before_the_clock_was_set_back_still_gets_through(alertmanager: Alertmanager) -> None:
    """It refuses what ends before it begins."""
    early = Episode(replace(FIRED.alert, subject="early"), fired_at=time.time() + 3600)
    ended = replace(early, ended_at=time.time(), end="resolved")

    def subjects() -> list[str]:
        return [alert["labels"]["subject"] for alert in alertmanager.alerts()]

    steps = [lambda: "early" in subjects(), lambda: "early" not in subjects()]
    asyncio.run(posted(alertmanager.url, [early, ended], steps, repeat_seconds=60))
