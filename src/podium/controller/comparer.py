"""Asks both versions what a copied request asked, and keeps what came of it: ``Shadow`` of ``podium.rollout.ports``."""

from __future__ import annotations

import asyncio

import httpx

from podium.controller.copies_port import CopiesPort
from podium.controller.fleet import listener_url
from podium.gateway.route import PIN_HEADER
from podium.gateway.topology import TOTAL_WEIGHT
from podium.gateway.traffic import Traffic
from podium.protocols.answer_report import FIELD as REPORT_FIELD
from podium.protocols.shadow import COUNTS_NOWHERE, FIELD
from podium.rollout.analysis.shadow_evidence import Pair, ShadowTerms
from podium.rollout.shadow.answer import ShadowAnswer, likeness
from podium.rollout.shadow.copied_request import Question, question_of

_AT_ONCE = 4
_SECONDS = 120.0
_SERVER_ERROR = 500
_BUSY = frozenset({429, 503})


class Unmarked(Exception):
    """An answer came from a server that does not know copies for copies."""


class Comparer:
    """Copies a share of the requests while it is told to, and compares. ``key`` marks the copies; None: there is none.

    Everything goes through the gateway, to one environment each. Answers are forgotten once they are compared.
    """

    def __init__(self, traffic: Traffic, port: CopiesPort, client: httpx.AsyncClient, key: str | None) -> None:
        self._traffic = traffic
        self._port = port
        self._client = client
        self._key = key
        self._pairs: list[Pair] = []
        self._arms: tuple[str, str] | None = None
        self._terms: ShadowTerms | None = None
        self.refusal = ""
        port.wanted = lambda: self._terms is not None and not self.refusal

    @property
    def is_on(self) -> bool:
        """See ``Shadow``."""
        return self._terms is not None or bool(self._traffic.topology.copied)

    async def begin(self, canary: str, stable: str, terms: ShadowTerms) -> None:
        """See ``Shadow``."""
        if self._terms != terms or self._arms != (canary, stable):
            self._pairs, self.refusal, self._arms, self._terms = [], "", (canary, stable), terms
        await self._traffic.set_copied(round(terms.share * TOTAL_WEIGHT))

    async def end(self) -> None:
        """See ``Shadow``. What was compared and not yet taken is of no use to the next rollout."""
        self._pairs, self._terms = [], None
        self._port.forget()
        await self._traffic.set_copied(0)

    def take(self) -> tuple[Pair, ...]:
        """See ``Shadow``."""
        found, self._pairs = tuple(self._pairs), []
        return found

    async def leaves_uncounted(self, environment: str) -> bool:
        """See ``Shadow``."""
        topology = self._traffic.topology
        path = next(each.health_path for each in topology.environments if each.name == environment)
        try:
            answer = await self._client.get(listener_url(topology) + path, headers=self._marks(environment))
        except httpx.HTTPError:
            return False
        return self._key is not None and answer.headers.get(FIELD) == COUNTS_NOWHERE

    async def run(self) -> None:
        """Compare until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(_AT_ONCE):
                group.create_task(self._work(), name=f"comparing {number}")

    async def _work(self) -> None:
        while True:
            question = question_of(await self._port.next())
            arms, terms = self._arms, self._terms
            if question is None or arms is None or terms is None:
                continue
            try:
                pair = await self._compared(question, arms, terms)
            except Unmarked as error:
                self.refusal = str(error)
                continue
            if pair is not None and terms is self._terms:
                self._pairs.append(pair)

    async def _compared(self, question: Question, arms: tuple[str, str], terms: ShadowTerms) -> Pair | None:
        """None when a version had no room for it, which says nothing of what it would have answered."""
        canary, stable = arms
        asked = [stable, canary, *([stable] if terms.check == "similar" else [])]
        answers = await asyncio.gather(*(self._answer(question, environment) for environment in asked))
        if None in answers:
            return None
        first, other, *again = [answer for answer in answers if answer is not None]
        good = [answer.is_good(wants_json=question.wants_json) for answer in (first, other)]
        if not again or not all(good):
            return Pair(good[0], good[1])
        scores = [round(likeness(first.text, answer.text), 4) for answer in (again[0], other)]
        return Pair(good[0], good[1], scores[0], scores[1])

    async def _answer(self, question: Question, environment: str) -> ShadowAnswer | None:
        """None when nothing can be said of the version: the gateway answers for a server that does not."""
        headers = [*question.headers, *self._marks(environment).items()]
        url = listener_url(self._traffic.topology) + question.target
        begun = False
        try:
            async with self._client.stream(
                "POST", url, content=question.body, headers=headers, timeout=_SECONDS
            ) as answer:
                begun = True
                await answer.aread()
        except httpx.TimeoutException:
            return None
        except httpx.HTTPError:
            return ShadowAnswer(0) if begun else None
        if answer.status_code in _BUSY and "retry-after" in answer.headers:
            return None
        if answer.status_code < _SERVER_ERROR and answer.headers.get(FIELD) != COUNTS_NOWHERE:
            raise Unmarked(f"a server of {environment} does not say that copies count nowhere, so none are sent")
        return ShadowAnswer(answer.status_code, answer.content, answer.headers.get(REPORT_FIELD))

    def _marks(self, environment: str) -> dict[str, str]:
        return {PIN_HEADER: environment, FIELD: self._key or ""}
