"""Files and batches of the OpenAI dialect."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from pydantic import Field

from podium.protocols.wire import WireModel

BatchEndpoint = Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"]
LEAST_EXPIRY_SECONDS = 3600
MOST_EXPIRY_SECONDS = 30 * 86_400
_Key = Annotated[str, Field(min_length=1, max_length=64)]
_Value = Annotated[str, Field(max_length=512)]


class OutputExpiry(WireModel):
    """How long the files of a batch's results are kept."""

    anchor: Literal["created_at"] = Field(description="When the file was made.")
    seconds: int = Field(ge=LEAST_EXPIRY_SECONDS, le=MOST_EXPIRY_SECONDS)


class BatchCreateRequest(WireModel):
    """A batch that is to run."""

    input_file_id: str = Field(max_length=128, description="A file that was uploaded with the purpose `batch`.")
    endpoint: BatchEndpoint = Field(description="Where every line goes; each must have it as its `url`.")
    completion_window: str = Field(
        max_length=16,
        description="When lines without a result expire: a number and s, m, h or d. OpenAI's clients send `24h`.",
    )
    metadata: dict[_Key, _Value] | None = Field(None, max_length=16, description="Kept, and told with the batch.")
    output_expires_after: OutputExpiry | None = None


class FileObject(msgspec.Struct, frozen=True, kw_only=True):
    """A file."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"


class FileList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of files."""

    object: Literal["list"] = "list"
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class FileDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True


class BatchProblem(msgspec.Struct, frozen=True):
    """Why a batch failed; ``line`` counts from 1."""

    code: str
    line: int | None
    message: str
    param: str | None


class BatchProblems(msgspec.Struct, frozen=True, kw_only=True):
    """Why a batch failed."""

    object: Literal["list"] = "list"
    data: list[BatchProblem]


class BatchRequestCounts(msgspec.Struct, frozen=True):
    """Lines, and those with a result so far: in the output file, and in the error file."""

    total: int
    completed: int
    failed: int


class BatchObject(msgspec.Struct, frozen=True, kw_only=True):
    """A batch. Times are Unix seconds, null while it has not come to that."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    errors: BatchProblems | None
    input_file_id: str
    completion_window: str
    status: str
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: BatchRequestCounts
    metadata: dict[str, str] | None


class BatchObjectList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of batches, the newest first."""

    object: Literal["list"] = "list"
    data: list[BatchObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
