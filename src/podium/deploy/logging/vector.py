"""Vector's pipeline for our pods' lines, for its role as an agent."""

from __future__ import annotations

import json
from typing import Any

from podium.deploy import places
from podium.deploy.logging.fields import IDENTIFIERS, LABELS, SHIPPED

_SOURCE, _LINES, _LOKI = "podium_pods", "podium_lines", "podium_loki"


def pipeline(namespace: str, loki: str) -> dict[str, Any]:
    """The file as a mapping. A line that is no JSON of ours is dropped: nobody knows what is in it."""
    source = {
        "type": "kubernetes_logs",
        "extra_label_selector": f"app.kubernetes.io/name={places.APPLICATION}",
        "extra_field_selector": f"metadata.namespace={namespace}",
    }
    return {
        "sources": {_SOURCE: source},
        "transforms": {
            _LINES: {
                "type": "remap",
                "inputs": [_SOURCE],
                "drop_on_error": True,
                "drop_on_abort": True,
                "source": program(),
            }
        },
        "sinks": {_LOKI: _loki(loki)},
    }


def program() -> str:
    """What becomes of one line, in Vector's own language."""
    fields = json.dumps(SHIPPED)
    return (
        "place = .kubernetes\n"
        "line = object!(parse_json!(string!(.message)))\n"
        f". = filter(line) -> |field, _value| {{ includes({fields}, field) }}\n"
        '.timestamp = parse_timestamp(.ts, "%+") ?? now()\n'
        ".namespace = place.pod_namespace\n"
        ".pod = place.pod_name\n"
        ".container = place.container_name\n"
    )


def _loki(url: str) -> dict[str, Any]:
    named = {name: f"{{{{ {name} }}}}" for name in (*LABELS, "namespace")}
    return {
        "type": "loki",
        "inputs": [_LINES],
        "endpoint": url,
        "encoding": {"codec": "json"},
        "labels": {"app": places.APPLICATION, **named},
        "structured_metadata": {name: f"{{{{ {name} }}}}" for name in (*IDENTIFIERS, "pod", "container")},
        "remove_label_fields": False,
    }
