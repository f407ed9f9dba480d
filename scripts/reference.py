"""Writes docs/reference from the code: configuration, command line, errors, metrics.

``python scripts/reference.py`` writes; with ``--check`` it changes nothing and exits 1 when a file differs.
``--folder`` names another folder than docs/reference.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from podium.api.errors import NATIVE, OPENAI
from podium.cli.exit_codes import MEANINGS
from podium.cli.main import app
from podium.config.describe import Row, rows
from podium.config.settings import Settings
from podium.core import errors
from podium.telemetry.metric import Metric
from podium.telemetry.table import METRICS

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
_HELP_COLUMNS = 100
_DESCRIBED = "gateway.environments{}.models[]."  # the same as at the top
_GENERATED = "<!-- Written by `make docs` from the code; edit the code. -->"


def configuration() -> str:
    """Every setting: path, type, default, bounds, environment variable, meaning."""
    lines = [
        _GENERATED,
        "# Configuration",
        "",
        "One file, `podium.yaml`, in the working directory or named by `--config`. Order of precedence: flag,",
        "environment, file, default. In the environment lists and mappings are YAML, as in",
        "`PODIUM__MODELS='[{name: a, source: ./a}]'`. An unknown key or a value that does not fit stops the program;",
        "`podium config show` prints every value and where it came from.",
    ]
    for section, found in _sections([row for row in rows(Settings) if not row.path.startswith(_DESCRIBED)]).items():
        lines += ["", f"## {section}", "", "| setting | type | default | meaning |", "|---|---|---|---|"]
        lines += [_configuration_row(row) for row in found]
    return "\n".join(lines) + "\n"


def _sections(found: list[Row]) -> dict[str, list[Row]]:
    sections: dict[str, list[Row]] = {}
    for row in found:
        parent, _, _ = row.path.rpartition(".")
        title = (
            parent.replace("[]", "[…]").replace("{}", "{…}").replace("<", " of kind `").replace(">", "`") or "models"
        )
        sections.setdefault(title, []).append(row)
    return sections


def _configuration_row(row: Row) -> str:
    default = "required" if row.default is None else f"`{row.default}`"
    kind = ", ".join(part for part in (row.type, row.bounds) if part)
    name = row.path.rpartition(".")[2]
    variable = f"<br>`{row.environment}`" if row.environment else ""
    return f"| `{name}`{variable} | {_escaped(kind)} | {default} | {_escaped(row.description)} |"


def command_line() -> str:
    """Every command with its help, and the exit statuses."""
    lines = [_GENERATED, "# Command line", "", "## Exit statuses", "", "| status | meaning |", "|---|---|"]
    lines += [f"| {int(code)} | {meaning} |" for code, meaning in MEANINGS.items()]
    for path, text in _helps(typer.main.get_command(app), "podium", None):
        lines += ["", f"## {path}", "", "```text", text, "```"]
    return "\n".join(lines) + "\n"


def _helps(command: Any, path: str, parent: Any) -> Iterator[tuple[str, str]]:
    """Help of a command and of everything below it."""
    name = path if parent is None else command.name
    look = {"terminal_width": _HELP_COLUMNS, "help_option_names": ["-h", "--help"]}
    context = command.context_class(command, info_name=name, parent=parent, **look)
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield path, text
    for name, below in getattr(command, "commands", {}).items():
        yield from _helps(below, f"{path} {name}", context)


def error_codes() -> str:
    """The error tree, and each code with its statuses and meaning."""
    tree = (errors.__doc__ or "").split("::\n", 1)[1].split("\n\nA message", 1)[0].strip("\n")
    lines = [
        _GENERATED,
        "# Errors",
        "",
        "Every error has a stable `code`. Answers carry it with a message, the member at fault (`param`) and the",
        "request id; a stream that fails after its first byte ends with it as its last event. A retryable error may",
        "succeed when the same request is sent again; `Retry-After` says when, where the server knows.",
        "",
        "```text",
        *(line.removeprefix("    ") for line in tree.splitlines()),
        "```",
        "",
        "| code | retryable | status (OpenAI routes) | `type` there | status (native routes) | meaning |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_error_row(code, kind) for code, kind in sorted(errors.all_errors().items())]
    return "\n".join(lines) + "\n"


def _error_row(code: str, kind: type[errors.PodiumError]) -> str:
    openai, native = OPENAI[code], NATIVE[code]
    meaning = " ".join((kind.__doc__ or "").split()).replace("``", "`")
    status = getattr(native, "status", native)
    retryable = "yes" if kind.retryable else "no"
    return f"| `{code}` | {retryable} | {openai.status} | `{openai.type}` | {status} | {_escaped(meaning)} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def metrics() -> str:
    """Every metric: name, kind, labels, meaning, and when it is shown."""
    lines = [
        _GENERATED,
        "# Metrics",
        "",
        "Servers show theirs at `GET /metrics` of the admin port, the monitor its own at `GET /monitoring/metrics` of",
        "the control port. Label values come from the configuration and from closed sets, never from a caller.",
    ]
    for owner, title in (("server", "Of a server"), ("monitor", "Of the monitor")):
        lines += ["", f"## {title}", "", "| metric | kind | labels | meaning |", "|---|---|---|---|"]
        lines += [_metric_row(metric) for metric in METRICS if metric.owner == owner]
    lines += [
        "",
        "## Names of others",
        "",
        "With `telemetry.vllm_names` the page has these twice, the second time under vLLM's name, with the label",
        "`model_name`. A collector (`telemetry.otlp_endpoint`) gets all metrics of a server, and these under the name",
        "of OpenTelemetry's conventions too.",
        "",
        "| metric | vLLM | OpenTelemetry |",
        "|---|---|---|",
        *(f"| `{metric.name}` | `{metric.vllm}` | {_code(metric.otel)} |" for metric in METRICS if metric.vllm),
    ]
    lines += ["", "## Buckets", ""]
    lines += [
        f"- `{metric.name}`: {', '.join(f'{bound:g}' for bound in metric.buckets)}"
        for metric in METRICS
        if metric.buckets
    ]
    return "\n".join(lines) + "\n"


def _code(name: str) -> str:
    return f"`{name}`" if name else ""


def _metric_row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    shown = f" Only {metric.shown}." if metric.shown else ""
    return f"| `{metric.name}` | {metric.kind} | {labels} | {_escaped(metric.help + shown)} |"


PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": configuration,
    "cli.md": command_line,
    "errors.md": error_codes,
    "metrics.md": metrics,
}


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    stale = [name for name, page in PAGES.items() if _differs(arguments.folder / name, page())]
    if arguments.check:
        for name in stale:
            print(f"docs/reference/{name} is not what the code says; run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (arguments.folder / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote {name}")
    return 0


def _differs(path: Path, wanted: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != wanted


if __name__ == "__main__":
    sys.exit(main())
