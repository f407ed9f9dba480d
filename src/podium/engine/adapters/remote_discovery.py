"""Asking a remote server what it serves, once, when the model is loaded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import msgspec

from podium.config.engine import RemoteEngine
from podium.core.errors import ModelLoadError
from podium.engine.adapters.remote_request import EXTENDING_SERVERS, Dialect

DISCOVERY_SECONDS = 30.0
MAX_LISTING_BYTES = 1024**2
NO_SUCH_ROUTE = frozenset({404, 405, 501})


class _Model(msgspec.Struct):
    id: str
    owned_by: str | None = None
    max_model_len: int | None = None


class _Listing(msgspec.Struct):
    data: list[_Model]


class Discovered(msgspec.Struct, frozen=True):
    """The model to name in requests, and its context length where the server tells it."""

    dialect: Dialect
    max_model_len: int | None = None


def read_api_key(config: RemoteEngine) -> str | None:
    """The bearer key. Raises ``ModelLoadError`` when the file is missing or holds no single word."""
    if config.api_key_file is None:
        return None
    try:
        key = Path(config.api_key_file).expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelLoadError("engine.api_key_file cannot be read.") from error
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ModelLoadError("engine.api_key_file must hold one key: printable ASCII without spaces.")
    return key


async def discover(client: httpx.AsyncClient, config: RemoteEngine) -> Discovered:
    """Find the model. Raises ``ModelLoadError`` when the server cannot be reached or does not serve it."""
    try:
        async with asyncio.timeout(DISCOVERY_SECONDS):
            listing = await _listing(client)
    except (httpx.HTTPError, TimeoutError) as error:
        raise ModelLoadError("The remote server at engine.base_url cannot be reached.") from error
    if listing is None:
        if config.model is None:
            raise ModelLoadError("The remote server does not list its models; name one in engine.model.")
        return Discovered(Dialect(config.model, extended=False))
    found = next((model for model in listing.data if config.model in {None, model.id}), None)
    if found is None:
        raise ModelLoadError("The remote server does not list the model that engine.model names.")
    return Discovered(Dialect(found.id, extended=found.owned_by in EXTENDING_SERVERS), found.max_model_len)


async def _listing(client: httpx.AsyncClient) -> _Listing | None:
    """None when the server has no such route."""
    async with client.stream("GET", "/models") as response:
        if response.status_code in NO_SUCH_ROUTE:
            return None
        if response.status_code != httpx.codes.OK:
            raise ModelLoadError(
                f"The remote server answered {response.status_code} when asked for its models. "
                "Check engine.base_url (it ends in /v1) and engine.api_key_file."
            )
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_LISTING_BYTES:
                break
    try:
        return msgspec.json.decode(bytes(body), type=_Listing)
    except msgspec.DecodeError as error:
        raise ModelLoadError("The remote server's list of models is not in OpenAI's format.") from error
