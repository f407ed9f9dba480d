"""Telling others: each alert that fires or ends is sent to every configured receiver, and to nobody else.

A receiver has a queue and a task of its own, so one that hangs keeps neither the others nor the rules waiting. What
waits when the controller ends is in the outbox, and is sent by the next one.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import structlog

from podium.aio.backoff import Backoff
from podium.config.monitor import Webhook
from podium.monitor.alerts import Episode
from podium.monitor.messages import REPEAT_SECONDS, delivery, message
from podium.monitor.outbox import Outbox
from podium.monitor.signature import read_secret, signed

log = structlog.get_logger(__name__)

MOST_WAITING = 256
MOST_ATTEMPTS = 10
FIRST_PAUSE_SECONDS = 1.0
MOST_PAUSE_SECONDS = 60.0
_TRY_AGAIN = {408, 425, 429}
_SERVER_ERRORS = 500


@dataclass
class Counts:
    """What became of the messages for one receiver."""

    delivered: int = 0
    given_up: int = 0
    dropped: int = 0


class Receiver:
    """Delivers to one address, in order, each message until it is taken or given up; first what the outbox holds.

    Alertmanager's API is also told every ``repeat_seconds`` of all that fires, because it forgets.

    Raises ``ConfigurationError`` when the secret that it should sign with cannot be read.
    """

    def __init__(
        self,
        given: Webhook,
        client: httpx.AsyncClient,
        outbox: Outbox | None = None,
        *,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        repeat_seconds: float = REPEAT_SECONDS,
    ) -> None:
        self._given = given
        self._client = client
        self._outbox = outbox or Outbox(None)
        self._first_pause_seconds = first_pause_seconds
        self._repeat_seconds = repeat_seconds
        self._secret = read_secret(given.secret_file)
        self._waiting: asyncio.Queue[Episode] = asyncio.Queue(MOST_WAITING)
        self._firing: dict[str, Episode] = {}
        self.counts = Counts()
        self.host = urlsplit(given.url).hostname or ""
        self.name = hashlib.sha256(f"{given.kind} {given.url}".encode()).hexdigest()[:16]  # addresses may be secret
        for episode in self._outbox.waiting(self.name)[-MOST_WAITING:]:
            self._waiting.put_nowait(episode)

    def put(self, episode: Episode) -> None:
        """Send it soon. With too many waiting it is dropped, and counted."""
        self.note(episode)
        try:
            self._waiting.put_nowait(episode)
        except asyncio.QueueFull:
            self.counts.dropped += 1
            log.warning("an alert is not sent: too many wait", receiver=self.host, rule=episode.alert.rule)
        else:
            self._outbox.put(self.name, episode)

    def note(self, episode: Episode) -> None:
        """Know that it fires, or does not any more, without sending anything."""
        if episode.ended_at is None:
            self._firing[episode.alert.fingerprint] = episode
        else:
            self._firing.pop(episode.alert.fingerprint, None)

    async def run(self) -> None:
        """Deliver until cancelled; what waits then stays in the outbox."""
        while True:
            episode = await self._next()
            if episode is None:
                await self._repeat()
                continue
            if await self._deliver(episode):
                self.counts.delivered += 1
            else:
                self.counts.given_up += 1
            self._outbox.settle(self.name, episode)

    async def _next(self) -> Episode | None:
        """What is to be sent next; None when it is time to repeat."""
        try:
            async with asyncio.timeout(self._repeat_seconds if self._given.kind == "alertmanager-api" else None):
                return await self._waiting.get()
        except TimeoutError:
            return None

    async def _repeat(self) -> None:
        if self._firing:
            refusal = await self._attempt(list(self._firing.values()), {})
            if refusal is not None:
                log.warning("what fires was not told again", receiver=self.host, reason=refusal.text)

    async def _deliver(self, episode: Episode) -> bool:
        """Whether it was taken. A receiver may see a message twice: its ``x-podium-delivery`` is the same then."""
        pauses = Backoff(self._first_pause_seconds, MOST_PAUSE_SECONDS)
        while True:
            refusal = await self._attempt([episode], {"x-podium-delivery": delivery(episode)})
            if refusal is None:
                return True
            pause = max(pauses.next_seconds(), refusal.after_seconds)
            told = {"receiver": self.host, "rule": episode.alert.rule, "reason": refusal.text}
            if refusal.final or pauses.failures >= MOST_ATTEMPTS:
                log.error("an alert was not delivered", **told)
                return False
            log.warning("an alert is sent again", **told)
            await asyncio.sleep(pause)

    async def _attempt(self, episodes: Sequence[Episode], headers: dict[str, str]) -> _Refusal | None:
        body = message(self._given.kind, episodes, now=time.time())
        headers = {"content-type": "application/json", "user-agent": "podium", **headers}
        if self._secret is not None:
            headers |= signed(self._secret, body, now=time.time())
        try:
            async with asyncio.timeout(self._given.timeout_seconds):
                answer = await self._client.post(self._given.url, content=body, headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            return _Refusal(type(error).__name__, final=False)
        if answer.is_success:
            return None
        again = answer.status_code >= _SERVER_ERRORS or answer.status_code in _TRY_AGAIN
        after = _seconds(answer.headers.get("retry-after", ""))
        return _Refusal(f"it answered {answer.status_code}", final=not again, after_seconds=after)


@dataclass(frozen=True)
class _Refusal:
    """Why a delivery failed. ``final``: trying again would change nothing. ``after_seconds``: not before then."""

    text: str
    final: bool
    after_seconds: float = 0.0


def _seconds(retry_after: str) -> float:
    """The seconds of a ``Retry-After`` header, up to the longest pause; 0 where it has none (or a date)."""
    return min(float(retry_after), MOST_PAUSE_SECONDS) if retry_after.isdecimal() else 0.0


class Deliveries:
    """All receivers. ``tell`` returns at once; ``run`` delivers. ``firing``: what others were told of before."""

    def __init__(self, receivers: Sequence[Receiver], *, firing: Iterable[Episode] = ()) -> None:
        self.receivers = tuple(receivers)
        self._told: dict[str, str] = {}
        for episode in firing:
            self._told[episode.alert.fingerprint] = delivery(episode)
            for receiver in self.receivers:
                receiver.note(episode)

    def tell(self, episode: Episode) -> None:
        """Send what has begun or ended, once each."""
        if self._told.get(episode.alert.fingerprint) == (told := delivery(episode)):
            return
        self._told[episode.alert.fingerprint] = told
        for receiver in self.receivers:
            receiver.put(episode)

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            for receiver in self.receivers:
                group.create_task(receiver.run(), name=f"alerts to {receiver.host}")
