"""A folder of rendered files: what was rendered before is replaced, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from podium.core.errors import ConfigurationError


def refuse_foreign(paths: Iterable[Path], mark: str) -> None:
    """Raise ``ConfigurationError`` for the first that does not begin with ``mark``, and so was not rendered."""
    for path in paths:
        if not _begins_with(path, mark.encode()):
            raise ConfigurationError(f"{path} was not written by this command; name an empty folder with --out.")


def replace(old: Iterable[Path], files: Mapping[str, str], folder: Path) -> None:
    """Remove ``old``, and write ``files`` below ``folder``. Raises ``ConfigurationError`` where that is impossible."""
    try:
        for path in old:
            path.unlink()
        for name, text in files.items():
            path = folder / PurePosixPath(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or folder} cannot be written: {error.strerror}; name another folder with --out."
        ) from error


def _begins_with(path: Path, mark: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError:  # a folder of such a name, or one that may not be read: not ours either
        return False
