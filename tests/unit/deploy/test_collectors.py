"""What collectors of logs are told: every field of ours is decided on, and foreign text stays on the node.

The collectors' own programs are not at hand: their regular expressions, formats and lists are applied here by Python,
to lines that our own logging writes.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from podium.deploy.logging import fluent_bit, vector
from podium.deploy.logging.fields import IDENTIFIERS, LABELS, SHIPPED, WITHHELD
from podium.gateway.access_log import ACCESS_FIELDS
from support.command import environment
from support.deployments import FULL, MESHED, OWN_WEIGHTS, sets_of
from support.source import ROOT

LINES = """
import structlog
from podium.telemetry import logs
logs.configure(style="json", level="info")
log = structlog.get_logger("podium.test")
structlog.contextvars.bind_contextvars(request_id="req-1")
log.info("request", route="/v1/completions", status=200, tenant="acme", ttft_seconds=0.1, unknown="x")
log.info("worker output", pid=1, line="PROMPT-TEXT")
try:
    raise ValueError("PROMPT-TEXT")
except ValueError:
    log.exception("unexpected error", error_type="ValueError")
"""
FILE = "/var/log/containers/podium-blue-6c9f-abcde_podium_server-" + "0" * 64 + ".log"


@pytest.fixture(scope="module")
def lines() -> list[str]:
    done = subprocess.run([sys.executable, "-c", LINES], capture_output=True, text=True, check=True, env=environment())
    found = done.stderr.splitlines()
    assert len(found) == 3
    return found


def _fields() -> set[str]:
    """Names of fields in the calls of our loggers, and those that every line has."""
    found = {"ts", "level", "event", "request_id"}
    for path in sorted((ROOT / "src/podium").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _is_log_call(node.func):
                found |= {keyword.arg for keyword in node.keywords if keyword.arg is not None}
    return found


def _is_log_call(called: ast.expr) -> bool:
    if isinstance(called, ast.Name):
        return called.id == "write"  # of the access log
    levels = {"debug", "info", "warning", "error", "exception"}
    if not (isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)):
        return False
    return called.value.id in {"log", "_log"} and called.attr in levels


def test_every_field_of_our_lines_is_shipped_or_withheld_on_purpose() -> None:
    found = _fields() | {*ACCESS_FIELDS}
    assert {"route", "line", "ttft_seconds"} <= found
    assert found - {*SHIPPED, *WITHHELD} == set()
    assert set(SHIPPED) <= found
    assert not WITHHELD & set(SHIPPED)
    assert {*LABELS, *IDENTIFIERS} <= set(SHIPPED)


def _fluent_bit(config: dict[str, Any], line: str) -> dict[str, Any]:
    """One line of a container's file through its filters."""
    record: dict[str, Any] = {"log": line, "podium_file": FILE}
    parsers = {parser["name"]: parser for parser in config["parsers"]}
    for each in config["pipeline"]["filters"]:
        if each["name"] == "parser":
            record = _parsed(parsers[each["parser"]], each["key_name"], record)
        else:
            record = {name: value for name, value in record.items() if name in each["allowlist_key"]}
    return record


def _parsed(parser: dict[str, Any], key: str, record: dict[str, Any]) -> dict[str, Any]:
    text = record[key]
    rest = {name: value for name, value in record.items() if name != key}
    if parser["format"] == "regex":
        match = re.search(parser["regex"].replace("(?<", "(?P<"), text)
        return record if match is None else {**rest, **match.groupdict()}
    try:
        found = json.loads(text)
    except ValueError:
        return record
    time_format = parser["time_format"].replace("%S.%L", "%S.%f")
    assert datetime.strptime(found[parser["time_key"]], time_format).tzinfo is not None  # noqa: DTZ007 - it has %z
    return {**rest, **found}


def test_fluent_bit_keeps_our_fields_and_says_where_a_line_is_from(lines: list[str]) -> None:
    config = fluent_bit.pipeline("podium", "https://loki.example")
    request, output, error = (_fluent_bit(config, line) for line in lines)
    place = {"pod": "podium-blue-6c9f-abcde", "namespace": "podium", "container": "server"}
    assert {name: request[name] for name in place} == place
    assert (request["request_id"], request["ttft_seconds"], request["level"]) == ("req-1", 0.1, "info")
    assert "unknown" not in request
    assert (output["event"], error["error_type"]) == ("worker output", "ValueError")
    assert "PROMPT-TEXT" not in json.dumps([request, output, error])
    assert "PROMPT-TEXT" in "".join(lines)


def test_fluent_bit_loses_the_text_of_a_line_that_is_not_ours() -> None:
    config = fluent_bit.pipeline("podium", "https://loki.example")
    assert _fluent_bit(config, "Traceback: PROMPT-TEXT").keys() == {"pod", "namespace", "container"}


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [("https://loki.example", "loki.example", 443, True), ("http://loki.logging:3100", "loki.logging", 3100, False)],
)
def test_fluent_bit_sends_where_the_settings_say(url: str, host: str, port: int, tls: bool) -> None:  # noqa: FBT001
    (output,) = fluent_bit.pipeline("podium", url)["pipeline"]["outputs"]
    assert (output["host"], output["port"], output["tls"]) == (host, port, tls)


def test_labels_have_few_values_and_ids_are_metadata() -> None:
    (output,) = fluent_bit.pipeline("n", "http://l")["pipeline"]["outputs"]
    (sink,) = vector.pipeline("n", "http://l")["sinks"].values()
    assert (output["labels"], output["label_keys"]) == ("app=podium", "$level,$namespace")
    assert set(sink["labels"]) == {"app", "level", "namespace"}
    assert set(sink["structured_metadata"]) == {"request_id", "key_id", "tenant", "pod", "container"}
    assert {pair.partition("=")[0] for pair in output["structured_metadata"].split(",")} == set(
        sink["structured_metadata"]
    )


def test_vector_keeps_the_same_fields_and_drops_what_it_cannot_read() -> None:
    (transform,) = vector.pipeline("podium", "http://l")["transforms"].values()
    assert (transform["drop_on_error"], transform["drop_on_abort"]) == (True, True)
    kept = re.search(r"includes\((\[.*?\]), field\)", transform["source"])
    assert kept is not None
    assert json.loads(kept[1]) == list(SHIPPED)
    assert "object!(parse_json!(string!(.message)))" in transform["source"]


@pytest.mark.parametrize(("document", "kind"), [(OWN_WEIGHTS, "fluent-bit"), (MESHED, "vector")])
def test_the_configuration_is_a_file_for_the_collector_that_the_cluster_has(
    document: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    sets = sets_of(tmp_path, document)
    (config,) = sets["logging"].items
    assert (config.kind, config.namespace) == ("ConfigMap", "logging")
    assert yaml.safe_load(config.at("data", f"{kind}.yaml"))
    assert "logging" not in sets_of(tmp_path / "b", FULL)
