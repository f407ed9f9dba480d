"""Where an issuer's key set is read: a file, or an https address, both bounded in size and time."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Protocol

import httpx

from podium.access.jwks import KeySetInvalid
from podium.config.access import Jwt
from podium.core.errors import ConfigurationError

MOST_BYTES = 256 * 1024
READ_SECONDS = 10.0


class KeySetDocument(Protocol):
    """A document that changes now and then."""

    async def read(self) -> bytes:
        """All of it. Raises ``KeySetInvalid``, ``OSError`` (``TimeoutError`` is one) or ``httpx.HTTPError``."""


def document_of(settings: Jwt) -> KeySetDocument:
    """The document that the settings name. Raises ``ConfigurationError`` for unusable certificates."""
    if settings.jwks.startswith("https://"):
        return AddressDocument(settings.jwks, _trust(settings.ca_file))
    return FileDocument(Path(settings.jwks).expanduser())


class FileDocument:
    """A file, read in a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> bytes:
        """See ``KeySetDocument``."""
        return _bounded(await asyncio.to_thread(self._read))

    def _read(self) -> bytes:
        with self._path.open("rb") as file:
            return file.read(MOST_BYTES + 1)


class AddressDocument:
    """One address, over TLS. No redirect is followed, no proxy of the environment is used."""

    def __init__(self, address: str, trust: ssl.SSLContext, *, read_seconds: float = READ_SECONDS) -> None:
        self._address = address
        self._trust = trust
        self._read_seconds = read_seconds

    async def read(self) -> bytes:
        """See ``KeySetDocument``."""
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        async with (
            asyncio.timeout(self._read_seconds),
            httpx.AsyncClient(verify=self._trust, trust_env=False, timeout=self._read_seconds) as client,
            client.stream("GET", self._address, headers=headers) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise KeySetInvalid(f"the address answered {answer.status_code}")
            received = bytearray()
            async for piece in answer.aiter_raw():  # raw: nothing is unpacked beyond the bound
                received += piece
                if len(received) > MOST_BYTES:
                    break
            return _bounded(bytes(received))


def _bounded(document: bytes) -> bytes:
    if len(document) > MOST_BYTES:
        raise KeySetInvalid(f"it is larger than {MOST_BYTES} bytes")
    return document


def _trust(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=Path(ca_file).expanduser())
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            "access.jwt.ca_file cannot be read as certificates in PEM form; check the path and the file."
        ) from error
