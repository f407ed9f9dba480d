"""First attempts, sorted into intervals by their arrival, until each interval can be counted.

A request belongs to the interval it *arrived* in. An interval is counted when everything in it is decided, or when it
has been over for ``settle_seconds``: what is undecided then counts as not bad, and is counted as undecided. That makes
slow failures of both versions fall into the intervals that they arrived in, however late they are known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from podium.rollout.analysis.interval import Interval
from podium.rollout.analysis.latency_process import Samples
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.outcome import Arm, Outcome

DELAY_SECONDS = 1.0
"""So long after its arrival an attempt is in the log for sure: connecting (0.25 s) and the log's own buffer (0.1 s)."""
MOST_USERS = 1_000_000  # whose assignment is remembered (about 100 MB); later ones are not counted as assigned


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """An interval that is closed.

    ``undecided``: attempts in it whose end nobody waited for; ``cut``: answers of the canary that broke.
    """

    began: float
    ended: float
    interval: Interval
    undecided: int = 0
    cut: int = 0


class Collector:
    """The intervals of one stretch of time in which the weights stay as they are.

    ``origin``: where the first one begins, seconds since 1970. Attempts from before it are left out. ``users``: who has
    been assigned to an arm before, in this rollout; grows here, also by attempts between ``users_since`` and
    ``origin``, which were counted by a process that has ended.
    """

    def __init__(
        self,
        origin: float,
        seconds: float,
        settle_seconds: float,
        *,
        users: set[int] | None = None,
        users_since: float | None = None,
    ) -> None:
        self._origin = origin
        self._seconds = seconds
        self._settle_seconds = settle_seconds
        self._users: set[int] = set() if users is None else users
        self._users_since = origin if users_since is None else users_since
        self._open: dict[int, dict[str, Outcome]] = {}
        self._number = 0
        self.late = 0

    def add(self, outcome: Outcome) -> None:
        """Take what became known of an attempt. Once its interval is closed, it only counts as late when it ends."""
        number = math.floor((outcome.began - self._origin) / self._seconds)
        if number < 0:
            if outcome.user is not None and outcome.began >= self._users_since:
                self._users.add(outcome.user)
            return
        if number < self._number:
            self.late += outcome.ended
            return
        attempts = self._open.setdefault(number, {})
        known = attempts.get(outcome.key)
        attempts[outcome.key] = outcome if known is None else known.learnt(outcome)

    def close(self, seen_until: float) -> Collected | None:
        """The oldest interval, if it can be counted when everything up to ``seen_until`` was read; else None."""
        ended = self._origin + (self._number + 1) * self._seconds
        attempts = self._open.get(self._number, {})
        undecided = sum(not outcome.ended for outcome in attempts.values())
        if seen_until < ended + (self._settle_seconds if undecided else DELAY_SECONDS):
            return None
        self._open.pop(self._number, None)
        self._number += 1
        ordered = sorted(attempts.values(), key=lambda outcome: (outcome.began, outcome.key))
        return Collected(
            began=ended - self._seconds,
            ended=ended,
            interval=self._counted(ordered, seen_until),
            undecided=undecided,
            cut=sum(outcome.broken for outcome in ordered if outcome.arm == "canary"),
        )

    def _counted(self, attempts: list[Outcome], now: float) -> Interval:
        return Interval(
            counts={
                "errors": _stratum(attempts, {outcome.key for outcome in _one_a_user(attempts, "failed")}),
                "aborted": _stratum(attempts, {outcome.key for outcome in _one_a_user(attempts, "broken")}),
                "validity": _stratum(attempts, {outcome.key for outcome in _one_a_user(attempts, "invalid")}),
            },
            samples={
                "ttft": Samples(_durations(attempts, "stable", now), _durations(attempts, "canary", now)),
                "itl": Samples(_token_times(attempts, "stable"), _token_times(attempts, "canary")),
            },
            assigned=self._assigned(attempts),
        )

    def _assigned(self, attempts: list[Outcome]) -> tuple[int, int]:
        """Draws of the splitter: one for each request without a user, one for each user that is new."""
        drawn = {"stable": 0, "canary": 0}
        for outcome in attempts:
            if outcome.user is not None:
                if outcome.user in self._users or len(self._users) >= MOST_USERS:
                    continue
                self._users.add(outcome.user)
            drawn[outcome.arm] += 1
        return drawn["stable"], drawn["canary"]


def _one_a_user(attempts: Iterable[Outcome], fault: str) -> list[Outcome]:
    """The attempts with that fault, but of each user only the first: more of them would be no independent evidence."""
    found: list[Outcome] = []
    users: set[int] = set()
    for outcome in attempts:
        if not getattr(outcome, fault) or outcome.user in users:
            continue
        if outcome.user is not None:
            users.add(outcome.user)
        found.append(outcome)
    return found


def _stratum(attempts: list[Outcome], bad: set[str]) -> Stratum:
    canary = [outcome.key for outcome in attempts if outcome.arm == "canary"]
    bad_canary = sum(key in bad for key in canary)
    return Stratum(len(attempts) - len(canary), len(bad) - bad_canary, len(canary), bad_canary)


def _durations(attempts: list[Outcome], arm: Arm, now: float) -> tuple[float, ...]:
    """Times to the first byte; for one that had none its age, which is the least that it can have been.

    Kept answers are left out: the smaller arm has fewer of them, and would look slow for that alone.
    """
    timed = [outcome for outcome in attempts if outcome.arm == arm and not outcome.failed and not outcome.kept]
    found = [_duration(outcome, now) for outcome in timed]
    return tuple(round(max(0.0, seconds), 6) for seconds in found)


def _token_times(attempts: list[Outcome], arm: Arm) -> tuple[float, ...]:
    """Times between tokens, one for each answer that was computed for its request and whose server tells."""
    told = [outcome.seconds_per_token for outcome in attempts if outcome.arm == arm and not outcome.kept]
    return tuple(round(seconds, 6) for seconds in told if seconds is not None)


def _duration(outcome: Outcome, now: float) -> float:
    if outcome.first_byte_seconds is not None:
        return outcome.first_byte_seconds
    return outcome.lasted_seconds if outcome.ended else now - outcome.began
