"""What is kept of a file and of a batch."""

from __future__ import annotations

from typing import Literal

import msgspec

from podium.core.identity import Principal

Status = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]
ENDED: frozenset[Status] = frozenset({"failed", "completed", "expired", "cancelled"})
Ending = Literal["completed", "expired", "cancelled"]
INPUT, OUTPUT = "batch", "batch_output"


class StoredFile(msgspec.Struct, frozen=True):
    """One file; times are Unix seconds. ``filename`` is the uploader's text and never part of a path."""

    id: str
    tenant: str
    filename: str
    purpose: str
    size_bytes: int
    created_at: int
    expires_at: int


class Problem(msgspec.Struct, frozen=True):
    """Why a batch cannot run; ``line`` counts from 1."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class Order(msgspec.Struct, frozen=True):
    """What a caller asks for. ``window`` as it was written, ``output_seconds`` how long its results are kept."""

    input_file_id: str
    endpoint: str
    window: str
    window_seconds: int
    metadata: dict[str, str] | None = None
    output_seconds: int | None = None


class StoredBatch(msgspec.Struct, frozen=True):
    """One batch. ``owner`` is who made it, as it was then; ``servers`` names those that run it.

    ``validated``: its lines were read and counted in ``total``. ``completed`` and ``failed`` are lines with a result
    so far, by which file it goes to. ``times`` is when it came to each status but ``validating``.
    """

    id: str
    owner: Principal
    servers: str
    order: Order
    created_at: int
    status: Status = "validating"
    validated: bool = False
    ending: Ending | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    times: dict[Status, int] = {}
    problems: tuple[Problem, ...] = ()
    output_file_id: str | None = None
    error_file_id: str | None = None

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.owner.tenant

    @property
    def expires_at(self) -> int:
        """When lines that have no result get none any more."""
        return self.created_at + self.order.window_seconds

    @property
    def ended(self) -> bool:
        """Whether nothing happens to it any more."""
        return self.status in ENDED

    def at(self, status: Status, now: float, **changes: object) -> StoredBatch:
        """The batch when it has come to ``status``."""
        return msgspec.structs.replace(self, status=status, times={**self.times, status: int(now)}, **changes)


class Result(msgspec.Struct, frozen=True):
    """The one result of a line: ``text`` is a whole line of the output file (``ok``) or of the error file."""

    number: int
    ok: bool
    text: bytes
