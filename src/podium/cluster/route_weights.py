"""The weights of an HTTPRoute as they are now, whoever sets them."""

from __future__ import annotations

from typing import Self

import httpx
import msgspec

from podium.cluster.account import ServiceAccount

_SECONDS = 5.0


class _Backend(msgspec.Struct, frozen=True):
    name: str
    weight: int = 1


class _Rule(msgspec.Struct, frozen=True):
    backendRefs: tuple[_Backend, ...] = ()  # noqa: N815 - Kubernetes' own name


class _Spec(msgspec.Struct, frozen=True):
    rules: tuple[_Rule, ...] = ()


class _Route(msgspec.Struct, frozen=True):
    spec: _Spec


class RouteWeights:
    """Reads the HTTPRoute ``name`` in the pod's own namespace. A context manager; the account needs `get` of it."""

    def __init__(self, address: str, account: ServiceAccount, name: str) -> None:
        self._account = account
        self._path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{account.namespace}/httproutes/{name}"
        self._client = httpx.AsyncClient(base_url=address, verify=account.trust(), timeout=_SECONDS, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def share(self, canary: str, stable: str) -> float | None:
        """The canary's part of what goes to both Services, 0 to 1; None while no rule leads to both.

        Raises ``httpx.HTTPError``, or ``msgspec.DecodeError`` for an answer that is no HTTPRoute.
        """
        answer = await self._client.get(self._path, headers={"authorization": f"Bearer {self._account.token}"})
        route = msgspec.json.decode(answer.raise_for_status().content, type=_Route)
        for rule in route.spec.rules:
            weights = {backend.name: backend.weight for backend in rule.backendRefs}
            if {canary, stable} <= set(weights):
                total = weights[canary] + weights[stable]
                return weights[canary] / total if total else None
        return None
