"""The service account of a pod, as files that the cluster mounts and renews."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from podium.core.errors import ConfigurationError


@dataclass(frozen=True)
class ServiceAccount:
    """The folder with ``token``, ``ca.crt`` and ``namespace``."""

    folder: Path

    @property
    def token(self) -> str:
        """The token, read anew each time: the cluster replaces it before it expires. Raises ``ConfigurationError``."""
        return self._read("token")

    @property
    def namespace(self) -> str:
        """Where the pod runs. Raises ``ConfigurationError``."""
        return self._read("namespace")

    def trust(self) -> ssl.SSLContext:
        """Trusts the cluster's own authority and nobody else. Raises ``ConfigurationError``."""
        path = self.folder / "ca.crt"
        try:
            return ssl.create_default_context(cafile=str(path))
        except (OSError, ssl.SSLError) as error:
            raise _unreadable(path, error) from error

    def _read(self, name: str) -> str:
        path = self.folder / name
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ConfigurationError:
    reason = getattr(error, "strerror", None) or "no certificate"
    return ConfigurationError(f"{path}: {reason}. Mount the pod's service account there: token, ca.crt and namespace.")
