"""Where settings come from: flag, environment, file, default, in this order. Read once, by the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic

from podium.config.describe import ENVIRONMENT_PREFIX, environment_name, leaves, rows
from podium.config.document import read_document
from podium.config.nearest import nearest_path
from podium.config.origin import Origin, Steps
from podium.config.platforms import platform_settings
from podium.config.problems import explain
from podium.config.settings import Settings
from podium.core.errors import ConfigurationError

DEFAULT_FILE = Path("podium.yaml")


@dataclass(frozen=True)
class LoadedSettings:
    """Settings, the origin of everything that is not a default, and the file that was read."""

    settings: Settings
    origins: Mapping[Steps, Origin]
    file: Path | None

    def origin(self, path: Steps, value: Any) -> Origin:
        """Where the value at ``path`` came from.

        A value inside a shorthand (``engine: openvino``) has the shorthand's origin unless it is
        what the variant declares anyway.
        """
        if path in self.origins:
            return self.origins[path]
        for length in range(len(path) - 1, 0, -1):
            if path[:length] in self.origins and path[-1] == "kind" and value != "auto":
                return self.origins[path[:length]]
        return Origin("default")


@dataclass
class _Gathered:
    """Values of all sources so far, with their origins and what was wrong."""

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[Steps, Origin] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def put(self, path: Steps, value: Any, origin: Origin) -> None:
        """Set a value over what earlier sources said; mappings are merged, everything else is replaced."""
        if isinstance(value, Mapping) and value:
            for key, item in value.items():
                self.put((*path, str(key)), item, origin)
            return
        if not path:
            return
        self._forget(path)
        branch = self.tree
        for step in path[:-1]:
            below = branch.get(str(step))
            branch[str(step)] = branch = below if isinstance(below, dict) else {}
        branch[str(path[-1])] = value
        self.origins |= {leaf: origin for leaf, _ in leaves(value, path)}

    def _forget(self, path: Steps) -> None:
        for known in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[known]


def read_environment() -> dict[str, str]:
    """The environment of this process, once: the only place that reads it."""
    return dict(os.environ)


def forget_settings() -> None:
    """Take settings out of this process's environment, so that programs that it starts have those of their files."""
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        del os.environ[name]


def load(
    flags: Mapping[str, object],
    config_file: Path | None,
    environ: Mapping[str, str],
) -> LoadedSettings:
    """Read all sources and check them together.

    ``flags`` maps dotted paths to values, ``environ`` holds ``PODIUM__SECTION__FIELD`` variables (lists
    and mappings as YAML) and those of hosting platforms, ``config_file`` None means ``./podium.yaml`` where there is
    one. Raises ``ConfigurationError`` naming everything that is wrong, not only the first.
    """
    gathered = _Gathered()
    file = _gather_file(gathered, config_file)
    for said in platform_settings(environ, models_named="models" in gathered.tree):
        gathered.put(said.path, said.value, Origin("environment", said.variable))
    for name, text in sorted(environ.items()):
        if name.startswith(ENVIRONMENT_PREFIX):
            _gather_variable(gathered, name, text)
    for path, value in flags.items():
        _gather_flag(gathered, path, value)
    settings = _validated(gathered)
    return LoadedSettings(settings, gathered.origins, file)


def parse_assignment(text: str) -> tuple[str, object]:
    """``path=value`` of ``--set``; the value is YAML unless the setting is a text."""
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise ConfigurationError("--set needs path=value, for example --set server.port=9000")
    return path, _parsed(path, value, f"--set {path}")


def known_paths() -> dict[str, str]:
    """Every path that a flag or a variable can set, with its type in words; groups included."""
    found = {}
    for row in rows(Settings):
        if row.environment is not None:
            found[row.path] = row.type
            parts = row.path.split(".")
            found |= {".".join(parts[:length]): "mapping" for length in range(1, len(parts))}
    return found


def _gather_file(gathered: _Gathered, given: Path | None) -> Path | None:
    path = given or DEFAULT_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if given is None:
            return None
        raise ConfigurationError(f"{path}: no such file; name an existing one with --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read as UTF-8 text; check the file and its permissions") from error
    document = read_document(text, str(path))
    gathered.problems += document.problems
    if document.value is None:
        return path
    if not isinstance(document.value, dict):
        gathered.problems.append(f"{path}:1: a mapping of sections is needed, such as `server: {{port: 8000}}`")
        return path
    gathered.put((), document.value, Origin("file", str(path)))
    for leaf in gathered.origins:
        line = next((document.lines[leaf[:n]] for n in range(len(leaf), 0, -1) if leaf[:n] in document.lines), 1)
        gathered.origins[leaf] = Origin("file", f"{path}:{line}")
    return path


def _gather_variable(gathered: _Gathered, name: str, text: str) -> None:
    path = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
    known = known_paths()
    if name != name.upper() or path not in known:
        meant = nearest_path(path, known)
        hint = f"did you mean {environment_name(meant)}?" if meant else "see `podium config show` for the names"
        gathered.problems.append(f"{name}: names no setting; {hint}")
        return
    try:
        value = _parsed(path, text, name)
    except ConfigurationError as error:
        gathered.problems.append(error.message)
        return
    gathered.put(tuple(path.split(".")), value, Origin("environment", name))


def _gather_flag(gathered: _Gathered, path: str, value: object) -> None:
    known = known_paths()
    if path not in known:
        meant = nearest_path(path, known)
        hint = f"did you mean {meant}?" if meant else "see `podium config show` for the names"
        gathered.problems.append(f"flag {path}: names no setting; {hint}")
        return
    gathered.put(tuple(path.split(".")), value, Origin("flag"))


def _parsed(path: str, text: str, where: str) -> object:
    kind = known_paths().get(path, "")
    if kind.startswith(("text", "`")):
        return None if text == "null" and kind.endswith("or none") else text
    document = read_document(text, where)
    if document.problems:
        raise ConfigurationError("; ".join(document.problems))
    value: object = document.value
    return value


def _validated(gathered: _Gathered) -> Settings:
    try:
        # Through JSON, because only then does pydantic's strict mode take a list for a tuple.
        settings = Settings.model_validate_json(json.dumps(gathered.tree, default=str), strict=True)
    except pydantic.ValidationError as error:
        gathered.problems += explain(error, Settings, gathered.origins)
    if gathered.problems:
        raise ConfigurationError(_summary(gathered.problems))
    return settings


def _summary(problems: list[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    return f"{len(problems)} problems in the configuration:\n" + "\n".join(f"  {problem}" for problem in problems)
