"""``/tokenize``, ``/detokenize`` and ``/tokenizer_info``, at the root and under ``/v1``.

The names and shapes are vLLM's, which load tools and evaluation harnesses expect.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.openai.translate import messages
from podium.api.openapi import operation
from podium.api.principal import principal_of
from podium.api.tools import tools_of
from podium.core.errors import InvalidRequest
from podium.core.generation import ChatPrompt, TextPrompt
from podium.protocols.openai import DetokenizeRequest, TokenizeRequest
from podium.protocols.openai_answers import DetokenizeAnswer, TokenizeAnswer, TokenizerInfo

router = direct_router(tags=["Tokens"])

_TOKENIZE = operation(
    "Turn text into tokens", request=TokenizeRequest, answer=TokenizeAnswer, example={"prompt": "The sea was"}
)
_DETOKENIZE = operation(
    "Turn tokens into text", request=DetokenizeRequest, answer=DetokenizeAnswer, example={"tokens": [464, 5417]}
)
_INFO = operation("Describe the tokenizer", answer=TokenizerInfo, query={"model": "Model name; none is the default."})


@router.post("/tokenize", **_TOKENIZE)
@router.post("/v1/tokenize", **_TOKENIZE)
async def tokenize(request: Request) -> Response:
    """Tokens of a prompt, or of messages rendered by the model's chat template."""
    backend = backend_of(request)
    body = await read(request, TokenizeRequest, max_depth=backend.server.limits.json_depth)
    special = body.messages is None if body.add_special_tokens is None else body.add_special_tokens
    tokens = await backend.dispatcher.tokenize(
        principal_of(request.scope), backend.model_name(body.model), _prompt(body), add_special_tokens=special
    )
    ids = list(tokens.token_ids)
    strings = list(tokens.strings) if body.return_token_strs else None
    answer = TokenizeAnswer(len(ids), tokens.max_model_len, ids, strings)
    return JsonAnswer(answer, headers=ignored_headers(request))


@router.post("/detokenize", **_DETOKENIZE)
@router.post("/v1/detokenize", **_DETOKENIZE)
async def detokenize(request: Request) -> Response:
    """Text of token ids."""
    backend = backend_of(request)
    body = await read(request, DetokenizeRequest, max_depth=backend.server.limits.json_depth)
    text = await backend.dispatcher.detokenize(principal_of(request.scope), backend.model_name(body.model), body.tokens)
    return JsonAnswer(DetokenizeAnswer(text), headers=ignored_headers(request))


@router.get("/tokenizer_info", **_INFO)
@router.get("/v1/tokenizer_info", **_INFO)
async def tokenizer_info(request: Request) -> Response:
    """Special tokens, vocabulary size and chat template of a model."""
    backend = backend_of(request)
    model = backend.model_name(request.query_params.get("model"))
    facts = backend.dispatcher.tokenizer_facts(principal_of(request.scope), model)
    answer = TokenizerInfo(
        vocab_size=facts.vocab_size,
        eos_token=facts.eos_token,
        bos_token=facts.bos_token,
        pad_token=facts.pad_token,
        chat_template=facts.chat_template,
    )
    return JsonAnswer(answer)


def _prompt(body: TokenizeRequest) -> TextPrompt | ChatPrompt:
    if (body.prompt is None) == (body.messages is None):
        raise InvalidRequest("Send either `prompt` or `messages`.", param="prompt")
    if body.messages is None:
        return TextPrompt(body.prompt or "")
    generation_prompt = body.add_generation_prompt is not False
    return ChatPrompt(messages(body.messages), tools_of(body.tools), add_generation_prompt=generation_prompt)
