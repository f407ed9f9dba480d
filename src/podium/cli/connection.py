"""Talking to a running server, and saying in one line why that failed."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import msgspec

from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.config.access import is_loopback
from podium.config.sources import read_environment

T = TypeVar("T")

KEY_VARIABLE = "PODIUM_API_KEY"

_KEY = re.compile(r"[!-~]{1,8192}\Z")  # what a header may hold, without blanks
_CONNECT_SECONDS = 5.0
_LATER = {"unavailable", "overloaded", "model_not_ready", "draining"}  # the same request may succeed later


class Connection:
    """An HTTP connection to one server. Errors come out as ``Failure`` with code and request id.

    ``key`` goes with every request. It is in no message and in no ``repr``. ``started_by`` is the command that starts
    such a server.
    """

    started_by = "podium serve"

    def __init__(self, url: str, *, key: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise Failure(f"--url {url}: an http:// or https:// address is needed", ExitCode.USAGE)
        self.url = url.rstrip("/")
        timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)  # loads and generations take what they take
        # Proxies are for other machines: a proxy variable must not capture this one's own address.
        self._client = httpx.Client(
            base_url=self.url,
            timeout=timeout,
            trust_env=not is_loopback(httpx.URL(self.url).host),
            headers={} if key is None else {"authorization": f"Bearer {key}"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def answers(self, path: str) -> bool:
        """Whether a GET is answered with a 2xx."""
        try:
            return self._client.get(path).is_success
        except httpx.TransportError:
            return False

    def get(self, path: str, kind: type[T]) -> T:
        """The answer to a GET, checked against the wire type ``kind``."""
        return self._call("GET", path, kind)

    def post(self, path: str, kind: type[T], body: Mapping[str, Any] | None = None) -> T:
        """The answer to a POST, checked against the wire type ``kind``."""
        return self._call("POST", path, kind, dict(body or {}))

    def events(self, path: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The events of a stream, up to ``[DONE]``. Raises ``Failure`` for an error event or an early end."""
        with self._reaching(), self._client.stream("POST", path, json=dict(body)) as answer:
            if not answer.is_success:
                answer.read()
                raise refusal(answer)
            request_id = answer.headers.get("x-request-id", "")
            for line in answer.iter_lines():
                if not line.startswith("data:"):
                    continue
                data = line.removeprefix("data:").strip()
                if data == "[DONE]":
                    return
                event = json.loads(data)
                if "error" in event:
                    raise Failure(error_text(event["error"], request_id))
                yield event
        raise Failure(f"the answer broke off before its end{_in_brackets(request_id)}; what was printed is incomplete")

    def _call(self, method: str, path: str, kind: type[T], body: dict[str, Any] | None = None) -> T:
        with self._reaching():
            answer = self._client.request(method, path, json=body)
        if not answer.is_success:
            raise refusal(answer)
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.DecodeError as error:
            raise Failure(f"{self.url} does not answer like a Podium server; check --url") from error

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            message = f"{self.url} cannot be reached; start a server with `{self.started_by}`, or name one with --url"
            raise Failure(message, ExitCode.NOT_READY) from error


def key_from(key_file: Path | None) -> str | None:
    """The key to send: that of ``--key-file``, else the variable ``PODIUM_API_KEY``, else none.

    There is no option for the key itself: every user of a machine can read the arguments of a process.
    """
    if key_file is None:
        text, where = read_environment().get(KEY_VARIABLE, "").strip(), KEY_VARIABLE
    else:
        text, where = _read_key(key_file), "--key-file"
    if not text and key_file is None:
        return None
    if not _KEY.match(text):
        raise Failure(f"{where} holds no key; one line of printable characters is needed", ExitCode.USAGE)
    return text


def _read_key(key_file: Path) -> str:
    try:
        return key_file.expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"--key-file {key_file}: cannot be read as text; check the path", ExitCode.USAGE) from error


def refusal(answer: httpx.Response) -> Failure:
    """The failure that an error answer stands for."""
    try:
        error = answer.json()["error"]
        words = error_text(error, answer.headers.get("x-request-id", ""))
    except (ValueError, KeyError, TypeError):
        return Failure(f"{answer.url} answered {answer.status_code}; is that a Podium server?", ExitCode.REFUSED)
    if error.get("code") == "invalid_api_key":
        words = f"{words}; set {KEY_VARIABLE}, or name a file with --key-file"
    if error.get("code") in _LATER:
        return Failure(words, ExitCode.NOT_READY)
    return Failure(words, ExitCode.REFUSED if answer.is_client_error else ExitCode.FAILED)


def error_text(error: Mapping[str, Any], request_id: str) -> str:
    """Message, code and request id of an error of either dialect."""
    about = ", ".join(part for part in (str(error.get("code") or ""), error.get("request_id") or request_id) if part)
    return f"{error.get('message', 'no message')}{_in_brackets(about)}"


def _in_brackets(words: str) -> str:
    return f" [{words}]" if words else ""


def address(host: str, port: int) -> str:
    """The base URL under which this machine reaches a server that listens on ``host``."""
    with contextlib.suppress(ValueError):
        ip = ipaddress.ip_address(host)
        host = ("127.0.0.1" if ip.version == 4 else "::1") if ip.is_unspecified else host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_listening(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    target = httpx.URL(address(host, port))
    try:
        with socket.create_connection((target.host, port), timeout=0.5):
            return True
    except OSError:
        return False
