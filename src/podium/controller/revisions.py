"""A usual name for what runs in an environment: another one when its configuration is another one."""

from __future__ import annotations

import hashlib

from podium.config.settings import Settings
from podium.config.sources import load
from podium.controller.run_folder import RunFolder
from podium.core.errors import ConfigurationError

_DIGITS = 8


def usual_revisions(folder: RunFolder, settings: Settings) -> dict[str, str]:
    """``ENVIRONMENT@DIGEST`` by environment, of its servers and of the models that are served.

    The settings of the run are digested, not the controller's own, in which local servers have ports of the moment.
    Weights that changed behind an endpoint or a path are not seen: then a revision is named by hand.
    """
    try:
        told = load({}, folder.settings, {}).settings
    except ConfigurationError:
        told = settings
    models = "".join(model.model_dump_json() for model in told.models)
    return {
        name: f"{name}@{hashlib.sha256((environment.model_dump_json() + models).encode()).hexdigest()[:_DIGITS]}"
        for name, environment in told.gateway.environments.items()
    }
