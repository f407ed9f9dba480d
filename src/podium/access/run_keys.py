"""Keys of a run itself: files that its servers and its controller can read, and nobody else."""

from __future__ import annotations

from pathlib import Path

from podium.access import api_keys
from podium.core.errors import ConfigurationError
from podium.core.identity import Principal

MONITOR = Principal(tenant="podium", key_id="monitor", roles=frozenset({"metrics"}))
"""Whoever shows the metrics key: may read metrics, and nothing else."""
DEPLOYER = Principal(tenant="podium", key_id="deployer", roles=frozenset({"admin"}))
"""Whoever shows the deploy key: the run's own controller, which loads models."""


def read_run_key(path: str, setting: str) -> str | None:
    """The key in the file ``path``, which ``setting`` names; None for no path.

    Raises:
        ConfigurationError: it holds no key.
    """
    if not path:
        return None
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{setting} {path} cannot be read: {type(error).__name__}") from error
    if api_keys.id_in(text) is None:
        raise ConfigurationError(
            f"{setting} {path} holds no key; it should be one line, the text of a key such as `podium keys create "
            "--role metrics` prints."
        )
    return text
