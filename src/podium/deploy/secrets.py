"""The files of the secret that Redis and the servers share. Made once, outside of what is rendered and committed."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from podium.access import api_keys
from podium.core.errors import ConfigurationError
from podium.deploy import places

STACK_SECRETS: Mapping[str, str] = {
    "redis-password": places.REDIS_PASSWORD,
    "redis-users": places.REDIS_USERS,
    "metrics-key": "metrics-key",
    "shadow-key": "shadow-key",
    "deploy-key": "deploy-key",
    "grafana-password": "grafana-password",
}
"""Secrets of a compose file, and the file of each."""
_KEYS = ("metrics-key", "shadow-key", "deploy-key")
_BYTES = 32
_OWNER_ONLY = 0o600
_FOLDER_OF_THE_OWNER = 0o700
_READ_BY_ALL = 0o444


def redis_users(password: str, prefix: str) -> str:
    """Redis' ACL file: nobody but one user, for keys below ``prefix``, without scripts and dangerous commands.

    It may call and load functions, because servers load the library of the shared ledger by themselves.
    """
    digest = hashlib.sha256(password.encode()).hexdigest()
    rights = "-@all +@read +@write +@connection +@transaction -@dangerous -@scripting +fcall +function|load"
    return f"user default off\nuser {places.APPLICATION} on #{digest} ~{prefix}:* resetchannels {rights}\n"


def write_redis_secret(folder: Path, prefix: str) -> list[Path]:
    """Write a new password and the users' file into ``folder``, readable by the owner alone; returns the paths.

    Raises ``ConfigurationError`` when one of them is there: replacing it would lock running servers out.
    """
    return _write(folder, _redis(prefix), _OWNER_ONLY)


def write_stack_secrets(folder: Path, prefix: str) -> list[Path]:
    """Write every secret of a compose file into ``folder``; returns the paths. Raises as ``write_redis_secret``.

    Only the owner may enter the folder, and its files can be read by all: docker mounts single files as they are, into
    containers of several users, which are not known on the host.
    """
    made = {STACK_SECRETS[name]: api_keys.mint().text for name in _KEYS}
    made[STACK_SECRETS["grafana-password"]] = secrets.token_urlsafe(_BYTES)
    return _write(folder, {**_redis(prefix), **made}, _READ_BY_ALL, folder_mode=_FOLDER_OF_THE_OWNER)


def _redis(prefix: str) -> dict[str, str]:
    password = secrets.token_urlsafe(_BYTES)
    return {places.REDIS_PASSWORD: password, places.REDIS_USERS: redis_users(password, prefix)}


def _write(folder: Path, texts: Mapping[str, str], mode: int, *, folder_mode: int | None = None) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = [folder / name for name in texts if (folder / name).exists()]
        if there:
            raise ConfigurationError(f"{there[0]} is there already; remove it first if you want another one.")
        if folder_mode is not None:
            folder.chmod(folder_mode)
        _create(folder, texts, mode)
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or folder} cannot be written: {error.strerror}; name another folder with --out."
        ) from error
    return [folder / name for name in texts]


def _create(folder: Path, texts: Mapping[str, str], mode: int) -> None:
    for name, text in texts.items():
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(descriptor, mode)
