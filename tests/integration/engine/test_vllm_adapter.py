"""The vLLM adapter in a real worker process, on tiny random checkpoints, against transformers in float32.

The interpreter with vLLM is named by ``PODIUM_TEST_VLLM_PYTHON``.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from podium.core.generation import Constraint
from support.command import environment
from support.deadline import until
from support.ports import free_port
from support.raw_worker import RawWorker

pytestmark = [pytest.mark.vllm, pytest.mark.slow, pytest.mark.timeout(300)]

ENGINE = {"kind": "vllm", "precision": "f32", "eager": True, "kv_cache_bytes": 64 * 1024**2, "max_batch_tokens": 64}
REFERENCE = Path(__file__).with_name("vllm_reference.py")
TOLERANCE = 1e-4
ASCII_PROMPT = list(range(20))  # whole characters, so that the answer's text does not begin within one
PERSON = {
    "type": "object",
    "properties": {"age": {"type": "integer", "minimum": 1, "maximum": 99}, "kind": {"enum": ["a", "b"]}},
    "required": ["age", "kind"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def python() -> str:
    named = os.environ.get("PODIUM_TEST_VLLM_PYTHON")
    if not named:
        pytest.skip("PODIUM_TEST_VLLM_PYTHON names no interpreter with vLLM")
    return named


@pytest.fixture(scope="module")
def checkpoints(python: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("checkpoints")
    made = subprocess.run([python, str(REFERENCE), str(folder)], capture_output=True, text=True, check=True)
    expected: dict[str, Any] = json.loads(made.stdout.splitlines()[-1])
    return folder, expected


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def served(
    request: pytest.FixtureRequest, python: str, checkpoints: tuple[Path, dict[str, Any]]
) -> Iterator[tuple[RawWorker, dict[str, Any]]]:
    folder, expected = checkpoints
    worker = RawWorker(str(folder / request.param), ENGINE, python=python)
    yield worker, expected[request.param]
    worker.end()


@pytest.fixture
def fresh(python: str, checkpoints: tuple[Path, dict[str, Any]]) -> Iterator[RawWorker]:
    worker = RawWorker(str(checkpoints[0] / "llama"), ENGINE, python=python)
    yield worker
    worker.end()


@pytest.fixture
def worker(served: tuple[RawWorker, dict[str, Any]]) -> RawWorker:
    return served[0]


@pytest.fixture
def prompt(served: tuple[RawWorker, dict[str, Any]]) -> list[int]:
    found: list[int] = served[1]["prompts"][1]
    return found


@pytest.fixture
def greedy(served: tuple[RawWorker, dict[str, Any]]) -> list[int]:
    found: list[int] = served[1]["answers"][1]["tokens"]
    return found


def test_greedy_output_of_a_batch_equals_transformers_token_for_token(
    served: tuple[RawWorker, dict[str, Any]],
) -> None:
    worker, expected = served
    ids = [worker.submit(prompt, max_tokens=24, temperature=0.0, ignore_eos=True) for prompt in expected["prompts"]]
    answers = worker.collect(*ids)
    assert [answers[key].tokens for key in ids] == [answer["tokens"] for answer in expected["answers"]]
    assert {answers[key].finish_reason for key in ids} == {"length"}


def test_log_probabilities_of_prompt_and_answer_equal_transformers(
    served: tuple[RawWorker, dict[str, Any]],
) -> None:
    worker, expected = served
    prompt, reference = expected["prompts"][3], expected["answers"][3]  # longer than one chunk of prefill
    answer = worker.generate(prompt, max_tokens=24, temperature=0.0, logprobs=2, echo=True, ignore_eos=True)
    assert answer.tokens == prompt + reference["tokens"]
    assert answer.logprobs[0].logprob is None
    found = [entry.logprob for entry in answer.logprobs[1:]]
    assert found == pytest.approx(reference["logprobs"], abs=TOLERANCE)
    generated = answer.logprobs[len(prompt) :]
    assert all(entry.top[0][0] == entry.token_id and entry.top[0][2] == entry.logprob for entry in generated)
    assert all(len(entry.top) == 2 for entry in answer.logprobs[1:])


def test_log_probabilities_are_of_the_distribution_before_temperature_and_bias(
    worker: RawWorker, prompt: list[int]
) -> None:
    plain = worker.generate(prompt, max_tokens=1, temperature=0.0, logprobs=3, ignore_eos=True).logprobs[0]
    hot = worker.generate(prompt, max_tokens=1, temperature=2.0, seed=1, logprobs=3, ignore_eos=True).logprobs[0]
    biased = worker.generate(prompt, max_tokens=1, temperature=0.0, logprobs=3, logit_bias={7: 100.0}).logprobs[0]
    for other in (hot, biased):
        assert [entry[0] for entry in other.top] == [entry[0] for entry in plain.top]
        assert [entry[2] for entry in other.top] == pytest.approx([entry[2] for entry in plain.top], abs=TOLERANCE)
    assert biased.token_id == 7


def test_logprobs_zero_gives_the_chosen_token_alone(worker: RawWorker, prompt: list[int]) -> None:
    answer = worker.generate(prompt, max_tokens=2, temperature=0.0, logprobs=0, ignore_eos=True)
    assert [(entry.token_id, entry.top) for entry in answer.logprobs] == [(token, ()) for token in answer.tokens]


def test_no_output_tokens_scores_the_prompt(worker: RawWorker, prompt: list[int]) -> None:
    answer = worker.generate(prompt, max_tokens=0, temperature=0.0, logprobs=1, echo=True)
    assert answer.tokens == prompt
    assert len(answer.logprobs) == len(prompt)
    assert answer.finish_reason == "length"
    assert sum(chunk.token_count for chunk in answer.chunks) == 0


def test_a_seeded_answer_does_not_depend_on_the_batch(
    served: tuple[RawWorker, dict[str, Any]], prompt: list[int]
) -> None:
    worker, expected = served
    alone = worker.generate(prompt, max_tokens=24, seed=7, ignore_eos=True).tokens
    others = [
        worker.submit(other, max_tokens=24, seed=n, ignore_eos=True) for n, other in enumerate(expected["prompts"])
    ]
    among = worker.submit(prompt, max_tokens=24, seed=7, ignore_eos=True)
    assert worker.collect(*others, among)[among].tokens == alone
    assert worker.generate(prompt, max_tokens=24, seed=8, ignore_eos=True).tokens != alone


def test_a_stop_token_ends_the_answer_and_is_its_last_token(
    worker: RawWorker, prompt: list[int], greedy: list[int]
) -> None:
    answer = worker.generate(prompt, max_tokens=24, temperature=0.0, stop_token_ids=(greedy[3],))
    assert answer.tokens == greedy[: greedy.index(greedy[3]) + 1]
    assert (answer.finish_reason, answer.chunks[-1].stop_reason) == ("stop", greedy[3])


def test_min_tokens_holds_before_a_stop_token(worker: RawWorker, prompt: list[int], greedy: list[int]) -> None:
    answer = worker.generate(prompt, max_tokens=24, temperature=0.0, stop_token_ids=(greedy[0],), min_tokens=10)
    assert len(answer.tokens) >= 10
    assert greedy[0] not in answer.tokens[:10]


@pytest.mark.parametrize(
    "penalty", [{"presence_penalty": 2.0}, {"frequency_penalty": 2.0}, {"repetition_penalty": 3.0}]
)
def test_penalties_lead_to_more_different_tokens(
    worker: RawWorker, prompt: list[int], penalty: dict[str, float]
) -> None:
    plain = worker.generate(prompt, max_tokens=100, temperature=0.0, ignore_eos=True).tokens
    penalised = worker.generate(prompt, max_tokens=100, temperature=0.0, ignore_eos=True, **penalty).tokens
    assert len(set(penalised)) > len(set(plain))


@pytest.mark.parametrize("cut", [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}])
def test_each_cut_at_its_narrowest_is_greedy(
    worker: RawWorker, prompt: list[int], greedy: list[int], cut: dict[str, float]
) -> None:
    assert worker.generate(prompt, max_tokens=24, seed=1, ignore_eos=True, **cut).tokens == greedy


def test_a_regex_constraint_is_obeyed(worker: RawWorker) -> None:
    constraint = Constraint(kind="regex", source="[a-c]{3,6}x")
    answer = worker.generate(ASCII_PROMPT, max_tokens=30, seed=1, constraint=constraint)
    assert re.fullmatch(constraint.source, answer.text)
    assert answer.finish_reason == "stop"


def test_a_json_schema_constraint_is_obeyed(worker: RawWorker) -> None:
    constraint = Constraint(kind="json_schema", source=json.dumps(PERSON))
    answer = worker.generate(ASCII_PROMPT, max_tokens=80, seed=1, constraint=constraint)
    jsonschema.validate(json.loads(answer.text), PERSON)
    assert answer.finish_reason == "stop"


@pytest.mark.parametrize(
    "constraint",
    [Constraint("regex", "(unclosed"), Constraint("json_schema", '{"type": 3}'), Constraint("json_schema", "no")],
)
def test_a_constraint_that_cannot_be_compiled_is_refused(
    worker: RawWorker, prompt: list[int], constraint: Constraint
) -> None:
    refused = worker.generate(prompt, max_tokens=8, constraint=constraint).refused
    assert refused is not None
    assert refused.code == "invalid_request"


@pytest.mark.parametrize("wrong", [{"temperature": 2.5}, {"presence_penalty": 3.0}])
def test_a_value_beyond_the_engines_range_is_refused_by_name(
    worker: RawWorker, prompt: list[int], wrong: dict[str, float]
) -> None:
    refused = worker.generate(prompt, max_tokens=8, **wrong).refused
    assert refused is not None
    assert (refused.code, refused.param) == ("invalid_request", next(iter(wrong)))


def test_a_repeated_prompt_is_served_from_the_prefix_cache(worker: RawWorker, prompt: list[int]) -> None:
    long = (prompt * 20)[:300]
    worker.generate(long, max_tokens=1, temperature=0.0)
    cached = worker.generate(long, max_tokens=1, temperature=0.0).chunks[-1].cached_tokens
    assert cached is not None
    assert cached >= 128


def test_an_aborted_request_leaves_the_engine(worker: RawWorker, prompt: list[int]) -> None:
    dropped = worker.submit(prompt, max_tokens=400, temperature=0.0, ignore_eos=True)
    worker.collect(dropped, until_tokens=3)
    worker.abort(dropped)
    kept = worker.submit(prompt, max_tokens=20, temperature=0.0, ignore_eos=True)
    answers = worker.collect(kept, until_tokens=10)
    assert len(answers[kept].tokens) >= 10
    assert (worker.gauges.running, worker.gauges.waiting) == (1, 0)
    worker.collect(kept)


def test_shutting_down_leaves_no_process(fresh: RawWorker) -> None:
    assert len(fresh.group()) >= 1
    assert fresh.shut_down() == 0
    until("the engine's processes are gone", lambda: not fresh.group(), seconds=5)


def test_killing_the_worker_leaves_no_process(fresh: RawWorker) -> None:
    assert len(fresh.group()) >= 1
    os.kill(fresh.process.pid, signal.SIGKILL)
    fresh.process.wait()
    until("the engine's processes are gone", lambda: not fresh.group(), seconds=5)


def test_a_frozen_engine_is_seen_as_a_long_step_and_a_dead_one_as_a_crash(fresh: RawWorker) -> None:
    core = next(process for process in fresh.group() if "EngineCore" in process.name())
    running = [fresh.submit([5, number], max_tokens=480, ignore_eos=True) for number in range(3)]
    fresh.collect(*running, until_tokens=3)
    core.suspend()
    fresh.heartbeat(lambda beat: beat.busy_seconds > 2, seconds=10)
    core.kill()
    answers = fresh.collect(*running)
    assert [getattr(answers[key].refused, "code", None) for key in running] == ["engine_crashed"] * 3
    assert fresh.process.wait(timeout=30) != 0
    until("the engine's processes are gone", lambda: not fresh.group(), seconds=5)


def test_a_copy_over_two_machines_answers_as_one(
    python: str, checkpoints: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """Half of the layers each; both read the same settings, and the second one goes when the first one has gone."""
    folder, expected = checkpoints
    engine = {**ENGINE, "pipeline_parallel": 2, "nodes": 2, "node_port": free_port()}
    model = {"name": "llama", "source": str(folder / "llama"), "engine": engine, "python": python}
    config = tmp_path / "podium.yaml"
    config.write_text(json.dumps({"models": [model]}))
    words = ["--config", config, "--first", socket.gethostname(), "--rank", "1", "--status", f"127.0.0.1:{free_port()}"]
    with subprocess.Popen(
        [sys.executable, "-m", "podium.server.engine_node", *map(str, words)], env=environment()
    ) as second:
        try:
            first = RawWorker(str(folder / "llama"), engine, python=python)
            prompt, answer = expected["llama"]["prompts"][1], expected["llama"]["answers"][1]
            assert first.generate(prompt, max_tokens=24, temperature=0.0, ignore_eos=True).tokens == answer["tokens"]
            first.end()
            assert second.wait(60) == 1
        finally:
            second.kill()
