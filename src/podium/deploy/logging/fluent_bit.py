"""Fluent Bit's pipeline for our pods' lines (version 3.2 or later: parsers in the same file)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from podium.deploy.logging.fields import IDENTIFIERS, LABELS, SHIPPED

_TAG = "podium.*"
_FILE = "podium_file"
LINE = "podium_line"
PLACE = r"/(?<pod>[^/_]+)_(?<namespace>[^_]+)_(?<container>.+)-[0-9a-f]{64}\.log$"
_PLACES = ("pod", "namespace", "container")


def pipeline(namespace: str, loki: str) -> dict[str, Any]:
    """The file as a mapping. A line that is no JSON of ours loses its text: nobody knows what is in it."""
    parsers = [
        {"name": LINE, "format": "json", "time_key": "ts", "time_format": "%Y-%m-%dT%H:%M:%S.%L%z", "time_keep": True},
        {"name": _FILE, "format": "regex", "regex": PLACE},
    ]
    tail = {
        "name": "tail",
        "tag": _TAG,
        "path": f"/var/log/containers/*_{namespace}_*.log",
        "path_key": _FILE,
        "multiline.parser": "cri",  # which also joins what the runtime has split at 16 KiB
        "buffer_max_size": "256k",
        "skip_long_lines": True,
        "mem_buf_limit": "32M",
        "db": "/var/lib/fluent-bit/podium.db",
    }
    filters = [
        {"name": "parser", "match": _TAG, "key_name": _FILE, "parser": _FILE, "reserve_data": True},
        {"name": "parser", "match": _TAG, "key_name": "log", "parser": LINE, "reserve_data": True},
        {"name": "record_modifier", "match": _TAG, "allowlist_key": [*SHIPPED, *_PLACES]},
    ]
    return {"parsers": parsers, "pipeline": {"inputs": [tail], "filters": filters, "outputs": [_loki(loki)]}}


def _loki(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    encrypted = parts.scheme == "https"
    metadata = ",".join(f"{name}=${name}" for name in (*IDENTIFIERS, "pod", "container"))
    return {
        "name": "loki",
        "match": _TAG,
        "host": parts.hostname or "",
        "port": parts.port or (443 if encrypted else 80),
        "tls": encrypted,
        "labels": "app=podium",
        "label_keys": ",".join(f"${name}" for name in (*LABELS, "namespace")),
        "structured_metadata": metadata,
        "line_format": "json",
    }
