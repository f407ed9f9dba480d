"""What hosting platforms say to a container by variables of their own.

Vertex AI's container contract (``AIP_*``), SageMaker's hosting (``SAGEMAKER_BIND_TO_PORT``) and toolkits
(``SM_MODEL_DIR``), Azure ML's online endpoints (``AZUREML_MODEL_DIR``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from podium.config.origin import Steps

_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - the platform's own network is the only one that reaches it
_PORTS = ("AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT")
_ROUTES = {"AIP_HEALTH_ROUTE": "/ping", "AIP_PREDICT_ROUTE": "/predict"}
_FOLDERS = ("SM_MODEL_DIR", "AZUREML_MODEL_DIR")


class PlatformSetting(NamedTuple):
    """A setting, and the variable that asks for it."""

    path: Steps
    value: object
    variable: str


def platform_settings(environ: Mapping[str, str], *, models_named: bool) -> Iterator[PlatformSetting]:
    """The settings that a platform's variables mean; empty ones mean nothing.

    A folder is the only model, and only where the configuration names none (``models_named``).
    """
    for name in filter(environ.get, _PORTS):
        text = environ[name]
        yield PlatformSetting(("server", "port"), int(text) if text.isascii() and text.isdigit() else text, name)
        yield PlatformSetting(("server", "host"), _EVERY_ADDRESS, name)
    for name, route in _ROUTES.items():
        given = environ.get(name)
        if given and given != route:
            yield PlatformSetting(("server", "path_aliases", given), route, name)
    for name in filter(environ.get, () if models_named else _FOLDERS):
        yield PlatformSetting(("models",), [{"name": "model", "source": environ[name]}], name)
