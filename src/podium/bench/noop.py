"""A server that answers at once and knows nothing: what a load generator reaches against it is its own limit.

``python -m podium.bench.noop [PORT]`` prints its port and ends with its standard input; its last line is a JSON object
of the requests that it answered in each second (of ``time.monotonic``). It streams as many frames as
tokens were asked for, one write each, in every dialect of ``dialects.py``.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TOKENS = re.compile(rb'"max_(?:new_|completion_)?tokens": ?(\d+)')
_STREAM = re.compile(rb'"stream": ?true')
_MODELS = b'{"object":"list","data":[{"id":"noop","object":"model","created":0,"owned_by":"podium","root":"noop"}]}'
_SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_ONE_SHOT = {
    b"/embeddings": b'"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,0.5]}]',
    b"/rerank": b'"results":[{"index":0,"relevance_score":0.5}]',
    b"/infer": b'"outputs":[{"name":"out","datatype":"FP32","shape":[1],"data":[0.5]}]',
}
_OPENAI_TAIL = b'"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d'
_NATIVE_TOKEN = b'event: token\ndata: {"choice":0,"text":" a","token_count":1}\n\n'


def _frames(path: bytes) -> tuple[bytes, bytes, bytes]:
    """A token's event, the event with the finish reason, and the template of all that follows."""
    if path.startswith(b"/generate"):
        usage = b'event: done\ndata: {"finish_reason":"length","usage":{' + _OPENAI_TAIL + b"}}\n\n"
        return _NATIVE_TOKEN, _NATIVE_TOKEN[:-3] + b',"finish_reason":"length"}\n\n', usage
    chat = b"chat" in path
    token = b'{"index":0,"delta":{"content":" a"}' if chat else b'{"index":0,"text":" a"'
    kind = b"chat.completion.chunk" if chat else b"text_completion"
    head = b'data: {"id":"noop","object":"%b","created":0,"model":"noop","choices":[' % kind
    usage = head + b'],"usage":{' + _OPENAI_TAIL + b"}}\n\ndata: [DONE]\n\n"
    return head + token + b"}]}\n\n", head + token + b',"finish_reason":"length"}]}\n\n', usage


class Noop(asyncio.Protocol):
    """One connection."""

    def __init__(self, counts: Counter[int]) -> None:
        self._counts = counts
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open."""
        self._transport = transport  # type: ignore[assignment]  # TCP

    def data_received(self, data: bytes) -> None:
        """Answer every whole request in what came."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            found = _LENGTH.search(head)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < size:
                return
            body, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
            self._answer(head.split(b" ", 2)[1], body)

    def _answer(self, path: bytes, body: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if not body:
            transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_MODELS)
            )
            transport.write(_MODELS)
            return
        self._counts[int(time.monotonic())] += 1
        found = _TOKENS.search(body)
        tokens = max(1, int(found[1])) if found else 16
        if not _STREAM.search(body):
            self._whole(transport, path, tokens)
            return
        token, last, usage = _frames(path)
        chunk = b"%x\r\n%b\r\n" % (len(token), token)
        transport.write(_SSE + chunk if tokens > 1 else _SSE)
        for _ in range(tokens - 2):
            transport.write(chunk)
        end = last + usage % (1, tokens, tokens + 1)
        transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(end), end))

    @staticmethod
    def _whole(transport: asyncio.Transport, path: bytes, tokens: int) -> None:
        usage = _OPENAI_TAIL % (1, tokens, tokens + 1)
        for end, answer in _ONE_SHOT.items():
            if path.endswith(end):
                whole = b'{"model":"noop",%b,"usage":{%b}}' % (answer, usage)
                transport.write(_JSON % len(whole) + whole)
                return
        text = b" a" * tokens
        choice = b'"message":{"role":"assistant","content":"%b"}' % text if b"chat" in path else b'"text":"%b"' % text
        whole = b'{"id":"noop","model":"noop","choices":[{"index":0,%b,"finish_reason":"length"}],"usage":{%b}}'
        body = whole % (choice, usage)
        if path.startswith(b"/generate"):
            body = b'{"generated_text":"%b","finish_reason":"length","usage":{%b}}' % (text, usage)
        transport.write(_JSON % len(body) + body)


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    counts: Counter[int] = Counter()
    server = await loop.create_server(lambda: Noop(counts), "127.0.0.1", port, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
    server.close()
    sys.stdout.write(json.dumps(counts) + "\n")


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
