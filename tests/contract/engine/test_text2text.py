"""Encoder-decoders: greedy answers are those of ``generate``, whoever shares the batch, under a checkpoint's rules."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models_factory import TEXT2TEXT
from podium.core.errors import CheckpointInvalid, ContextLengthExceeded, InvalidRequest
from podium.engine.interface import Engine
from support.engine_driver import run, sequence, tokens
from support.engine_subjects import EOS
from support.require import require
from support.text2text_subjects import Text2TextReference, load_text2text

pytestmark = pytest.mark.hf

PROMPTS = ((17, 42, 99, 256, 300, 11, 0), (5, 0), (*range(40, 70), 0), (401, 402, 403, 0))
LENGTHS = (30, 6, 21, 13)
MakeFolder = Callable[[str], Path]


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> MakeFolder:
    require("torch")
    import models_factory  # noqa: PLC0415

    base = tmp_path_factory.mktemp("text2text")

    def make(name: str) -> Path:
        folder = base / name
        return folder if folder.is_dir() else models_factory.make_text2text(folder, name)

    return make


@pytest.fixture(scope="module")
def bart(folder_of: MakeFolder) -> Iterator[Engine]:
    engine = load_text2text(folder_of("bart"))
    yield engine
    engine.close()


@pytest.mark.parametrize("name", TEXT2TEXT)
def test_greedy_answers_in_f32_equal_generate_alone_together_and_staggered(
    name: str, folder_of: MakeFolder, caplog: pytest.LogCaptureFixture
) -> None:
    engine = load_text2text(folder_of(name))
    assert ("one sequence at a time" in caplog.text) == (name == "m2m100"), "its table takes no positions"
    reference = Text2TextReference(folder_of(name))
    try:
        pairs = list(zip(PROMPTS, LENGTHS, strict=True))
        expected = [reference.greedy(prompt, length) for prompt, length in pairs]
        assert any(len(set(answer)) > 2 for answer in expected), "the test model says too little"

        def ask(*, stagger: bool) -> list[list[int]]:
            asked = [sequence(prompt, max_tokens=length, stop_token_ids=(EOS,)) for prompt, length in pairs]
            return tokens(engine, *asked, stagger=stagger)

        alone = [tokens(engine, sequence(one, max_tokens=many, stop_token_ids=(EOS,)))[0] for one, many in pairs]
        assert alone == expected
        assert ask(stagger=False) == expected
        assert ask(stagger=True) == expected
    finally:
        engine.close()


def test_the_repetition_penalty_counts_what_was_written_and_not_what_was_read(folder_of: MakeFolder) -> None:
    engine = load_text2text(folder_of("marian"))
    reference = Text2TextReference(folder_of("marian"))
    expected = reference.greedy(PROMPTS[0], 20, repetition_penalty=1.8)
    assert expected != reference.greedy(PROMPTS[0], 20)
    asked = sequence(PROMPTS[0], max_tokens=20, stop_token_ids=(EOS,), repetition_penalty=1.8)
    assert tokens(engine, asked) == [expected]
    engine.close()


def test_an_aborted_sequence_leaves_the_batch_and_the_others_go_on_unchanged(bart: Engine) -> None:
    asked = [sequence(prompt, max_tokens=20, stop_token_ids=(EOS,)) for prompt in PROMPTS]
    expected = [tokens(bart, sequence(one.token_ids, max_tokens=20, stop_token_ids=(EOS,)))[0] for one in asked]
    for one in asked:
        bart.submit(one)
    found: dict[int, list[int]] = {one.id: [] for one in asked}
    for step in range(40):
        if step == 5:
            bart.abort(asked[1].id)
            assert bart.gauges().running == len(asked) - 1
        for output in bart.step():
            found[output.sequence_id].extend(output.token_ids)
    assert not bart.has_unfinished()
    assert bart.gauges().kv_cache_usage_ratio == 0
    assert [found[one.id] for one in (asked[0], *asked[2:])] == [expected[0], *expected[2:]]
    assert len(found[asked[1].id]) < len(expected[1])


def test_a_seeded_draw_does_not_depend_on_the_batch_and_another_seed_draws_another(bart: Engine) -> None:
    def ask(seed: int) -> tuple[int, ...]:
        asked = sequence(PROMPTS[0], max_tokens=16, temperature=1.4, top_p=0.95, seed=seed)
        return tuple(tokens(bart, asked, *(sequence(prompt) for prompt in PROMPTS[1 : 1 + seed % 3]))[0])

    assert ask(3) == ask(3)
    drawn = {ask(seed) for seed in range(6)}
    assert len(drawn) > 1
    alone = tokens(bart, sequence(PROMPTS[0], max_tokens=16, temperature=1.4, top_p=0.95, seed=4))[0]
    assert tuple(alone) == ask(4)


def test_an_end_that_the_checkpoint_forces_at_the_limit_is_told_as_the_limit(bart: Engine) -> None:
    (answer,) = run(bart, sequence(PROMPTS[2], max_tokens=5, stop_token_ids=(EOS,)))
    assert (answer.token_ids[0], answer.token_ids[-1], answer.finish_reason) == (2, EOS, "length")


@pytest.mark.parametrize("rule", [{"bad_words_ids": [[9999]]}, {"forced_bos_token_id": 9999}])
def test_rules_about_tokens_that_the_model_does_not_have_are_a_damaged_checkpoint(
    rule: dict[str, object], folder_of: MakeFolder, tmp_path: Path
) -> None:
    folder = shutil.copytree(folder_of("marian"), tmp_path / "bad")
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **rule}))
    with pytest.raises(CheckpointInvalid, match="do not fit its model"):
        load_text2text(folder)


def test_prompt_and_answer_have_a_context_each(bart: Engine) -> None:
    whole = bart.facts.max_model_len
    longest = tuple(3 + number % 400 for number in range(whole))
    assert len(tokens(bart, sequence(longest, max_tokens=bart.facts.max_output_tokens))[0]) == whole
    with pytest.raises(ContextLengthExceeded):
        bart.submit(sequence((*longest, 5)))
    with pytest.raises(InvalidRequest, match="Token ids"):
        bart.submit(sequence((100_000,)))
