"""The life of an alert: fine, pending, firing, ended; and what happened lately."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from podium.monitor.rules import Reading, Rule, Severity, Watched
from podium.monitor.windows import Windows

AlertState = Literal["ok", "pending", "firing", "no data"]
End = Literal["resolved", "no data"]
MOST_PAST = 200
SETTLE_SECONDS = 60.0
"""How long an alert from before a restart fires at least, when nothing can be told of it."""


@dataclass(frozen=True)
class Alert:
    """A rule about one subject, now. Times are seconds since 1970; ``since`` is when ``state`` began."""

    rule: str
    severity: Severity
    subject: str
    state: AlertState
    since: float
    sentence: str
    value: float | None

    @property
    def fingerprint(self) -> str:
        """The same for the same rule and subject, for ever; 16 hexadecimal digits."""
        return hashlib.sha256(f"{self.rule}\0{self.subject}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Episode:
    """From firing to the end of it. ``ended_at`` and ``end`` are None while it goes on."""

    alert: Alert
    fired_at: float
    ended_at: float | None = None
    end: End | None = None


@dataclass
class _Track:
    """What is remembered of a rule about a subject. ``pending`` and ``broken`` are times of the steady clock.

    ``resumed``: it fired before a restart, and nothing that was learnt since then says that it is over.
    """

    alert: Alert
    pending: float | None = None
    broken: float | None = None
    resumed: bool = False


class AlertBook:
    """Judges all rules, and keeps what they led to. ``tell`` is called with each episode that begins or ends.

    ``past`` are episodes from before, the oldest first. Those that have not ended go on: nobody is told of them again,
    and of their end when the rule says so over its whole window.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        tell: Callable[[Episode], None] = lambda _: None,
        *,
        most_past: int = MOST_PAST,
        past: Iterable[Episode] = (),
    ) -> None:
        self._rules = tuple(rules)
        self._tell = tell
        self._tracks: dict[tuple[str, str], _Track] = {}
        self._firing: dict[tuple[str, str], Episode] = {}
        self._past: deque[Episode] = deque(maxlen=most_past)
        self._began: float | None = None
        for episode in past:
            if episode.ended_at is None:
                self._resume(episode)
            else:
                self._past.append(episode)

    @property
    def alerts(self) -> list[Alert]:
        """Every rule about every subject, in the order of the rules."""
        return [track.alert for track in self._tracks.values()]

    @property
    def firing(self) -> list[Episode]:
        """What fires now, the newest first."""
        return sorted(self._firing.values(), key=lambda episode: -episode.fired_at)

    @property
    def past(self) -> list[Episode]:
        """What has ended, the newest first, as far as it is kept."""
        return list(reversed(self._past))

    def evaluate(self, windows: Windows, targets: Sequence[Watched], *, now: float, wall: float) -> None:
        """Judge everything. ``now`` is a clock that never goes back, ``wall`` the time of day for people."""
        self._began = now if self._began is None else self._began
        seen: set[tuple[str, str]] = set()
        for rule in self._rules:
            for reading in rule.read(windows, targets):
                seen.add((rule.name, reading.subject))
                self._judge(rule, reading, now, wall)
        for key in set(self._firing) - seen:  # a subject that there is no more
            if now - self._began >= SETTLE_SECONDS:
                self._end(key, "no data", wall)
                del self._tracks[key]

    def shift(self, seconds: float) -> None:
        """The time of day jumped: states are as old as before. Episodes keep the time that was told of them."""
        for track in self._tracks.values():
            track.alert = replace(track.alert, since=track.alert.since + seconds)

    def _resume(self, episode: Episode) -> None:
        alert = episode.alert
        key = (alert.rule, alert.subject)
        self._firing[key] = episode
        self._tracks[key] = _Track(replace(alert, state="firing"), resumed=True)

    def _judge(self, rule: Rule, reading: Reading, now: float, wall: float) -> None:
        key = (rule.name, reading.subject)
        track = self._tracks.get(key)
        if track is None:
            first = Alert(rule.name, rule.severity, reading.subject, "no data", wall, reading.sentence, reading.value)
            track = self._tracks[key] = _Track(first)
        state = self._next(rule, track, reading, now)
        before = track.alert
        since = before.since if before.state == state else wall
        track.alert = replace(before, state=state, since=since, sentence=reading.sentence, value=reading.value)
        if state == "firing" and before.state != "firing":
            self._begin(key, track.alert, wall)
        elif before.state == "firing" and state != "firing":
            self._end(key, "no data" if state == "no data" else "resolved", wall)

    def _next(self, rule: Rule, track: _Track, reading: Reading, now: float) -> AlertState:
        if reading.finding == "broken":
            track.broken, track.resumed = now, False
            track.pending = now if track.pending is None else track.pending
            held = now - track.pending >= rule.for_seconds
            return "firing" if held or track.alert.state == "firing" else "pending"
        if track.resumed and self._is_settling(rule, reading, now):
            return "firing"
        track.resumed = False
        if track.alert.state == "firing" and track.broken is not None and now - track.broken < rule.keep_seconds:
            return "firing"
        track.pending = track.broken = None
        return "no data" if reading.finding == "no data" else "ok"

    def _is_settling(self, rule: Rule, reading: Reading, now: float) -> bool:
        """Whether too little time has passed since the start to believe that an alert from before is over."""
        assert self._began is not None  # noqa: S101 - this is a bug: it is being judged
        least = rule.window_seconds if reading.finding == "fine" else max(rule.window_seconds, SETTLE_SECONDS)
        return now - self._began < least

    def _begin(self, key: tuple[str, str], alert: Alert, wall: float) -> None:
        self._firing[key] = episode = Episode(alert, fired_at=wall)
        self._tell(episode)

    def _end(self, key: tuple[str, str], end: End, wall: float) -> None:
        episode = replace(self._firing.pop(key), ended_at=wall, end=end)
        self._past.append(episode)
        self._tell(episode)


def worst(alerts: Iterable[Episode]) -> Severity | None:
    """The gravest severity among them; None of none."""
    found = {episode.alert.severity for episode in alerts}
    return "page" if "page" in found else "ticket" if found else None
