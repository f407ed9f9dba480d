"""A program: one sequence runs, a constraint that cannot compile is submitted beside it, JSON says what came of both.

Usage: ``python -m support.refused_constraint ENGINE CHECKPOINTS KIND SOURCE``. In a process of its own, because
an engine library that meets such a constraint in the middle of a step may take the process with it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from podium.core.errors import InvalidRequest
from podium.core.generation import Constraint
from podium.engine.adapters.table import load_adapter
from support.engine_driver import Answer, run, sequence
from support.engine_subjects import EOS, LOADERS, PRINCIPAL_SHAPE, Checkpoints

PROMPT = (17, 42, 99, 256, 300, 11)


def main() -> None:
    """Print ``{"error_code", "error_tokens", "neighbour_is_unharmed"}`` as the last line."""
    name, folder, kind, source = sys.argv[1:]
    checkpoints = Checkpoints(Path(folder))
    engine = LOADERS[name](checkpoints, PRINCIPAL_SHAPE)
    loaded = checkpoints.openvino(PRINCIPAL_SHAPE) if name == "openvino" else checkpoints.torch(PRINCIPAL_SHAPE)
    check = load_adapter(name).constraint_check(loaded)
    expected = run(engine, sequence(PROMPT))[0]
    constraint = Constraint(kind=kind, source=source)  # type: ignore[arg-type]
    bystander, bad = sequence(PROMPT), sequence(PROMPT, stop_token_ids=[EOS], constraint=constraint)
    answers = {bystander.id: Answer(), bad.id: Answer()}
    engine.submit(bystander)
    try:
        check(constraint)  # as the worker does, on a thread of its own
        engine.submit(bad)
    except InvalidRequest as error:
        answers[bad.id].error = (error.code, error.message)
    while engine.has_unfinished():
        for output in engine.step():
            answers[output.sequence_id].add(output)
    engine.close()
    refusal = answers[bad.id].error
    report = {
        "error_code": refusal and refusal[0],
        "error_tokens": answers[bad.id].token_ids,
        "neighbour_is_unharmed": answers[bystander.id].token_ids == expected.token_ids,
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type]
    main()
