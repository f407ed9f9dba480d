"""Where the Redis server is and who asks."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from podium.config.redis import Redis as RedisSettings
from podium.core.errors import ConfigurationError
from podium.store.command import Argument

PORT = 6379
PROTOCOL = 3


@dataclass(frozen=True, slots=True)
class Address:
    """A server, over TCP (``host``, ``port``, perhaps ``tls``) or a socket file (``path``), and a user of it."""

    host: str
    port: int
    path: str
    database: int
    tls: ssl.SSLContext | None = field(repr=False)
    username: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, settings: RedisSettings) -> Address:
        """What the settings say. Reads the files they name; raises ``ConfigurationError`` when anything is wrong."""
        parts = urlsplit(settings.url)
        is_path = parts.scheme == "unix"
        return cls(
            host=parts.hostname or "localhost",
            port=_port(parts),
            path=unquote(parts.path) if is_path else "",
            database=0 if is_path else _database(parts.path),
            tls=_tls(settings.ca_file) if parts.scheme == "rediss" else None,
            username=settings.username or unquote(parts.username or ""),
            password=_password(settings.password_file) or unquote(parts.password or ""),
        )

    def greeting(self) -> list[tuple[Argument, ...]]:
        """The commands that begin a connection."""
        who = ("AUTH", self.username or "default", self.password) if self.password else ()
        greeting: list[tuple[Argument, ...]] = [("HELLO", PROTOCOL, *who, "SETNAME", "podium")]
        if self.database:
            greeting.append(("SELECT", self.database))
        return greeting


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or PORT
    except ValueError as error:
        raise _wrong_url() from error


def _database(path: str) -> int:
    number = path.strip("/") or "0"
    if not (number.isascii() and number.isdigit()):
        raise _wrong_url()
    return int(number)


def _wrong_url() -> ConfigurationError:
    return ConfigurationError("redis.url has a port or a database that is no number; write redis://host:6379/0.")


def _tls(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError("redis.ca_file cannot be read, or holds no certificates in PEM form.") from error


def _password(path: str | None) -> str:
    if path is None:
        return ""
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("redis.password_file cannot be read; check the path and its permissions.") from error
