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
"""So often a message is sent before those that wait behind it come first."""
FIRST_PAUSE_SECONDS = 1.0
MOST_PAUSE_SECONDS = 60.0
_TRY_AGAIN = {408, 425, 429}
_SERVER_ERRORS = 500


@dataclass
class Counts:
    """What became of the messages for one receiver. ``postponed``: not taken so far, and sent again later."""

    delivered: int = 0
    postponed: int = 0
    given_up: int = 0
    dropped: int = 0


class Receiver:
    """Delivers to one address, in order, each message until it is taken or given up; first what the outbox holds.

    One that is not taken is not given up while its alert fires: it waits again, behind the others. Alertmanager's API
    is also told every ``repeat_seconds`` of all that fires, because it forgets.

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
        clock = asyncio.get_running_loop().time
        repeated = clock()
        while True:
            repeats = self._given.kind == "alertmanager-api"
            episode = await self._next(repeated + self._repeat_seconds - clock() if repeats else None)
            if episode is None:
                repeated = clock()
                await self._repeat()
                continue
            await self._serve(episode)

    async def _next(self, seconds: float | None) -> Episode | None:
        """What is to be sent next; None when it is time to repeat, in so many seconds, whatever waits."""
        if seconds is not None and seconds <= 0:
            return None
        try:
            async with asyncio.timeout(seconds):
                return await self._waiting.get()
        except TimeoutError:
            return None

    async def _serve(self, episode: Episode) -> None:
        """Send one message, and count what became of it."""
        refusal = await self._deliver(episode)
        if refusal is not None and not refusal.final and self._still_fires(episode) and not self._waiting.full():
            self.counts.postponed += 1
            self._waiting.put_nowait(episode)
            log.error("an alert is not taken, and waits again", receiver=self.host, rule=episode.alert.rule)
            return
        if refusal is None:
            self.counts.delivered += 1
        else:
            self.counts.given_up += 1
            log.error("an alert was not delivered", receiver=self.host, rule=episode.alert.rule, reason=refusal.text)
        self._outbox.settle(self.name, episode)

    def _still_fires(self, episode: Episode) -> bool:
        known = self._firing.get(episode.alert.fingerprint)
        return episode.ended_at is None and known is not None and known.fired_at == episode.fired_at

    async def _repeat(self) -> None:
        if self._firing:
            refusal = await self._attempt(list(self._firing.values()), {})
            if refusal is not None:
                log.warning("what fires was not told again", receiver=self.host, reason=refusal.text)

    async def _deliver(self, episode: Episode) -> _Refusal | None:
        """Why it was not taken, at last. A receiver may see it twice: its ``x-podium-delivery`` is the same then."""
        pauses = Backoff(self._first_pause_seconds, MOST_PAUSE_SECONDS)
        while True:
            refusal = await self._attempt([episode], {"x-podium-delivery": delivery(episode)})
            if refusal is None:
                return None
            pause = max(pauses.next_seconds(), refusal.after_seconds)
            if refusal.final or pauses.failures >= MOST_ATTEMPTS:
                return refusal
            told = {"receiver": self.host, "rule": episode.alert.rule, "reason": refusal.text}
            log.warning("an alert is sent again", **told)
            await asyncio.sleep(pause)

    async def _attempt(self, episodes: Sequence[Episode], headers: dict[str, str]) -> _Refusal | None:
        """Send once. Of an answer only its head is read: a receiver that sends gigabytes fills nobody's memory."""
        body = message(self._given.kind, episodes, now=time.time())
        headers = {"content-type": "application/json", "user-agent": "podium", **headers}
        if self._secret is not None:
            headers |= signed(self._secret, body, now=time.time())
        try:
            async with asyncio.timeout(self._given.timeout_seconds):
                return await self._post(body, headers)
        except httpx.InvalidURL:
            return _Refusal("its address is none", final=True)
        except (httpx.HTTPError, TimeoutError) as error:
            return _Refusal(type(error).__name__, final=False)

    async def _post(self, body: bytes, headers: dict[str, str]) -> _Refusal | None:
        async with self._client.stream("POST", self._given.url, content=body, headers=headers) as answer:
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
