"""Manifests from files: plain YAML, or the part of Kustomize that our own overlays use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from podium.core.errors import ConfigurationError
from podium.deploy.lint.graph import Graph, Item, at

KUSTOMIZATION = "kustomization.yaml"
_KNOWN = {"apiVersion", "kind", "resources", "replicas"}
_SUFFIXES = {".yaml", ".yml", ".json"}
_MOST_OBJECTS = 10_000


def read_sets(folder: Path) -> dict[str, Graph]:
    """The sets below ``folder``, by name: each overlay that nothing else builds on, or all files as one set.

    One file is a set too. Raises ``ConfigurationError`` for a folder without manifests, a file that is no YAML, and a
    Kustomize feature that is not understood here.
    """
    if folder.is_file():
        return {".": _plain(folder, _items(folder, folder.parent))}
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: no such folder; name one with manifests, or a file of them")
    kustomizations = {path.parent.resolve() for path in folder.rglob(KUSTOMIZATION)}
    if not kustomizations:
        paths = [path for path in sorted(folder.rglob("*")) if path.suffix in _SUFFIXES]
        return {".": _plain(folder, [item for path in paths for item in _items(path, folder)])}
    used = {below for each in kustomizations for below in _folders_below(each)}
    tops = sorted(kustomizations - used)
    if not tops:
        raise ConfigurationError(f"{folder}: every kustomization is included by another one; leave one out of a circle")
    root = folder.resolve()
    return {str(top.relative_to(root)): Graph(tuple(_built(top, root, ()))) for top in tops}


def _plain(place: Path, items: list[Item]) -> Graph:
    if not items:
        raise ConfigurationError(f"{place}: there is no manifest (YAML or JSON with a kind) in it")
    return Graph(tuple(items))


def _built(folder: Path, root: Path, above: tuple[Path, ...]) -> Iterator[Item]:
    if folder in above:
        raise ConfigurationError(f"{folder}: this kustomization includes itself, by way of others")
    document = _kustomization(folder)
    found: list[Item] = []
    for name in document.get("resources") or []:
        path = (folder / str(name)).resolve()
        found += _built(path, root, (*above, folder)) if path.is_dir() else _items(path, root)
    counts = {at(each, "name"): at(each, "count") for each in document.get("replicas") or []}
    for item in found:
        yield _with_replicas(item, counts[item.name]) if item.name in counts and _has_replicas(item) else item


def _kustomization(folder: Path) -> Mapping[str, Any]:
    path = folder / KUSTOMIZATION
    document = _documents(path)[0] if path.is_file() else None
    if not isinstance(document, Mapping):
        raise ConfigurationError(f"{path}: no kustomization; it should be a mapping with resources")
    unknown = sorted(set(document) - _KNOWN)
    if unknown:
        raise ConfigurationError(
            f"{path} uses {', '.join(unknown)}, which this check does not understand; build it with "
            f"`kubectl kustomize {folder} > all.yaml` and check that file"
        )
    return document


def _folders_below(folder: Path) -> list[Path]:
    paths = [(folder / str(name)).resolve() for name in _kustomization(folder).get("resources") or []]
    return [path for path in paths if path.is_dir()]


def _has_replicas(item: Item) -> bool:
    return item.kind in {"Deployment", "StatefulSet"}


def _with_replicas(item: Item, count: object) -> Item:
    spec = {**item.mapping("spec"), "replicas": count}
    return Item({**item.value, "spec": spec}, item.file)


def _items(path: Path, root: Path) -> list[Item]:
    name = str(path.relative_to(root.resolve() if path.is_absolute() else root)) if path.is_file() else str(path)
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such file, and a kustomization names it")
    found = [each for each in _documents(path) if isinstance(each, Mapping) and each.get("kind")]
    return [Item(inner, name) for each in found for inner in _unfolded(each)]


def _unfolded(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What is in a list; in one of a single kind (`DeploymentList`) its members need not say theirs."""
    kind, inner = str(document["kind"]), document.get("items")
    if not (kind.endswith("List") and isinstance(inner, list)):
        yield document
        return
    of_all = {} if kind == "List" else {"apiVersion": document.get("apiVersion"), "kind": kind.removesuffix("List")}
    yield from ({**of_all, **each} for each in inner if isinstance(each, Mapping))


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, of which others keep the first or the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value} is given twice; keep one", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return node


def _documents(path: Path) -> list[Any]:
    try:
        text = path.read_text(encoding="utf-8")
        found = list(yaml.load_all(text, _Loader))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read as UTF-8 text") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from error
    if len(found) > _MOST_OBJECTS:
        raise ConfigurationError(f"{path}: more than {_MOST_OBJECTS} documents")
    return found or [None]
