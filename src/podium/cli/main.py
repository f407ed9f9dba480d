"""The command tree, and the one place where an error becomes a line and an exit status."""

from __future__ import annotations

import sys
import traceback

import typer

from podium.cli import (
    cache,
    config,
    deploy,
    doctor,
    gateway,
    keys,
    models,
    monitor,
    output,
    quotas,
    run,
    serve,
    tune,
    up,
    usage,
    version,
)
from podium.cli.bench import app as bench
from podium.cli.demo import app as demo
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.rollout import app as rollout
from podium.cli.top import top
from podium.core.errors import ConfigurationError, PodiumError

_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]  # UsageError; which library owns it depends on typer

app = typer.Typer(
    name="podium",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Run NLP models in production: serve, guard and observe them, from one file and one command.\n\n"
    "\b\nExamples:\n"
    "  podium up                              serve the built-in demo model\n"
    '  podium run "The configuration file"    one answer, then the end\n'
    "  podium serve --model ./my-gpt2         serve a checkpoint\n"
    "  podium doctor                          what this machine can run\n",
)
app.command("up", short_help="Serve here, and say what to do next.")(up.up)
app.command("serve", short_help="Serve models over HTTP.")(serve.serve)
app.command("run", short_help="Print a model's answer to one prompt.")(run.run)
app.add_typer(gateway.app, name="gateway", short_help="Look at the split between environments, and change it.")
app.add_typer(models.app, name="models", short_help="List, load and unload; fetch and convert.")
app.add_typer(keys.app, name="keys", short_help="Create, list, change, rotate and revoke keys.")
app.add_typer(quotas.app, name="quotas", short_help="Show and change limits of tenants and models.")
app.command("usage", short_help="Show who used what.")(usage.usage)
app.add_typer(cache.app, name="cache", short_help="Look into the response cache, empty it, calibrate it.")
app.add_typer(rollout.app, name="rollout", short_help="Let a new version take over with proof, or take it back.")
app.command("top", short_help="Watch a running `podium up` in the terminal.")(top.top)
app.add_typer(monitor.app, name="monitor", short_help="Take the rules to Prometheus, Alertmanager and Grafana.")
app.add_typer(deploy.app, name="deploy", short_help="Render files for Kubernetes, and check them.")
app.add_typer(bench.app, name="bench", short_help="Load a server, and measure it honestly.")
app.add_typer(demo.app, name="demo", short_help="Watch what it does, with nothing to prepare.")
app.command("tune", short_help="Find the best configuration of a model for this machine.")(tune.tune)
app.add_typer(config.app, name="config", short_help="Show and check the configuration.")
app.command("doctor", short_help="Say what this machine can run, and what is missing.")(doctor.doctor)
app.command("version", short_help="Print versions.")(version.version)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status. Prints at most one error, never a traceback for a known one."""
    try:
        status = app(args=arguments, prog_name="podium", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except Failure as error:
        output.failure(error.message)
        return error.code
    except PodiumError as error:
        output.failure(error.message)
        return ExitCode.USAGE if isinstance(error, ConfigurationError) else ExitCode.FAILED
    except _USAGE_ERROR as error:
        return _wrong_usage(error)
    except Exception as error:  # noqa: BLE001 - boundary: whatever a command did not foresee still ends in a line and a status
        traceback.print_exc(file=sys.stderr)
        output.failure(f"{type(error).__name__} was not foreseen; this is a bug, please report the lines above")
        return ExitCode.FAILED
    return status if isinstance(status, int) else ExitCode.OK


def _wrong_usage(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "podium"
    words = error.format_message() if hasattr(error, "format_message") else str(error)
    if not words.strip() or "Usage:" in words:  # a group without a command: its help is the answer
        output.note(words.strip() or context.get_help() if context else words)
        return ExitCode.USAGE
    output.failure(f"{words.strip().rstrip('.')}; see {command} --help")
    return ExitCode.USAGE
