"""The verdict on a canary, for those who move its traffic: read by Argo Rollouts, asked yes or no by Flagger."""

from __future__ import annotations

from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from podium.api.json_answer import JsonAnswer
from podium.rollout.analysis.verdict import Advance, Rollback, Verdict

_NO = 409


class Judge(Protocol):
    """Whoever knows."""

    async def verdict(self) -> Verdict:
        """The newest one."""

    async def may_increase(self) -> bool:
        """Whether the canary may get more traffic than it has."""


def create_verdict_app(judge: Judge) -> Starlette:
    """``GET /verdict`` shows it. ``POST`` to the others is answered by 200 for yes and 409 for no.

    Nothing can be changed here, and a body is not read.
    """

    async def verdict(_: Request) -> Response:
        return JsonAnswer(await judge.verdict())

    async def increase(_: Request) -> Response:
        return _answer(await judge.may_increase())

    async def advance(_: Request) -> Response:
        return _answer(isinstance(await judge.verdict(), Advance))

    async def rollback(_: Request) -> Response:
        return _answer(isinstance(await judge.verdict(), Rollback))

    async def live(_: Request) -> Response:
        return JsonAnswer({"status": "live"})

    probes = [Route(path, live, methods=["GET"]) for path in ("/startupz", "/livez", "/readyz")]
    return Starlette(
        routes=[
            Route("/verdict", verdict, methods=["GET"]),
            Route("/increase", increase, methods=["POST"]),
            Route("/advance", advance, methods=["POST"]),
            Route("/rollback", rollback, methods=["POST"]),
            *probes,
        ]
    )


def _answer(yes: bool) -> Response:  # noqa: FBT001 - what is answered, not a switch
    return JsonAnswer({"answer": "yes" if yes else "no"}, status_code=200 if yes else _NO)
