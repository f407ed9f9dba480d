"""``POST /v1/question-answering``: where in a text the answer to a question stands."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.found import found_answers
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.one_shots import finished, task_request, usage_of
from podium.api.openapi import operation
from podium.core.one_shot import WindowedPrompt
from podium.protocols.text_tasks import QuestionAnsweringAnswer, QuestionAnsweringRequest

router = direct_router(tags=["Tasks"])
_EXAMPLE = {"question": "Where does Anna live?", "context": "Anna lives in Lisbon. Her brother lives in Porto."}
_WINDOW_TOKENS = 384


@router.post(
    "/v1/question-answering",
    **operation(
        "Answer a question from a text",
        request=QuestionAnsweringRequest,
        answer=QuestionAnsweringAnswer,
        reserves=True,
        example=_EXAMPLE,
    ),
)
async def question_answering(request: Request) -> Response:
    """The likeliest answers, with their places in the text."""
    backend = backend_of(request)
    body = await read(request, QuestionAnsweringRequest, max_depth=backend.server.limits.json_depth)
    window = WindowedPrompt(body.question, body.context, body.max_seq_len or _WINDOW_TOKENS, body.doc_stride)
    asked = task_request(request, body, (window,), param="context")
    answered = await finished(
        request,
        backend.text_tasks.question_answerer.answer(
            asked, top_k=body.top_k, most_tokens=body.max_answer_len, allow_none=body.handle_impossible_answer
        ),
    )
    answer = QuestionAnsweringAnswer(
        id=f"answer-{asked.id}",
        created=int(time.time()),
        model=answered.computed.model,
        answers=found_answers(body.context, answered.answers),
        windows=answered.windows,
        usage=usage_of(answered.computed),
    )
    return JsonAnswer(answer, headers=ignored_headers(request))
