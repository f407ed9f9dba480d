"""``podium bench trace``: the load that a server has seen, to send it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from podium.bench.request_log import trace_of, trace_text
from podium.cli import output
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import JsonOption


def trace(
    log: Annotated[Path, typer.Argument(help="A server's log, JSON lines.", metavar="FILE")],
    *,
    out: Annotated[Path, typer.Option("--out", help="New file for the trace.", metavar="FILE")],
    model: Annotated[str | None, typer.Option("--model", help="Only requests that this model answered.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn a server's request log into a trace without texts, names or ids; replay it with `bench run --trace`.

    \b
    Examples:
      podium bench trace server.log --out trace.jsonl
      podium bench trace server.log --model gpt2 --out gpt2.jsonl
    """
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            found = trace_of(lines, model=model)
        with out.open("x", encoding="utf-8") as file:
            file.write(trace_text(found))
    except FileExistsError as error:
        raise Failure(f"--out {out}: the file is there; name another one", ExitCode.USAGE) from error
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}", ExitCode.USAGE) from error
    seconds = found[-1].timestamp / 1000
    if as_json:
        output.document({"file": str(out), "requests": len(found), "seconds": seconds})
    else:
        output.line(f"{out}: {len(found)} requests over {seconds:.1f} s")
