"""Telling others: each alert that fires or ends is sent to every configured receiver, and to nobody else.

A receiver has a queue and a task of its own, so one that hangs keeps neither the others nor the rules waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import structlog

from podium.aio.backoff import Backoff
from podium.config.monitor import Webhook
from podium.monitor.alerts import Episode
from podium.monitor.signature import read_secret, signed

log = structlog.get_logger(__name__)

MOST_WAITING = 256
MOST_ATTEMPTS = 10
FIRST_PAUSE_SECONDS = 1.0
MOST_PAUSE_SECONDS = 60.0
_TRY_AGAIN = {408, 425, 429}
_SERVER_ERRORS = 500
_NO_END = "0001-01-01T00:00:00Z"  # how Alertmanager writes that an alert goes on


@dataclass
class Counts:
    """What became of the messages for one receiver."""

    delivered: int = 0
    given_up: int = 0
    dropped: int = 0


class Receiver:
    """Delivers to one address, in order, each message until it is taken or given up.

    Raises ``ConfigurationError`` when the secret that it should sign with cannot be read.
    """

    def __init__(
        self, given: Webhook, client: httpx.AsyncClient, *, first_pause_seconds: float = FIRST_PAUSE_SECONDS
    ) -> None:
        self._given = given
        self._client = client
        self._first_pause_seconds = first_pause_seconds
        self._secret = read_secret(given.secret_file)
        self._waiting: asyncio.Queue[Episode] = asyncio.Queue(MOST_WAITING)
        self.counts = Counts()
        self.host = urlsplit(given.url).hostname or ""

    def put(self, episode: Episode) -> None:
        """Send it soon. With too many waiting it is dropped, and counted."""
        try:
            self._waiting.put_nowait(episode)
        except asyncio.QueueFull:
            self.counts.dropped += 1
            log.warning("an alert is not sent: too many wait", receiver=self.host, rule=episode.alert.rule)

    async def run(self) -> None:
        """Deliver until cancelled; what waits then is lost."""
        while True:
            episode = await self._waiting.get()
            if await self._deliver(episode):
                self.counts.delivered += 1
            else:
                self.counts.given_up += 1

    async def _deliver(self, episode: Episode) -> bool:
        """Whether it was taken. A receiver may see a message twice: its ``x-podium-delivery`` is the same then."""
        pauses = Backoff(self._first_pause_seconds, MOST_PAUSE_SECONDS)
        body, headers = _message(self._given.kind, episode)
        while True:
            reason = await self._attempt(body, headers)
            if reason is None:
                return True
            pause = pauses.next_seconds()
            if reason.final or pauses.failures >= MOST_ATTEMPTS:
                log.error("an alert was not delivered", receiver=self.host, rule=episode.alert.rule, reason=reason.text)
                return False
            log.warning("an alert is sent again", receiver=self.host, rule=episode.alert.rule, reason=reason.text)
            await asyncio.sleep(pause)

    async def _attempt(self, body: bytes, headers: dict[str, str]) -> _Refusal | None:
        if self._secret is not None:
            headers = {**headers, **signed(self._secret, body, now=time.time())}
        try:
            async with asyncio.timeout(self._given.timeout_seconds):
                answer = await self._client.post(self._given.url, content=body, headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            return _Refusal(type(error).__name__, final=False)
        if answer.is_success:
            return None
        again = answer.status_code >= _SERVER_ERRORS or answer.status_code in _TRY_AGAIN
        return _Refusal(f"it answered {answer.status_code}", final=not again)


@dataclass(frozen=True)
class _Refusal:
    """Why a delivery failed. ``final``: trying again would change nothing."""

    text: str
    final: bool


class Deliveries:
    """All receivers. ``tell`` returns at once; ``run`` delivers."""

    def __init__(self, receivers: Sequence[Receiver]) -> None:
        self.receivers = tuple(receivers)
        self._told: dict[str, str] = {}

    def tell(self, episode: Episode) -> None:
        """Send what has begun or ended, once each."""
        if self._told.get(episode.alert.fingerprint) == (told := _delivery(episode)):
            return
        self._told[episode.alert.fingerprint] = told
        for receiver in self.receivers:
            receiver.put(episode)

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            for receiver in self.receivers:
                group.create_task(receiver.run(), name=f"alerts to {receiver.host}")


def _message(kind: str, episode: Episode) -> tuple[bytes, dict[str, str]]:
    shape: Callable[[Episode], dict[str, Any]] = _alertmanager if kind == "alertmanager" else _generic
    headers = {"content-type": "application/json", "user-agent": "podium", "x-podium-delivery": _delivery(episode)}
    return msgspec.json.encode(shape(episode)), headers


def _delivery(episode: Episode) -> str:
    return f"{episode.alert.fingerprint}-{episode.fired_at:.0f}-{_status(episode)}"


def _status(episode: Episode) -> str:
    return "firing" if episode.ended_at is None else "resolved"


def _generic(episode: Episode) -> dict[str, Any]:
    alert = episode.alert
    return {
        "status": _status(episode),
        "end": episode.end,
        "rule": alert.rule,
        "severity": alert.severity,
        "subject": alert.subject,
        "sentence": alert.sentence,
        "value": alert.value,
        "fingerprint": alert.fingerprint,
        "fired_at": episode.fired_at,
        "ended_at": episode.ended_at,
    }


def _alertmanager(episode: Episode) -> dict[str, Any]:
    """Version 4 of Alertmanager's webhook, one alert in a group of its own."""
    alert = episode.alert
    labels = {"alertname": alert.rule, "subject": alert.subject, "severity": alert.severity}
    annotations = {"summary": alert.sentence}
    one = {
        "status": _status(episode),
        "labels": labels,
        "annotations": annotations,
        "startsAt": _moment(episode.fired_at),
        "endsAt": _NO_END if episode.ended_at is None else _moment(episode.ended_at),
        "generatorURL": "",
        "fingerprint": alert.fingerprint,
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{alert.rule}", subject="{alert.subject}"}}',
        "truncatedAlerts": 0,
        "status": _status(episode),
        "receiver": "podium",
        "groupLabels": {"alertname": alert.rule, "subject": alert.subject},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [one],
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
