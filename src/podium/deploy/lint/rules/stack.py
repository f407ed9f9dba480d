"""Compose files: streams that are cut, servers that are killed while busy, doors that stand open."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from podium.config.server import Server
from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Graph, Item, at, entries, mapping, words
from podium.deploy.lint.rules.secrets import holds_credential
from podium.deploy.lint.stack import is_podium
from podium.deploy.quantity import parse_duration

_DEFAULT_GRACE_SECONDS = 10.0  # of Docker
_READINESS = re.compile(r"/(readyz|ping|health/ready|health)\b(?!/live)")
_PRIVATE_PORTS = {"6379": "Redis", "8001": "the admin port", "9090": "Prometheus", "9093": "Alertmanager"}
_LOOPBACK = ("127.0.0.1:", "[::1]:", "localhost:")
_DOCKER_SOCKET = "docker.sock"


def _cut(graph: Graph) -> Iterator[Place]:
    for item in filter(is_podium, graph.items):
        given = parse_duration(item.at("spec", "stop_grace_period"))
        grace = _DEFAULT_GRACE_SECONDS if given is None else given
        group = "gateway" if mapping(item.at("podium", "gateway")) else "server"
        drain = item.at("podium", group, "drain_seconds")
        drain = float(drain) if isinstance(drain, int | float) else Server().drain_seconds
        if grace < drain:
            yield item, "stop_grace_period", f"{grace:g} s, and {group}.drain_seconds is {drain:g}"


def _unwatched(graph: Graph) -> Iterator[Place]:
    for item in filter(is_podium, graph.items):
        health = item.mapping("spec", "healthcheck")
        if not health.get("test") or health.get("disable"):
            yield item, "healthcheck", "there is none"


def _killed(graph: Graph) -> Iterator[Place]:
    for item in filter(is_podium, graph.items):
        test = item.at("spec", "healthcheck", "test")
        said = test if isinstance(test, str) else " ".join(words(test))
        if _READINESS.search(said):
            yield item, "healthcheck.test", "asks whether requests are welcome"


def _open(graph: Graph) -> Iterator[Place]:
    for item in graph.items:
        for port, is_private in _published(item):
            inside = port.rpartition(":")[2].partition("/")[0]
            if inside in _PRIVATE_PORTS and not is_private:
                yield item, "ports", f"{port} opens {_PRIVATE_PORTS[inside]} on every address of the host"


def _published(item: Item) -> Iterator[tuple[str, bool]]:
    for text in words(item.at("spec", "ports")):
        yield text, text.startswith(_LOOPBACK)
    for port in item.entries("spec", "ports"):
        host = str(port.get("host_ip") or "")
        yield f"{port.get('published')}:{port.get('target')}", f"{host}:".startswith(_LOOPBACK) and bool(host)


def _written_out(graph: Graph) -> Iterator[Place]:
    for item in graph.items:
        for name, value in _variables(item.at("spec", "environment")).items():
            if holds_credential(name, value):
                yield item, "environment", f"{name} holds a credential"


def _variables(value: Any) -> dict[str, str]:
    """Of a mapping, or of a list of NAME=VALUE; what comes from elsewhere has no value."""
    if isinstance(value, Mapping):
        return {str(name): str(text) for name, text in value.items() if text is not None and "$" not in str(text)}
    pairs = (text.partition("=") for text in words(value))
    return {name: text for name, _, text in pairs if "$" not in text}


def _moving(graph: Graph) -> Iterator[Place]:
    for item in graph.items:
        image = str(item.at("spec", "image") or "")
        tag = image.rpartition("/")[2].partition(":")[2]
        if image and "@sha256:" not in image and "$" not in image and tag in {"", "latest"}:
            yield item, "image", f"{image} is another image tomorrow"


def _mighty(graph: Graph) -> Iterator[Place]:
    for item in graph.items:
        spec = item.mapping("spec")
        for member, value in (("privileged", True), ("network_mode", "host"), ("pid", "host"), ("ipc", "host")):
            if spec.get(member) == value:
                yield item, member, f"is {value}"
        mounts = [*words(spec.get("volumes")), *(str(each.get("source")) for each in entries(spec.get("volumes")))]
        if any(_DOCKER_SOCKET in mount for mount in mounts):
            yield item, "volumes", "Docker's socket, and so the host"


def _rights(graph: Graph) -> Iterator[Place]:
    for item in filter(is_podium, graph.items):
        spec = item.mapping("spec")
        if spec.get("read_only") is not True:
            yield item, "read_only", "its root can be written to"
        if "ALL" not in words(spec.get("cap_drop")):
            yield item, "cap_drop", "it keeps capabilities"
        if str(spec.get("user") or "").partition(":")[0] in {"0", "root"}:
            yield item, "user", "root"


def _missing(graph: Graph) -> Iterator[Place]:
    for item in graph.items:
        for name in words(at(item.value, "unknown")):
            yield item, name.partition(".")[0], f"{name} is not there"


RULES = (
    Rule(
        "stack-cut-streams", "error",
        "Docker kills a container that is not done by then, and its streams end in the middle.",
        "Set stop_grace_period above the drain, with time to unload models.",
        _cut,
    ),
    Rule(
        "stack-no-health", "warning",
        "Without a health check an update counts a server as started that still loads, and takes the old one away.",
        "Ask /startupz and /livez of the admin port.",
        _unwatched,
    ),
    Rule(
        "stack-health-is-readiness", "error",
        "A Swarm kills what is unhealthy: a server with a full queue, or one that finishes its streams.",
        "Ask /startupz and /livez; leave readiness to the gateway.",
        _killed,
    ),
    Rule(
        "stack-open-port", "error",
        "Docker publishes past the host's firewall, and these ports ask nobody who they are.",
        "Leave the port out, or publish it as 127.0.0.1:PORT:PORT.",
        _open,
    ),
    Rule(
        "stack-secret-written-out", "error",
        "Whoever reads the file, or `docker inspect`, has the key.",
        "Make it a secret of the file and name its path in the settings.",
        _written_out,
    ),
    Rule(
        "stack-image-moves", "error",
        "Two hosts, or the same one after a restart, run different programs.",
        "Name a version, better with its digest.",
        _moving,
    ),
    Rule(
        "stack-owns-the-host", "error",
        "Who takes over the container has the host.",
        "Take it out.",
        _mighty,
    ),
    Rule(
        "stack-rights", "warning",
        "A server needs no right but to read its model: what it has beyond that is what an attacker gets.",
        "Set read_only, cap_drop: [ALL] and a user of its own.",
        _rights,
    ),
    Rule(
        "stack-missing", "error",
        "Docker refuses the whole file.",
        "Add it, or correct the name.",
        _missing,
    ),
)  # fmt: skip
