"""Hypothesis strategies for a request's structures, made from their annotations: a new field is drawn too."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from podium.cache.key import ModelIdentity
from podium.core.generation import GenerationRequest

SYNTAX = "sifdlmTFN:;0123456789abc-"
"""Letters that an encoding of lengths and kinds could mistake for its own."""

words = st.one_of(st.text(SYNTAX, max_size=6), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, -0.0, 1.0, 0.5]), st.integers(0, 3)
)
counts = st.one_of(st.integers(0, 3), st.integers(-(2**63), 2**63 - 1))
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


def values_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of an annotated type."""
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: words,
        int: counts,
        float: numbers,
        bool: st.booleans(),
        bytes: st.binary(max_size=8),
        type(None): st.none(),
        Any: documents,
    }
    found = plain.get(annotation)
    return _composed(annotation, get_origin(annotation), get_args(annotation)) if found is None else found


def _composed(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in {types.UnionType, Union}:
        return st.one_of(*map(values_of, arguments))
    if origin is tuple:
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if origin is frozenset:
        return st.frozensets(values_of(arguments[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=3)
    return structures(annotation)


def structures(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Instances of a structure with every field drawn."""
    return st.deferred(
        lambda: st.builds(kind, **{field.name: values_of(field.type) for field in msgspec.structs.fields(kind)})
    )


requests: st.SearchStrategy[GenerationRequest] = structures(GenerationRequest)
identities: st.SearchStrategy[ModelIdentity] = structures(ModelIdentity)
