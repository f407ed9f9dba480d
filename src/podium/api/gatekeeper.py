"""Who a caller is, as the HTTP surface needs to know it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from podium.core.identity import Principal


class Gatekeeper(Protocol):
    """Knows who a caller is."""

    @property
    def ready(self) -> bool:
        """Whether callers can be told apart; once true it stays true."""

    def identify(self, credentials: Sequence[str], *, local: bool) -> Principal:
        """The principal of the given keys or tokens (from every header that may hold one; empty: none given).

        ``local``: the server listens on a loopback address and was addressed by one of its names. Never waits.
        Raises Unauthenticated with one text for every cause.
        """

    def renewed(self, earlier: Principal) -> Principal:
        """Somebody who was identified earlier, with the rights of now. Raises Unauthenticated when it has none left."""

    def is_copy(self, shown: str) -> bool:
        """Whether ``shown`` is the key that marks the gateway's own copies of requests."""
