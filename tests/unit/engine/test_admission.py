"""Admission: permits, the bounds of the queue, deadlines, cancellation."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable

import pytest

from podium.core.errors import Overloaded
from podium.engine.admission import AdmissionGate
from podium.engine.turns import Work
from support.admission import Callers, Clock, play


def work(
    tenant: str = "a",
    *,
    permits: int = 1,
    tokens: int = 100,
    priority: int = 0,
    priority_class: int = 0,
    deadline: float | None = None,
) -> Work:
    return Work(permits, tenant, tokens=tokens, priority=priority, priority_class=priority_class, deadline=deadline)


def at_gate(
    scene: Callable[[Callers], Awaitable[None]],
    *,
    permits: int = 1,
    queue: int = 10,
    queue_tokens: int = 0,
    clock: Clock | None = None,
) -> None:
    """Run a scene at a gate; afterwards nothing of it is left there."""

    async def main() -> None:
        gate = AdmissionGate(permits=permits, queue=queue, queue_tokens=queue_tokens, clock=clock or Clock())
        callers = Callers(gate)
        await scene(callers)
        await callers.finish()
        assert_empty(gate)

    play(main())


def assert_empty(gate: AdmissionGate) -> None:
    assert (gate.running, gate.waiting, gate.waiting_tokens) == (0, 0, 0)
    assert (gate._running, gate._running_tokens) == (set(), 0)
    assert (gate._queue._classes, gate._queue._order) == ({}, [])


async def measure(callers: Callers, clock: Clock, *, tokens_per_second: int = 100) -> None:
    """Let the gate see work of 10 requests, one after the other."""
    for number in range(10):
        await callers.ask(f"past {number}", work("past", tokens=tokens_per_second, permits=callers.gate.permits))
        clock.now += 1.0
        await callers.end(f"past {number}")


# Permits


def test_permits_are_bounded_and_the_queue_refuses_at_once_when_full() -> None:
    async def scene(callers: Callers) -> None:
        gate = callers.gate
        assert await callers.ask("first", work())
        assert not await callers.ask("second", work(tokens=30))
        assert (gate.running, gate.waiting, gate.waiting_tokens) == (1, 1, 30)
        with pytest.raises(Overloaded, match="1 requests are waiting") as refused:
            await gate.acquire(work())
        assert refused.value.retry_after_seconds == 1
        await callers.end("first")
        assert callers.admitted == ["first", "second"]
        assert (gate.running, gate.waiting, gate.waiting_tokens) == (1, 0, 0)

    at_gate(scene, queue=1)


def test_a_look_at_a_full_queue_refuses_whom_acquiring_would_refuse_and_nobody_leaves() -> None:
    async def scene(callers: Callers) -> None:
        gate = callers.gate
        gate.refuse_if_full(work())
        await callers.ask("first", work())
        gate.refuse_if_full(work())
        await callers.ask("second", work())
        with pytest.raises(Overloaded, match="1 requests are waiting"):
            gate.refuse_if_full(work())
        gate.refuse_if_full(work("b", priority_class=1))
        assert (gate.running, gate.waiting) == (1, 1)
        await callers.end("first")
        await callers.end("second")
        assert callers.admitted == ["first", "second"]

    at_gate(scene, queue=1)


def test_a_gate_without_a_queue_refuses_what_it_cannot_run_at_once() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("first", work())
        with pytest.raises(Overloaded):
            await callers.gate.acquire(work("b", priority_class=1))
        await callers.end("first")
        assert await callers.ask("second", work())

    at_gate(scene, queue=0)


def test_a_permit_is_given_back_once() -> None:
    async def scene(callers: Callers) -> None:
        first = await callers.gate.acquire(work())
        second = await callers.gate.acquire(work())
        first.release(10)
        first.release(10)
        assert callers.gate.running == 1
        second.release(10)

    at_gate(scene, permits=2)


def test_a_request_with_more_choices_than_the_batch_holds_takes_the_whole_batch() -> None:
    async def scene(callers: Callers) -> None:
        assert await callers.ask("wide", work(permits=8))
        assert callers.gate.running == 4
        await callers.end("wide")
        assert callers.gate.running == 0

    at_gate(scene, permits=4)


# Order


def test_higher_priority_goes_first_and_equal_priority_keeps_its_order() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work())
        for name, priority in (("first", 0), ("second", 0), ("urgent", 5)):
            await callers.ask(name, work(priority=priority))
        for name in ("running", "urgent", "first"):
            await callers.end(name)
        assert callers.admitted == ["running", "urgent", "first", "second"]

    at_gate(scene)


def test_a_priority_of_its_own_puts_no_tenant_before_another() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work("x"))
        await callers.ask("a 1", work("a"))
        await callers.ask("b 1", work("b", priority=0))
        await callers.ask("b 2", work("b", priority=9))
        await callers.ask("b 3", work("b", priority=9))
        for name in ("running", "a 1", "b 2", "b 3"):
            await callers.end(name)
        assert callers.admitted == ["running", "a 1", "b 2", "b 3", "b 1"]

    at_gate(scene)


def test_a_higher_class_goes_first_whatever_its_tenant_was_given() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work("vip", priority_class=1, tokens=10_000))
        await callers.ask("common", work("a", priority=9))
        for number in range(3):
            await callers.ask(f"vip {number}", work("vip", priority_class=1, tokens=10_000))
        for name in ("running", "vip 0", "vip 1", "vip 2"):
            await callers.end(name)
        assert callers.admitted == ["running", "vip 0", "vip 1", "vip 2", "common"]

    at_gate(scene)


def test_a_wide_request_at_the_head_is_not_overtaken_by_narrow_ones() -> None:
    async def scene(callers: Callers) -> None:
        for number in range(4):
            await callers.ask(f"running {number}", work("x"))
        await callers.ask("wide", work("wide", permits=4, tokens=400))
        for number in range(4):
            await callers.end(f"running {number}")
            # Tenants that were given nothing yet would go before it, were it not for its place at the head.
            await callers.ask(f"narrow {number}", work(f"new {number}", tokens=1))
            await callers.ask(f"urgent {number}", work("wide", tokens=1, priority=9))
        assert callers.admitted[4:] == ["wide"]
        await callers.end("wide")
        assert callers.admitted[5:] == [f"narrow {number}" for number in range(4)]

    at_gate(scene, permits=4)


def test_only_a_higher_class_overtakes_a_wide_request_at_the_head() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running 1", work())
        await callers.ask("running 2", work())
        await callers.ask("wide", work(permits=2))
        await callers.end("running 1")
        assert not await callers.ask("common", work("b"))
        assert await callers.ask("vip", work("vip", priority_class=1))
        await callers.end("running 2")
        await callers.end("vip")
        assert callers.admitted[-2:] == ["vip", "wide"]

    at_gate(scene, permits=2)


def test_a_wide_request_that_gives_up_lets_the_others_go() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running 1", work())
        await callers.ask("running 2", work())
        await callers.ask("wide", work(permits=2))
        await callers.end("running 1")
        assert not await callers.ask("narrow", work("b"))
        await callers.cancel("wide")
        assert callers.admitted[-1] == "narrow"

    at_gate(scene, permits=2)


def test_a_flood_of_requests_that_use_nothing_does_not_keep_its_turn() -> None:
    async def scene(callers: Callers) -> None:
        for number in range(8):
            await callers.ask(f"flood {number}", work("flood"))
        await callers.ask("single", work("other"))
        await callers.end("flood 0", 0)
        assert callers.admitted == ["flood 0", "single"]

    at_gate(scene)


# Bounds


def test_the_queue_is_bounded_in_tokens_and_says_which_bound_it_was() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work(tokens=1_000_000))
        await callers.ask("first", work(tokens=600))
        await callers.ask("second", work(tokens=400))
        assert callers.gate.waiting_tokens == 1000
        with pytest.raises(Overloaded, match=r"Requests of 1000 tokens are waiting .* no more than 1000 tokens"):
            await callers.gate.acquire(work(tokens=1))
        await callers.end("running")
        assert callers.gate.waiting_tokens == 400
        assert not await callers.ask("third", work(tokens=600))
        assert callers.gate.waiting_tokens == 1000

    at_gate(scene, queue_tokens=1000)


def test_without_a_bound_in_tokens_any_number_of_them_waits() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work())
        await callers.ask("waiting", work(tokens=10**12))
        assert callers.gate.waiting_tokens == 10**12

    at_gate(scene)


def test_a_request_that_is_larger_than_the_queue_runs_when_there_is_room_and_never_waits() -> None:
    async def scene(callers: Callers) -> None:
        assert await callers.ask("large", work(tokens=5000))
        await callers.ask("waiting", work("b", tokens=10))
        with pytest.raises(Overloaded, match="larger than the 1000 tokens"):
            await callers.gate.acquire(work("c", tokens=5000))
        assert callers.waiting == {"waiting"}

    at_gate(scene, queue_tokens=1000)


def test_retry_after_is_when_the_waiting_work_is_done_at_the_measured_rate() -> None:
    clock = Clock()

    async def scene(callers: Callers) -> None:
        await measure(callers, clock, tokens_per_second=100)
        await callers.ask("running", work())
        await callers.ask("waiting 1", work(tokens=450))
        await callers.ask("waiting 2", work(tokens=450))
        with pytest.raises(Overloaded) as refused:
            await callers.gate.acquire(work(tokens=200))
        assert refused.value.retry_after_seconds == 11  # 1100 tokens at 100 a second

    at_gate(scene, queue=2, clock=clock)


def test_retry_after_is_never_longer_than_a_minute() -> None:
    clock = Clock()

    async def scene(callers: Callers) -> None:
        await measure(callers, clock)
        await callers.ask("running", work())
        await callers.ask("waiting", work(tokens=10**9))
        with pytest.raises(Overloaded) as refused:
            await callers.gate.acquire(work())
        assert refused.value.retry_after_seconds == 60

    at_gate(scene, queue=1, clock=clock)


def test_requests_of_unknown_size_are_counted_as_usual_ones() -> None:
    clock = Clock()

    async def scene(callers: Callers) -> None:
        for number in range(10):
            await callers.ask(f"past {number}", work(tokens=0))
            clock.now += 1.0
            await callers.end(f"past {number}", used_tokens=70)
        await callers.ask("running", work(tokens=0))
        await callers.ask("waiting", work(tokens=0))
        assert callers.gate.waiting_tokens == 70
        with pytest.raises(Overloaded) as refused:
            await callers.gate.acquire(work(tokens=0))
        assert refused.value.retry_after_seconds == 2

    at_gate(scene, queue=1, clock=clock)


# A full queue


def test_a_flood_does_not_lock_others_out_of_a_full_queue() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work("flood"))
        for number in range(4):
            await callers.ask(f"flood {number}", work("flood", priority=number))
        assert not await callers.ask("single", work("other"))
        assert callers.waiting == {"single", "flood 1", "flood 2", "flood 3"}  # the last in its order gave way
        assert "gave its place" in callers.refused["flood 0"].message
        assert callers.refused["flood 0"].retry_after_seconds == 1
        await callers.end("running")
        assert callers.admitted == ["running", "single"]

    at_gate(scene, queue=4)


def test_tenants_share_a_full_queue_and_neither_takes_from_the_other() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work("x"))
        for number in range(6):
            await callers.ask(f"a {number}", work("a"))
        for number in range(6):
            await callers.ask(f"b {number}", work("b"))
        for number in range(6, 9):
            await callers.ask(f"a {number}", work("a"))
        assert callers.waiting == {"a 0", "a 1", "a 2", "b 0", "b 1", "b 2"}

    at_gate(scene, queue=6)


def test_as_many_give_way_as_the_bound_in_tokens_needs_and_none_in_vain() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work("x"))
        for number in range(10):
            await callers.ask(f"a {number}", work("a", tokens=100))
        await callers.ask("fits", work("b", tokens=250))
        assert callers.waiting == {*(f"a {number}" for number in range(7)), "fits"}
        await callers.ask("too much", work("c", tokens=700))
        assert callers.waiting == {*(f"a {number}" for number in range(7)), "fits"}
        assert "tokens are queued" in callers.refused["too much"].message

    at_gate(scene, queue=100, queue_tokens=1000)


def test_lower_classes_give_way_in_a_full_queue() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work("x"))
        await callers.ask("low", work("low", priority_class=-1))
        await callers.ask("common 1", work("a"))
        await callers.ask("common 2", work("a"))
        assert not await callers.ask("vip 1", work("vip", priority_class=1))
        assert callers.refused.keys() == {"low"}
        assert not await callers.ask("vip 2", work("vip", priority_class=1))
        assert callers.refused.keys() == {"low", "common 2"}
        await callers.ask("low again", work("low", priority_class=-1))
        assert callers.refused.keys() == {"low", "common 2", "low again"}

    at_gate(scene, queue=3)


def test_a_wide_request_that_was_next_can_give_way_too() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running 1", work("x"))
        await callers.ask("running 2", work("x"))
        await callers.ask("wide", work("a", permits=2))
        await callers.end("running 1")
        await callers.ask("vip wide", work("vip", priority_class=1, permits=2))
        assert callers.refused.keys() == {"wide"}
        await callers.end("running 2")
        assert callers.admitted[-1] == "vip wide"

    at_gate(scene, permits=2, queue=1)


# Deadlines


def test_a_request_that_would_start_after_its_deadline_is_refused_at_once() -> None:
    clock = Clock()

    async def scene(callers: Callers) -> None:
        await measure(callers, clock, tokens_per_second=100)
        await callers.ask("running", work(tokens=400))
        await callers.ask("waiting", work(tokens=600))
        # 1000 tokens before it, 10 s at the measured rate.
        with pytest.raises(Overloaded, match="about 10 s for its turn, which is after its deadline") as refused:
            await callers.gate.acquire(work(deadline=clock.now + 7.5))
        assert refused.value.retry_after_seconds == 3
        assert not await callers.ask("patient", work(deadline=clock.now + 10.0))
        assert callers.waiting == {"waiting", "patient"}

    at_gate(scene, clock=clock)


def test_no_deadline_is_judged_before_a_rate_was_measured() -> None:
    clock = Clock()

    async def scene(callers: Callers) -> None:
        await callers.ask("running", work(tokens=10**9))
        await callers.ask("waiting", work(tokens=10**9))
        clock.now += 100.0
        await callers.ask("hasty", work(deadline=clock.now + 0.001))
        assert callers.waiting == {"waiting", "hasty"}

    at_gate(scene, clock=clock)


def test_a_deadline_is_no_matter_where_nobody_has_to_wait() -> None:
    clock = Clock()

    async def scene(callers: Callers) -> None:
        await measure(callers, clock)
        assert await callers.ask("hasty", work(deadline=clock.now))

    at_gate(scene, clock=clock)


def test_work_that_is_half_done_counts_half_towards_a_deadline() -> None:
    clock = Clock()

    async def scene(callers: Callers) -> None:
        await measure(callers, clock, tokens_per_second=100)
        await callers.ask("running", work(tokens=1000))
        await callers.ask("at once", work(deadline=clock.now + 6.0))
        assert callers.refused.keys() == {"at once"}
        clock.now += 5.0
        await callers.ask("later", work(deadline=clock.now + 9.0))
        assert callers.waiting == {"later"}

    at_gate(scene, clock=clock)


def test_of_the_running_work_only_what_frees_its_permits_counts_towards_a_deadline() -> None:
    clock = Clock()

    async def scene(callers: Callers) -> None:
        await measure(callers, clock, tokens_per_second=100)
        for number in range(4):
            await callers.ask(f"running {number}", work(tokens=400))
        await callers.ask("narrow", work("b", deadline=clock.now + 5.0))  # a quarter of 16 s
        await callers.ask("wide", work("c", permits=4, deadline=clock.now + 5.0))
        assert callers.waiting == {"narrow"}
        assert callers.refused.keys() == {"wide"}

    at_gate(scene, permits=4, clock=clock)


def test_only_what_goes_before_it_counts_towards_a_deadline() -> None:
    clock = Clock()

    async def scene(callers: Callers) -> None:
        await measure(callers, clock, tokens_per_second=100)
        await callers.ask("running", work("flood", tokens=100))
        for number in range(10):
            await callers.ask(f"flood {number}", work("flood", tokens=100))
        soon = clock.now + 3.0
        await callers.ask("same line", work("flood", deadline=soon))
        await callers.ask("urgent in the line", work("flood", deadline=soon, priority=1))
        await callers.ask("other tenant", work("other", deadline=soon))
        await callers.ask("higher class", work("vip", deadline=soon, priority_class=1))
        await callers.ask("lower class", work("low", deadline=soon, priority_class=-1))
        assert callers.refused.keys() == {"same line", "lower class"}

    at_gate(scene, queue=20, clock=clock)


def test_a_deadline_that_passes_in_the_queue_leaves_nothing_there() -> None:
    async def main() -> None:
        gate = AdmissionGate(permits=1, queue=10)
        permit = await gate.acquire(work())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await gate.acquire(work("b", deadline=asyncio.get_running_loop().time() + 0.01))
        assert (gate.waiting, gate.waiting_tokens) == (0, 0)
        permit.release(10)
        assert_empty(gate)

    play(main())


# Cancellation


def test_a_cancelled_waiter_leaves_the_queue_and_holds_nothing() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work())
        await callers.ask("waiting", work())
        await callers.cancel("waiting")
        assert callers.cancelled == {"waiting"}
        assert (callers.gate.waiting, callers.gate.waiting_tokens) == (0, 0)
        await callers.end("running")
        assert callers.gate.running == 0

    at_gate(scene)


def test_cancelling_a_waiter_in_the_moment_it_is_admitted_gives_the_permit_on() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work())
        await callers.ask("first", work())
        await callers.ask("second", work())
        callers.end_later("running")  # admits the first, which has not run yet
        callers.cancel_later("first")
        await callers.settle()
        assert callers.cancelled == {"first"}
        assert callers.admitted == ["running", "second"]

    at_gate(scene)


def test_who_is_cancelled_before_it_is_admitted_is_passed_over() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work())
        await callers.ask("first", work())
        await callers.ask("second", work())
        callers.cancel_later("first")  # has not run yet
        callers.end_later("running")
        await callers.settle()
        assert callers.cancelled == {"first"}
        assert callers.admitted == ["running", "second"]

    at_gate(scene)


@pytest.mark.parametrize("cancelled_first", [True, False])
def test_cancelling_a_waiter_in_the_moment_it_gives_way_leaves_nothing(*, cancelled_first: bool) -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work())
        await callers.ask("waiting", work("low", priority_class=-1))
        if cancelled_first:
            callers.cancel_later("waiting")
        callers.ask_later("vip", work("vip", priority_class=1))
        if not cancelled_first:
            await asyncio.sleep(0)
            callers.cancel_later("waiting")
        await callers.settle()
        assert callers.cancelled == {"waiting"}
        assert callers.waiting == {"vip"}
        gc.collect()  # an error that nobody took would be a warning now

    at_gate(scene, queue=1)


def test_a_cancelled_request_is_not_charged() -> None:
    async def scene(callers: Callers) -> None:
        await callers.ask("running", work("x"))
        await callers.ask("b 1", work("b"))
        await callers.ask("a 1", work("a", tokens=10_000))
        callers.end_later("running")
        await callers.settle()
        callers.end_later("b 1")
        callers.cancel_later("a 1")
        await callers.ask("b 2", work("b"))
        await callers.ask("b 3", work("b"))
        await callers.ask("a 2", work("a"))
        await callers.end("b 2")
        assert callers.admitted == ["running", "b 1", "b 2", "a 2"]

    at_gate(scene)


def test_ten_thousand_waiters_that_are_cancelled_at_once_leave_nothing_behind() -> None:
    async def main() -> None:
        gate = AdmissionGate(permits=1, queue=20_000)
        permit = await gate.acquire(work("x"))
        loop = asyncio.get_running_loop()
        calls = [
            loop.create_task(gate.acquire(work(f"tenant {number % 100}", priority=number % 3)), name="call")
            for number in range(10_000)
        ]
        await asyncio.sleep(0)
        assert gate.waiting == 10_000
        begun = time.perf_counter()
        for call in calls:
            call.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        took = time.perf_counter() - begun
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert (gate.waiting, gate.waiting_tokens, gate.running) == (0, 0, 1)
        assert took < 2.0  # 0.1 s here; looking through the queue for each of them would take minutes
        permit.release(1)
        assert_empty(gate)

    play(main())
