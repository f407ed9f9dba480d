"""A compose file as a graph: an item for each service, with what it refers to in the same file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from podium.core.errors import ConfigurationError
from podium.deploy.lint.graph import Graph, Item, at, entries, mapping, words

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
KIND = "Service"


def read_stack(folder: Path) -> Graph | None:
    """The compose file of ``folder``, or which ``folder`` is; None where there is none.

    Each item's ``spec`` is the service as it stands, ``podium`` the settings that it is started with, as far as they
    are in a file beside, and ``unknown`` what it names that is nowhere. Raises ``ConfigurationError`` for what is no
    YAML.
    """
    places = [folder] if folder.name in NAMES else [folder / name for name in NAMES]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return None
    document = mapping(_yaml(path))
    services = mapping(document.get("services"))
    if not services:
        raise ConfigurationError(f"{path}: there is no service in this compose file")
    return Graph(tuple(_item(str(name), mapping(each), document, path) for name, each in services.items()))


def is_podium(item: Item) -> bool:
    """Whether a service runs Podium: by the subcommand that it is started with."""
    return bool({"serve", "up"} & set(_command(item.mapping("spec"))))


def _command(service: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for member in ("entrypoint", "command"):
        value = service.get(member)
        found += value.split() if isinstance(value, str) else words(value)
    return found


def _item(name: str, service: Mapping[str, Any], document: Mapping[str, Any], path: Path) -> Item:
    value = {
        "kind": KIND,
        "metadata": {"name": name},
        "spec": service,
        "podium": _settings(service, document, path.parent),
        "unknown": _unknown(service, document, path.parent),
    }
    return Item(value, path.name)


def _settings(service: Mapping[str, Any], document: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """The file behind ``--config``, where it is a configuration of the compose file."""
    said = _command(service)
    where = said[said.index("--config") + 1 :][:1] if "--config" in said else []
    for each in entries(service.get("configs")):
        if where == [each.get("target")]:
            file = folder / str(at(document, "configs", str(each.get("source")), "file") or "")
            return mapping(_yaml(file)) if file.is_file() else {}
    return {}


def _unknown(service: Mapping[str, Any], document: Mapping[str, Any], folder: Path) -> list[str]:
    """What a service names and the file, or the folder, does not have."""
    mounted = [each.get("source") for each in entries(service.get("volumes")) if each.get("type") == "volume"]
    named = {
        "configs": _named(service.get("configs")),
        "secrets": _named(service.get("secrets")),
        "services": _named(service.get("depends_on")),
        "networks": [name for name in _named(service.get("networks")) if name != "default"],
        "volumes": [str(name) for name in mounted if name],
    }
    found = [
        f"{group}.{name}"
        for group, names in named.items()
        for name in names
        if name not in mapping(document.get(group))
    ]
    files = [at(document, "configs", name, "file") for name in named["configs"]]
    return [*found, *(f"the file {file}" for file in files if isinstance(file, str) and not (folder / file).is_file())]


def _named(value: Any) -> list[str]:
    """Names of a list of names, of objects with ``source``, or of a mapping."""
    if isinstance(value, Mapping):
        return [str(name) for name in value]
    return [*words(value), *(str(each.get("source")) for each in entries(value))]


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read as UTF-8 text") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from error
