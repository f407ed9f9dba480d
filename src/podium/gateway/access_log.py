"""The access log: a line of JSON for each request that has ended, written by Envoy itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from podium.core.errors import ConfigurationError

EVENT = "gateway request"
"""What its lines call themselves among others of a merged log; a server's line of the same request says ``request``."""
ACCESS_FIELDS = {
    "ts": "%EMIT_TIME%",
    "level": "info",
    "event": EVENT,
    "request_id": "%REQ(X-REQUEST-ID):128%",
    "method": "%REQ(:METHOD):32%",
    "path": "%PATH(NQ:PATH):256%",
    "protocol": "%PROTOCOL%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "user_agent": "%REQ(USER-AGENT):128%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "environment": "%UPSTREAM_METADATA(podium:environment)%",
    "server": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "held_us": "%COMMON_DURATION(DS_RX_BEG:US_TX_BEG:us)%",
    "server_us": "%COMMON_DURATION(US_TX_BEG:US_RX_END:us)%",
    "return_us": "%COMMON_DURATION(US_RX_END:DS_TX_END:us)%",
    "total_us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
}
"""What is written. No body, no query (keys are sent in queries), and of headers an id and a program's name.

``held_us``: until the last attempt was sent on, earlier attempts included; ``server_us``: from there to the last byte
of its answer; ``return_us``: until the client had been sent that byte; ``total_us`` is their sum. Null where a request
did not get there.
"""

_LOGGERS = "type.googleapis.com/envoy.extensions.access_loggers"
_MODE = 0o640  # it names clients


def access_log_of(place: str) -> dict[str, Any]:
    """The member of the connection manager; none when ``place`` is ``off``."""
    if place == "off":
        return {}
    return {"access_log": [_stdout_logger() if place == "stdout" else file_logger(place, ACCESS_FIELDS)]}


def file_logger(path: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """A logger that appends ``fields`` to the file, with O_APPEND."""
    return _logger("file", f"{_LOGGERS}.file.v3.FileAccessLog", fields, path=path)


def require_writable(place: str) -> None:
    """Make the file where ``place`` is one. Raises ``ConfigurationError`` when it cannot be appended to.

    Envoy would refuse its whole listener, and serve nobody.
    """
    if not place.startswith("/"):
        return
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK  # a pipe that nobody reads must not hold the start
    try:
        os.close(os.open(place, flags, _MODE))
    except OSError as error:
        raise ConfigurationError(
            f"gateway.access_log: {place} cannot be appended to: {error.strerror}; name a file in a folder that exists "
            "and may be written, or use stdout"
        ) from error


def _stdout_logger() -> dict[str, Any]:
    return _logger("stdout", f"{_LOGGERS}.stream.v3.StdoutAccessLog", ACCESS_FIELDS)


def _logger(kind: str, type_url: str, fields: Mapping[str, str], **given: str) -> dict[str, Any]:
    log_format = {"json_format": dict(fields)}
    return {
        "name": f"envoy.access_loggers.{kind}",
        "typed_config": {"@type": type_url, **given, "log_format": log_format},
    }
