"""The library of Redis functions that the shared ledger consists of, and getting it into the store."""

from __future__ import annotations

from importlib.resources import files

import structlog

from podium.store.link import StoreCalls, StoreRefused

log = structlog.get_logger(__name__)

VERSION = 1
"""Of ``ledger.lua``. A newer library in the store goes on serving older processes."""

CALL_SECONDS = 1.0
LOCAL_SHARE = "each process keeps its share of every quota by itself"


def library_source() -> str:
    """The library's source, for ``FUNCTION LOAD REPLACE``."""
    return files("podium.access").joinpath("ledger.lua").read_text("utf-8")


class LedgerFunctions:
    """The library in one store. ``usable`` is what was found last; False until somebody looks."""

    def __init__(self, calls: StoreCalls) -> None:
        self.usable = False
        self._calls = calls
        self._told = ""

    def missing(self) -> None:
        """A function was refused: look again before the next use."""
        self.usable = False

    async def ensure(self) -> bool:
        """Look, and load the library where it is missing or old and the user may. Raises ``StoreUnavailable``."""
        reason = ""
        if await self._version() < VERSION:
            try:
                await self._calls.call("FUNCTION", "LOAD", "REPLACE", library_source(), seconds=CALL_SECONDS)
            except StoreRefused as error:
                reason = error.reason
        self.usable = not reason
        self._tell(reason)
        return self.usable

    async def _version(self) -> int:
        try:
            found = await self._calls.call("FCALL", "podium_version", 0, seconds=CALL_SECONDS, may_be_refused=True)
        except StoreRefused:
            return 0
        return found if isinstance(found, int) else 0

    def _tell(self, reason: str) -> None:
        if reason and reason != self._told:
            log.error(
                "ledger functions missing in the store",
                what_holds=LOCAL_SHARE,
                reason=reason,
                version=VERSION,
                to_do="load the library as a user that may FUNCTION LOAD; see the operations manual",
            )
        elif self._told and not reason:
            log.warning("ledger functions in use")
        self._told = reason
