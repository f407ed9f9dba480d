"""Quotas for work of the server's own, which no caller pays for."""

from __future__ import annotations

from podium.core.identity import Principal
from podium.core.standing import Standing


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
