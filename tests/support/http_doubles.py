"""A backend of the HTTP surface without engines: every answer is decided by the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from podium.api.backend import Backend
from podium.api.batches import Batches
from podium.api.observer import RequestObserver
from podium.api.record import RequestRecord
from podium.api.text_tasks import TextTasks
from podium.config.access import Access
from podium.config.batches import Batches as BatchSettings
from podium.config.server import Server
from podium.core.batch import Order, StoredBatch, StoredFile
from podium.core.errors import ModelNotFound, NotFound, PodiumError, Unauthenticated
from podium.core.generation import Chunk, GenerationRequest, Prompt, TextPrompt, TokenLogprob, TokensPrompt
from podium.core.identity import LOCAL, Principal
from podium.core.one_shot import Input, OneShotRequest, PairPrompt, Vectors, WindowedPrompt
from podium.core.phase import enter
from podium.core.standing import CacheStatus, Standing
from podium.core.task_answers import Entity, Filling, FoundAnswer, LabelScore

WORDS = ("The", " sea", " was", " calm", ".")


def logprob_of(word: str, position: int, count: int) -> TokenLogprob:
    """A token with ``count`` alternatives, itself the most likely one."""
    logprob = -0.1 * (position + 1)
    top = tuple((position * 100 + rank, word if rank == 0 else f"~{rank}", logprob - rank) for rank in range(count))
    return TokenLogprob(position, word, logprob, top)


def story(request: GenerationRequest, words: Sequence[str] = WORDS) -> list[Chunk]:
    """One chunk a word for each choice, interleaved as a batch would; the last one has the finish reason."""
    limit = request.sampling.max_tokens or len(words)
    said = [words[position % len(words)] for position in range(limit)] if limit > len(words) else words[:limit]
    count = request.sampling.logprobs
    return [
        Chunk(
            index=index,
            text=word,
            token_ids=(position,),
            token_count=1,
            logprobs=None if count is None else (logprob_of(word, position, count),),
            finish_reason=("length" if position == limit - 1 else "stop") if position == len(said) - 1 else None,
            prompt_tokens=prompt_tokens(request.prompt),
            cached_tokens=1,
        )
        for position, word in enumerate(said)
        for index in range(request.sampling.n)
    ]


def prompt_tokens(prompt: Prompt | Input) -> int:
    if isinstance(prompt, PairPrompt):
        return len(prompt.first.split()) + len(prompt.second.split())
    if isinstance(prompt, WindowedPrompt):
        return len(prompt.question.split()) + len(prompt.text.split())
    if isinstance(prompt, TokensPrompt):
        return len(prompt.token_ids)
    return len(prompt.text.split()) if isinstance(prompt, TextPrompt) else len(prompt.messages)


class FakeGeneration:
    """Plays chunks; an exception among them is raised, an event among them is waited for."""

    def __init__(self, model: str, steps: Sequence[Chunk | BaseException | asyncio.Event]) -> None:
        self.model = model
        self.version = "1"
        self.engine = "fake"
        self.cache_status: CacheStatus = "miss"
        self.age_seconds: float | None = None
        self.similarity: float | None = None
        self.standings: tuple[Standing, ...] = ()
        self.closed = asyncio.Event()
        self.given = 0
        self._steps = self._play(steps)

    async def _play(self, steps: Sequence[Chunk | BaseException | asyncio.Event]) -> AsyncIterator[Chunk]:
        for step in steps:
            await asyncio.sleep(0)
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, asyncio.Event):
                await step.wait()
            else:
                self.given += 1
                yield step

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        return await anext(self._steps)

    async def aclose(self) -> None:
        self.closed.set()


Script = Callable[[GenerationRequest], Sequence[Chunk | BaseException | asyncio.Event] | PodiumError]
Dress = Callable[[GenerationRequest, FakeGeneration], None]


@dataclass
class FakeTokenized:
    token_ids: tuple[int, ...] = (1, 2, 3)
    strings: tuple[str, ...] = ("a", "b", "c")
    max_model_len: int = 128


@dataclass
class FakeFacts:
    vocab_size: int = 10
    bos_token: str | None = None
    eos_token: str | None = "</s>"
    pad_token: str | None = None
    chat_template: str | None = None


class FakeDispatcher:
    """Answers by ``script``; keeps every request and every generation, which ``dress`` may change before it is given.

    A model that the caller may not use is unknown, as the dispatcher's contract says.
    """

    def __init__(self, script: Script = story, dress: Dress | None = None) -> None:
        self.script = script
        self.dress = dress
        self.requests: list[GenerationRequest] = []
        self.asked = asyncio.Event()
        self.generations: list[FakeGeneration] = []
        self.models = FakeModels()
        self.hold: asyncio.Event | None = None
        self.cancelled = 0

    async def generate(self, request: GenerationRequest) -> FakeGeneration:
        status = self._permitted(request.caller, request.model)
        self.requests.append(request)
        self.asked.set()
        if self.hold is not None:
            await self._held(self.hold)
        enter("queue")
        steps = self.script(request)
        if isinstance(steps, PodiumError):
            raise steps
        enter("run")
        generation = FakeGeneration(status.name, steps)
        if self.dress is not None:
            self.dress(request, generation)
        self.generations.append(generation)
        return generation

    async def _held(self, hold: asyncio.Event) -> None:
        try:
            await hold.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def _permitted(self, caller: Principal, model: str) -> FakeStatus:
        status = self.models.resolve(model)
        if not caller.may_use(status.name):
            raise unknown_model()
        return status

    async def tokenize(
        self,
        caller: Principal,
        model: str,
        prompt: Prompt,  # noqa: ARG002
        *,
        add_special_tokens: bool = True,  # noqa: ARG002
    ) -> FakeTokenized:
        self._permitted(caller, model)
        return FakeTokenized()

    async def detokenize(self, caller: Principal, model: str, token_ids: tuple[int, ...]) -> str:
        self._permitted(caller, model)
        return " ".join(map(str, token_ids))

    def tokenizer_facts(self, caller: Principal, model: str) -> FakeFacts:
        self._permitted(caller, model)
        return FakeFacts()


@dataclass
class FakeEmbedded:
    vectors: Vectors
    prompt_tokens: int
    model: str = "demo"
    version: str = "1"
    engine: str = "fake"
    standings: tuple[Standing, ...] = ()


class FakeEmbedder:
    """The vector of input number k is (k, k + 1/4, -1/3); keeps every request. ``failure`` is raised instead."""

    def __init__(self, models: FakeModels | None = None) -> None:
        self.models = models or FakeModels()
        self.requests: list[OneShotRequest] = []
        self.dimensions: list[int | None] = []
        self.failure: PodiumError | None = None
        self.standings: tuple[Standing, ...] = ()

    async def embed(self, request: OneShotRequest, *, dimensions: int | None = None) -> FakeEmbedded:
        status = self.models.resolve(request.model)
        if not request.caller.may_use(status.name):
            raise unknown_model()
        self.requests.append(request)
        self.dimensions.append(dimensions)
        if self.failure is not None:
            raise self.failure
        rows = [(number, number + 0.25, -1 / 3) for number in range(len(request.inputs))]
        tokens = sum(map(prompt_tokens, request.inputs))
        return FakeEmbedded(np.array(rows, dtype=np.float32), tokens, status.name, standings=self.standings)


@dataclass
class FakeClassified:
    computed: FakeEmbedded
    labels: tuple[str, ...]
    scores: Vectors
    probabilities: Vectors
    multi_label: bool = False


class FakeClassifier(FakeEmbedder):
    """A text of three words or more is ``many`` with 3/4, else ``few``; the longer a pair's second text, the better."""

    async def classify(self, request: OneShotRequest) -> FakeClassified:
        computed = await self.embed(request)
        rows = [(1.0, 3.0) if prompt_tokens(one) > 2 else (3.0, 1.0) for one in request.inputs]
        scores = np.array(rows, dtype=np.float32)
        return FakeClassified(computed, ("few", "many"), scores, np.float32(0.25) * scores)

    async def rank(self, request: OneShotRequest) -> FakeClassified:
        computed = await self.embed(request)
        lengths = [len(one.second) / 8 for one in request.inputs if isinstance(one, PairPrompt)]
        scores = np.array(lengths, dtype=np.float32)[:, np.newaxis]
        return FakeClassified(computed, ("relevance",), scores, np.exp(-np.logaddexp(0, -scores), dtype=np.float32))


@dataclass
class FakeFound:
    """What came of a request for a task that finds something in texts."""

    computed: FakeEmbedded
    labels: tuple[Any, ...] = ()
    entities: tuple[tuple[Entity, ...], ...] = ()
    mask_token: str = "[MASK]"
    masks: tuple[tuple[tuple[Filling, ...], ...], ...] = ()
    windows: int = 1
    answers: tuple[FoundAnswer, ...] = ()


class FakeTextTasks(FakeEmbedder):
    """Finds the first word of each text, as ``X``; labels fit in their order; masks are filled by tokens 7, 6, 5.

    ``asked`` keeps what was asked beside the request.
    """

    def __init__(self, models: FakeModels | None = None) -> None:
        super().__init__(models)
        self.asked: list[tuple[object, ...]] = []

    async def tag(self, request: OneShotRequest, *asked: object) -> FakeFound:
        found = FakeFound(await self._note(request, *asked), ("O", "X"))
        found.entities = tuple((Entity("X", 0.75, 0, len(_text(one).split()[0])),) for one in request.inputs)
        return found

    async def label(
        self, request: OneShotRequest, labels: Sequence[str], hypothesis: str, *, multi_label: bool
    ) -> FakeFound:
        computed = await self._note(request, tuple(labels), hypothesis, multi_label)
        row = tuple(LabelScore(label, 1 / (2 + place)) for place, label in enumerate(labels))
        return FakeFound(computed, labels=(row,) * len(request.inputs))

    async def fill(self, request: OneShotRequest, top_k: int) -> FakeFound:
        found = FakeFound(await self._note(request, top_k))
        filled = tuple(Filling(7 - place, f"w{7 - place}", 0.5 / (1 + place)) for place in range(top_k))
        found.masks = tuple((filled,) * _text(one).count("[MASK]") for one in request.inputs)
        return found

    async def answer(self, request: OneShotRequest, *, top_k: int, most_tokens: int, allow_none: bool) -> FakeFound:
        found = FakeFound(await self._note(request, top_k, most_tokens, allow_none), windows=2)
        found.answers = (FoundAnswer(0.5, 0, 4), FoundAnswer(0.25, 0, 0))[:top_k]
        return found

    async def _note(self, request: OneShotRequest, *asked: object) -> FakeEmbedded:
        computed = await self.embed(request)
        self.asked.append(asked)
        return computed

    def tasks(self) -> TextTasks:
        return TextTasks(self, self, self, self)


def _text(given: Input) -> str:
    assert isinstance(given, TextPrompt)
    return given.text


@dataclass
class FakeStatus:
    name: str = "demo"
    version: str = "1"
    aliases: tuple[str, ...] = ("org/alias",)
    state: str = "ready"
    task: str | None = "generate"
    engine: str | None = "fake"
    source: str = "builtin:demo"
    loaded_at_unix_seconds: float | None = 1000.0
    created_unix_seconds: float = 900.0
    request_count: int = 3
    max_model_len: int | None = 128
    memory_bytes: int | None = 4096
    progress: None = None
    error: str | None = None
    default: bool = True
    active: bool = True
    lives: bool = True

    @property
    def serving(self) -> bool:
        return self.state == "ready" and self.lives


def unknown_model() -> ModelNotFound:
    return ModelNotFound("No model has that name. GET /models lists them.", param="model")


@dataclass
class FakeHealth:
    started: bool = True
    live: bool = True
    ready: bool = True
    reasons: tuple[str, ...] = ()


@dataclass
class FakeLoad:
    name: str = "demo"
    version: str = "1"
    load_seconds: float = 0.5
    memory_bytes: int | None = 4096


@dataclass
class FakeUnload:
    name: str = "demo"
    version: str = "1"
    memory_before_bytes: int | None = 100
    memory_loaded_bytes: int | None = 4196
    memory_after_bytes: int | None = 101


class FakeModels:
    """Two models, of which the first is the default."""

    def __init__(self) -> None:
        self.statuses = [FakeStatus(), FakeStatus(name="other/model", aliases=(), default=False)]
        self.state = FakeHealth()
        self.failure: PodiumError | None = None
        self.calls: list[tuple[object, ...]] = []

    def list(self) -> list[FakeStatus]:
        return self.statuses

    def resolve(self, name: str) -> FakeStatus:
        for status in self.statuses:
            if name in (status.name, f"{status.name}@{status.version}", *status.aliases):
                return status
        raise unknown_model()

    async def load(self, name: str, *, source: str | None = None, activate: bool = True) -> FakeLoad:
        if source is None:
            self.resolve(name)
        self._note("load", name, source, activate)
        return FakeLoad()

    async def unload(self, name: str) -> FakeUnload:
        self.resolve(name)
        self._note("unload", name)
        return FakeUnload()

    def _note(self, *call: object) -> None:
        self.calls.append(call)
        if self.failure is not None:
            raise self.failure

    def health(self) -> FakeHealth:
        return self.state


COPY_KEY = "the gateway's"


@dataclass
class FakeGatekeeper:
    """Knows the keys of a table; a caller that gives none is ``anonymous``, or refused when that is None.

    ``asked`` keeps what it was asked: credentials, and whether the caller was local.
    """

    keys: Mapping[str, Principal] = field(default_factory=dict)
    anonymous: Principal | None = LOCAL
    asked: list[tuple[tuple[str, ...], bool]] = field(default_factory=list)
    ready: bool = True

    def identify(self, credentials: Sequence[str], *, local: bool) -> Principal:
        self.asked.append((tuple(credentials), local))
        known = [self.keys[given] for given in credentials if given in self.keys]
        if credentials and len(known) == len(credentials):
            return known[0]
        if credentials or self.anonymous is None:
            raise Unauthenticated("A valid key is required. Send it as `Authorization: Bearer KEY`.")
        return self.anonymous

    def renewed(self, earlier: Principal) -> Principal:
        return earlier

    def is_copy(self, shown: str) -> bool:
        return shown == COPY_KEY


@dataclass
class FakeCacheUse:
    model: str = "demo"
    keys: int = 2
    memory_bytes: int = 2048
    lookups: Mapping[CacheStatus, int] = field(default_factory=lambda: {"hit": 3, "miss": 1})


@dataclass
class FakeCache:
    """Tells ``uses``; keeps what it was asked to forget."""

    uses: list[FakeCacheUse] = field(default_factory=lambda: [FakeCacheUse()])
    cleared: list[tuple[str | None, str | None]] = field(default_factory=list)

    async def use(self) -> list[FakeCacheUse]:
        return self.uses

    async def clear(self, *, model: str | None = None, tenant: str | None = None) -> int:
        self.cleared.append((model, tenant))
        return 7


@dataclass
class FakeUsageRow:
    tenant: str = "acme"
    key_id: str = "0123456789abcdef"
    model: str = "demo"
    requests: int = 3
    prompt_tokens: int = 30
    output_tokens: int = 12
    cached_requests: int = 1
    cost: float = 0.25


@dataclass
class FakeUsage:
    """Tells those of ``rows`` that were asked for; keeps the questions."""

    rows: list[FakeUsageRow] = field(default_factory=list)
    asked: list[tuple[float, str | None, str | None]] = field(default_factory=list)

    async def usage(
        self, *, since_seconds: float, tenant: str | None = None, key_id: str | None = None
    ) -> list[FakeUsageRow]:
        self.asked.append((since_seconds, tenant, key_id))
        return [row for row in self.rows if tenant in (None, row.tenant) and key_id in (None, row.key_id)]


@dataclass
class FakeObserver:
    """Keeps what it was told."""

    routes: list[str] = field(default_factory=list)
    records: list[RequestRecord] = field(default_factory=list)

    def received(self, record: RequestRecord) -> None:
        self.routes.append(record.route)

    def finished(self, record: RequestRecord) -> None:
        self.records.append(replace(record))

    def background(self, record: RequestRecord) -> None:
        self.records.append(replace(record))


@dataclass
class FakeUpload:
    """Keeps how much arrived."""

    tenant: str
    size_bytes: int = 0

    async def write(self, data: bytes) -> None:
        self.size_bytes += len(data)

    async def keep(self, filename: str, *, keep_seconds: int | None = None) -> StoredFile:
        return StoredFile("file-demo", self.tenant, filename, "batch", self.size_bytes, 1, 1 + (keep_seconds or 1))

    async def close(self) -> None:
        pass


class FakeBatches:
    """One file ``file-demo`` and one batch that its tests call ``demo``; anything else does not exist."""

    settings = BatchSettings()

    def __init__(self) -> None:
        self.orders: list[Order] = []

    async def upload(self, caller: Principal) -> FakeUpload:
        return FakeUpload(caller.tenant)

    async def file(self, caller: Principal, file_id: str) -> StoredFile:
        if file_id not in ("demo", "file-demo"):
            raise NotFound("You have no file of that id.", param="id")
        return StoredFile(file_id, caller.tenant, "lines.jsonl", "batch", 1, 1, 2)

    async def content(self, caller: Principal, file_id: str) -> tuple[StoredFile, AsyncGenerator[bytes, None]]:
        async def pieces() -> AsyncGenerator[bytes, None]:
            yield b"x"

        return await self.file(caller, file_id), pieces()

    async def list_files(self, caller: Principal, **_: object) -> list[StoredFile]:
        return [await self.file(caller, "file-demo")]

    async def delete_file(self, caller: Principal, file_id: str) -> None:
        await self.file(caller, file_id)

    async def add_batch(self, caller: Principal, order: Order) -> StoredBatch:
        await self.file(caller, order.input_file_id)
        self.orders.append(order)
        return StoredBatch("batch_demo", caller, "", order, 1)

    async def batch(self, caller: Principal, batch_id: str) -> StoredBatch:
        if batch_id not in ("demo", "batch_demo"):
            raise NotFound("You have no batch of that id.", param="id")
        return StoredBatch(batch_id, caller, "", Order("file-demo", "/v1/embeddings", "24h", 86400), 1)

    async def list_batches(self, caller: Principal, **_: object) -> list[StoredBatch]:
        return [await self.batch(caller, "batch_demo")]

    async def cancel(self, caller: Principal, batch_id: str) -> StoredBatch:
        return await self.batch(caller, batch_id)


def fake_backend(
    script: Script = story,
    *,
    server: Server | None = None,
    access: Access | None = None,
    gatekeeper: FakeGatekeeper | None = None,
    cache: FakeCache | None = None,
    usage: FakeUsage | None = None,
    observer: RequestObserver | None = None,
    dispatcher: FakeDispatcher | None = None,
    embedder: FakeEmbedder | None = None,
    classifier: FakeClassifier | None = None,
    text_tasks: FakeTextTasks | None = None,
    batches: Batches | None = None,
    draining: Callable[[], bool] = lambda: False,
) -> Backend:
    """A backend on a fake dispatcher that shares its models. Callers without a key may do everything."""
    dispatcher = dispatcher or FakeDispatcher(script)
    return Backend(
        dispatcher=dispatcher,
        embedder=embedder or FakeEmbedder(dispatcher.models),
        classifier=classifier or FakeClassifier(dispatcher.models),
        text_tasks=(text_tasks or FakeTextTasks(dispatcher.models)).tasks(),
        models=dispatcher.models,
        server=server or Server(),
        access=access or Access(),
        gatekeeper=gatekeeper or FakeGatekeeper(),
        cache=cache or FakeCache(),
        usage=usage or FakeUsage(),
        metrics=lambda _: (b"# HELP podium_up 1\npodium_up 1\n", "text/plain; version=0.0.4; charset=utf-8"),
        draining=draining,
        started_at_monotonic_seconds=time.monotonic() - 5,
        observer=observer or FakeObserver(),
        batches=batches or FakeBatches(),
        version="9.9",
    )
