"""Encoders with other heads give what transformers gives: entities, labels, fillings, answers.

transformers 5 has no question-answering pipeline any more, so that one's arithmetic is written out here, in torch.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from podium.core.one_shot import InputIds, Vectors, WindowedPrompt
from podium.engine.one_shot import OneShotEngine
from podium.engine.tokenizer import Encoded, Tokenizer
from podium.models.question_answering import Search, best_answers
from podium.models.token_classification import Aggregation, entities
from podium.models.zero_shot import label_scores
from support.one_shot_subjects import Encoders, load_head

pytestmark = pytest.mark.hf

TEXTS = [
    "Anna Müller lives in Lisbon, and the server sends tokens to her brother.",
    "a canary, judged",
    "naïve café: 東京 は 晴れ です ½ unknownword",
]
ENGINES = pytest.mark.parametrize("engine", ["openvino", "transformers"])


def pipeline(task: str, folder: Path, **settings: Any) -> Any:
    import transformers  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return transformers.pipeline(task, model=str(folder), device="cpu", **settings)


def rows(engine: OneShotEngine, batch: list[Encoded]) -> list[Vectors]:
    """The vectors of each input, computed in one padded batch."""
    vectors, found, end = engine.compute([one.ids for one in batch]), [], 0
    for one in batch:
        begin, end = end, end + engine.facts.rows(one.ids)
        found.append(vectors[begin:end])
    assert end == len(vectors)
    return found


@ENGINES
@pytest.mark.parametrize("aggregation", ["none", "simple", "first", "average", "max"])
def test_entities_are_those_of_the_pipeline_with_every_aggregation(
    encoders: Encoders, engine: str, aggregation: Aggregation
) -> None:
    folder = encoders.torch_head("names")
    loaded = load_head(encoders, engine, "names")
    assert (loaded.facts.task, loaded.facts.rows_of) == ("token_classification", "token")
    batch = Tokenizer.from_folder(folder).encode_texts(TEXTS)
    computed = rows(loaded, batch)
    loaded.close()
    reference = pipeline("token-classification", folder, aggregation_strategy=aggregation, ignore_labels=[])
    kinds = set()
    for text, one, scores in zip(TEXTS, batch, computed, strict=True):
        found = entities(scores, one.spans, loaded.facts.labels, aggregation)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = reference(text)
        name = "entity" if aggregation == "none" else "entity_group"
        assert [(e.label, e.start, e.end) for e in found] == [(e[name], e["start"], e["end"]) for e in expected]
        assert [e.score for e in found] == pytest.approx([e["score"] for e in expected], abs=1e-3)
        kinds |= {entity.label for entity in found}
    assert len(kinds) > 1, "the model should tell things apart, or nothing is compared"


@ENGINES
@pytest.mark.parametrize("multi_label", [False, True])
def test_fitting_labels_are_those_of_the_pipeline(
    encoders: Encoders,
    engine: str,
    multi_label: bool,  # noqa: FBT001
) -> None:
    folder, labels = encoders.torch_head("nli"), ["traffic", "the weather in 東京", "x"]
    loaded = load_head(encoders, engine, "nli")
    assert (loaded.facts.task, loaded.facts.labels[2]) == ("zero_shot", "entailment")
    tokenizer = Tokenizer.from_folder(folder)
    batch = [tokenizer.encode_pair(text, f"This example is {label}.") for text in TEXTS for label in labels]
    scores = loaded.compute([one.ids for one in batch]).reshape(len(TEXTS), len(labels), 3)
    loaded.close()
    found = label_scores(scores, 2, multi_label=multi_label)
    reference = pipeline("zero-shot-classification", folder)
    for text, row in zip(TEXTS, found, strict=True):
        expected = reference(text, labels, multi_label=multi_label)
        by_label = dict(zip(expected["labels"], expected["scores"], strict=True))
        assert row.tolist() == pytest.approx([by_label[label] for label in labels], abs=1e-3)


@ENGINES
def test_fillings_are_those_of_the_pipeline_also_of_several_masks(encoders: Encoders, engine: str) -> None:
    folder = encoders.torch_head("masks")
    loaded = load_head(encoders, engine, "masks")
    texts = ["the server sends [MASK]", "a [MASK] takes [MASK] of the traffic until the judgement is clear"]
    computed = rows(loaded, Tokenizer.from_folder(folder).encode_texts(texts))
    loaded.close()
    most = loaded.facts.dimensions // 2
    reference = pipeline("fill-mask", folder, top_k=4)
    for text, masks in zip(texts, computed, strict=True):
        expected = reference(text)
        expected = expected if isinstance(expected[0], list) else [expected]
        assert len(masks) == len(expected)
        for row, one in zip(masks, expected, strict=True):
            assert row[most : most + 4].astype(int).tolist() == [filling["token"] for filling in one]
            assert row[:4].tolist() == pytest.approx([filling["score"] for filling in one], abs=1e-3)


@ENGINES
def test_answers_are_those_of_the_arithmetic_on_transformers_own_model_and_tokenizer(
    encoders: Encoders, engine: str
) -> None:
    folder = encoders.torch_head("reader")
    loaded = load_head(encoders, engine, "reader")
    question = "who sends the tokens?"
    context = " ".join(f"{text} and then" for text in TEXTS * 3)
    batch = Tokenizer.from_folder(folder).encode_windows(WindowedPrompt(question, context, 64, 16), 256)
    assert len(batch) > 3
    computed = rows(loaded, batch)
    loaded.close()
    found = best_answers(zip(computed, [one.spans for one in batch], strict=True), Search(5, 15, allow_none=False))
    expected = reference_answers(folder, question, context, window=64, stride=16)[:5]
    assert [(one.start, one.end) for one in found] == [(start, end) for _, start, end in expected]
    assert [one.score for one in found] == pytest.approx([score for score, _, _ in expected], abs=1e-3)


def reference_answers(
    folder: Path, question: str, context: str, *, window: int, stride: int
) -> list[tuple[float, int, int]]:
    """(score, start, end) of every answer of at most 15 tokens, whole words, by falling score."""
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    encoded = tokenizer(
        question, context, truncation="only_second", max_length=window, stride=stride,
        return_overflowing_tokens=True, return_offsets_mapping=True,
    )  # fmt: skip
    best: dict[tuple[int, int], float] = {}
    for number in range(len(encoded["input_ids"])):
        arguments = {name: torch.tensor([encoded[name][number]]) for name in tokenizer.model_input_names}
        with torch.inference_mode():
            output = model(**arguments)
        of_text = torch.tensor([one == 1 for one in encoded.sequence_ids(number)])
        kept = of_text.clone()
        kept[0] = True  # [CLS]
        starts, ends = (
            torch.where(kept, logits[0], -torch.inf).softmax(0) * of_text
            for logits in (output.start_logits, output.end_logits)
        )
        for first in of_text.nonzero().flatten().tolist():
            for last in range(first, min(first + 15, len(of_text))):
                if not of_text[last]:
                    break
                words = [encoded[number].word_ids[place] for place in (first, last)]
                begin, end = (encoded.word_to_chars(number, word, 1) for word in words)
                place = (begin.start, end.end)
                best[place] = max(best.get(place, 0.0), float(starts[first] * ends[last]))
    return sorted(((score, *place) for place, score in best.items()), key=lambda one: -one[0])


def test_a_masked_language_model_says_what_a_mask_is(encoders: Encoders) -> None:
    loaded = load_head(encoders, "openvino", "masks")
    facts = loaded.facts
    loaded.close()
    assert (facts.task, facts.mask_token, facts.rows_of) == ("fill_mask", "[MASK]", "mask")
    assert facts.rows(InputIds((facts.mask_token_id, 9, facts.mask_token_id))) == 2
