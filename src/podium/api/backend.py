"""What the HTTP surface needs of the rest of the server, as interfaces, and the object that carries it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from podium.api.batches import Batches
from podium.api.embedded import Embedded
from podium.api.recent_requests import RecentRequests
from podium.api.record import RequestRecord
from podium.api.text_tasks import TextTasks
from podium.config.access import Access
from podium.config.server import Server
from podium.core.generation import Chunk, GenerationRequest, Prompt
from podium.core.identity import Principal
from podium.core.one_shot import OneShotRequest, Vectors
from podium.core.standing import CacheStatus, Standing


class Generation(Protocol):
    """An answer in progress: an iterator of chunks whose first one is already there."""

    @property
    def model(self) -> str:
        """Name of the model, resolved from an alias."""

    @property
    def version(self) -> str:
        """Version of the model."""

    @property
    def engine(self) -> str:
        """Engine kind."""

    @property
    def cache_status(self) -> CacheStatus:
        """What the response cache had to do with it."""

    @property
    def age_seconds(self) -> float | None:
        """How old a kept answer is; None when it was computed now."""

    @property
    def similarity(self) -> float | None:
        """How similar the question of a kept answer is to the one asked; None when it is the same, or computed."""

    @property
    def standings(self) -> Sequence[Standing]:
        """The caller's quotas after this request was admitted; empty where none apply."""

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Chunk: ...

    async def aclose(self) -> None:
        """Abort if unfinished. Idempotent."""


class Tokenized(Protocol):
    """Token ids and texts of a prompt."""

    @property
    def token_ids(self) -> Sequence[int]:
        """The ids."""

    @property
    def strings(self) -> Sequence[str]:
        """The tokens' own texts."""

    @property
    def max_model_len(self) -> int:
        """Context of the model, in tokens."""


class TokenizerFacts(Protocol):
    """What a client may know of a tokenizer."""

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""

    @property
    def bos_token(self) -> str | None:
        """Beginning-of-sequence token."""

    @property
    def eos_token(self) -> str | None:
        """End-of-sequence token."""

    @property
    def pad_token(self) -> str | None:
        """Padding token."""

    @property
    def chat_template(self) -> str | None:
        """The chat template's source."""


class Dispatcher(Protocol):
    """Takes requests to models."""

    async def generate(self, request: GenerationRequest) -> Generation:
        """Returns when the first chunk is there; cancelling the wait aborts the sequence."""

    async def tokenize(
        self, caller: Principal, model: str, prompt: Prompt, *, add_special_tokens: bool = True
    ) -> Tokenized:
        """Tokens of ``prompt``. A model that ``caller`` may not use does not exist for it (ModelNotFound)."""

    async def detokenize(self, caller: Principal, model: str, token_ids: tuple[int, ...]) -> str:
        """Text of ``token_ids``."""

    def tokenizer_facts(self, caller: Principal, model: str) -> TokenizerFacts:
        """Facts of the model's tokenizer. Raises ModelNotReady while there is none."""


class Embedder(Protocol):
    """Takes embedding requests to models."""

    async def embed(self, request: OneShotRequest, *, dimensions: int | None = None) -> Embedded:
        """All vectors, or an error; cancelling the wait takes the rest out of the batch."""


class Classified(Protocol):
    """Shape (inputs, labels): what the model gave, and the probabilities that these are."""

    @property
    def computed(self) -> Embedded:
        """Who computed."""

    @property
    def labels(self) -> Sequence[str]:
        """Names of the columns."""

    @property
    def multi_label(self) -> bool:
        """Whether a row's probabilities stand each for itself, instead of summing to 1."""

    @property
    def scores(self) -> Vectors:
        """As the model gave them."""

    @property
    def probabilities(self) -> Vectors:
        """Between 0 and 1."""


class Classifier(Protocol):
    """Takes texts, and pairs of texts, to models that classify them."""

    async def classify(self, request: OneShotRequest) -> Classified:
        """All inputs, or an error; cancelling the wait takes the rest out of the batch."""

    async def rank(self, request: OneShotRequest) -> Classified:
        """The same for models whose only label is relevance."""


class LoadProgress(Protocol):
    """How far a load is."""

    @property
    def stage(self) -> str:
        """What is being done."""

    @property
    def ratio(self) -> float:
        """Done share, -1 when unknown."""


class ModelStatus(Protocol):
    """One version of one model, now."""

    @property
    def name(self) -> str:
        """Name in requests."""

    @property
    def version(self) -> str:
        """Version label."""

    @property
    def aliases(self) -> Sequence[str]:
        """Other names."""

    @property
    def state(self) -> str:
        """Where it is in its life; `ready` serves."""

    @property
    def task(self) -> str | None:
        """What the model does; None until it is known."""

    @property
    def engine(self) -> str | None:
        """Engine kind, once chosen."""

    @property
    def source(self) -> str:
        """Where it comes from, as configured."""

    @property
    def loaded_at_unix_seconds(self) -> float | None:
        """When it became ready."""

    @property
    def created_unix_seconds(self) -> float:
        """When its files were made."""

    @property
    def request_count(self) -> int:
        """Requests so far."""

    @property
    def max_model_len(self) -> int | None:
        """Context in tokens, once known."""

    @property
    def memory_bytes(self) -> int | None:
        """Measured memory of its worker."""

    @property
    def progress(self) -> LoadProgress | None:
        """How far loading is, while it loads."""

    @property
    def error(self) -> str | None:
        """Why loading failed."""

    @property
    def active(self) -> bool:
        """Whether the plain name means this version."""

    @property
    def default(self) -> bool:
        """Whether requests without a model name go here."""


class LoadReport(Protocol):
    """A finished load."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def version(self) -> str:
        """The version that was loaded."""

    @property
    def load_seconds(self) -> float:
        """Duration of the load."""

    @property
    def memory_bytes(self) -> int | None:
        """Measured memory of its worker."""


class UnloadReport(Protocol):
    """A finished unload, with measured memory."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def version(self) -> str:
        """The version that was unloaded."""

    @property
    def memory_before_bytes(self) -> int | None:
        """Before the model was loaded."""

    @property
    def memory_loaded_bytes(self) -> int | None:
        """While it was loaded."""

    @property
    def memory_after_bytes(self) -> int | None:
        """After its worker was gone."""


class Health(Protocol):
    """The three verdicts, with reasons for a no."""

    @property
    def started(self) -> bool:
        """All models that load at start are ready."""

    @property
    def live(self) -> bool:
        """Work goes forward."""

    @property
    def ready(self) -> bool:
        """New requests are welcome."""

    @property
    def reasons(self) -> Sequence[str]:
        """What stands against a yes."""


class Models(Protocol):
    """What is served, and its life."""

    def list(self) -> Sequence[ModelStatus]:
        """Every configured version."""

    def resolve(self, name: str) -> ModelStatus:
        """By name, alias or name@version. Raises ModelNotFound."""

    async def load(self, name: str, *, source: str | None = None, activate: bool = True) -> LoadReport:
        """Returns when the model is ready. With ``source``, a new name or version is added first.

        Raises a ModelLoadError, ModelNotFound or Conflict.
        """

    async def unload(self, name: str) -> UnloadReport:
        """Returns when the worker is gone."""

    def health(self) -> Health:
        """Cheap; never blocks."""


class Gatekeeper(Protocol):
    """Knows who a caller is."""

    @property
    def ready(self) -> bool:
        """Whether callers can be told apart; once true it stays true."""

    def identify(self, credentials: Sequence[str], *, local: bool) -> Principal:
        """The principal of the given keys or tokens (from every header that may hold one; empty: none given).

        ``local``: the server listens on a loopback address and was addressed by one of its names. Never waits.
        Raises Unauthenticated with one text for every cause.
        """

    def renewed(self, earlier: Principal) -> Principal:
        """Somebody who was identified earlier, with the rights of now. Raises Unauthenticated when it has none left."""

    def is_copy(self, shown: str) -> bool:
        """Whether ``shown`` is the key that marks the gateway's own copies of requests."""


class CacheUse(Protocol):
    """What the response cache holds and did, for one model or for all."""

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def keys(self) -> int:
        """Answers kept by this process, or by the shared store where it tells."""

    @property
    def memory_bytes(self) -> int:
        """Their size."""

    @property
    def lookups(self) -> Mapping[CacheStatus, int]:
        """Requests so far by what came of them."""


class ResponseCache(Protocol):
    """Looking into the response cache, and emptying it."""

    async def use(self) -> Sequence[CacheUse]:
        """By model."""

    async def clear(self, *, model: str | None = None, tenant: str | None = None) -> int:
        """Forget answers (all, or those of one model or tenant), on every replica; how many."""


class UsageRow(Protocol):
    """Use of one tenant, key and model."""

    @property
    def tenant(self) -> str:
        """Tenant."""

    @property
    def key_id(self) -> str:
        """Id of the key, never the key."""

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def requests(self) -> int:
        """Requests that ended."""

    @property
    def prompt_tokens(self) -> int:
        """Computed prompt tokens."""

    @property
    def output_tokens(self) -> int:
        """Computed output tokens."""

    @property
    def cached_requests(self) -> int:
        """Requests answered from the response cache; their tokens are not in the two counts above."""

    @property
    def cost(self) -> float:
        """Money, by the price table."""


class Usage(Protocol):
    """Who used what."""

    async def usage(
        self, *, since_seconds: float, tenant: str | None = None, key_id: str | None = None
    ) -> Sequence[UsageRow]:
        """Use in the last ``since_seconds``, of all or of one tenant or key."""


class RequestObserver(Protocol):
    """Told of every request: once when it arrives, once when it ends, with the same record and the same route.

    What a batch asks is no client's request: it is told once, when it ends, as ``background``.
    """

    def received(self, record: RequestRecord) -> None:
        """A request arrived. ``record.route`` is a route's template, or ``unmatched``; never caller's text."""

    def finished(self, record: RequestRecord) -> None:
        """It ended; ``record.outcome`` is of the closed set."""

    def background(self, record: RequestRecord) -> None:
        """A line of a batch was tried; ``record`` as for ``finished``."""


class NoObserver:
    """An observer that keeps nothing."""

    def received(self, record: RequestRecord) -> None:
        """Nothing is kept."""

    def finished(self, record: RequestRecord) -> None:
        """Nothing is kept."""

    def background(self, record: RequestRecord) -> None:
        """Nothing is kept."""


@dataclass(frozen=True)
class Backend:
    """Everything behind the HTTP surface.

    ``metrics`` renders the metrics page for an ``accept`` header and names its content type, ``draining`` says
    whether new work is refused, ``trace_ratio`` of the requests that come without a trace are recorded, and
    ``started_at_monotonic_seconds`` is when the process started (``time.monotonic``). Without ``batches`` there are
    neither files nor batches.
    """

    dispatcher: Dispatcher
    embedder: Embedder
    classifier: Classifier
    text_tasks: TextTasks
    models: Models
    server: Server
    access: Access
    gatekeeper: Gatekeeper
    cache: ResponseCache
    usage: Usage
    metrics: Callable[[str], tuple[bytes, str]]
    draining: Callable[[], bool]
    started_at_monotonic_seconds: float
    observer: RequestObserver = field(default_factory=NoObserver)
    recent: RecentRequests = field(default_factory=RecentRequests)
    batches: Batches | None = None
    version: str = "0"
    trace_ratio: float = 0.0

    def model_name(self, given: str | None) -> str:
        """``given``, or the name of the default model."""
        if given:
            return given
        statuses = self.models.list()
        return next((status.name for status in statuses if status.default), "")
