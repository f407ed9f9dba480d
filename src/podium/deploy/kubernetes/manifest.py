"""One object as a plain mapping, and objects as YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

Manifest = dict[str, Any]

MARK = "# Written by `podium deploy kubernetes`; change podium.yaml and render again.\n"


def manifest(api: str, kind: str, name: str, namespace: str | None, **members: Any) -> Manifest:
    """An object. ``labels`` and ``annotations`` go into its metadata, everything else stands beside it."""
    metadata: dict[str, Any] = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    for field in ("labels", "annotations"):
        if given := members.pop(field, None):
            metadata[field] = given
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **members}


class _Plain(yaml.SafeDumper):
    """No anchors: each object can be read by itself. Long texts are blocks."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _text)


def to_yaml(objects: Iterable[Mapping[str, Any]]) -> str:
    """YAML documents, always the same bytes for the same objects."""
    return MARK + "---\n".join(
        yaml.dump(dict(each), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110) for each in objects
    )
