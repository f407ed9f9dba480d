"""What requests share: kept answers, computations that run, and answers under an idempotency key."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import Any

import msgspec
import pytest
import uvloop

from podium.config.cache import Cache
from podium.config.server import Server
from podium.core.errors import EngineError, IdempotencyMismatch, ModelNotFound, Overloaded, RateLimited
from podium.core.generation import (
    CacheControl,
    ChatPrompt,
    Chunk,
    GenerationRequest,
    Message,
    SamplingParams,
    TextPrompt,
    TokensPrompt,
)
from podium.core.identity import Principal
from podium.models.dispatch import Dispatcher
from podium.models.generation import Generation
from podium.models.registry import Models
from podium.models.uncounted import CopiesUncounted
from support.deadline import soon
from support.models import echo_model, serving
from support.quotas import Notebook

SLOW = {"token_interval_seconds": 0.02}
TEXT = "a text of some length"


def asked(
    text: str = TEXT, *, model: str = "m", caller: Principal | None = None, retry: str | None = None, **others: Any
) -> GenerationRequest:
    control = others.pop("cache", CacheControl())
    return GenerationRequest(
        id="r",
        model=model,
        prompt=others.pop("prompt", TextPrompt(text)),
        sampling=SamplingParams(**{"temperature": 0.0, **others}),
        caller=caller or of_tenant("t"),
        cache=control,
        idempotency_key=retry,
    )


def of_tenant(tenant: str, key_id: str = "k", models: frozenset[str] | None = None) -> Principal:
    return Principal(tenant=tenant, key_id=key_id, roles=frozenset({"infer"}), models=models)


async def rest(generation: Generation) -> list[Chunk]:
    async with aclosing(generation):
        return [chunk async for chunk in generation]


async def answered(dispatcher: Dispatcher, request: GenerationRequest) -> tuple[str, list[Chunk]]:
    generation = await dispatcher.generate(request)
    return generation.cache_status, await rest(generation)


async def identified(models: Models, name: str = "m") -> None:
    async with asyncio.timeout(10):
        while models.find(name).identity is None:  # noqa: ASYNC110 - a state without an event
            await asyncio.sleep(0.01)


def test_a_kept_answer_is_the_computed_one_chunk_for_chunk() -> None:
    async def main() -> None:
        async with serving(echo_model("m"), cache=Cache()) as (models, dispatcher):
            await identified(models)
            first = await answered(dispatcher, asked(logprobs=1))
            second = await answered(dispatcher, asked(logprobs=1))
            assert (first[0], second[0]) == ("miss", "hit")
            assert first[1] == second[1]
            assert "".join(chunk.text for chunk in second[1]) == TEXT

    uvloop.run(main())


def test_sixty_four_equal_requests_at_once_are_computed_once_and_all_get_the_same() -> None:
    async def main() -> None:
        notebook = Notebook()
        async with serving(echo_model("m", engine=SLOW), cache=Cache(), quotas=notebook) as (models, dispatcher):
            await identified(models)
            answers = await asyncio.gather(*(answered(dispatcher, asked()) for _ in range(64)))
            assert sorted(status for status, _ in answers) == ["attach"] * 63 + ["miss"]
            assert all(chunks == answers[0][1] for _, chunks in answers)
            assert len(notebook.of_kind("computed")) == 1
            assert len(notebook.of_kind("shared")) == 63

    uvloop.run(main())


def test_a_copy_of_a_request_takes_and_leaves_no_answer_and_no_quota() -> None:
    """Neither from the cache nor from a computation that runs, and its retry key claims nothing."""

    async def main() -> None:
        notebook = Notebook()
        counted = CopiesUncounted(notebook)
        copy = msgspec.structs.replace(of_tenant("t"), uncounted=True)
        async with serving(echo_model("m", engine=SLOW), cache=Cache(), quotas=counted) as (models, dispatcher):
            await identified(models)
            first = await answered(dispatcher, asked(caller=copy, retry="k"))
            leader = await dispatcher.generate(asked(retry="k"))
            beside = await answered(dispatcher, asked(caller=copy, retry="k"))
            assert first[1] == await rest(leader)
            after = await answered(dispatcher, asked(caller=copy))
            assert [first[0], leader.cache_status, beside[0], after[0]] == ["bypass", "miss", "bypass", "bypass"]
            assert len(notebook.entries) == 1

    uvloop.run(main())


def test_a_caller_does_not_join_what_waits_in_a_lower_class_such_as_a_line_of_a_batch() -> None:
    async def main() -> None:
        one_at_a_time = echo_model("m", engine={**SLOW, "max_batch_sequences": 1})
        background = msgspec.structs.replace(of_tenant("t"), priority=-999_999)
        ended: list[str] = []
        async with serving(one_at_a_time, cache=Cache()) as (models, dispatcher), asyncio.TaskGroup() as group:
            await identified(models)
            gate = models.find("m")._gate
            assert gate is not None

            def ask(name: str, request: GenerationRequest) -> None:
                task = group.create_task(answered(dispatcher, request), name=name)
                task.add_done_callback(lambda _: ended.append(name))

            def waits(count: int) -> bool:
                return gate.waiting == count

            ask("first", asked("it runs"))
            await soon("it runs", lambda: gate.running)
            for waiting, (name, request) in enumerate(
                [
                    ("line", asked(caller=background)),
                    ("caller", asked()),
                    ("later", asked("another")),
                    ("same", asked()),
                ]
            ):
                ask(name, request)
                await soon("it waits", partial(waits, min(waiting + 1, 3)))
        assert ended.index("caller") < ended.index("later") < ended.index("line")
        assert ended.index("same") < ended.index("later"), "it joined the caller's"

    uvloop.run(main())


def test_a_request_attaches_in_the_middle_of_an_answer_and_gets_it_from_its_beginning() -> None:
    async def main() -> None:
        async with serving(echo_model("m", engine=SLOW), cache=Cache()) as (models, dispatcher):
            await identified(models)
            leader = await dispatcher.generate(asked())
            begun = [await anext(leader) for _ in range(5)]
            follower = await dispatcher.generate(asked())
            assert follower.cache_status == "attach"
            assert [*begun, *await rest(leader)] == await rest(follower)

    uvloop.run(main())


def test_when_the_leader_hangs_up_the_others_go_on_and_the_reservation_is_settled_once() -> None:
    async def main() -> None:
        notebook = Notebook()
        async with serving(echo_model("m", engine=SLOW), cache=Cache(), quotas=notebook) as (models, dispatcher):
            await identified(models)
            leader = await dispatcher.generate(asked())
            follower = await dispatcher.generate(asked())
            await leader.aclose()
            assert "".join(chunk.text for chunk in await rest(follower)) == TEXT
            assert notebook.of_kind("computed")[0].settled == [(len(TEXT), len(TEXT) + 1)]

    uvloop.run(main())


def test_a_leader_whose_start_fails_leaves_the_turn_to_the_next() -> None:
    async def main() -> None:
        notebook = Notebook(refused={"poor"})
        async with serving(
            echo_model("m", engine={**SLOW, "max_batch_sequences": 1}), cache=Cache(), quotas=notebook
        ) as (models, dispatcher):
            await identified(models)
            running = await dispatcher.generate(asked("something else"))
            cancelled = asyncio.get_running_loop().create_task(answered(dispatcher, asked()))
            await asyncio.sleep(0.01)
            follower = asyncio.get_running_loop().create_task(answered(dispatcher, asked()))
            await asyncio.sleep(0.01)
            cancelled.cancel()
            await running.aclose()
            status, chunks = await follower
            assert status == "miss"
            assert "".join(chunk.text for chunk in chunks) == TEXT
            with pytest.raises(RateLimited):
                await dispatcher.generate(asked(caller=of_tenant("t", "poor")))

    uvloop.run(main())


def test_tenants_share_nothing() -> None:
    async def main() -> None:
        async with serving(echo_model("m", engine=SLOW), cache=Cache()) as (models, dispatcher):
            await identified(models)
            both = await asyncio.gather(
                *(answered(dispatcher, asked(caller=of_tenant(tenant))) for tenant in ("one", "two"))
            )
            assert [status for status, _ in both] == ["miss", "miss"]
            assert (await answered(dispatcher, asked(caller=of_tenant("three"))))[0] == "miss"
            assert (await answered(dispatcher, asked(caller=of_tenant("one", "another key"))))[0] == "hit"

    uvloop.run(main())


def test_only_what_the_request_determines_is_shared_unless_it_is_forced() -> None:
    async def main() -> None:
        async with serving(echo_model("m"), cache=Cache()) as (models, dispatcher):
            await identified(models)
            for _ in range(2):
                assert (await answered(dispatcher, asked(temperature=1.0)))[0] == "bypass"
            assert (await answered(dispatcher, asked(temperature=1.0, seed=5)))[0] == "miss"
            assert (await answered(dispatcher, asked(temperature=1.0, seed=5)))[0] == "hit"
            assert (await answered(dispatcher, asked(temperature=1.0, seed=6)))[0] == "miss"
            forced = CacheControl(force=True)
            assert (await answered(dispatcher, asked(temperature=0.9, cache=forced)))[0] == "miss"
            assert (await answered(dispatcher, asked(temperature=0.9, cache=forced)))[0] == "hit"

    uvloop.run(main())


def test_a_caller_says_what_may_be_read_and_what_may_be_kept() -> None:
    async def main() -> None:
        async with serving(echo_model("m"), cache=Cache()) as (models, dispatcher):
            await identified(models)
            assert (await answered(dispatcher, asked(cache=CacheControl(write=False))))[0] == "miss"
            assert (await answered(dispatcher, asked()))[0] == "miss"
            assert (await answered(dispatcher, asked(cache=CacheControl(read=False))))[0] == "bypass"
            assert (await answered(dispatcher, asked(cache=CacheControl(max_age_seconds=60.0))))[0] == "hit"
            assert (await answered(dispatcher, asked(cache=CacheControl(max_age_seconds=0.0))))[0] == "miss"

    uvloop.run(main())


def test_an_answer_that_failed_or_was_left_is_never_kept() -> None:
    async def main() -> None:
        async with serving(echo_model("m", engine=SLOW), cache=Cache()) as (models, dispatcher):
            await identified(models)
            left = await dispatcher.generate(asked())
            await left.aclose()
            assert (await answered(dispatcher, asked()))[0] == "miss"
            for _ in range(2):
                generation = await dispatcher.generate(asked("this one fault:error@3 breaks"))
                assert generation.cache_status == "miss"
                with pytest.raises(EngineError):
                    await rest(generation)

    uvloop.run(main())


def test_another_version_of_a_model_answers_anew() -> None:
    async def main() -> None:
        old, new = echo_model("m"), echo_model("m", version="2", load="manual")
        async with serving(old, new, cache=Cache()) as (models, dispatcher):
            await identified(models)
            assert (await answered(dispatcher, asked()))[0] == "miss"
            await models.load("m@2")
            await identified(models, "m@2")
            assert (await answered(dispatcher, asked()))[0] == "miss"
            assert (await answered(dispatcher, asked(model="m@1")))[0] == "hit"

    uvloop.run(main())


def test_a_retry_replays_the_answer_of_its_first_request_also_when_that_was_sampled() -> None:
    async def main() -> None:
        async with serving(echo_model("m"), cache=Cache(store="off")) as (_, dispatcher):
            first = await answered(dispatcher, asked(retry="one", temperature=1.0))
            again = await answered(dispatcher, asked(retry="one", temperature=1.0))
            assert (first[0], again[0]) == ("bypass", "hit")
            assert first[1] == again[1]
            assert (await answered(dispatcher, asked(retry="two", temperature=1.0)))[0] == "bypass"
            foreign = asked(retry="one", temperature=1.0, caller=of_tenant("other"))
            assert (await answered(dispatcher, foreign))[0] == "bypass"

    uvloop.run(main())


def test_a_retry_with_another_request_is_refused_while_the_first_runs_and_after_it() -> None:
    async def main() -> None:
        async with serving(echo_model("m", engine=SLOW), cache=Cache()) as (_, dispatcher):
            running = await dispatcher.generate(asked(retry="one"))
            with pytest.raises(IdempotencyMismatch):
                await dispatcher.generate(asked("another text", retry="one"))
            await rest(running)
            with pytest.raises(IdempotencyMismatch):
                await dispatcher.generate(asked(retry="one", max_tokens=3))

    uvloop.run(main())


def test_a_generation_with_an_idempotency_key_goes_on_when_its_client_is_gone_and_the_retry_gets_all_of_it() -> None:
    async def main() -> None:
        notebook = Notebook()
        async with serving(echo_model("m", engine=SLOW), cache=Cache(), quotas=notebook) as (_, dispatcher):
            lost = await dispatcher.generate(asked(retry="one", temperature=1.0))
            await lost.aclose()
            status, chunks = await answered(dispatcher, asked(retry="one", temperature=1.0))
            assert status == "attach"
            assert "".join(chunk.text for chunk in chunks) == TEXT
            assert len(notebook.of_kind("computed")) == 1

    uvloop.run(main())


def test_without_time_to_go_on_a_left_generation_is_aborted_and_its_retry_computes() -> None:
    async def main() -> None:
        async with serving(echo_model("m", engine=SLOW), cache=Cache(detached_seconds=0.0)) as (_, dispatcher):
            lost = await dispatcher.generate(asked(retry="one", temperature=1.0))
            await lost.aclose()
            assert (await answered(dispatcher, asked(retry="one", temperature=1.0)))[0] == "bypass"

    uvloop.run(main())


def test_a_model_that_a_caller_may_not_use_does_not_exist_for_it() -> None:
    async def main() -> None:
        async with serving(echo_model("m", aliases=("alias",)), echo_model("n")) as (_, dispatcher):
            caller = of_tenant("t", models=frozenset({"n"}))
            for name in ("m", "alias", "m@1", "nothing"):
                with pytest.raises(ModelNotFound) as refused:
                    await dispatcher.generate(asked(model=name, caller=caller))
                assert refused.value.message == "No model of that name is served here; GET /v1/models lists them."
                with pytest.raises(ModelNotFound):
                    await dispatcher.tokenize(caller, name, TextPrompt("x"))
                with pytest.raises(ModelNotFound):
                    await dispatcher.detokenize(caller, name, (1,))
                with pytest.raises(ModelNotFound):
                    dispatcher.tokenizer_facts(caller, name)
            assert (await answered(dispatcher, asked(model="n", caller=caller)))[1]

    uvloop.run(main())


@pytest.mark.parametrize(
    ("prompt", "tokens"),
    [
        (TextPrompt("four"), 4),
        (TokensPrompt((102, 111, 117, 114, 33)), 5),
        (ChatPrompt((Message("user", "four"),)), len("user: four\n")),
    ],
)
def test_where_tokens_are_counted_the_worst_case_is_reserved_and_the_true_use_settled(prompt: Any, tokens: int) -> None:
    async def main() -> None:
        notebook = Notebook(counting=True)
        async with serving(echo_model("m"), quotas=notebook) as (_, dispatcher):
            await answered(dispatcher, asked(prompt=prompt, max_tokens=3, n=2))
            (entry,) = notebook.entries
            assert (entry.prompt_tokens, entry.output_tokens) == (tokens, 6)
            assert entry.settled == [(tokens, 6)]

    uvloop.run(main())


def test_who_has_no_room_to_join_does_not_keep_a_computation_alive() -> None:
    async def main() -> None:
        notebook = Notebook(refused={"poor"})
        async with serving(echo_model("m", engine=SLOW), cache=Cache(), quotas=notebook) as (models, dispatcher):
            await identified(models)
            leader = await dispatcher.generate(asked())
            with pytest.raises(RateLimited):
                await dispatcher.generate(asked(caller=of_tenant("t", "poor")))
            await leader.aclose()
            assert len(notebook.of_kind("computed")[0].settled) == 1

    uvloop.run(main())


def test_who_finds_the_queue_full_or_leaves_it_has_its_reservation_back() -> None:
    async def main() -> None:
        notebook = Notebook()
        one = echo_model("m", engine={**SLOW, "max_batch_sequences": 1})
        server = Server(heartbeat_seconds=0.1, drain_seconds=2.0, max_queue=1)
        async with serving(one, server=server, quotas=notebook) as (_, dispatcher):
            running = await dispatcher.generate(asked())
            waiting = asyncio.get_running_loop().create_task(dispatcher.generate(asked()))
            await asyncio.sleep(0.05)
            with pytest.raises(Overloaded):
                await dispatcher.generate(asked())
            waiting.cancel()
            await asyncio.wait([waiting])
            assert [entry.settled for entry in notebook.entries] == [[], [(0, 0)], [(0, 0)]]
            await running.aclose()

    uvloop.run(main())


def test_whatever_fails_after_the_reservation_gives_it_back() -> None:
    async def main() -> None:
        notebook = Notebook()
        async with serving(echo_model("m"), quotas=notebook) as (_, dispatcher):
            for text in ("", "fault:error@0"):
                with pytest.raises(Exception, match=r"."):
                    await dispatcher.generate(asked(text))
            assert [entry.settled for entry in notebook.entries] == [[(0, 0)], [(0, 0)]]

    uvloop.run(main())
