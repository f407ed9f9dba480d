"""The public keys of an issuer now, kept fresh by the server itself, never because of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

import httpx
import structlog

from podium.access.jwks import KeySetInvalid, PublicKey, read_key_set
from podium.access.key_set_document import FileDocument, document_of
from podium.aio import tasks
from podium.aio.backoff import Backoff
from podium.config.access import Jwt
from podium.core.errors import ConfigurationError

log = structlog.get_logger(__name__)

FIRST_RETRY_SECONDS = 1.0


class KeySet:
    """Follows the configured key set. Entering reads it once and starts to follow; leaving ends that.

    A file that cannot be used when entering is a ``ConfigurationError``; an address that does not answer is
    asked again. Afterwards the last good set is kept, whatever comes.
    """

    def __init__(self, settings: Jwt) -> None:
        self._settings = settings
        self._document = document_of(settings)
        self._keys: Mapping[str | None, PublicKey] = MappingProxyType({})
        self._task: asyncio.Task[None] | None = None
        self._backoff = Backoff(FIRST_RETRY_SECONDS, settings.refresh_seconds)
        self._readable = True

    async def __aenter__(self) -> Self:
        await self.refresh()
        if not self.loaded and isinstance(self._document, FileDocument):
            raise ConfigurationError(
                f"access.jwt.jwks names a file without usable keys for {self._settings.algorithm}; "
                "it must be a JSON Web Key Set with public keys."
            )
        self._task = tasks.start(self._follow(), name="issuer's keys")
        return self

    async def __aexit__(self, *_: object) -> None:
        await tasks.stop(self._task)

    @property
    def loaded(self) -> bool:
        """Whether there was ever a good set."""
        return bool(self._keys)

    def find(self, kid: str | None) -> PublicKey | None:
        """The key of that ``kid``; without one, the only key of a set that has just one."""
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    async def refresh(self) -> None:
        """Read the keys now; when that fails the ones known stay, and the log says so once."""
        try:
            keys = read_key_set(await self._document.read(), self._settings.algorithm)
        except (KeySetInvalid, httpx.HTTPError, OSError) as error:
            self._note_unreadable(str(error) if isinstance(error, KeySetInvalid) else type(error).__name__)
        else:
            self._keys = MappingProxyType(keys)
            self._readable = True
            self._backoff.reset()

    def _note_unreadable(self, reason: str) -> None:
        if self._readable:
            log.error("issuer's keys not read", reason=reason, known_keys=len(self._keys))
        self._readable = False

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._settings.refresh_seconds if self._readable else self._backoff.next_seconds())
            await self.refresh()
