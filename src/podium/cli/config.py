"""``podium config``: what is set, and from where."""

from __future__ import annotations

import typer

from podium.cli import output
from podium.cli.options import ConfigOption, JsonOption, SetOption, settings_from
from podium.config.describe import leaves, masked, value_text
from podium.config.origin import path_text
from podium.config.sources import LoadedSettings

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show and check the configuration.\n\n\b\nExamples:\n  podium config show\n  podium config check",
)


@app.command(short_help="Print every setting and where it came from.")
def show(*, config: ConfigOption = None, assignments: SetOption = None, as_json: JsonOption = False) -> None:
    """Print every setting with its value and where the value came from; secrets are masked.

    \b
    Examples:
      podium config show
      podium config show --config ./podium.yaml --json
      PODIUM__SERVER__PORT=9000 podium config show
    """
    loaded = settings_from(config, assignments)
    entries = _entries(loaded)
    if as_json:
        output.document({"file": str(loaded.file) if loaded.file else None, "settings": entries})
        return
    rows = [(entry["path"], value_text(entry["value"]), entry["origin"]) for entry in entries]
    output.table(("setting", "value", "origin"), rows)


@app.command(short_help="Check without starting anything.")
def check(*, config: ConfigOption = None, assignments: SetOption = None, as_json: JsonOption = False) -> None:
    """Check the configuration without starting anything; exit status 2 and every problem when it is wrong.

    \b
    Examples:
      podium config check
      podium config check --config ./podium.yaml
    """
    loaded = settings_from(config, assignments)
    file = str(loaded.file) if loaded.file else None
    models = list(dict.fromkeys(model.name for model in loaded.settings.all_models))
    if as_json:
        output.document({"valid": True, "file": file, "models": models})
    else:
        output.line(f"valid: {file or 'no file, defaults'}; models: {', '.join(models) or 'none'}")


def _entries(loaded: LoadedSettings) -> list[dict[str, object]]:
    return [
        {"path": path_text(path), "value": masked(path, value), "origin": str(loaded.origin(path, value))}
        for path, value in leaves(loaded.settings)
    ]
