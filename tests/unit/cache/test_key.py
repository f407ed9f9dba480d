"""Different requests have different keys, equal ones the same, in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from podium.cache.key import (
    ELSEWHERE,
    NOT_OUTPUT,
    CacheKey,
    ModelIdentity,
    fingerprint,
    idempotency_key,
    response_key,
)
from podium.core.generation import (
    ChatPrompt,
    Constraint,
    GenerationRequest,
    Message,
    Prompt,
    SamplingParams,
    TextPrompt,
    TokensPrompt,
    ToolChoice,
)
from podium.core.identity import Principal
from support.answers import identity, principal, request
from support.request_values import identities, requests, structures, values_of, words

MODEL = identity()
CONTENT = (SamplingParams, TextPrompt, TokensPrompt, ChatPrompt, Message, ToolChoice, Constraint)
FIELDS = [(kind, field) for kind in CONTENT for field in msgspec.structs.fields(kind)]


def names(kind: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(kind)}


def key(asked: GenerationRequest, model: ModelIdentity = MODEL, default_max_tokens: int = 16) -> bytes:
    return response_key(asked, model, default_max_tokens).digest


def with_content(drawn: GenerationRequest, content: Any) -> GenerationRequest:
    """``drawn``, with ``content`` where its kind belongs."""
    if isinstance(content, SamplingParams):
        return msgspec.structs.replace(drawn, sampling=content)
    if isinstance(content, Constraint):
        return with_content(drawn, msgspec.structs.replace(drawn.sampling, constraint=content))
    if isinstance(content, ToolChoice):
        return msgspec.structs.replace(drawn, prompt=ChatPrompt((Message("user", "hello"),), tool_choice=content))
    if isinstance(content, Message):
        return msgspec.structs.replace(drawn, prompt=ChatPrompt((Message("user", "hello"), content)))
    return msgspec.structs.replace(drawn, prompt=content)


def same(one: Any, other: Any) -> bool:
    """Whether two values are one and the same to a model; in JSON the order of members counts, and 1 is not 1.0."""
    if type(one) is not type(other) and isinstance(one, msgspec.Struct):
        return False
    if isinstance(one, msgspec.Struct):
        return same(msgspec.structs.astuple(one), msgspec.structs.astuple(other))
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and all(isinstance(name, str) for name in one):
        return json.dumps(one) == json.dumps(other)
    return bool(one == other)


def same_content(one: GenerationRequest, other: GenerationRequest) -> bool:
    """Whether the answer to one is the answer to the other."""
    return (
        one.caller.tenant == other.caller.tenant
        and same(one.prompt, other.prompt)
        and same(one.sampling, other.sampling)
    )


def test_every_field_of_a_request_is_in_the_key_or_is_listed_as_without_effect() -> None:
    assert names(GenerationRequest) - NOT_OUTPUT - ELSEWHERE == {"prompt", "sampling"}
    assert names(GenerationRequest) >= NOT_OUTPUT | ELSEWHERE
    assert not NOT_OUTPUT & ELSEWHERE


def test_every_kind_of_content_is_among_those_whose_fields_are_tested() -> None:
    assert {*Prompt.__args__, SamplingParams, Message, ToolChoice, Constraint} == set(CONTENT)


def test_of_a_caller_only_the_tenant_has_an_effect_and_all_its_fields_were_looked_at() -> None:
    assert names(Principal) == {
        "tenant",
        "key_id",
        "roles",
        "models",
        "quotas",
        "weight",
        "priority",
        "allowance",
        "uncounted",
    }


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=lambda value: getattr(value, "name", None) or value.__name__)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_requests_that_differ_in_one_field_have_different_keys(
    kind: type[msgspec.Struct], field: msgspec.structs.FieldInfo, data: st.DataObject
) -> None:
    one = data.draw(structures(kind))
    value = data.draw(values_of(field.type))
    assume(not same(getattr(one, field.name), value))
    other = msgspec.structs.replace(one, **{field.name: value})
    first, second = with_content(request(), one), with_content(request(), other)
    assert key(first) != key(second)
    assert fingerprint(first, 16) != fingerprint(second, 16)


@pytest.mark.parametrize("name", sorted(names(ModelIdentity)))
@given(data=st.data())
def test_models_that_differ_in_one_fact_have_different_keys(name: str, data: st.DataObject) -> None:
    one, other = data.draw(identities), data.draw(identities)
    assume(getattr(one, name) != getattr(other, name))
    changed = msgspec.structs.replace(one, **{name: getattr(other, name)})
    assert key(request(), one) != key(request(), changed)


@given(words, words, st.integers(0, 99), st.integers(0, 99))
def test_tenants_and_defaults_that_differ_have_different_keys(one: str, other: str, most: int, more: int) -> None:
    first, second = request(tenant=one), request(tenant=other)
    assert (key(first) == key(second)) == (one == other)
    assert (key(first, MODEL, most) == key(first, MODEL, more)) == (most == more)


@pytest.mark.parametrize("name", sorted(NOT_OUTPUT))
@settings(max_examples=20)
@given(data=st.data())
def test_a_field_without_effect_is_not_in_the_key(name: str, data: st.DataObject) -> None:
    field = next(field for field in msgspec.structs.fields(GenerationRequest) if field.name == name)
    one = request()
    changed = msgspec.structs.replace(one, **{name: data.draw(values_of(field.type))})
    assert key(one) == key(changed)
    assert fingerprint(one, 16) == fingerprint(changed, 16)


@settings(max_examples=50, deadline=None)
@given(requests, requests)
def test_two_requests_share_a_key_exactly_when_they_ask_the_same(
    one: GenerationRequest, other: GenerationRequest
) -> None:
    assert (key(one) == key(other)) == same_content(one, other)


SEPARATORS = ["", "s", "s1:", ":", "N", "l2:", "d1:", ";"]
PARTS = 7


def asked_with(parts: list[str]) -> GenerationRequest:
    """A request with texts in seven places, some of them next to each other in the key."""
    tenant, content, more, tool, stop, second, grammar = parts
    prompt = ChatPrompt((Message("user", content), Message("user", more)), ({tool: stop},))
    sampling = SamplingParams(stop=(stop, second), constraint=Constraint("regex", grammar))
    return request(tenant=tenant, prompt=prompt, sampling=sampling)


@given(st.sampled_from(SEPARATORS), st.lists(st.text("as1:N", max_size=3), min_size=PARTS, max_size=PARTS), st.data())
def test_text_that_moves_between_fields_changes_the_key(separator: str, parts: list[str], data: st.DataObject) -> None:
    """All texts in one string, cut at other places, also where a letter looks like the border of a field."""
    joined = separator.join(parts)
    pieces = joined.split(separator) if separator else list(joined)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(pieces)), min_size=PARTS - 1, max_size=PARTS - 1)))
    other = [separator.join(pieces[a:b]) for a, b in zip([0, *cuts], [*cuts, len(pieces)], strict=True)]
    assert (key(asked_with(parts)) == key(asked_with(other))) == (parts == other)


@pytest.mark.parametrize("separator", SEPARATORS[1:])
@pytest.mark.parametrize("place", range(PARTS - 1))
def test_a_border_of_fields_that_stands_in_a_text_is_no_border(separator: str, place: int) -> None:
    texts = ["t", "c", "m", "o", "p", "q", "g"]
    one, other = list(texts), list(texts)
    one[place], one[place + 1] = f"a{separator}a", "a"
    other[place], other[place + 1] = "a", f"a{separator}a"
    assert key(asked_with(one)) != key(asked_with(other))


def test_a_text_a_token_list_and_a_chat_of_the_same_letters_are_three_requests() -> None:
    prompts = (TextPrompt("1"), TokensPrompt((1,)), ChatPrompt((Message("user", "1"),)))
    assert len({key(request(prompt=prompt)) for prompt in prompts}) == len(prompts)


def test_an_answer_one_longer_and_a_prompt_one_shorter_do_not_meet() -> None:
    """The collision that a key without lengths has: "a1" with 6 tokens, "a" with 16."""
    one = request("a1", sampling=SamplingParams(max_tokens=6))
    assert key(one) != key(request("a", sampling=SamplingParams(max_tokens=16)))


_PRINT_KEYS = """
import sys, msgspec
from podium.cache.key import fingerprint, idempotency_key, response_key
from podium.core.generation import GenerationRequest
from support.answers import identity
asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=list[GenerationRequest])
for one in asked:
    print(response_key(one, identity(), 16).digest.hex(), idempotency_key(one).digest.hex(), fingerprint(one, 16).hex())
"""


def printed_elsewhere(asked: list[GenerationRequest], seed: str) -> list[str]:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _PRINT_KEYS]
    done = subprocess.run(
        command, input=msgspec.msgpack.encode(asked), env=environment, capture_output=True, check=True
    )
    return done.stdout.decode().splitlines()


def test_equal_requests_have_one_key_in_every_process() -> None:
    asked: list[GenerationRequest] = []

    @settings(max_examples=60, deadline=None)
    @given(requests)
    def collect(one: GenerationRequest) -> None:
        asked.append(one)

    collect()
    here = [f"{key(one).hex()} {idempotency_key(one).digest.hex()} {fingerprint(one, 16).hex()}" for one in asked]
    assert printed_elsewhere(asked, "1") == printed_elsewhere(asked, "2") == here


@given(words, words, words, words)
def test_an_idempotency_key_is_one_tenants_own(tenant: str, name: str, other_tenant: str, other_name: str) -> None:
    one = idempotency_key(request(tenant=tenant, idempotency_key=name))
    other = idempotency_key(request(tenant=other_tenant, idempotency_key=other_name))
    assert (one == other) == ((tenant, name) == (other_tenant, other_name))
    assert (one.kind, one.model) == ("retry", "")


def test_an_idempotency_key_is_the_same_whatever_is_asked_and_the_fingerprint_is_not() -> None:
    one, other = request("a", idempotency_key="k"), request("b", idempotency_key="k", model="other")
    assert idempotency_key(one) == idempotency_key(other)
    assert fingerprint(one, 16) != fingerprint(other, 16)
    assert fingerprint(one, 16) != fingerprint(msgspec.structs.replace(one, model="alias"), 16)
    assert fingerprint(one, 16) != fingerprint(one, 17)


def test_a_key_by_content_and_one_by_name_never_meet() -> None:
    same_digest = CacheKey(b"d" * 32, "acme", ""), CacheKey(b"d" * 32, "acme", "", "retry")
    assert same_digest[0] != same_digest[1]
    assert idempotency_key(request(idempotency_key="k")).digest != key(request(idempotency_key="k"))


def test_the_name_in_a_store_does_not_give_the_digest_away() -> None:
    found = response_key(request(), MODEL, 16)
    assert found.digest.hex() not in found.text
    assert len(bytes.fromhex(found.text)) == 32


def test_the_callers_key_and_roles_do_not_matter_to_the_answer() -> None:
    other = Principal("acme", "another key", frozenset({"admin"}), priority=9)
    assert key(request(caller=other)) == key(request(caller=principal("acme")))
