from __future__ import annotations

import socket
from pathlib import Path

import pytest

from podium.cli.connection import Connection, address, is_listening, key_from
from podium.cli.failure import Failure
from podium.protocols.openai_answers import ModelList
from support.fake_server import Canned, fake_server
from support.ports import free_port


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104 - what is configured is not where one connects to
        ("::", "http://[::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_a_listening_address_becomes_one_to_connect_to(host: str, url: str) -> None:
    assert address(host, 80) == url


def test_it_is_seen_whether_something_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert is_listening("0.0.0.0", listener.getsockname()[1])  # noqa: S104
    assert not is_listening("127.0.0.1", free_port())


def test_an_error_of_the_server_is_told_with_code_and_request_id() -> None:
    error = {"error": {"code": "model_not_found", "message": "No such model.", "request_id": "req-1"}}
    with (
        fake_server({"GET /x": Canned(error, status=404)}) as server,
        Connection(server.url) as connection,
        pytest.raises(Failure, match=r"No such model\. \[model_not_found, req-1\]") as caught,
    ):
        connection.get("/x", ModelList)
    assert caught.value.code == 4


def test_the_request_id_of_an_openai_error_is_in_the_header() -> None:
    canned = Canned({"error": {"code": "overloaded", "message": "Full."}}, 503, {"x-request-id": "req-2"})
    with (
        fake_server({"GET /x": canned}) as server,
        Connection(server.url) as connection,
        pytest.raises(Failure, match=r"Full\. \[overloaded, req-2\]") as caught,
    ):
        connection.get("/x", ModelList)
    assert caught.value.code == 3


def test_a_server_that_is_not_there_is_told_with_what_to_do() -> None:
    with (
        Connection(f"http://127.0.0.1:{free_port()}") as connection,
        pytest.raises(Failure, match=r"cannot be reached; start a server with `podium serve`") as caught,
    ):
        connection.get("/x", ModelList)
    assert caught.value.code == 3


def test_a_server_of_another_kind_is_recognised() -> None:
    with fake_server({"GET /x": Canned(["hello"])}) as server, Connection(server.url) as connection:
        with pytest.raises(Failure, match="does not answer like a Podium server"):
            connection.get("/x", ModelList)
        with pytest.raises(Failure, match="answered 404; is that a Podium server"):
            connection.get("/y", ModelList)


def test_a_url_without_a_scheme_is_refused() -> None:
    with pytest.raises(Failure, match="http:// or https://"):
        Connection("localhost:8000")


def test_a_stream_gives_its_events_up_to_done() -> None:
    with fake_server({"POST /s": Canned(events=[{"n": 1}, {"n": 2}])}) as server, Connection(server.url) as connection:
        assert [event["n"] for event in connection.events("/s", {})] == [1, 2]


def test_a_stream_that_breaks_off_is_an_error() -> None:
    canned = Canned(events=[{"n": 1}], done=False, headers={"x-request-id": "req-3"})
    with fake_server({"POST /s": canned}) as server, Connection(server.url) as connection:
        events = connection.events("/s", {})
        assert next(events) == {"n": 1}
        with pytest.raises(Failure, match=r"broke off before its end \[req-3\]"):
            next(events)


def test_an_error_inside_a_stream_is_an_error() -> None:
    canned = Canned(events=[{"n": 1}, {"error": {"code": "engine_crashed", "message": "The worker ended."}}])
    with fake_server({"POST /s": canned}) as server, Connection(server.url) as connection:
        events = connection.events("/s", {})
        next(events)
        with pytest.raises(Failure, match=r"The worker ended\. \[engine_crashed\]"):
            next(events)


def test_a_key_goes_with_every_request() -> None:
    routes = {"GET /x": Canned({}), "POST /s": Canned(events=[{}])}
    with fake_server(routes) as server, Connection(server.url, key="k-1") as connection:
        connection.get("/x", dict)
        list(connection.events("/s", {}))
        connection.answers("/x")
    assert [headers.get("authorization") for headers in server.headers] == ["Bearer k-1"] * 3
    with fake_server(routes) as server, Connection(server.url) as connection:
        connection.get("/x", dict)
    assert [headers.get("authorization") for headers in server.headers] == [None]


def test_the_key_comes_from_the_file_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("key").write_text("from-a-file\n")
    monkeypatch.delenv("PODIUM_API_KEY", raising=False)
    assert key_from(None) is None
    monkeypatch.setenv("PODIUM_API_KEY", " from-the-environment\n")
    assert key_from(None) == "from-the-environment"
    assert key_from(Path("key")) == "from-a-file"
    monkeypatch.setenv("PODIUM_API_KEY", "")
    assert key_from(None) is None


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"two words", b"two\nlines", "schl\u00fcssel".encode(), b"\xff", b"x" * 9000]
)
def test_a_file_that_holds_no_key_is_told_without_its_content(content: bytes) -> None:
    Path("key").write_bytes(content)
    with pytest.raises(Failure, match="--key-file") as caught:
        key_from(Path("key"))
    assert caught.value.code == 2
    assert "two" not in caught.value.message


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(Failure, match="--key-file none: cannot be read"):
        key_from(Path("none"))


def test_a_refused_key_is_told_with_where_keys_come_from() -> None:
    error = {"error": {"code": "invalid_api_key", "message": "A valid key is required."}}
    with (
        fake_server({"GET /x": Canned(error, status=401)}) as server,
        Connection(server.url, key="planted") as connection,
        pytest.raises(Failure, match="set PODIUM_API_KEY, or name a file with --key-file") as caught,
    ):
        connection.get("/x", ModelList)
    assert caught.value.code == 4
    assert "planted" not in caught.value.message
