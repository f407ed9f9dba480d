"""Every answer names the trace that its request belongs to."""

from __future__ import annotations

import pytest
from structlog.testing import LogCapture

from podium.api.app import create_app
from podium.core.errors import EngineCrashed, PodiumError
from podium.core.generation import GenerationRequest
from support.asgi import JSON_HEADERS, Answer, call
from support.http_doubles import FakeObserver, fake_backend

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACED = [*JSON_HEADERS, ("traceparent", f"00-{TRACE}-{PARENT}-01")]


def trace_of(answer: Answer) -> str:
    """The id that an answer names."""
    return dict(answer.headers)["traceresponse"].split("-")[1]


def test_a_trace_goes_on_through_answer_and_log(log: LogCapture) -> None:
    answer = call(create_app(fake_backend()), "POST", "/generate", {"prompt": "x"}, headers=TRACED)
    assert trace_of(answer) == TRACE
    assert log.entries[-1]["trace_id"] == TRACE
    assert log.entries[-1]["span_id"] == dict(answer.headers)["traceresponse"].split("-")[2] != PARENT


@pytest.mark.parametrize("path", ["/generate", "/v1/messages", "/no/such/route"])
def test_errors_name_it_too(path: str) -> None:
    def script(_: GenerationRequest) -> PodiumError:
        return EngineCrashed("Gone.")

    answer = call(create_app(fake_backend(script)), "POST", path, {"prompt": "x"}, headers=TRACED)
    assert answer.status >= 400
    assert trace_of(answer) == TRACE


def test_a_request_without_a_trace_gets_one_of_its_own() -> None:
    app = create_app(fake_backend())
    first, second = (trace_of(call(app, "GET", "/version")) for _ in range(2))
    assert len({first, second, "0" * 32}) == 3


def test_the_record_of_a_generation_says_what_was_asked_and_when_it_got_where() -> None:
    observer = FakeObserver()
    app = create_app(fake_backend(observer=observer))
    body = {"model": "demo", "messages": [{"role": "user", "content": "x"}], "max_tokens": 3}
    call(app, "POST", "/v1/chat/completions", body)
    (record,) = observer.records
    assert (record.operation, record.sampling and record.sampling.max_tokens) == ("chat", 3)
    assert list(record.phases()) == ["api", "queue", "prefill", "decode", "flush"]
    assert all(seconds >= 0 for seconds in record.phases().values())
