"""A verdict on a canary whose traffic somebody else moves: counted from its servers' own metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

import httpx
import msgspec
import structlog

from podium.cluster.endpoint_slices import Server
from podium.core.errors import ConfigurationError
from podium.monitor.catalog import EVERYTHING, Key, catalog_of
from podium.monitor.meaning import of_replica
from podium.monitor.target import Fetch, Target
from podium.rollout.analysis.evidence import Evidence
from podium.rollout.analysis.guards import Condition
from podium.rollout.analysis.interval import Interval
from podium.rollout.analysis.judgement import judge
from podium.rollout.analysis.policy import Metric, Policy
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.analysis.verdict import Advance, Hold, Rollback, Verdict

log = structlog.get_logger(__name__)

Arm = Literal["stable", "canary"]
_NO_SPLIT_CHECK = 1e-300
"""Requests are counted when they end: after a change of weights the counts lag behind the split, and rightly so."""
_MEASURED: tuple[Metric, ...] = ("errors",)
_NOT_BEGUN = Hold("evidence", "the canary has no traffic yet")
_UNREADABLE = (httpx.HTTPError, msgspec.DecodeError, ConfigurationError)
"""No answer, another answer, or no token to ask with, as while a file of the pod's account is replaced."""
_FIGURES = ("good", "bad", "excluded")


class VerdictKeeper:
    """Compares both arms every interval.

    A rollout lasts for as long as the canary has traffic, and so does its rollback. ``servers``: the present pods of
    an arm; ``share``: the canary's part of traffic, 0 to 1; ``fetch``: what asks a pod for its metrics.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        servers: Callable[[Arm], Iterable[Server]],
        share: Callable[[], Awaitable[float | None]],
        fetch: Callable[[Server], Fetch],
    ) -> None:
        self._policy = msgspec.structs.replace(policy, sample_ratio_alpha=_NO_SPLIT_CHECK)
        self._servers = servers
        self._share = share
        self._fetch = fetch
        self._targets: dict[tuple[Arm, str, int], Target] = {}
        self._evidence: Evidence | None = None
        self._given: float | None = None
        self._verdict: Verdict = _NOT_BEGUN

    async def verdict(self) -> Verdict:
        """The newest one, about the weights of this moment: one about those of before is none."""
        try:
            share = await self._share()
        except _UNREADABLE as error:
            return _unreadable(error)
        if not share:
            return _NOT_BEGUN
        if share != self._given and not isinstance(self._verdict, Rollback):
            return Hold("evidence", "the weights have just moved")
        return self._verdict

    async def may_increase(self) -> bool:
        """Whether the canary may get more than it has; its first traffic it may have without any proof."""
        verdict = await self.verdict()
        return isinstance(verdict, Advance) or verdict is _NOT_BEGUN

    async def run(self) -> None:
        """Go on until cancelled. What cannot be read holds the verdict."""
        while True:
            await asyncio.sleep(self._policy.interval_seconds)
            await self.turn()

    async def turn(self) -> None:
        """One interval."""
        counts = {arm: await self._counted(arm) for arm in ("stable", "canary")}
        try:
            share = await self._share()
        except _UNREADABLE as error:
            log.warning("no verdict", reason=repr(error))
            return
        if not share:
            self._evidence, self._given, self._verdict = None, share, _NOT_BEGUN
        elif share < 1:  # with all traffic on the canary there is nothing to compare, and it has been judged
            self._learn(counts, share)

    def _learn(self, counts: dict[str, tuple[int, int] | None], share: float) -> None:
        stable, canary = counts["stable"], counts["canary"]
        if self._evidence is None:
            self._evidence = Evidence.start(_MEASURED, share)
        elif share != self._given:
            self._evidence = self._evidence.at_step(share)
        self._given = share
        if isinstance(self._verdict, Rollback):
            return
        if stable is None or canary is None:
            self._verdict = Hold("blind", "the metrics of a server cannot be read")
            return
        self._evidence = self._evidence.after(Interval(counts={"errors": Stratum(*stable, *canary)}))
        ready = sum(server.ready for server in self._servers("canary"))
        self._verdict = judge(self._evidence, self._policy, Condition(ready_replicas=ready))

    async def _counted(self, arm: Arm) -> tuple[int, int] | None:
        """Requests and bad ones since the last time, over the arm's pods; None when one that is ready is not read."""
        servers = list(self._servers(arm))
        keys = {(arm, server.host, server.port) for server in servers}
        for gone in [key for key in self._targets if key[0] == arm and key not in keys]:
            del self._targets[gone]
        attempts = bad = 0
        for server in servers:
            target = self._targets.setdefault((arm, server.host, server.port), self._target(arm, server))
            found = await target.scrape()
            if found is None:
                if server.ready:
                    return None
                continue
            attempts += int(sum(found.get(Key("all", EVERYTHING, figure), 0.0) for figure in ("good", "bad")))
            bad += int(found.get(Key("all", EVERYTHING, "bad"), 0.0))
        return attempts, bad

    def _target(self, arm: Arm, server: Server) -> Target:
        return Target(
            name=f"{arm} {server.host}",
            environment=arm,
            address=f"{server.host}:{server.port}",
            fetch=self._fetch(server),
            meaning=lambda name, labels: of_replica(arm, name, labels),
            catalog=catalog_of((arm,), ()),
            always=tuple(Key("all", EVERYTHING, figure) for figure in _FIGURES),
        )


def _unreadable(error: Exception) -> Hold:
    return Hold("blind", f"the route's weights cannot be read: {error!r}")
