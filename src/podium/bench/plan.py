"""What a run is asked to do, whole: a worker needs nothing else. Written into the result as it was."""

from __future__ import annotations

import msgspec

from podium.core.errors import InvalidRequest

MOST_TOKENS = 1_000_000


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """An input of a model of the Open Inference Protocol; -1 is a free size."""

    name: str
    datatype: str
    shape: list[int]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where requests go. ``headers`` may hold secrets: they are sent, and never written into a result."""

    url: str
    model: str
    dialect: str = "completions"  # a name of ``dialects.DIALECTS``
    streamed: bool = True  # False: the answer is asked for whole, so it has no first token
    tensors: list[Tensor] = []  # what the model takes, for the dialect ``infer``
    headers: dict[str, str] = {}
    verify_tls: bool = True
    ca_file: str | None = None
    allow_cached: bool = False  # else every request asks for an answer that is computed for it


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """When requests are sent. ``kind`` says which members count.

    ``closed``: ``concurrency`` users, each sending ``think_seconds`` after its last answer. ``constant``, ``poisson``,
    ``gamma``: ``rate`` a second; gamma with ``burstiness`` (1 is Poisson, below 1 comes in bursts). ``ramp``:
    Poisson from ``rate`` to ``end_rate``. ``stages``: Poisson, each of ``stages`` (rate, seconds) after the other.
    ``spike``: Poisson at ``rate``, and at ``end_rate`` in the middle fifth. ``trace``: the times of a file, divided
    by ``speed``.
    """

    kind: str
    seconds: float = 60.0  # of measured load, after the warm-up
    rate: float = 1.0
    end_rate: float = 1.0
    burstiness: float = 1.0
    concurrency: int = 1
    think_seconds: float = 0.0
    stages: list[tuple[float, float]] = []
    speed: float = 1.0
    most_requests: int | None = None

    @property
    def open_loop(self) -> bool:
        """Whether times are fixed beforehand and never wait for answers."""
        return self.kind != "closed"


class Length(msgspec.Struct, frozen=True, kw_only=True):
    """A number of tokens: ``mean``, normally spread by ``std`` where that is not 0, within [least, most]."""

    mean: int
    std: float = 0.0
    least: int = 1
    most: int = MOST_TOKENS


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a trace: seconds since its start, lengths in tokens, and ids of its prefix blocks."""

    at: float
    prompt_tokens: int
    output_tokens: int
    blocks: list[int] = []
    block_tokens: int = 512


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent.

    ``kind`` ``synthetic``: random words of exactly ``prompt`` tokens, of which the first ``shared_prefix_tokens`` are
    those of one of ``prefix_groups`` prefixes. ``texts``: prompts of a file, in order, again from the start when it
    ends. ``chats``: the same with lists of messages. ``trace``: lengths and shared blocks of ``turns``. With
    ``turns_per_conversation`` above 1 each prompt is followed by more of its kind, each after the answer to the last.
    """

    kind: str = "synthetic"
    prompt: Length = Length(mean=128)
    output: Length = Length(mean=64)
    shared_prefix_tokens: int = 0
    prefix_groups: int = 1
    texts: list[str] = []
    chats: list[list[dict[str, str]]] = []
    turns: list[Turn] = []
    turns_per_conversation: int = 1
    inputs: int = 1  # texts of a request that takes several: embeddings, documents of a rerank, tensors of texts
    ignore_eos: bool = True  # ask for exactly the wanted output length
    cancel_share: float = 0.0  # of requests that are hung up on
    cancel_after_tokens: int = 8
    extra: dict[str, object] = {}  # members of every request body


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """How to write a text of n tokens; see ``prompts.learn``."""

    unit: str  # "word": each of ``words`` is a token with the blank before it. "byte": each ASCII character is one
    words: list[str]
    overhead: int  # tokens that the server adds to every prompt: template, first token
    source: str  # who counted


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds; each ends a request with a failure class of its own."""

    connect: float = 10.0
    headers: float = 120.0
    stall: float = 60.0
    total: float = 600.0


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a run must keep to be believed; the defaults are those of the documentation."""

    schedule_delay_p99: float = 0.005  # seconds
    client_cpu: float = 0.8
    load_error: float = 0.01
    least_window_seconds: float = 30.0
    least_samples: int = 64
    length_error_share: float = 0.01


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    target: Target
    load: Load
    workload: Workload = Workload()
    words: Words | None = None
    timeouts: Timeouts = Timeouts()
    bounds: Bounds = Bounds()
    seed: int = 1
    warm_up_seconds: float = 5.0
    drain_seconds: float = 60.0  # for what is in flight at the end
    workers: int = 1
    calibrate: bool = True
    objectives: dict[str, float] = {}  # seconds: ttft, tpot, itl, e2e

    def without_secrets(self) -> dict[str, object]:
        """As it goes into the result: no header values, no prompt texts."""
        plain: dict[str, object] = msgspec.to_builtins(self)
        target = msgspec.to_builtins(self.target) | {"headers": sorted(self.target.headers)}
        work = msgspec.to_builtins(self.workload)
        for name in ("texts", "chats", "turns"):
            work[name] = len(work[name])
        words = None if self.words is None else {"unit": self.words.unit, "overhead": self.words.overhead}
        return plain | {"target": target, "workload": work, "words": words}


OBJECTIVES = ("ttft", "tpot", "itl", "e2e")
MANY_INPUTS = ("embeddings", "rerank", "infer")


def check(plan: RunPlan) -> RunPlan:
    """The plan itself. Raises ``InvalidRequest`` where parts of it contradict each other or make no sense."""
    load, work = plan.load, plan.workload
    _need(load.seconds > 0, "the run must last longer than 0 s")
    _need(load.rate > 0 and load.end_rate > 0 and load.speed > 0, "rates and speeds must be above 0")
    _need(load.burstiness > 0, "burstiness must be above 0; 1 is Poisson")
    _need(load.concurrency >= 1 and plan.workers >= 1, "concurrency and workers must be at least 1")
    _need(load.kind != "stages" or bool(load.stages), "a load in stages needs at least one RATExSECONDS")
    _need(all(rate > 0 and seconds > 0 for rate, seconds in load.stages), "stages need rates and seconds above 0")
    _need((load.kind == "trace") == (work.kind == "trace"), "a trace brings its own times and lengths: use both")
    _need(load.kind != "trace" or bool(work.turns), "the trace holds no request")
    _need(
        work.shared_prefix_tokens == 0 or work.shared_prefix_tokens < work.prompt.mean,
        f"a shared prefix of {work.shared_prefix_tokens} tokens needs longer prompts than {work.prompt.mean} tokens",
    )
    _need(work.turns_per_conversation == 1 or plan.target.dialect == "chat", "conversations need the chat dialect")
    _need(
        work.turns_per_conversation == 1 or not load.open_loop, "conversations need a closed loop: name --concurrency"
    )
    _need(work.kind != "chats" or plan.target.dialect == "chat", "a chat set needs the chat dialect")
    _need(work.inputs == 1 or plan.target.dialect in MANY_INPUTS, f"several inputs need one of {MANY_INPUTS}")
    if not plan.target.streamed:
        _need(work.cancel_share == 0, "only answers that are streamed can be hung up on after some tokens")
        inside = sorted({"ttft", "tpot", "itl"} & set(plan.objectives))
        _need(not inside, f"{', '.join(inside)}: not defined for answers that are not streamed; use e2e")
    unknown = sorted(set(plan.objectives) - set(OBJECTIVES))
    _need(not unknown, f"unknown objective {', '.join(unknown)}; allowed: {', '.join(OBJECTIVES)}")
    return plan


def _need(true: bool, words: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not true:
        raise InvalidRequest(words)
