"""What every kind of claim promises."""

from __future__ import annotations

import asyncio

import uvloop

from support.answers import retry_key
from support.cache_stores import Open

KEY = retry_key("k")


def test_of_many_who_ask_at_once_one_gets_the_claim(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            answers = await asyncio.gather(*(opened.claims.claim(KEY) for _ in range(20)))
            assert sorted(answers) == [False] * 19 + [True]

    uvloop.run(main())


def test_a_claim_that_was_given_up_can_be_had_again(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            for _ in range(3):
                assert await opened.claims.claim(KEY)
                assert not await opened.claims.claim(KEY)
                opened.claims.release(KEY)
                await opened.written()

    uvloop.run(main())


def test_claims_of_two_keys_and_of_two_tenants_are_two(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            keys = (KEY, retry_key("other"), retry_key("k", tenant="other"))
            assert [await opened.claims.claim(key) for key in keys] == [True] * 3
            opened.claims.release(retry_key("other"))
            await opened.written()
            assert [await opened.claims.claim(key) for key in keys] == [False, True, False]

    uvloop.run(main())


def test_giving_up_what_one_does_not_have_changes_nothing(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            opened.claims.release(KEY)
            assert await opened.claims.claim(KEY)
            opened.claims.release(retry_key("other"))
            await opened.written()
            assert not await opened.claims.claim(KEY)

    uvloop.run(main())
