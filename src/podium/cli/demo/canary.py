"""``podium demo canary``: a bad version that leaves by itself, while no client sees a failure."""

from __future__ import annotations

from typing import Annotated

import typer

from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import JsonOption
from podium.demo.fault_proxy import Fault


def canary(
    *,
    fault: Annotated[
        Fault,
        typer.Option(
            "--fault",
            help="errors: 500s. slow: late. reset: broken connections. hang: silence. none: a good version.",
        ),
    ] = "errors",
    rate: Annotated[
        float, typer.Option("--rate", help="Part of the new version's requests that fail, in per cent.")
    ] = 20.0,
    rps: Annotated[float, typer.Option("--rps", help="Requests that the client sends a second.")] = 20.0,
    as_json: JsonOption = False,
) -> int:
    """Start gateway, controller and two versions here, send requests, break the new one, and watch it be taken back.

    Everything is real: Envoy, the servers (with an engine that repeats its prompt), the sockets that break, the client
    that counts. It takes less than two minutes, leaves nothing behind, and ends at once with Ctrl-C. Intervals are
    shorter and the allowed increase is larger than one would have in production.

    \b
    Exit status: 0 when the fault was answered by a rollback, or with --fault none by a promotion; else 1.
    With --json progress is on standard error, and the last line of standard output is the result.

    \b
    Examples:
      podium demo canary
      podium demo canary --fault hang --rate 50
      podium demo canary --fault none --json
    """
    _check(rate, rps)
    from podium.cli.demo.canary_result import show  # noqa: PLC0415 - keeps `podium --help` fast

    return show(fault, rate / 100, rps, as_json=as_json)


def _check(rate: float, rps: float) -> None:
    if not 0 < rate <= 100:
        raise Failure(f"--rate {rate:g}; needed: above 0, at most 100 (per cent)", ExitCode.USAGE)
    if not 1 <= rps <= 200:
        raise Failure(f"--rps {rps:g}; needed: 1 to 200", ExitCode.USAGE)
