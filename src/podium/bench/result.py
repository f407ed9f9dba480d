"""The file of a run: plan, provenance, stamp of validity, figures, and beside it every request.

A run is a folder: ``result.json`` (this ``RunResult``) and ``requests.jsonl`` (one ``RequestRecord`` a line, by index).
Nothing that is there is ever replaced. Later versions of Podium add members; they do not change or remove any.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from podium.bench.record import RequestRecord
from podium.bench.summary import Counts, Summary
from podium.core.errors import Conflict, InvalidRequest, NotFound

FORMAT = "podium-bench/1"
RESULT_FILE = "result.json"
REQUESTS_FILE = "requests.jsonl"


class Reason(StrEnum):
    """Why a run must not be believed."""

    CALIBRATION = "calibration"  # a no-op server was not driven at the asked rate
    SCHEDULE_DELAY = "schedule_delay"  # p99 above its bound
    CLIENT_LATE = "client_late"  # the client's own loop came too late to read answers
    CLIENT_CPU = "client_cpu"  # a worker used more than 80 % of a core
    LOAD_NOT_DELIVERED = "load_not_delivered"  # rate off by more than 1 %, or arrivals of another shape
    NOT_STATIONARY = "not_stationary"  # no window without a trend: over-saturated, or too short to know
    WINDOW_TOO_SHORT = "window_too_short"
    OUTPUT_LENGTHS = "output_lengths"  # delivered lengths are not the requested ones
    PROMPT_LENGTHS = "prompt_lengths"
    TOO_FEW_SAMPLES = "too_few_samples"
    TOKEN_COUNTS = "token_counts"  # noqa: S105 - usage and frames disagree
    CACHED_ANSWERS = "cached_answers"  # answers that nobody computed
    NO_WARM_UP = "no_warm_up"
    NOTHING_SUCCEEDED = "nothing_succeeded"
    INTERRUPTED = "interrupted"
    WORKER_LOST = "worker_lost"


class Invalidity(msgspec.Struct, frozen=True, kw_only=True):
    """One reason, in words: what was seen, what was needed, what to do."""

    reason: Reason
    detail: str


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What these workers reach against a no-op server on this machine, just before the run."""

    asked_per_second: float | None  # None: as fast as it goes (closed loop)
    reached_per_second: float
    schedule_delay_p99: float | None  # seconds
    seconds: float
    ttft_p50: float | None = None  # seconds; the floor under every TTFT of the run
    worker_cpu_ratio: float = 0.0


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a result comes from."""

    started_at: str  # UTC, ISO 8601; stamp 0 of every record
    command: list[str]  # without secrets
    podium_version: str
    python_version: str
    seed: int
    target: str  # base URL, without user and password
    model: str
    dialect: str
    machine: dict[str, Any] = {}  # cpu, cores, memory_bytes, system, host load before the run
    server: dict[str, Any] = {}  # what the target says of itself: headers, version, model list
    tokenizer: str = ""  # how prompt lengths were made exact: server route, file hash, or "usage"
    commit: str = ""  # of the checkout that ran, where it is one


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """A run. ``summary`` is None when ``invalid`` has reasons: such a run has no headline figures."""

    format: str = FORMAT
    name: str
    plan: dict[str, Any]  # what was asked for: load, workload, timeouts, objectives; as ``RunPlan`` writes it
    provenance: Provenance
    counts: Counts  # over the whole run
    seconds: float  # from the first scheduled to the last end
    invalid: list[Invalidity] = []
    summary: Summary | None = None
    calibration: Calibration | None = None
    client: dict[str, float] = {}  # workers; of any, the most: worker_cpu_ratio, loop_lag_p99, loop_lag_most (seconds)
    notes: list[str] = []
    tags: dict[str, str] = {}  # free; a sweep writes its point here

    @property
    def streamed(self) -> bool:
        """Whether answers came token by token; TTFT, TPOT and ITL are defined for no others."""
        return bool(self.plan.get("target", {}).get("streamed", True))

    @property
    def valid(self) -> bool:
        """Whether the figures may be believed."""
        return not self.invalid


def save(folder: Path, result: RunResult, records: Iterable[RequestRecord]) -> None:
    """Write a run into ``folder``, which must not exist or be empty.

    Raises:
        Conflict: something is there.
    """
    new_folder(folder)
    encoder = msgspec.json.Encoder()
    with (folder / REQUESTS_FILE).open("xb") as lines:
        for record in records:
            lines.write(encoder.encode(record) + b"\n")
    with (folder / RESULT_FILE).open("xb") as file:
        file.write(msgspec.json.format(encoder.encode(result), indent=2) + b"\n")


def new_folder(folder: Path) -> None:
    """Make a folder for results. Raises ``Conflict`` when something is there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict("the folder for the results is not empty; results are never replaced: name another one")
    folder.mkdir(parents=True, exist_ok=True)


def load(folder: Path) -> RunResult:
    """The result in ``folder`` (or in the ``result.json`` that it is).

    Raises:
        NotFound: there is none.
        InvalidRequest: it is not such a file.
    """
    path = folder if folder.is_file() else folder / RESULT_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunResult)
    except OSError as error:
        raise NotFound(f"no result of a run there; a folder with {RESULT_FILE} is needed") from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"that {RESULT_FILE} is not one of {FORMAT}: {error}") from error


def load_records(folder: Path) -> list[RequestRecord]:
    """Every request of the run in ``folder``, by index. Raises as ``load``."""
    path = (folder.parent if folder.is_file() else folder) / REQUESTS_FILE
    try:
        with path.open("rb") as lines:
            decoder = msgspec.json.Decoder(RequestRecord)
            return sorted((decoder.decode(line) for line in lines if line.strip()), key=lambda record: record.index)
    except OSError as error:
        raise NotFound(f"the run has no {REQUESTS_FILE} beside its result") from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"a line of {REQUESTS_FILE} is not a request of {FORMAT}: {error}") from error
