"""The part of a Kubernetes API server that lists and watches EndpointSlices, as the real one answers.

The shape of its answers is that of the official schemas, which ``kubernetes-validate`` carries: every slice that is put
in is checked against them.
"""

from __future__ import annotations

import gc
import json
import ssl
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate

from support.certificates import self_signed

TOKEN = "token-of-the-pod"
NAMESPACE = "podium"
PATH = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
ROUTE = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes/podium"
_KIND = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}
_TURN_SECONDS = 0.05


def endpoint(host: str, *, ready: bool = True, terminating: bool = False) -> dict[str, Any]:
    """One endpoint as the cluster writes it."""
    conditions = {"ready": ready and not terminating, "serving": ready, "terminating": terminating}
    return {"addresses": [host], "conditions": conditions}


@dataclass
class ApiServer:
    """What it knows, and what it was asked. ``account`` is the folder that a pod would have."""

    account: Path
    url: str = ""
    slices: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    page: int = 500
    weights: dict[str, int] = field(default_factory=dict)
    version: int = 100
    oldest: int = 0
    generation: int = 0
    ended: bool = False
    broken: int = 0
    ends_at_once: bool = False
    lock: threading.Condition = field(default_factory=threading.Condition)

    def put(
        self,
        name: str,
        service: str,
        endpoints: Sequence[dict[str, Any]],
        *ports: int,
        of_today: bool = True,
        **more: Any,
    ) -> None:
        """Create or change a slice. ``of_today``: it is as today's schemas want it."""
        named = [{"name": "http", "port": port, "protocol": "TCP"} for port in ports]
        with self.lock:
            self.version += 1
            metadata = {
                "name": name,
                "namespace": NAMESPACE,
                "labels": {"kubernetes.io/service-name": service},
                "resourceVersion": str(self.version),
            }
            value = {**_KIND, "metadata": metadata, "addressType": "IPv4", "endpoints": list(endpoints), "ports": named}
            value |= more
            if of_today:
                kubernetes_validate.validate(value, "1.37", strict=True)
            kind = "MODIFIED" if name in self.slices else "ADDED"
            self.slices[name] = value
            self._tell({"type": kind, "object": value})

    def delete(self, name: str) -> None:
        """Delete a slice."""
        with self.lock:
            self.version += 1
            value = self.slices.pop(name)
            value = {**value, "metadata": {**value["metadata"], "resourceVersion": str(self.version)}}
            self._tell({"type": "DELETED", "object": value})

    def bookmark(self) -> None:
        """Tell watchers of a version at which nothing changed for them."""
        with self.lock:
            self.version += 1
            self._tell({"type": "BOOKMARK", "object": {**_KIND, "metadata": {"resourceVersion": str(self.version)}}})

    def forget(self) -> None:
        """Drop old versions, as after a compaction: watches from before are gone."""
        with self.lock:
            self.version += 1
            self.oldest = self.version
            self.events.clear()
            self.lock.notify_all()

    def hang_up(self) -> None:
        """End every watch, as a proxy or a restart does."""
        with self.lock:
            self.generation += 1
            self.lock.notify_all()

    def _tell(self, event: dict[str, Any]) -> None:
        self.events.append((self.version, event))
        self.lock.notify_all()


class _Handler(BaseHTTPRequestHandler):
    api: ApiServer
    timeout = 10

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}
        self.api.requests.append(self.path)
        if self.headers["authorization"] != f"Bearer {TOKEN}":
            self._fail(401, "Unauthorized")
        elif parts.path == ROUTE and self.api.weights:
            refs = [{"name": name, "port": 8000, "weight": weight} for name, weight in self.api.weights.items()]
            self._say(200, {"kind": "HTTPRoute", "spec": {"rules": [{"backendRefs": refs}]}})
        elif parts.path != PATH:
            self._fail(403, f"forbidden: {parts.path}")
        elif self.api.broken:
            self.api.broken -= 1
            self._fail(503, "the server is currently unable to handle the request")
        elif query.get("watch") == "true":
            self._watch(query)
        else:
            self._list(query)

    def _list(self, query: dict[str, str]) -> None:
        begin = int(query.get("continue", "0"))
        with self.api.lock:
            found = [each for each in self.api.slices.values() if _is_selected(each, query["labelSelector"])]
            metadata = {"resourceVersion": str(self.api.version)}
            if begin + self.api.page < len(found):
                metadata["continue"] = str(begin + self.api.page)
            items = found[begin : begin + self.api.page]
        self._say(
            200, {"apiVersion": _KIND["apiVersion"], "kind": "EndpointSliceList", "metadata": metadata, "items": items}
        )

    def _watch(self, query: dict[str, str]) -> None:
        since, generation = int(query["resourceVersion"]), self.api.generation
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        while self.api.generation == generation and not self.api.ended and not self.api.ends_at_once:
            with self.api.lock:
                if since < self.api.oldest:
                    self._line({"type": "ERROR", "object": _status(410, "too old resource version")})
                    return
                news = [event for version, event in self.api.events if version > since]
                since = self.api.version
                if not news:
                    self.api.lock.wait(_TURN_SECONDS)
            for event in news:
                bookmark = event["type"] == "BOOKMARK"
                if (bookmark and "allowWatchBookmarks" in query) or _is_selected(
                    event["object"], query["labelSelector"]
                ):
                    self._line(event)

    def _line(self, event: dict[str, Any]) -> None:
        self.wfile.write(json.dumps(event).encode() + b"\n")
        self.wfile.flush()

    def _fail(self, code: int, message: str) -> None:
        self._say(code, _status(code, message))

    def _say(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests read the requests, not a log."""


def _status(code: int, message: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "message": message}


def _is_selected(value: dict[str, Any], selector: str) -> bool:
    label, _, services = selector.partition(" in ")
    return value["metadata"].get("labels", {}).get(label) in services.strip("()").split(",")


def _close_abandoned() -> None:
    """Collect sockets of clients in this process: httpcore leaves one open when it is cancelled amid a handshake."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """Run one until the block ends; the account's files are in ``folder``."""
    certificate, key = self_signed(folder)
    (folder / "ca.crt").write_bytes(certificate.read_bytes())
    (folder / "token").write_text(TOKEN)
    (folder / "namespace").write_text(NAMESPACE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    api = ApiServer(folder)

    class Handler(_Handler):
        pass

    Handler.api = api

    class Server(ThreadingHTTPServer):
        daemon_threads = False

        def handle_error(self, *_: object) -> None:
            """Watchers go when they like."""

    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        api.url = f"https://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="api-server")
        thread.start()
        try:
            yield api
        finally:
            _close_abandoned()
            api.ended = True  # before the last watch is hung up: one may come in now and must end too
            api.hang_up()
            server.shutdown()
            thread.join()
