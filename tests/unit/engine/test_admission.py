"""Admission."""

from __future__ import annotations

import asyncio

import pytest

from podium.core.errors import Overloaded
from podium.engine.admission import AdmissionGate, ServiceRate


def test_permits_are_bounded_and_the_queue_refuses_at_once_when_full() -> None:
    async def main() -> None:
        gate = AdmissionGate(permits=1, queue=1)
        await gate.acquire(1)
        waiting = asyncio.gather(gate.acquire(1))
        await asyncio.sleep(0)
        assert (gate.running, gate.waiting) == (1, 1)
        with pytest.raises(Overloaded) as refused:
            await gate.acquire(1)
        assert refused.value.retry_after_seconds == 1
        gate.release(1)
        await waiting
        assert (gate.running, gate.waiting) == (1, 0)

    asyncio.run(main())


def test_retry_after_follows_the_measured_service_rate() -> None:
    now = [0.0]
    rate = ServiceRate(clock=lambda: now[0])
    for _ in range(11):
        rate.record()
        now[0] += 2.0
    # 11 requests finished in 22 s, so 5 more take 10 s.
    assert rate.seconds_for(5) == pytest.approx(10.0)


def test_higher_priority_goes_first_and_equal_priority_keeps_its_order() -> None:
    async def main() -> None:
        gate = AdmissionGate(permits=1, queue=10)
        await gate.acquire(1)
        order: list[str] = []

        async def one(name: str, priority: int) -> None:
            await gate.acquire(1, priority=priority)
            order.append(name)
            gate.release(1)

        async with asyncio.TaskGroup() as group:
            for name, priority in (("first", 0), ("second", 0), ("urgent", 5)):
                group.create_task(one(name, priority))
            await asyncio.sleep(0)
            gate.release(1)
        assert order == ["urgent", "first", "second"]

    asyncio.run(main())


def test_a_cancelled_waiter_leaves_the_queue_and_holds_nothing() -> None:
    async def main() -> None:
        gate = AdmissionGate(permits=1, queue=2)
        await gate.acquire(1)
        waiter = asyncio.gather(gate.acquire(1))
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert gate.waiting == 0
        gate.release(1)
        assert gate.running == 0

    asyncio.run(main())


def test_cancelling_a_waiter_in_the_moment_it_is_admitted_gives_the_permit_on() -> None:
    async def main() -> None:
        gate = AdmissionGate(permits=1, queue=2)
        await gate.acquire(1)
        waiter = asyncio.gather(gate.acquire(1))
        await asyncio.sleep(0)
        gate.release(1)  # admits the waiter, which has not run yet
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert gate.running == 0

    asyncio.run(main())


def test_a_request_with_more_choices_than_the_batch_holds_takes_the_whole_batch() -> None:
    async def main() -> None:
        gate = AdmissionGate(permits=4, queue=1)
        await gate.acquire(8)
        assert gate.running == 4
        gate.release(8)
        assert gate.running == 0

    asyncio.run(main())
