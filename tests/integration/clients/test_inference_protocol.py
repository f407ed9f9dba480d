"""Triton's released clients against a real server, over HTTP and over gRPC."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from typing import Any, Self

import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

from podium.testing.server_process import ServerProcess, server_process

ECHO = {"name": "echo", "source": "none", "engine": "echo", "version": "7", "max_model_len": 64}
TEXTS = np.array([b"one two", "größer".encode()], dtype=object)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with server_process(ECHO, server={"grpc_port": 0}) as running:
        yield running


@pytest.fixture(params=["http", "grpc"])
def triton(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[tuple[Any, Any]]:
    """The client's module, and a client."""
    record = server.logged("listening")
    assert record is not None
    module: Any = triton_http if request.param == "http" else triton_grpc
    url = server.traffic.removeprefix("http://") if request.param == "http" else record["grpc"]
    client = module.InferenceServerClient(url=url)
    yield module, client
    client.close()


def prompts(module: Any, *, binary: bool = True, datatype: str = "BYTES") -> Any:
    tensor = module.InferInput("text_input", [2], datatype)
    if module is triton_http:
        tensor.set_data_from_numpy(TEXTS, binary_data=binary)
    else:
        tensor.set_data_from_numpy(TEXTS)
    return tensor


def test_the_server_and_its_models_tell_of_themselves(triton: tuple[Any, Any]) -> None:
    module, client = triton
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("echo")
    assert client.is_model_ready("echo", "7")
    as_json = {} if module is triton_http else {"as_json": True}
    about = client.get_server_metadata(**as_json)
    assert (about["name"], "binary_tensor_data" in about["extensions"]) == ("podium", True)
    metadata = client.get_model_metadata("echo", **as_json)
    (tensor,) = metadata["inputs"]
    assert (metadata["versions"], tensor["name"], tensor["datatype"]) == (["7"], "text_input", "BYTES")


def test_texts_go_in_and_come_out(triton: tuple[Any, Any]) -> None:
    module, client = triton
    answer = client.infer("echo", [prompts(module)], request_id="mine", parameters={"max_tokens": 30})
    assert [text.decode() for text in answer.as_numpy("text_output")] == ["one two", "größer"]
    wanted = [module.InferRequestedOutput("text_output")]
    again = client.infer("echo", [prompts(module)], outputs=wanted, model_version="7", parameters={"max_tokens": 2})
    assert [text.decode() for text in again.as_numpy("text_output")] == ["on", "gr"]


def test_json_tensors_are_as_good_as_binary_ones(server: ServerProcess) -> None:
    with triton_http.InferenceServerClient(url=server.traffic.removeprefix("http://")) as client:
        wanted = [triton_http.InferRequestedOutput("text_output", binary_data=False)]
        answer = client.infer("echo", [prompts(triton_http, binary=False)], outputs=wanted, request_id="mine")
    assert answer.get_response()["id"] == "mine"
    assert answer.get_response()["outputs"][0]["data"] == ["one two", "größer"]


def test_the_repository_is_listed_unloaded_and_loaded(triton: tuple[Any, Any]) -> None:
    module, client = triton

    def states() -> dict[str, str]:
        index = client.get_model_repository_index()
        rows = index if module is triton_http else [{"name": one.name, "state": one.state} for one in index.models]
        return {row["name"]: row["state"] for row in rows}

    assert states() == {"echo": "READY"}
    client.unload_model("echo")
    assert states() == {"echo": "UNAVAILABLE"}
    assert not client.is_model_ready("echo")
    client.load_model("echo")
    assert states() == {"echo": "READY"}
    with pytest.raises(InferenceServerException, match="configuration"):
        client.load_model("echo", config='{"max_batch_size": 8}')


def test_what_is_wrong_is_an_error_of_the_client_s_own_kind(triton: tuple[Any, Any]) -> None:
    module, client = triton
    with pytest.raises(InferenceServerException, match="Request for unknown model") as caught:
        client.infer("nope", [prompts(module)])
    assert caught.value.status() in ("404", "StatusCode.NOT_FOUND")
    other = module.InferInput("text", [2], "BYTES")
    other.set_data_from_numpy(TEXTS)
    with pytest.raises(InferenceServerException, match="text_input") as caught:
        client.infer("echo", [other])
    assert caught.value.status() in ("400", "StatusCode.INVALID_ARGUMENT")
    with pytest.raises(InferenceServerException, match="sequence_id"):
        client.infer("echo", [prompts(module)], sequence_id=3, sequence_start=True)
    with pytest.raises(InferenceServerException, match="text_output"):
        client.infer("echo", [prompts(module)], outputs=[module.InferRequestedOutput("logits")])


def test_a_key_is_asked_for_over_grpc_too() -> None:
    access = {"anonymous": "never"}
    hosts = {"allowed_hosts": ["podium.example"]}  # a caller over gRPC names none
    with server_process(ECHO, server={"grpc_port": 0, **hosts}, access=access) as server:
        record = server.logged("listening")
        assert record is not None
        with triton_grpc.InferenceServerClient(url=record["grpc"]) as client:
            for call in (client.is_server_live, lambda: client.infer("echo", [prompts(triton_grpc)])):
                with pytest.raises(InferenceServerException) as caught:
                    call()
                assert caught.value.status() == "StatusCode.UNAUTHENTICATED"


def test_contents_and_raw_tensors_are_not_mixed(server: ServerProcess) -> None:
    record = server.logged("listening")
    assert record is not None
    asked = triton_grpc.service_pb2.ModelInferRequest(model_name="echo", raw_input_contents=[b"\x01\0\0\0a"])
    tensor = asked.inputs.add(name="text_input", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(b"a")
    with triton_grpc.InferenceServerClient(url=record["grpc"]) as client:
        with pytest.raises(triton_grpc.grpc.RpcError, match="raw_input_contents"):
            client._client_stub.ModelInfer(asked)
        del asked.raw_input_contents[:]
        (raw,) = client._client_stub.ModelInfer(asked).raw_output_contents
    assert raw == b"\x01\0\0\0a"


def test_text_is_generated_and_streamed(server: ServerProcess) -> None:
    body = {"text_input": "one two", "parameters": {"max_tokens": 5}, "id": "mine"}
    whole = server.post("/v2/models/echo/generate", body).json()
    assert whole == {"model_name": "echo", "model_version": "7", "text_output": "one t", "id": "mine"}
    streamed = server.post("/v2/models/echo/versions/7/generate_stream", {"text_input": "one", "max_tokens": 2})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    events = [httpx.Response(200, content=line[6:]).json() for line in streamed.text.splitlines() if line]
    assert "".join(event["text_output"] for event in events) == "on"
    assert server.post("/v2/models/echo/generate", {"text_input": "a", "n": 2}).json()["error"].startswith("`n`")


class Stream:
    """One ``ModelStreamInfer`` call by Triton's client: what came of it, in order."""

    def __init__(self, server: ServerProcess) -> None:
        record = server.logged("listening")
        assert record is not None
        self.url = record["grpc"]
        self.answers: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self.client = triton_grpc.InferenceServerClient(url=self.url)
        self.client.start_stream(lambda result, error: self.answers.put((result, error)))
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop_stream()
        self.client.close()

    def ask(self, text: str, request_id: str, model: str = "echo", **parameters: Any) -> None:
        tensor = triton_grpc.InferInput("text_input", [1], "BYTES")
        tensor.set_data_from_numpy(np.array([text.encode()], dtype=object))
        self.client.async_stream_infer(
            model, [tensor], request_id=request_id, parameters=parameters, enable_empty_final_response=True
        )

    def pieces(self) -> Iterator[tuple[str, str]]:
        """(id, text) as they come, until one answer has its end."""
        while True:
            result, error = self.answers.get(timeout=30.0)
            if error is not None:
                raise error
            response = result.get_response()
            text = result.as_numpy("text_output")
            yield response.id, "" if text is None else text[0].decode()
            if response.parameters["triton_final_response"].bool_param:
                return


def test_a_text_comes_in_pieces_over_a_stream(server: ServerProcess) -> None:
    with Stream(server) as stream:
        stream.ask("größer", "a", max_tokens=20)
        pieces = list(stream.pieces())
        assert len(pieces) > 3
        assert {request_id for request_id, _ in pieces} == {"a"}
        assert "".join(text for _, text in pieces) == "größer"
        stream.ask("once more", "b", max_tokens=4)
        assert "".join(text for _, text in stream.pieces()) == "once"


def test_several_texts_or_a_failure_are_one_answer_and_the_stream_goes_on(server: ServerProcess) -> None:
    with Stream(server) as stream:
        stream.client.async_stream_infer("echo", [prompts(triton_grpc)], parameters={"max_tokens": 30})
        result, error = stream.answers.get(timeout=30.0)
        assert error is None
        assert [text.decode() for text in result.as_numpy("text_output")] == ["one two", "größer"]
        for wrong in ({"model": "nope"}, {"temperature": 9.0}):
            stream.ask("a", "c", **wrong)
            with pytest.raises(InferenceServerException, match=r"unknown model|temperature"):
                list(stream.pieces())
        stream.ask("fine", "d", max_tokens=20)
        assert "".join(text for _, text in stream.pieces()) == "fine"


def test_a_stream_without_a_key_is_refused_in_each_answer() -> None:
    with (
        server_process(ECHO, server={"grpc_port": 0}, access={"anonymous": "never"}) as server,
        Stream(server) as stream,
    ):
        stream.ask("a", "a")
        with pytest.raises(InferenceServerException, match="key"):
            list(stream.pieces())


TASKS = ("token_classification", "zero_shot", "fill_mask", "question_answering")


@pytest.fixture(scope="module")
def finders() -> Iterator[ServerProcess]:
    """A model of each task that finds something in texts, named like it; a mask is ``_`` there."""
    models = [{"name": task, "source": "none", "task": task, "engine": "echo"} for task in TASKS]
    with server_process(*models) as running:
        yield running


def found(server: ServerProcess, model: str, texts: dict[str, list[str]], **parameters: Any) -> Any:
    """By Triton's client, from tensors that the model itself names."""
    with triton_http.InferenceServerClient(url=server.traffic.removeprefix("http://")) as client:
        wanted = [tensor["name"] for tensor in client.get_model_metadata(model)["inputs"]]
        assert wanted == list(texts)
        tensors = []
        for name, values in texts.items():
            tensor = triton_http.InferInput(name, [len(values)], "BYTES")
            tensors.append(tensor.set_data_from_numpy(np.array([value.encode() for value in values], dtype=object)))
        return client.infer(model, tensors, parameters=parameters)


def test_what_is_found_in_texts_comes_as_json_in_a_tensor(finders: ServerProcess) -> None:
    texts = ["Anna sings.", "So does Bob."]
    entities = found(finders, "token_classification", {"text": texts}).as_numpy("entities")
    own = finders.post("/v1/token-classification", {"model": "token_classification", "input": texts}).json()
    assert [json.loads(row) for row in entities] == [row["entities"] for row in own["data"]]
    fillings = found(finders, "fill_mask", {"text": ["a _ and a _", "_"]}, top_k=2).as_numpy("fillings")
    assert [[len(mask) for mask in json.loads(row)] for row in fillings] == [[2, 2], [2]]
    asked = {"question": ["Who sings?"], "context": ["Anna sings."]}
    (answer,) = found(finders, "question_answering", asked).as_numpy("answers")
    assert json.loads(answer)["answer"] in "Anna sings."


def test_labels_of_the_caller_are_scored_in_their_order(finders: ServerProcess) -> None:
    labels = ["sport", "money", "weather"]
    answer = found(finders, "zero_shot", {"text": ["one", "two"], "candidate_labels": labels})
    scores = answer.as_numpy("scores")
    assert scores.shape == (2, 3)
    best = [labels[column] for column in scores.argmax(axis=1)]
    assert [label.decode() for label in answer.as_numpy("label")] == best
    with pytest.raises(InferenceServerException, match="top_k"):
        found(finders, "zero_shot", {"text": ["one"], "candidate_labels": labels}, top_k=1)
