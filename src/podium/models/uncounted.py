"""Quotas for work that no caller pays for: the server's own, and copies of requests."""

from __future__ import annotations

from podium.core.identity import Principal
from podium.core.standing import Standing
from podium.models.ports import Lease, Quotas


class _Free:
    """A lease of nothing."""

    standings: tuple[Standing, ...] = ()

    def note(self, prompt_tokens: int, output_tokens: int) -> None:
        """Nothing is counted."""

    def settle(self, prompt_tokens: int, output_tokens: int) -> None:
        """Nothing is counted."""


class Uncounted:
    """Admits everything; ``podium.models.ports.Quotas``."""

    def counts_tokens(self, caller: Principal, model: str) -> bool:  # noqa: ARG002 - the port's signature
        """Nothing is counted."""
        return False

    def refuse_used_up(self, caller: Principal, model: str, *, prompt_tokens: int) -> None:
        """There is always room."""

    async def reserve(
        self,
        caller: Principal,  # noqa: ARG002 - the port's signature
        model: str,  # noqa: ARG002
        *,
        request_id: str,  # noqa: ARG002
        prompt_tokens: int,  # noqa: ARG002
        output_tokens: int,  # noqa: ARG002
    ) -> _Free:
        """There is always room."""
        return _Free()

    async def reserve_hit(self, caller: Principal, model: str, *, request_id: str) -> _Free:  # noqa: ARG002
        """There is always room."""
        return _Free()


class CopiesUncounted:
    """``quotas``, but copies that the gateway makes of a caller's requests count nowhere."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._free = Uncounted()

    def counts_tokens(self, caller: Principal, model: str) -> bool:
        """See ``Quotas``."""
        return self._of(caller).counts_tokens(caller, model)

    def refuse_used_up(self, caller: Principal, model: str, *, prompt_tokens: int) -> None:
        """See ``Quotas``."""
        self._of(caller).refuse_used_up(caller, model, prompt_tokens=prompt_tokens)

    async def reserve(
        self, caller: Principal, model: str, *, request_id: str, prompt_tokens: int, output_tokens: int
    ) -> Lease:
        """See ``Quotas``."""
        return await self._of(caller).reserve(
            caller, model, request_id=request_id, prompt_tokens=prompt_tokens, output_tokens=output_tokens
        )

    async def reserve_hit(self, caller: Principal, model: str, *, request_id: str) -> Lease:
        """See ``Quotas``."""
        return await self._of(caller).reserve_hit(caller, model, request_id=request_id)

    def _of(self, caller: Principal) -> Quotas:
        return self._free if caller.uncounted else self._quotas
