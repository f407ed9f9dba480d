"""``podium version``."""

from __future__ import annotations

import importlib.metadata
import platform

from podium.cli import output
from podium.cli.options import JsonOption


def version(*, as_json: JsonOption = False) -> None:
    """Print the versions of Podium and of the Python that runs it.

    \b
    Examples:
      podium version
      podium version --json
    """
    facts = {"podium": importlib.metadata.version("podium"), "python": platform.python_version()}
    if as_json:
        output.document(facts)
    else:
        output.line(f"podium {facts['podium']} (Python {facts['python']})")
