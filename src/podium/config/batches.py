"""Files that callers upload, and batches of requests that run in the background."""

from __future__ import annotations

from pydantic import Field

from podium.config.frozen import Group

MIB = 1024**2
DAY_SECONDS = 86_400


class Batches(Group):
    """`/v1/files` and `/v1/batches`. Off without a folder, which every server behind one address must share."""

    folder: str = Field(
        "",
        description="Folder on a local disk for files, batches and their results; all servers of one machine that "
        "clients reach at one address must name the same. Empty: files and batches are off (501), except that `podium "
        "up` with local servers only takes `podium-batches` beside `access.database`.",
    )
    servers: str = Field(
        "",
        max_length=128,
        description="Name of a group of servers: a batch runs on those that have the name of the one that took it. "
        "`podium up` sets the environment's, so a canary runs the batches that the gateway sent to it and no others.",
    )
    parallel: int = Field(
        8, ge=1, le=1024, description="Most lines that a server computes at a time, of all batches together."
    )
    attempts: int = Field(
        3,
        ge=1,
        le=100,
        description="How often a line is tried on which its model fails; then that is its result.",
    )
    lines: int = Field(50_000, ge=1, le=1_000_000, description="Most lines of a batch; more, and it fails.")
    file_bytes: int = Field(200 * MIB, ge=1024, description="Largest file, in bytes; more is 413.")
    tenant_bytes: int = Field(
        2048 * MIB, ge=1024, description="Most bytes in all files of a tenant, results included, when it uploads one."
    )
    open_batches: int = Field(100, ge=1, description="Most batches of a tenant that have not ended; more is 429.")
    upload_seconds: float = Field(600.0, gt=0, description="Longest time for an upload to arrive; later is 408.")
    longest_window_seconds: int = Field(
        7 * DAY_SECONDS, ge=1, description="Longest `completion_window`; OpenAI's clients ask for 24h."
    )
    keep_seconds: int = Field(
        30 * DAY_SECONDS, ge=60, description="How long files, and batches that ended, are kept; then they are deleted."
    )
