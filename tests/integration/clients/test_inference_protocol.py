"""Triton's released clients against a real server, over HTTP and over gRPC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
