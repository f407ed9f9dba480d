"""Which requests may share an answer by meaning: those that agree in everything but their last words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from podium.cache.key import NOT_OUTPUT, ModelIdentity, response_key
from podium.cache.semantic_question import Question, question_of
from podium.core.generation import (
    ChatPrompt,
    Constraint,
    GenerationRequest,
    Message,
    SamplingParams,
    TextPrompt,
    TokensPrompt,
)
from podium.core.identity import Principal
from support.request_values import identities, requests, structures, values_of, words

IDENTITY = ModelIdentity("m", "1", "d", "echo", "1", "exact", "none", 128)
IDENTITY_FIELDS = [field.name for field in msgspec.structs.fields(ModelIdentity)]
GREEDY = SamplingParams(temperature=0.0)
texts = words.filter(str.strip)
samplings = structures(SamplingParams).map(
    lambda drawn: msgspec.structs.replace(drawn, echo=False, logprobs=None, constraint=None)
)
conversations = st.builds(
    lambda earlier, extra: (tuple(message for message in earlier if message.role != "tool"), extra),
    st.lists(structures(Message), max_size=3),
    st.dictionaries(words, words, max_size=2),
)


def chat(*messages: Message, **others: Any) -> GenerationRequest:
    members = {"tools": others.pop("tools", ())}
    return request(ChatPrompt(messages, **members), **others)


def request(prompt: Any, **others: Any) -> GenerationRequest:
    return GenerationRequest(**{"id": "r", "model": "m", "prompt": prompt, "sampling": GREEDY, **others})


def question(asked: GenerationRequest, identity: ModelIdentity = IDENTITY, limit: int = 100) -> Question | None:
    return question_of(asked, identity, limit)


@st.composite
def askable(draw: st.DrawFn) -> GenerationRequest:
    """Any request that has a question."""
    drawn = draw(requests)
    if draw(st.booleans()):
        prompt: Any = TextPrompt(draw(texts))
    else:
        earlier, extra = draw(conversations)
        prompt = ChatPrompt((*earlier, Message("user", draw(texts), extra=extra)))
    made = msgspec.structs.replace(drawn, prompt=prompt, sampling=draw(samplings), idempotency_key=None)
    assume(question(made) is not None)
    return made


def with_last_words(asked: GenerationRequest, text: str) -> GenerationRequest:
    prompt = asked.prompt
    if isinstance(prompt, TextPrompt):
        return msgspec.structs.replace(asked, prompt=TextPrompt(text))
    assert isinstance(prompt, ChatPrompt)
    last = msgspec.structs.replace(prompt.messages[-1], content=text)
    messages = (*prompt.messages[:-1], last)
    return msgspec.structs.replace(asked, prompt=msgspec.structs.replace(prompt, messages=messages))


@given(askable(), texts)
def test_the_last_words_alone_do_not_move_a_question_to_another_partition(asked: GenerationRequest, text: str) -> None:
    first, second = question(asked), question(with_last_words(asked, text))
    assert first is not None
    assert second is not None
    assert first.partition == second.partition
    assert second.text == text


@given(askable(), askable(), identities, identities, st.data())
def test_requests_share_a_partition_only_if_they_share_the_exact_key_once_their_last_words_are_equal(
    first: GenerationRequest, other: GenerationRequest, a: ModelIdentity, b: ModelIdentity, data: st.DataObject
) -> None:
    """The exact key is proven to hold every field; here one request differs from another in some of them."""
    changed = data.draw(st.sets(st.sampled_from(["sampling", "caller", "prompt", "priority", "timeout_seconds"])))
    second = msgspec.structs.replace(first, **{name: getattr(other, name) for name in changed})
    if data.draw(st.booleans()):
        names = [field.name for field in msgspec.structs.fields(SamplingParams)]
        name = data.draw(st.sampled_from([name for name in names if name not in {"echo", "logprobs", "constraint"}]))
        sampling = msgspec.structs.replace(first.sampling, **{name: getattr(other.sampling, name)})
        second = msgspec.structs.replace(second, sampling=sampling)
    identity = data.draw(st.sampled_from([a, b]))
    one, two = question(first, a), question(second, identity)
    assert one is not None
    assert two is not None
    keys = [
        response_key(with_last_words(asked, "same"), which, 100) for asked, which in ((first, a), (second, identity))
    ]
    assert (one.partition == two.partition) == (keys[0].digest == keys[1].digest)


@given(askable(), st.text(min_size=1, max_size=4))
def test_another_tenant_is_another_partition(asked: GenerationRequest, tenant: str) -> None:
    assume(tenant != asked.caller.tenant)
    other = msgspec.structs.replace(asked, caller=msgspec.structs.replace(asked.caller, tenant=tenant))
    first, second = question(asked), question(other)
    assert first is not None
    assert second is not None
    assert first.partition != second.partition


@given(
    askable(), identities, st.sampled_from([field.name for field in msgspec.structs.fields(ModelIdentity)]), st.data()
)
def test_another_version_of_a_model_or_anything_else_of_it_is_another_partition(
    asked: GenerationRequest, identity: ModelIdentity, name: str, data: st.DataObject
) -> None:
    annotation = next(field.type for field in msgspec.structs.fields(ModelIdentity) if field.name == name)
    value = data.draw(values_of(annotation))
    assume(value != getattr(identity, name))
    first = question(asked, identity)
    second = question(asked, msgspec.structs.replace(identity, **{name: value}))
    assert first is not None
    assert second is not None
    assert first.partition != second.partition


def test_the_default_token_limit_counts_too() -> None:
    first, second = question(request(TextPrompt("hi")), limit=100), question(request(TextPrompt("hi")), limit=101)
    assert first is not None
    assert second is not None
    assert first.partition != second.partition


SYSTEM, USER = Message("system", "Be brief."), Message("user", "What is a canary?")
TOOL = {"type": "function", "function": {"name": "look"}}
WITHOUT: dict[str, GenerationRequest] = {
    "tools": chat(USER, tools=(TOOL,)),
    "a tool's answer": chat(USER, Message("tool", "4"), USER),
    "a call of a tool": chat(USER, Message("assistant", None, extra={"tool_calls": []}), USER),
    "a JSON schema": chat(USER, sampling=SamplingParams(temperature=0.0, constraint=Constraint("json_schema", "{}"))),
    "a regex": request(TextPrompt("hi"), sampling=SamplingParams(temperature=0.0, constraint=Constraint("regex", "a"))),
    "log probabilities": chat(USER, sampling=SamplingParams(temperature=0.0, logprobs=0)),
    "echo": request(TextPrompt("hi"), sampling=SamplingParams(temperature=0.0, echo=True)),
    "an idempotency key": chat(USER, idempotency_key="k"),
    "token ids": request(TokensPrompt((1, 2))),
    "no messages": chat(),
    "an assistant's last word": chat(USER, Message("assistant", "A canary is")),
    "nothing in the last message": chat(SYSTEM, Message("user", " ")),
    "an empty prompt": request(TextPrompt("")),
}


@pytest.mark.parametrize("asked", WITHOUT.values(), ids=WITHOUT)
def test_a_request_with_this_never_shares_by_meaning(asked: GenerationRequest) -> None:
    assert question(asked) is None


@pytest.mark.parametrize("member", [{"name": "anna"}, {"extra": {"mood": "kind"}}], ids=["name", "extra"])
def test_whatever_else_the_last_message_holds_has_to_be_the_same(member: dict[str, Any]) -> None:
    dressed = msgspec.structs.replace(USER, **member)
    assert question(chat(USER)) != question(chat(dressed))


def test_dialects_do_not_matter_and_system_prompts_do() -> None:
    caller = Principal("acme", "k", frozenset({"infer"}))
    plain, again = chat(SYSTEM, USER, caller=caller), chat(SYSTEM, USER, caller=caller, id="other", priority=3)
    other = chat(Message("system", "Be long."), USER, caller=caller)
    assert question(plain) == question(again)
    assert question(plain) != question(other)
    assert "idempotency_key" in NOT_OUTPUT
