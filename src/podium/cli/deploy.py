"""``podium deploy``: files that run the same configuration elsewhere, and a check of such files."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer

from podium.cli import output
from podium.cli.compose import compose
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import ConfigOption, JsonOption, SetOption, settings_from
from podium.deploy.cost import Cost, cost_of
from podium.deploy.environments import Profile
from podium.deploy.lint.checking import check as lint
from podium.deploy.lint.finding import Finding
from podium.deploy.lint.graph import Graph
from podium.deploy.lint.reading import read_sets
from podium.deploy.lint.rules.stack import RULES as STACK_RULES
from podium.deploy.lint.rules.table import RULES
from podium.deploy.lint.sarif import sarif as as_sarif
from podium.deploy.lint.stack import read_stack
from podium.deploy.losses import LOSSES, Loss, Way, losses_of_split
from podium.deploy.plan import plan_of
from podium.deploy.prices import read_prices
from podium.deploy.progressive import render_progressive
from podium.deploy.render import Files, render, write
from podium.deploy.secrets import write_redis_secret, write_stack_secrets
from podium.deploy.throughput import tokens_per_second_in

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Render files for Kubernetes, Docker and Swarms, check them, and say what they cost.\n\n"
    "\b\nExamples:\n"
    "  podium deploy kubernetes --out k8s --profile cpu\n"
    "  podium deploy compose --out stack\n"
    "  podium deploy check k8s\n"
    "  podium deploy cost --prices prices.yaml --profile cpu\n",
)


AcceptOption = Annotated[
    list[str] | None,
    typer.Option("--accept-loss", help="A loss of safety that is known and accepted; once for each.", metavar="NAME"),
]
ProfileOption = Annotated[Profile, typer.Option("--profile", help="What the pods compute on.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for the files; made if it is not there.", metavar="DIR")]


@app.command(short_help="Render manifests.")
def kubernetes(
    *,
    out: OutOption,
    profile: ProfileOption,
    accept_loss: AcceptOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render plain manifests and Kustomize overlays (dev, production); exit status 2 when they could not work.

    Everything is computed from the settings, those of the group `deploy` and all others. What was rendered
    into DIR before is replaced; a folder with other YAML is refused. Where a route splits traffic between several
    environments, what is lost against Podium's own gateways is told, and losses of safety must be accepted by name.

    \b
    Examples:
      podium deploy kubernetes --out k8s --profile cpu
      podium deploy kubernetes --out k8s --profile gpu --config podium.yaml --set deploy.accelerators.available=4
      podium deploy kubernetes --out k8s --profile cpu --accept-loss shield --accept-loss confirmed-weights \\
        --accept-loss verdict
      kubectl apply -k k8s/overlays/production
    """
    settings = settings_from(config, assignments).settings
    losses = losses_of_split(settings, accept_loss or ())
    _write(render(settings, profile), out, losses, as_json=as_json)


app.command("compose", short_help="Render a compose file, for one host or a Swarm.")(compose)


@app.command(short_help="Render for Argo Rollouts.")
def argo(
    *,
    out: OutOption,
    profile: ProfileOption,
    accept_loss: AcceptOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render a Rollout whose steps wait for Podium's verdict; exit status 2 when a loss of safety was not accepted.

    What is lost against Podium's own gateways is told first. Argo Rollouts needs its Gateway API plugin.

    \b
    Examples:
      podium deploy argo --out k8s --profile cpu
      podium deploy argo --out k8s --profile cpu --accept-loss shield --accept-loss confirmed-weights \\
        --accept-loss attempts --accept-loss false-alarm-bound --accept-loss bake
    """
    _progressive("argo", out, profile, accept_loss, config=config, assignments=assignments, as_json=as_json)


@app.command(short_help="Render for Flagger.")
def flagger(
    *,
    out: OutOption,
    profile: ProfileOption,
    accept_loss: AcceptOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render a Canary that asks for Podium's verdict before each move; exit status 2 as for `argo`.

    \b
    Examples:
      podium deploy flagger --out k8s --profile cpu
      podium deploy flagger --out k8s --profile gpu --accept-loss shield --accept-loss confirmed-weights \\
        --accept-loss attempts --accept-loss false-alarm-bound --accept-loss bake
    """
    _progressive("flagger", out, profile, accept_loss, config=config, assignments=assignments, as_json=as_json)


def _progressive(
    way: Way,
    out: Path,
    profile: Profile,
    accepted: list[str] | None,
    *,
    config: Path | None,
    assignments: list[str] | None,
    as_json: bool,
) -> None:
    files = render_progressive(settings_from(config, assignments).settings, profile, way, accepted or ())
    _write(files, out, LOSSES[way], as_json=as_json)


def _write(files: Files, out: Path, losses: tuple[Loss, ...], *, as_json: bool) -> None:
    write(files, out)
    if as_json:
        told = [{"name": loss.name, "safety": loss.is_safety, "sentence": loss.sentence} for loss in losses]
        output.document({"folder": str(out), "files": list(files), "losses": told})
        return
    for loss in losses:
        output.warning(f"lost: {loss.name}: {loss.sentence}")
    for name in files:
        output.line(str(out / name))


@app.command(short_help="What the pods cost.")
def cost(
    *,
    prices: Annotated[Path, typer.Option("--prices", help="YAML table of prices of an hour.", metavar="FILE")],
    profile: ProfileOption,
    report: Annotated[
        Path | None, typer.Option("--report", help="Result of `podium bench run`: its folder, or result.json.")
    ] = None,
    measured_pods: Annotated[int, typer.Option("--measured-pods", min=1, help="Server pods that it measured.")] = 1,
    tokens_per_second: Annotated[
        float | None, typer.Option("--tokens-per-second", min=0.001, help="Output tokens of one pod, instead.")
    ] = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show pods, cores, memory and accelerators in production, and what they cost an hour and a million tokens.

    The table of prices is yours: `currency`, `cpu_core_hour`, `memory_gib_hour`, and, where they cost something,
    `disk_gib_hour` and `accelerator_hour` (by resource). A million tokens is told for pods that are as busy as they
    were in the measurement; idle pods cost the same and give none.

    \b
    Examples:
      podium deploy cost --prices prices.yaml --profile cpu
      podium deploy cost --prices prices.yaml --profile gpu --report results/peak --measured-pods 2
      podium deploy cost --prices prices.yaml --profile cpu --tokens-per-second 480 --json
    """
    if report is not None and tokens_per_second is not None:
        raise Failure("--report and --tokens-per-second both say how fast; give one of them", ExitCode.USAGE)
    if report is not None:
        tokens_per_second = tokens_per_second_in(report) / measured_pods
    found = cost_of(
        plan_of(settings_from(config, assignments).settings, profile), read_prices(prices), tokens_per_second
    )
    if as_json:
        output.document(found)
        return
    _show_cost(found)


def _show_cost(found: Cost) -> None:
    rows = [
        (
            line.name,
            _range(line.pods_least, line.pods_most),
            f"{line.cpu_cores:g}",
            f"{line.memory_gib:g}",
            f"{line.disk_gib:g}",
            ", ".join(f"{amount:g} {name}" for name, amount in line.accelerators.items()),
            f"{line.hour:.4f}",
        )
        for line in found.lines
    ]
    output.table(("what", "pods", "cores", "GiB", "disk GiB", "accelerators", f"{found.currency} an hour, each"), rows)
    output.line("")
    output.line(f"{found.currency} an hour: {_range(f'{found.hour_least:.4f}', f'{found.hour_most:.4f}')}")
    if found.million_tokens_least_pods is not None:
        least, most = f"{found.million_tokens_least_pods:.4f}", f"{found.million_tokens_most_pods:.4f}"
        output.line(f"{found.currency} a million output tokens, all pods busy: {_range(least, most)}")


def _range(least: object, most: object) -> str:
    return str(least) if least == most else f"{least} to {most}"


@app.command(short_help="Make passwords and keys.")
def secrets(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder for the files; keep it out of git.", metavar="DIR")],
    target: Annotated[
        Literal["kubernetes", "compose"], typer.Option("--for", help="What was rendered, and so which files it needs.")
    ] = "kubernetes",
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a password for the deployed Redis, and its file of users; nothing that is there is replaced.

    For a compose file also the keys by which its parts know each other, and Grafana's password.

    \b
    Examples:
      podium deploy secrets --out secrets
      kubectl -n podium create secret generic podium-redis --from-file=secrets
      podium deploy secrets --for compose --out stack/secrets
    """
    make = write_stack_secrets if target == "compose" else write_redis_secret
    written = make(out, settings_from(config, assignments).settings.redis.prefix)
    if as_json:
        output.document({"files": [str(path) for path in written]})
        return
    for path in written:
        output.line(str(path))


FolderArgument = Annotated[
    Path, typer.Argument(help="Folder with manifests or with a compose file, or one such file.", metavar="PATH")
]


@app.command(short_help="Check manifests, ours or yours.")
def check(
    folder: FolderArgument,
    *,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print the findings as SARIF 2.1.0.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check manifests for what only shows when objects are looked at together; exit status 1 when something is found.

    Reads plain YAML, or Kustomize folders as `podium deploy kubernetes` writes them: then every overlay is
    checked as one set. Talks to no cluster. A folder with a compose file is checked by rules of its own.

    \b
    Examples:
      podium deploy check k8s
      podium deploy check k8s --json
      podium deploy check k8s --sarif
      kubectl kustomize mine > all.yaml && podium deploy check all.yaml
      podium deploy check stack
    """
    stack = read_stack(folder)
    sets, rules = (read_sets(folder), RULES) if stack is None else ({".": stack}, STACK_RULES)
    findings = lint(sets, rules)
    if sarif:
        output.document(as_sarif(findings, version("podium"), rules, folder if folder.is_dir() else folder.parent))
    elif as_json:
        output.document({"sets": list(sets), "rules": len(rules), "findings": findings})
    else:
        _show(sets, findings, len(rules))
    if findings:
        raise typer.Exit(ExitCode.FAILED)


def _show(sets: Mapping[str, Graph], findings: list[Finding], rules: int) -> None:
    if findings:
        rows = [(each.severity, each.rule, each.set, f"{each.object} {each.path}", each.message) for each in findings]
        output.table(("severity", "rule", "set", "where", "what"), rows)
        output.line("")
        for rule, why, fix in dict.fromkeys((each.rule, each.why, each.fix) for each in findings):
            output.line(f"{rule}: {why} {fix}")
        output.line("")
    objects = sum(len(graph.items) for graph in sets.values())
    output.line(f"findings: {len(findings)}; sets: {len(sets)}; objects: {objects}; rules: {rules}")
