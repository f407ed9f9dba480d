"""Models: names and versions, loading and unloading, one memory budget, and what requests see of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import uvloop

from podium.config.models import Model
from podium.config.server import Server
from podium.core.errors import (
    CheckpointInvalid,
    CheckpointUnsafe,
    Conflict,
    DeadlineExceeded,
    MemoryBudgetExceeded,
    ModelNotFound,
    ModelNotReady,
    Overloaded,
    UnsupportedParameter,
)
from podium.core.generation import GenerationRequest, SamplingParams, TextPrompt
from podium.models.dispatch import Dispatcher
from podium.models.runnable import WORKER_OVERHEAD_BYTES
from podium.models.source import DEMO_FOLDER
from support.deadline import soon
from support.models import echo_model, serving

SLOW = {"token_interval_seconds": 0.03}


def request(
    model: str, text: str = "hello", *, timeout_seconds: float | None = None, **sampling: Any
) -> GenerationRequest:
    return GenerationRequest(
        id="r",
        model=model,
        prompt=TextPrompt(text),
        sampling=SamplingParams(**sampling),
        timeout_seconds=timeout_seconds,
    )


async def text(dispatcher: Dispatcher, wanted: GenerationRequest) -> str:
    async with await dispatcher.generate(wanted) as generation:
        return "".join([chunk.text async for chunk in generation])


def test_a_model_answers_by_name_alias_and_version() -> None:
    async def main() -> None:
        async with serving(echo_model("a", aliases=("other",))) as (models, dispatcher):
            for name in ("a", "other", "a@1", "other@1"):
                assert await text(dispatcher, request(name)) == "hello"
            assert models.resolve("other").id == "a@1"
            for name in ("b", "a@2", "../a", "", "@1", "a@"):
                with pytest.raises(ModelNotFound):
                    models.resolve(name)

    uvloop.run(main())


def test_the_active_version_changes_hands_while_the_old_one_finishes_its_requests() -> None:
    async def main() -> None:
        old, new = echo_model("m", engine=SLOW), echo_model("m", version="2", load="manual")
        async with serving(old, new) as (models, dispatcher):
            running = await dispatcher.generate(request("m", "the old version finishes this"))
            await models.load("m@2")
            later = await dispatcher.generate(request("m", "new"))
            assert (running.version, later.version) == ("1", "2")
            await later.aclose()
            unloading = asyncio.gather(models.unload("m@1"))
            assert "".join([chunk.text async for chunk in running]) == "the old version finishes this"
            await unloading
            assert {status.id: status.state for status in models.list()} == {"m@1": "unloaded", "m@2": "ready"}

    uvloop.run(main())


def test_unloading_ends_the_worker_and_reports_the_memory_before_during_and_after() -> None:
    async def main() -> None:
        async with serving(echo_model("a")) as (models, dispatcher):
            await text(dispatcher, request("a"))
            report = await models.unload("a")
            assert report.memory_loaded_bytes > report.memory_after_bytes
            with pytest.raises(ModelNotReady):
                await dispatcher.generate(request("a"))
            again = await models.load("a")
            assert again.engine == "echo"
            assert await text(dispatcher, request("a")) == "hello"

    uvloop.run(main())


def test_an_unload_goes_on_when_nobody_waits_for_it_any_more() -> None:
    async def main() -> None:
        async with serving(echo_model("a", engine=SLOW)) as (models, dispatcher):
            running = await dispatcher.generate(request("a", "finished all the same"))
            impatient = asyncio.gather(models.unload("a"))
            await soon("it is draining", lambda: models.resolve("a").state == "draining")
            impatient.cancel()
            assert "".join([chunk.text async for chunk in running]) == "finished all the same"
            await soon("it is unloaded", lambda: models.resolve("a").state == "unloaded")
            await models.load("a")
            assert await text(dispatcher, request("a")) == "hello"

    uvloop.run(main())


def test_a_model_is_not_serving_while_its_worker_is_restarted() -> None:
    async def main() -> None:
        async with serving(echo_model("a")) as (models, _):
            assert models.resolve("a").serving
            handle = models.find("a")._handle
            assert handle is not None
            assert handle._process is not None
            handle._process.kill()
            await soon("it was noticed", lambda: not models.resolve("a").serving)
            assert models.resolve("a").state == "ready"
            await soon("it is back", lambda: models.resolve("a").serving)

    uvloop.run(main())


def test_a_model_that_loads_on_demand_loads_at_its_first_request_and_only_once() -> None:
    async def main() -> None:
        async with serving(echo_model("a", load="demand")) as (models, dispatcher):
            assert models.resolve("a").state == "unloaded"
            assert models.health().ready
            answers = await asyncio.gather(*(text(dispatcher, request("a")) for _ in range(5)))
            assert list(answers) == ["hello"] * 5
            assert models.resolve("a").request_count == 5

    uvloop.run(main())


def test_a_request_that_gives_up_while_a_model_loads_leaves_the_load_to_the_others() -> None:
    async def main() -> None:
        slow = echo_model("a", load="demand", engine={"load_seconds": 1.0})
        async with serving(slow) as (models, dispatcher):
            with pytest.raises(DeadlineExceeded):
                await dispatcher.generate(request("a", timeout_seconds=0.2))
            assert models.resolve("a").state == "loading"
            assert await text(dispatcher, request("a")) == "hello"

    uvloop.run(main())


def test_no_more_requests_than_the_queue_holds_wait_for_a_load() -> None:
    async def main() -> None:
        slow = echo_model("a", load="demand", engine={"load_seconds": 1.0})
        async with serving(slow, server=Server(max_queue=1, heartbeat_seconds=0.1)) as (_, dispatcher):
            first = asyncio.gather(text(dispatcher, request("a")))
            await asyncio.sleep(0.1)
            with pytest.raises(Overloaded):
                await dispatcher.generate(request("a"))
            assert list(await first) == ["hello"]

    uvloop.run(main())


def test_the_least_recently_used_idle_model_makes_room() -> None:
    async def main() -> None:
        configs = (echo_model("a"), echo_model("b"), echo_model("c", load="manual"))
        async with serving(*configs, budget_bytes=int(2.5 * WORKER_OVERHEAD_BYTES)) as (models, dispatcher):
            await text(dispatcher, request("a"))  # so b is the older one
            await models.load("c")
            assert {status.name: status.state for status in models.list()} == {
                "a": "ready",
                "b": "unloaded",
                "c": "ready",
            }

    uvloop.run(main())


def test_a_model_in_use_is_never_evicted_and_the_newcomer_is_told_the_budget() -> None:
    async def main() -> None:
        configs = (echo_model("a", engine=SLOW), echo_model("b", load="manual"))
        async with serving(*configs, budget_bytes=int(1.5 * WORKER_OVERHEAD_BYTES)) as (models, dispatcher):
            async with await dispatcher.generate(request("a")) as running:
                with pytest.raises(MemoryBudgetExceeded, match="MiB"):
                    await models.load("b")
                assert "".join([chunk.text async for chunk in running]) == "hello"
            assert models.resolve("b").state == "failed"
            assert models.resolve("b").error

    uvloop.run(main())


def test_models_that_load_at_start_never_push_each_other_out() -> None:
    async def main() -> None:
        configs = (echo_model("a"), echo_model("b"), echo_model("c"))
        async with serving(*configs, budget_bytes=int(2.5 * WORKER_OVERHEAD_BYTES)) as (models, _):
            assert [status.state for status in models.list()] == ["ready", "ready", "failed"]
            assert models.health().reasons == ["c@1 is failed"]
            assert "server.memory_budget_bytes" in (models.resolve("c").error or "")

    uvloop.run(main())


def test_an_idle_model_is_unloaded_after_its_time() -> None:
    async def main() -> None:
        async with serving(echo_model("a", idle_unload_seconds=0.3)) as (models, _):
            async with asyncio.timeout(10):
                while models.resolve("a").state != "unloaded":  # noqa: ASYNC110 - the registry's own clock
                    await asyncio.sleep(0.05)

    uvloop.run(main())


@pytest.mark.parametrize(
    "broken",
    [
        Model(name="broken", source="no/such/folder/anywhere/at/all"),
        echo_model("broken", chat_template_file="no/such/template"),
    ],
    ids=["folder", "template"],
)
def test_a_broken_checkpoint_fails_alone_and_the_server_lives_on(broken: Model) -> None:
    async def main() -> None:
        async with serving(broken, echo_model("a")) as (models, dispatcher):
            health = models.health()
            assert (health.started, health.live, health.ready) == (True, True, False)
            assert health.reasons == ["broken@1 is failed"]
            assert await text(dispatcher, request("a")) == "hello"
            with pytest.raises(CheckpointInvalid):
                await models.load("broken")

    uvloop.run(main())


def test_a_full_queue_refuses_at_once_with_the_time_to_come_back() -> None:
    async def main() -> None:
        server = Server(max_queue=1, heartbeat_seconds=0.1)
        one = echo_model("a", engine={**SLOW, "max_batch_sequences": 1})
        async with serving(one, server=server) as (models, dispatcher):
            running = await dispatcher.generate(request("a", "long enough to wait for"))
            queued = asyncio.gather(text(dispatcher, request("a", "queued")))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded) as refused:
                await dispatcher.generate(request("a"))
            assert refused.value.retry_after_seconds is not None
            assert not models.health().ready
            await running.aclose()
            assert list(await queued) == ["queued"]
            assert models.health().ready

    uvloop.run(main())


def test_a_deadline_ends_a_request_in_the_queue_and_in_the_stream() -> None:
    async def main() -> None:
        one = echo_model("a", engine={**SLOW, "max_batch_sequences": 1})
        async with serving(one) as (models, dispatcher):
            running = await dispatcher.generate(request("a", "x" * 50, timeout_seconds=0.5))
            with pytest.raises(DeadlineExceeded, match="before it could start"):
                await dispatcher.generate(request("a", timeout_seconds=0.05))
            with pytest.raises(DeadlineExceeded, match="before it was finished"):
                async for _ in running:
                    pass
            assert models.resolve("a").running == 0
            assert await text(dispatcher, request("a")) == "hello"

    uvloop.run(main())


def test_a_parameter_that_the_engine_cannot_honour_is_refused_by_name_with_one_that_can() -> None:
    async def main() -> None:
        async with serving(echo_model("a")) as (_, dispatcher):
            with pytest.raises(UnsupportedParameter, match="cannot honour logit_bias; the transformers engine can"):
                await dispatcher.generate(request("a", logit_bias={5: 1.0}))

    uvloop.run(main())


def test_cancelling_before_the_first_token_gives_everything_back() -> None:
    async def main() -> None:
        slow = echo_model("a", engine={"prefill_tokens_per_second": 5.0})
        async with serving(slow) as (models, dispatcher):
            waiting = asyncio.gather(dispatcher.generate(request("a", "x" * 20)))
            await asyncio.sleep(0.1)
            assert models.resolve("a").running == 1
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert models.resolve("a").running == 0

    uvloop.run(main())


def test_a_version_may_be_added_at_run_time_but_not_redefined(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(echo_model("a"), roots=(DEMO_FOLDER.parent,)) as (models, dispatcher):
            with pytest.raises(Conflict, match="another source"):
                await models.load("a@1", source=str(tmp_path))
            added = await models.load("new@7", source=str(DEMO_FOLDER))
            assert (added.name, added.version, added.engine) == ("new", "7", "openvino")
            assert await text(dispatcher, request("new", max_tokens=3, temperature=0.0))

    uvloop.run(main())


@pytest.mark.parametrize("source", ["owner/name", "no/such/folder", "builtin:demo", "https://example.org/x", "/etc"])
def test_a_source_in_a_request_is_a_folder_under_the_roots_or_refused(source: str) -> None:
    async def main() -> None:
        async with serving(echo_model("a"), roots=(DEMO_FOLDER.parent,)) as (models, _):
            with pytest.raises((CheckpointInvalid, CheckpointUnsafe)):
                await models.load("new", source=source)
            assert [status.name for status in models.list()] == ["a"]
            with pytest.raises(ModelNotFound):
                models.resolve("new")

    uvloop.run(main())
