"""Constrained output on openvino, and grammars that would stop the engine if it ever saw them."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest
import uvloop

from podium.config.engine import OpenVINOEngine
from podium.core.errors import InvalidRequest
from podium.core.generation import Constraint, SamplingParams, TextPrompt
from podium.engine.handle import EngineHandle
from podium.engine.messages import Load
from podium.engine.process import WorkerCommand
from podium.models.source import DEMO_FOLDER
from support.engines import text_of

SCHEMA = {"enum": ["low", "high", 7]}
HOSTILE = {
    "an unclosed group": ("regex", "(", "cannot be compiled"),
    "no JSON": ("json_schema", "{nope", "cannot be compiled"),
    "nested repeats": ("regex", "((a{1,300}){1,300}){1,300}", "longer than 1 s"),
}


async def demo() -> EngineHandle:
    load = Load(model_dir=str(DEMO_FOLDER), engine=OpenVINOEngine().model_dump())
    command = WorkerCommand(name="demo", environment=dict(os.environ))
    handle = EngineHandle(command, load, stall_seconds=20.0, load_seconds=60.0, report=lambda _stage, _ratio: None)
    await handle.start()
    return handle


async def generate(handle: EngineHandle, kind: Any, source: str) -> str:
    sampling = SamplingParams(temperature=0.0, max_tokens=64, constraint=Constraint(kind, source))
    return await text_of(handle.submit(TextPrompt("The"), sampling, default_max_tokens=0))


def test_output_matches_the_regex_and_the_schema_that_were_asked_for() -> None:
    async def main() -> None:
        handle = await demo()
        try:
            assert re.fullmatch("[a-z]{3,5}", await generate(handle, "regex", "[a-z]{3,5}"))
            assert json.loads(await generate(handle, "json_schema", json.dumps(SCHEMA))) in SCHEMA["enum"]
        finally:
            await handle.close()

    uvloop.run(main())


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_grammar_is_refused_and_no_other_request_notices(case: str) -> None:
    kind, source, reason = HOSTILE[case]

    async def main() -> None:
        handle = await demo()
        try:
            sampling = SamplingParams(temperature=0.0, max_tokens=300, ignore_eos=True)
            neighbour = handle.submit(TextPrompt("The server"), sampling, default_max_tokens=0)
            with pytest.raises(InvalidRequest, match=reason):
                await generate(handle, kind, source)
            with pytest.raises(InvalidRequest, match=reason):  # remembered: no second compilation
                await generate(handle, kind, source)
            assert len(await text_of(neighbour)) > 300
            assert handle.counters.restarts == 0
            assert await generate(handle, "regex", "(yes|no)") in {"yes", "no"}
        finally:
            await handle.close()

    uvloop.run(main())
