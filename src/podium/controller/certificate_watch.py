"""Follows the certificate's files, and gives the gateway a new one without a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

import structlog

from podium.config.gateway import GatewayTls
from podium.core.errors import GatewayUnavailable, PodiumError
from podium.gateway.certificate import Certificate, read_certificate

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 0.5

Signature = tuple[object, ...]


class TakesCertificates(Protocol):
    """Who gives the gateway its certificate: ``Traffic``."""

    async def set_certificate(self, certificate: Certificate) -> None:
        """Raises ``GatewayUnavailable`` or ``GatewayRejected``; then the one before is in use."""
        ...


class CertificateWatch:
    """Looks twice a second whether the files of ``tls`` have changed. The first look is at the start."""

    def __init__(self, tls: GatewayTls, gateway: TakesCertificates) -> None:
        self._tls = tls
        self._gateway = gateway
        self._seen: Signature = ()
        self._certificate: Certificate | None = None

    async def run(self) -> None:
        """Go on until cancelled. A pair that cannot be used is told once, and the one before goes on."""
        while True:
            await self.look()
            await asyncio.sleep(PAUSE_SECONDS)

    async def look(self) -> None:
        """Take the files as they are now, when they are others than at the last look."""
        found = self._signature()
        if found == self._seen:
            return
        try:
            certificate = read_certificate(self._tls)
            if certificate != self._certificate:
                await self._gateway.set_certificate(certificate)
                log.info("certificate taken", file=self._tls.certificate, expires=certificate.expires.isoformat())
            self._certificate = certificate
        except GatewayUnavailable:
            return  # look again
        except PodiumError as error:
            log.error("certificate refused; the one before stays", reason=error.message)  # noqa: TRY400 - the cause is told
        self._seen = found

    def _signature(self) -> Signature:
        """Changes when a file is written, replaced, removed, or a link leads elsewhere."""
        return tuple(_stat(Path(name)) for name in (self._tls.certificate, self._tls.key))


def _stat(path: Path) -> Signature:
    try:
        found = path.stat()
    except OSError as error:
        return (error.errno,)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
