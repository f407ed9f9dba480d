"""Requests are made before they are due, never between a send and its bytes."""

from __future__ import annotations

import asyncio

from podium.bench.ahead import MOST, Ahead
from support.deadline import soon


class _Maker:
    """Makes 0, 1, 2, ... up to ``most``, and counts how often it was asked."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.made = 0

    def __call__(self) -> int | None:
        if self.made == self.most:
            return None
        self.made += 1
        return self.made - 1


def test_nothing_is_made_in_the_turn_of_a_send_while_some_are_ready() -> None:
    async def check() -> None:
        make = _Maker(1000)
        ahead = Ahead(asyncio.get_running_loop(), make)
        assert make.made == 1  # the others wait for turns of their own
        await soon("as many as are kept are made", lambda: make.made == MOST)
        sent = []
        for _ in range(MOST):
            sent.append(ahead.first)
            ahead.drop()
        assert (sent, make.made) == (list(range(MOST)), MOST)
        assert ahead.first == MOST  # made now, because none was ready
        await soon("they are made again", lambda: make.made == 2 * MOST)
        ahead.close()

    asyncio.run(check())


def test_the_last_request_is_followed_by_nothing_and_nothing_is_made_after_the_end() -> None:
    async def check() -> None:
        ahead = Ahead(asyncio.get_running_loop(), _Maker(2))
        seen = []
        while (first := ahead.first) is not None:
            seen.append(first)
            ahead.drop()
        assert seen == [0, 1]
        stopped = _Maker(1000)
        Ahead(asyncio.get_running_loop(), stopped).close()
        await asyncio.sleep(0)
        assert stopped.made == 1

    asyncio.run(check())
