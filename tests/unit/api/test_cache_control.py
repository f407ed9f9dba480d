"""Reading ``Cache-Control``, whatever a stranger puts there."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request

from podium.api.cache_control import MAX_CHARACTERS, cache_control
from podium.core.errors import InvalidRequest
from podium.core.generation import CacheControl
from support.asgi import scope_of

PIECES = st.sampled_from(["no-cache", "no-store", "max-age", "=", ",", '"', "\\", " ", "7", "-", "é", "x", "\t", ""])
KIB = 1024


def read(header: str) -> CacheControl:
    return cache_control(Request(scope_of("POST", "/generate", [("cache-control", header)])), None)


@example("no-cache=no-cache")
@given(st.lists(PIECES, max_size=12).map("".join) | st.text(st.characters(max_codepoint=255), max_size=40))
def test_any_text_is_understood_or_refused(header: str) -> None:
    try:
        wish = read(header)
    except InvalidRequest:
        return
    plain = [part.partition("=")[0].strip(" \t").lower() for part in header.split(",")]
    assert '"' in header or (wish.read, wish.write) == ("no-cache" not in plain, "no-store" not in plain)
    assert wish.max_age_seconds is None or wish.max_age_seconds >= 0


@pytest.mark.parametrize("piece", [",", "a,", "a=b,", 'a="b",', "no-cache,", "max-age=1,", "\t", "9", "a=", '"', '\\"'])
@pytest.mark.parametrize("opening", ["", 'a="', "max-age="])
@pytest.mark.parametrize("size", [MAX_CHARACTERS, 32 * KIB])
def test_the_longest_header_costs_little(size: int, opening: str, piece: str) -> None:
    header = (opening + piece * (size // len(piece)))[:size]
    start = time.process_time()
    with contextlib.suppress(InvalidRequest):
        read(header)
    assert time.process_time() - start < 0.02
