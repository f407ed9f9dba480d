"""A usual name for what runs in an environment: another one when its configuration is another one."""

from __future__ import annotations

import hashlib

from podium.config.settings import Settings
from podium.config.sources import load
from podium.controller.run_folder import RunFolder
from podium.core.errors import ConfigurationError

_DIGITS = 8


def usual_revisions(folder: RunFolder, settings: Settings) -> dict[str, str]:
    """``ENVIRONMENT@DIGEST`` by environment, of its servers and of the models that they serve.

    What its servers are started with is digested, not the controller's own settings, in which local servers have ports
    of the moment. Weights that changed behind an endpoint or a path are not seen: then a revision is named by hand.
    """
    return {name: f"{name}@{_digest(folder, name, settings)}" for name in settings.gateway.environments}


def _digest(folder: RunFolder, environment: str, settings: Settings) -> str:
    try:
        told = load({}, folder.settings_of(environment), {}).settings
    except ConfigurationError:
        told = settings
    parts = (told.gateway.environments[environment], *told.models)
    text = "".join(part.model_dump_json() for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
