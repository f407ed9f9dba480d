"""The key of a run's own monitor: a file that its servers and its controller can read, and nobody else."""

from __future__ import annotations

from pathlib import Path

from podium.access import api_keys
from podium.core.errors import ConfigurationError
from podium.core.identity import Principal

MONITOR = Principal(tenant="podium", key_id="monitor", roles=frozenset({"metrics"}))
"""Whoever shows that key: may read metrics, and nothing else."""


def read_metrics_key(path: str) -> str | None:
    """The key in the file ``path``; None for no path. Raises ``ConfigurationError`` when it holds no key."""
    if not path:
        return None
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"access.metrics_key_file {path} cannot be read: {type(error).__name__}") from error
    if api_keys.id_in(text) is None:
        raise ConfigurationError(
            f"access.metrics_key_file {path} holds no key; it should be one line, the text of a key that "
            "`podium keys create --role metrics` printed."
        )
    return text
