"""A client of Podium's native routes: what is sent, retried and read. It knows a server over the wire only.

``ModelClient`` is for asyncio, ``SyncModelClient`` for everything else. Importing it loads httpx and msgspec, no more.
"""

from podium.client.asynchronous import GenerationStream, ModelClient
from podium.client.errors import AnswerBroken, ClientError, Refused, Unreachable
from podium.client.results import BatchItem, BatchResult, Generated, Health, ItemError, Piece, StreamEnd, Usage
from podium.client.retries import Retries
from podium.client.synchronous import SyncGenerationStream, SyncModelClient

__all__ = [
    "AnswerBroken",
    "BatchItem",
    "BatchResult",
    "ClientError",
    "Generated",
    "GenerationStream",
    "Health",
    "ItemError",
    "ModelClient",
    "Piece",
    "Refused",
    "Retries",
    "StreamEnd",
    "SyncGenerationStream",
    "SyncModelClient",
    "Unreachable",
    "Usage",
]
