"""The files of the secret that Redis and the servers share. Made once, outside of what is rendered and committed."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from podium.core.errors import ConfigurationError
from podium.deploy import places

_BYTES = 32
_OWNER_ONLY = 0o600


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
    password = secrets.token_urlsafe(_BYTES)
    texts = {places.REDIS_PASSWORD: password, places.REDIS_USERS: redis_users(password, prefix)}
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in texts.items():
        path = folder / name
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        except FileExistsError:
            raise ConfigurationError(
                f"{path} is there already; remove it first if you want another password."
            ) from None
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        written.append(path)
    return written
