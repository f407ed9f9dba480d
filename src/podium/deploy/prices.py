"""A table of prices: what a core, memory, disk and an accelerator cost in an hour."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import yaml

from podium.core.errors import ConfigurationError

Price = Annotated[float, msgspec.Meta(ge=0, le=1e6)]


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices of an hour, in ``currency``. ``accelerator_hour``: by the name of the resource, for one of it."""

    currency: str
    cpu_core_hour: Price
    memory_gib_hour: Price
    disk_gib_hour: Price = 0.0
    accelerator_hour: dict[str, Price] = {}


EXAMPLE = "currency: EUR, cpu_core_hour: 0.03, memory_gib_hour: 0.004, accelerator_hour: {nvidia.com/gpu: 2.1}"


def read_prices(path: Path) -> Prices:
    """The table in the YAML file ``path``. Raises ``ConfigurationError`` that says what is wrong with it."""
    try:
        return msgspec.convert(yaml.safe_load(path.read_bytes()), Prices)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}; name a table of prices, such as {EXAMPLE}") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"{path} is no table of prices: {error}; one is {EXAMPLE}") from error
