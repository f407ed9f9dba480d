"""``/v1/files``: what batches read, and what they wrote."""

from __future__ import annotations

import asyncio
import re

from starlette.requests import Request
from starlette.responses import Response

from podium.api.batches import Batches
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.download import Download
from podium.api.json_answer import PRIVATE, JsonAnswer
from podium.api.multipart import FormReader, boundary_of
from podium.api.openai.pages import limit_of, newest_first
from podium.api.openapi import form_operation, operation
from podium.api.principal import principal_of
from podium.api.record import record_of
from podium.core.batch import INPUT, StoredFile
from podium.core.errors import InvalidRequest, NotConfigured, UnsupportedParameter
from podium.protocols.batches import LEAST_EXPIRY_SECONDS, MOST_EXPIRY_SECONDS, FileDeleted, FileList, FileObject

router = direct_router(tags=["OpenAI"])

PATH = "/v1/files"
MOST_FORM_BYTES = 128 * 1024
"""Of a form, beside the file in it."""

_DEFAULT_PAGE = _MOST_ON_PAGE = 10_000
_LONGEST_NAME = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ANCHOR, _SECONDS = "expires_after[anchor]", "expires_after[seconds]"
_FIELDS = {"purpose", _ANCHOR, _SECONDS}


def batches_of(request: Request) -> Batches:
    """Files and batches. Raises ``NotConfigured`` where there are none."""
    found = backend_of(request).batches
    if found is None:
        raise NotConfigured(
            "This server has no files and no batches: batches.folder is not set. Its operator sets it to a folder that "
            "all servers behind this address share."
        )
    return found


@router.post(PATH, **form_operation("Upload a file", answer=FileObject))
async def upload(request: Request) -> Response:
    """Keep a file for a batch. It goes to the disk while it arrives."""
    batches = batches_of(request)
    form = FormReader(boundary_of(request.headers.get("content-type", "")))
    arriving = await batches.upload(principal_of(request.scope))
    try:
        async for piece in request.stream():
            if content := await asyncio.to_thread(form.feed, piece):
                await arriving.write(content)
        form.finish()
        file = await arriving.keep(_name(form.filename or ""), keep_seconds=_keep_seconds(_checked(form.fields)))
    finally:
        await arriving.close()
    record_of(request.scope).bytes_in = file.size_bytes
    return JsonAnswer(_object(file), headers=PRIVATE)


def _checked(fields: dict[str, str]) -> dict[str, str]:
    if not set(fields) <= _FIELDS:
        raise UnsupportedParameter("The form has a field that means nothing here. Leave it out.", param="body")
    if fields.get("purpose") != INPUT:
        raise InvalidRequest("`purpose` must be `batch`: files are for batches here.", param="purpose")
    return fields


def _name(given: str) -> str:
    """What the client calls the file, without folders; shown again, and used for nothing else."""
    name = re.split(r"[/\\]", given)[-1]
    if not name or len(name) > _LONGEST_NAME or _CONTROL.search(name):
        told = f"The file needs a name of 1 to {_LONGEST_NAME} characters without control characters."
        raise InvalidRequest(told, param="file")
    return name


def _keep_seconds(fields: dict[str, str]) -> int | None:
    anchor, seconds = fields.get(_ANCHOR), fields.get(_SECONDS)
    if anchor is None and seconds is None:
        return None
    digits = seconds or ""
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0
    if anchor != "created_at" or not LEAST_EXPIRY_SECONDS <= number <= MOST_EXPIRY_SECONDS:
        raise InvalidRequest(
            f"`expires_after` must have the anchor created_at and {LEAST_EXPIRY_SECONDS} to {MOST_EXPIRY_SECONDS} "
            "seconds.",
            param="expires_after",
        )
    return number


_PAGE = {
    "after": "The last id of the page before.",
    "limit": f"Most files; 1 to {_MOST_ON_PAGE}, which is also the default.",
    "order": "`desc`, the newest first, or `asc`. None is desc.",
    "purpose": "Only `batch` (uploaded) or `batch_output` (results).",
}


@router.get(PATH, **operation("List files", answer=FileList, query=_PAGE))
async def list_files(request: Request) -> Response:
    """Files of the caller's tenant."""
    batches, limit = batches_of(request), limit_of(request, _DEFAULT_PAGE, _MOST_ON_PAGE)
    found = await batches.list_files(
        principal_of(request.scope),
        after=request.query_params.get("after"),
        limit=limit + 1,
        newest_first=newest_first(request),
        purpose=request.query_params.get("purpose"),
    )
    data = [_object(file) for file in found[:limit]]
    first, last = (data[0].id, data[-1].id) if data else (None, None)
    answer = FileList(data=data, first_id=first, last_id=last, has_more=len(found) > limit)
    return JsonAnswer(answer, headers=PRIVATE)


@router.get("/v1/files/{file_id}", **operation("Describe a file", answer=FileObject))
async def get_file(request: Request, file_id: str) -> Response:
    """One file of the caller's tenant; of any for a key with the role admin."""
    file = await batches_of(request).file(principal_of(request.scope), file_id)
    return JsonAnswer(_object(file), headers=PRIVATE)


@router.get(
    "/v1/files/{file_id}/content",
    **operation("Download a file", answer=str, media_type="application/octet-stream"),
)
async def get_content(request: Request, file_id: str) -> Response:
    """The bytes of a file, for its own tenant alone."""
    file, pieces = await batches_of(request).content(principal_of(request.scope), file_id)
    return Download(pieces, size_bytes=file.size_bytes, headers=PRIVATE)


@router.delete("/v1/files/{file_id}", **operation("Delete a file", answer=FileDeleted))
async def delete_file(request: Request, file_id: str) -> Response:
    """409 while a batch that has not ended reads it."""
    await batches_of(request).delete_file(principal_of(request.scope), file_id)
    return JsonAnswer(FileDeleted(id=file_id), headers=PRIVATE)


def _object(file: StoredFile) -> FileObject:
    return FileObject(
        id=file.id,
        bytes=file.size_bytes,
        created_at=file.created_at,
        expires_at=file.expires_at,
        filename=file.filename,
        purpose=file.purpose,
    )
