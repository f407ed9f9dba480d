"""Files and batches through the official client, at two servers that share a folder."""

from __future__ import annotations

import io
import re
import uuid
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types import Batch

from podium.core.identity import Quotas
from podium.testing.server_process import server_process
from support.batch_servers import FILE_BYTES, MODELS, Servers
from support.batches import jsonl, line, results
from support.deadline import until

CHAT: Any = "/v1/chat/completions"
ENDED = {"completed", "failed", "expired", "cancelled"}


def start(client: openai.OpenAI, content: bytes, endpoint: Any = "/v1/completions", window: Any = "24h") -> Batch:
    file = client.files.create(file=("lines.jsonl", content), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window=window, metadata={"run": "7"}
    )


def finish(client: openai.OpenAI, batch: Batch, *, seconds: float = 30) -> Batch:
    def ended() -> Batch | None:
        found = client.batches.retrieve(batch.id)
        return found if found.status in ENDED else None

    return until("the batch has ended", ended, seconds=seconds)


def files_of(client: openai.OpenAI, batch: Batch) -> dict[str, dict[str, Any]]:
    ids = [one for one in (batch.output_file_id, batch.error_file_id) if one]
    return results(*(client.files.content(one).content for one in ids))


def counts(batch: Batch) -> tuple[int, int, int]:
    assert batch.request_counts is not None
    return batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed


def test_a_batch_from_upload_to_download(client: openai.OpenAI, elsewhere: openai.OpenAI) -> None:
    messages = [{"role": "user", "content": "three trees"}]
    content = jsonl(line("good", CHAT, messages=messages), line("bad", CHAT, model="none", messages=messages))
    batch = start(client, content, CHAT)
    assert (batch.object, batch.status, batch.metadata) == ("batch", "validating", {"run": "7"})
    assert batch.expires_at == batch.created_at + 86400
    done = finish(elsewhere, batch)
    assert (done.status, counts(done)) == ("completed", (2, 1, 1))
    assert done.created_at <= (done.in_progress_at or 0) <= (done.finalizing_at or 0) <= (done.completed_at or 0)
    found = files_of(elsewhere, done)
    good, bad = found["good"]["response"], found["bad"]["response"]
    assert (good["status_code"], bad["status_code"]) == (200, 404)
    assert "three trees" in good["body"]["choices"][0]["message"]["content"]
    assert bad["body"]["error"]["code"] == "model_not_found"
    assert good["request_id"]
    output = client.files.retrieve(done.output_file_id or "")
    assert (output.purpose, output.status) == ("batch_output", "processed")
    assert output.bytes == len(client.files.content(output.id).content)
    assert client.files.delete(output.id).deleted
    with pytest.raises(openai.NotFoundError):
        elsewhere.files.content(output.id)


@pytest.mark.parametrize(
    ("endpoint", "body", "member"),
    [
        ("/v1/completions", {"prompt": "x"}, "choices"),
        ("/v1/embeddings", {"model": "vectors", "input": "x"}, "data"),
        ("/v1/responses", {"input": "x"}, "output"),
    ],
)
def test_every_endpoint_works(client: openai.OpenAI, endpoint: Any, body: dict[str, Any], member: str) -> None:
    done = finish(client, start(client, jsonl(line("a", endpoint, **body)), endpoint))
    (found,) = files_of(client, done).values()
    assert found["response"]["status_code"] == 200
    assert found["response"]["body"][member]
    assert done.error_file_id is None


def test_a_file_with_bad_lines_tells_what_is_wrong_where(client: openai.OpenAI) -> None:
    bad = jsonl(line("a", prompt="x"), line("a", prompt="x"), line("b", stream=True), b"{", line("c", url="/livez"))
    done = finish(client, start(client, bad))
    assert done.status == "failed"
    assert done.errors is not None
    problems = [(one.code, one.line) for one in done.errors.data or ()]
    assert problems == [
        ("duplicate_custom_id", 2),
        ("invalid_request", 3),
        ("invalid_json_line", 4),
        ("mismatched_url", 5),
    ]
    many = finish(client, start(client, jsonl(*(line(str(number)) for number in range(1001)))))
    assert many.errors is not None
    assert [one.code for one in many.errors.data or ()] == ["too_many_lines"]


def test_a_cancelled_batch_keeps_what_it_has(client: openai.OpenAI, elsewhere: openai.OpenAI) -> None:
    batch = start(client, jsonl(*(line(str(number), model="slow", prompt="x" * 20) for number in range(40))))
    until("some lines have results", lambda: counts(client.batches.retrieve(batch.id))[1] > 2, seconds=30)
    with pytest.raises(openai.ConflictError):
        client.files.delete(batch.input_file_id)
    assert elsewhere.batches.cancel(batch.id).status == "cancelling"
    done = finish(client, batch)
    assert done.status == "cancelled"
    found = files_of(client, done)
    assert len(found) == 40
    assert {(one["error"] or {}).get("code") for one in found.values()} == {None, "batch_cancelled"}
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)
    assert client.files.delete(batch.input_file_id).deleted


def test_the_window_ends_it(client: openai.OpenAI) -> None:
    content = jsonl(*(line(str(number), model="slow", prompt="x" * 100) for number in range(9)))
    done = finish(client, start(client, content, window="1s"))
    assert done.status == "expired"
    codes = [(one["error"] or {}).get("code") for one in files_of(client, done).values()]
    assert len(codes) == 9
    assert "batch_expired" in codes


def test_lists_are_read_page_by_page(servers: Servers) -> None:
    client = servers.client(servers.key(tenant="lists")[0])
    until("the key is known", lambda: _is_let_in(client))
    batches = [start(client, jsonl(line("a", prompt=str(number)))) for number in range(3)]
    files = [batch.input_file_id for batch in batches]
    assert [one.id for one in client.batches.list(limit=2)] == [batch.id for batch in reversed(batches)]
    listed = client.files.list(limit=2, purpose="batch", order="asc")
    assert (listed.has_more, [one.id for one in listed]) == (True, files)
    with pytest.raises(openai.BadRequestError) as refused:
        client.batches.list(after="batch_unknown")
    assert refused.value.param == "after"
    with pytest.raises(openai.BadRequestError):
        client.batches.list(limit=101)


def test_another_tenants_files_and_batches_do_not_exist(client: openai.OpenAI, other: openai.OpenAI) -> None:
    batch = finish(client, start(client, jsonl(line("a", prompt="secret"))))
    until("the other key is known", lambda: _is_let_in(other))
    for call in (
        lambda: other.files.retrieve(batch.input_file_id),
        lambda: other.files.content(batch.output_file_id or ""),
        lambda: other.files.delete(batch.input_file_id),
        lambda: other.batches.retrieve(batch.id),
        lambda: other.batches.cancel(batch.id),
    ):
        with pytest.raises(openai.NotFoundError):
            call()
    with pytest.raises(openai.BadRequestError) as refused:
        other.batches.create(input_file_id=batch.input_file_id, endpoint=CHAT, completion_window="24h")
    assert refused.value.param == "input_file_id"
    assert not other.files.list().data
    assert not other.batches.list().data


def test_a_key_that_is_revoked_stops_the_lines_that_were_not_asked(servers: Servers, client: openai.OpenAI) -> None:
    text, record = servers.key(tenant="acme")
    revoked = servers.client(text)
    until("the key is known", lambda: _is_let_in(revoked))
    batch = start(revoked, jsonl(*(line(str(number), model="slow", prompt="x" * 20) for number in range(30))))
    until("some lines have results", lambda: counts(client.batches.retrieve(batch.id))[1] > 2, seconds=30)
    servers.revoke(record)
    done = finish(client, batch)
    statuses = [one["response"]["status_code"] for one in files_of(client, done).values()]
    assert len(statuses) == 30
    assert 3 <= statuses.count(200) < 30
    assert set(statuses) == {200, 401}


def test_each_line_counts_in_the_quotas_of_its_key(servers: Servers) -> None:
    client = servers.client(servers.key(tenant="frugal", quotas=Quotas(requests_per_minute=3))[0])
    until("the key is known", lambda: _is_let_in(client))
    batch = start(client, jsonl(*(line(str(number), prompt="x") for number in range(5))))
    until("the quota is used up", lambda: counts(client.batches.retrieve(batch.id)) == (5, 3, 0), seconds=30)
    assert client.batches.retrieve(batch.id).status == "in_progress", "the others wait for it"
    client.batches.cancel(batch.id)
    assert counts(finish(client, batch)) == (5, 3, 2)


def test_a_line_on_which_the_worker_dies_fails_alone(client: openai.OpenAI) -> None:
    done = finish(client, start(client, jsonl(line("bad", prompt="fault:error@1"), line("good", prompt="x"))))
    found = files_of(client, done)
    assert found["bad"]["response"]["body"]["error"]["code"] == "engine_error"
    assert found["good"]["response"]["status_code"] == 200


def test_what_cannot_be_uploaded_is_refused_in_openais_shape(client: openai.OpenAI, servers: Servers) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.files.create(file=("a.txt", b"x"), purpose="assistants")
    assert (refused.value.param, refused.value.type) == ("purpose", "invalid_request_error")
    with pytest.raises(openai.APIStatusError) as large:
        client.files.create(file=("a.jsonl", b"x" * (FILE_BYTES + 1)), purpose="batch")
    assert (large.value.status_code, large.value.param) == (413, "file")
    for window in ("24", "0h", "99d", "-1h", "1.5h"):
        with pytest.raises(openai.BadRequestError) as wrong:
            client.batches.create(input_file_id="f", endpoint=CHAT, completion_window=window)  # type: ignore[arg-type]
        assert wrong.value.param == "completion_window"
    with pytest.raises(openai.BadRequestError) as where:
        client.batches.create(input_file_id="f", endpoint="/v1/models", completion_window="24h")  # type: ignore[arg-type]
    assert where.value.param == "endpoint"
    url = f"{servers.here.traffic}/v1/files"
    plain = httpx.post(url, headers=client.auth_headers, json={}, trust_env=False)
    assert (plain.status_code, plain.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert not list((servers.folder / "arriving").iterdir()), "nothing is left of what was refused"


def test_how_long_files_are_kept_is_what_was_asked_for(client: openai.OpenAI) -> None:
    content = jsonl(line("a", prompt="x"))
    hour: Any = {"anchor": "created_at", "seconds": 3600}
    file = client.files.create(file=("a.jsonl", content), purpose="batch", expires_after=hour)
    assert (file.expires_at or 0) - file.created_at == 3600
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/completions", completion_window="24h", output_expires_after=hour
    )
    output = client.files.retrieve(finish(client, batch).output_file_id or "")
    assert (output.expires_at or 0) - output.created_at == 3600
    wishes: tuple[Any, ...] = ({**hour, "seconds": 1}, {**hour, "anchor": "now"})
    for wrong in wishes:
        with pytest.raises(openai.BadRequestError) as refused:
            client.files.create(file=("a.jsonl", content), purpose="batch", expires_after=wrong)
        assert refused.value.param == "expires_after"
    with pytest.raises(openai.BadRequestError) as unknown:
        client.files.create(file=("a.jsonl", content), purpose="batch", extra_body={"colour": "red"})
    assert unknown.value.code == "unsupported_parameter"


def test_a_file_as_large_as_allowed_comes_back_byte_for_byte(client: openai.OpenAI) -> None:
    content = uuid.uuid4().bytes * (FILE_BYTES // 16)
    file = client.files.create(file=("big.jsonl", io.BytesIO(content)), purpose="batch")
    assert file.bytes == FILE_BYTES
    assert client.files.content(file.id).content == content
    client.files.delete(file.id)


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\boot.ini", "/etc/shadow", "c:\\x\\y"])
def test_a_name_leads_nowhere(name: str, client: openai.OpenAI, servers: Servers) -> None:
    file = client.files.create(file=(name, b"x"), purpose="batch")
    assert file.filename == re.split(r"[/\\]", name)[-1]
    assert (servers.folder / "files" / file.id).read_bytes() == b"x"
    client.files.delete(file.id)


@pytest.mark.parametrize("file_id", ["..%2f..%2fbatches.db", "../batches.db", "%00", "file-' OR 1=1 --", "x" * 5000])
def test_an_id_is_no_path_and_no_query(file_id: str, client: openai.OpenAI, servers: Servers) -> None:
    for path in (f"/v1/files/{file_id}/content", f"/v1/files/{file_id}", f"/v1/batches/{file_id}"):
        answer = httpx.get(servers.here.traffic + path, headers=client.auth_headers, trust_env=False)
        assert answer.status_code == 404, path
        assert answer.json()["error"]["message"]


def test_lines_are_no_requests_in_the_metrics(servers: Servers, client: openai.OpenAI) -> None:
    key = {"authorization": f"Bearer {servers.key(tenant='ops', roles=('metrics',))[0]}"}

    def metric(name: str) -> float:
        pages = [
            httpx.get(f"{one.admin}/metrics", headers=key, trust_env=False).text
            for one in (servers.here, servers.there)
        ]
        rows = [row for page in pages for row in page.splitlines() if row.startswith(name)]
        return sum(float(row.rpartition(" ")[2]) for row in rows)

    until("the key is known", lambda: metric("podium_build_info"))
    requests, lines = 'podium_requests_total{model="echo"', "podium_batch_lines_total{"
    before = metric(requests), metric(lines)
    finish(client, start(client, jsonl(*(line(str(number), prompt="x") for number in range(7)))))
    assert (metric(requests), metric(lines)) == (before[0], before[1] + 7)


def test_a_server_that_is_killed_goes_on_after_its_restart(tmp_path: Path) -> None:
    sections = {"batches": {"folder": str(tmp_path / "batches"), "parallel": 4}}
    content = jsonl(*(line(str(number), model="slow", prompt="x" * 5) for number in range(30)))
    with (
        server_process(*MODELS, **sections) as first,
        openai.OpenAI(base_url=f"{first.traffic}/v1", api_key="none") as client,
    ):
        batch = start(client, content)
        until("some lines have results", lambda: counts(client.batches.retrieve(batch.id))[1] > 3, seconds=30)
        first.process.kill()
        first.process.wait()
    with (
        server_process(*MODELS, **sections) as second,
        openai.OpenAI(base_url=f"{second.traffic}/v1", api_key="none") as client,
    ):
        done = finish(client, batch)
        assert (done.status, counts(done)) == ("completed", (30, 30, 0))
        assert len(files_of(client, done)) == 30


def _is_let_in(client: openai.OpenAI) -> bool:
    try:
        client.models.list()
    except openai.AuthenticationError:
        return False
    return True
