"""The description of the API, and the page that shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from podium.api.app import create_app
from podium.api.middleware.answer_facts import HEADERS
from support.asgi import call
from support.http_doubles import FakeUsage, FakeUsageRow, fake_backend
from support.http_routes import routes
from support.structured_fields import parse_list

APP = create_app(fake_backend(usage=FakeUsage([FakeUsageRow()])))
DESCRIPTION: dict[str, Any] = call(APP, "GET", "/openapi.json").json
OPERATIONS = [(path, method, entry) for path, item in DESCRIPTION["paths"].items() for method, entry in item.items()]
GENERATING = [
    "/generate",
    "/batch_generate",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/api/generate",
    "/api/chat",
    "/v2/models/{model_name}/generate",
    "/v2/models/{model_name}/generate_stream",
    "/hf/{model_name}",
    "/hf/{model_name}/generate",
    "/hf/{model_name}/generate_stream",
    "/hf/{model_name}/v1/chat/completions",
]
ANSWERING = [
    *(path for path in GENERATING if not path.endswith("_stream")),
    "/tokenize",
    "/models",
    "/health",
    "/version",
    "/v1/models",
    "/usage",
    "/cache/stats",
    "/cache",
    "/v2",
    "/v2/models/{model_name}",
    "/v2/models/{model_name}/infer",
    "/v2/repository/index",
    "/v1/models/{model_name}:predict",
    "/hf/{model_name}/embed",
    "/hf/{model_name}/similarity",
    "/hf/{model_name}/rerank",
    "/hf/{model_name}/predict",
    "/hf/{model_name}/info",
    "/v1/batches",
    "/v1/batches/{batch_id}",
    "/v1/files/{file_id}",
]
WITHOUT_JSON = ["/v1/files", "/v1/batches/{batch_id}/cancel"]
STREAMING = ["/generate", "/v1/chat/completions", "/v1/completions"]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for child in value.values():
            yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)


def test_every_route_but_the_pages_themselves_is_described() -> None:
    described = {re.sub(r":(path|model|hf|card)\}", "}", route.path) for route in routes()} - {
        "/docs",
        "/docs/{name}",
        "/openapi.json",
    }
    assert set(DESCRIPTION["paths"]) == described


def test_every_reference_leads_somewhere() -> None:
    schemas = DESCRIPTION["components"]["schemas"]
    missing = {reference for reference in references(DESCRIPTION) if reference.split("/")[-1] not in schemas}
    assert not missing


@pytest.mark.parametrize(("path", "method", "entry"), OPERATIONS)
def test_every_operation_tells_its_errors_and_its_answer(path: str, method: str, entry: dict[str, Any]) -> None:
    assert entry["summary"]
    assert entry["description"]
    assert {"200", "400", "401", "404", "500", "503"} <= set(entry["responses"])
    assert "HTTPValidationError" not in str(entry["responses"]), "the framework's own 422 never happens here"
    assert ("422" in entry["responses"]) == (path in GENERATING)
    wanted = set(re.findall(r"\{(\w+)\}", path))
    assert wanted <= {parameter["name"] for parameter in entry["parameters"]}
    if method == "post" and path not in WITHOUT_JSON:
        media = entry["requestBody"]["content"]["application/json"]
        schema = {**media["schema"], "components": DESCRIPTION["components"]}
        jsonschema.Draft202012Validator(schema).validate(media["example"])


@pytest.mark.parametrize("path", GENERATING)
def test_what_goes_with_generating_is_described(path: str) -> None:
    entry = DESCRIPTION["paths"][path]["post"]
    assert {"Idempotency-Key", "Cache-Control"} <= {one["name"] for one in entry["parameters"] if one["in"] == "header"}
    told = {name.lower() for name in entry["responses"]["200"]["headers"]}
    assert {"x-podium-cache", "age", "ratelimit", "ratelimit-policy"} <= told <= set(HEADERS)
    assert {"409", "422", "429"} <= set(entry["responses"])
    assert "ratelimit" in {name.lower() for name in entry["responses"]["429"]["headers"]}


@pytest.mark.parametrize("name", ["RateLimit", "RateLimit-Policy"])
def test_the_examples_of_structured_fields_follow_their_grammar(name: str) -> None:
    headers = DESCRIPTION["paths"]["/generate"]["post"]["responses"]["200"]["headers"]
    assert parse_list(headers[name]["example"])


@pytest.mark.parametrize(("path", "method", "entry"), OPERATIONS)
def test_examples_of_answers_match_their_schema(path: str, method: str, entry: dict[str, Any]) -> None:
    media = entry["responses"]["200"]["content"].get("application/json", {})
    if "example" in media:
        schema = {**media["schema"], "components": DESCRIPTION["components"]}
        jsonschema.Draft202012Validator(schema).validate(media["example"])
    assert ("example" in media) or path not in ("/usage", "/cache/stats", "/cache"), method


@pytest.mark.parametrize("path", STREAMING)
def test_streams_are_described(path: str) -> None:
    content = DESCRIPTION["paths"][path]["post"]["responses"]["200"]["content"]
    assert "event" in content["text/event-stream"]["schema"]["description"]


@pytest.mark.parametrize(
    ("path", "method", "entry"), [one for one in OPERATIONS if one[1] == "post" and one[0] not in WITHOUT_JSON]
)
def test_every_example_works(path: str, method: str, entry: dict[str, Any]) -> None:
    example = entry["requestBody"]["content"]["application/json"]["example"]
    answer = call(APP, method.upper(), re.sub(r"\{\w+\}", "demo", path), example)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize("path", ANSWERING)
def test_answers_match_their_schema(path: str) -> None:
    item = DESCRIPTION["paths"][path]
    method = next(iter(item))
    body = item[method].get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    schema = item[method]["responses"]["200"]["content"]["application/json"]["schema"]
    answer = call(APP, method.upper(), re.sub(r"\{\w+\}", "demo", path), body)
    jsonschema.Draft202012Validator({**schema, "components": DESCRIPTION["components"]}).validate(answer.json)


def test_the_page_loads_nothing_from_elsewhere_and_runs_no_inline_script() -> None:
    page = call(APP, "GET", "/docs")
    text = page.body.decode()
    assert not re.findall(r"""(?:src|href)=["'](?!/docs/)""", text)
    assert "<script>" not in text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    for asset in re.findall(r"""(?:src|href)=["']([^"']+)""", text):
        assert call(APP, "GET", asset).status == 200


@pytest.mark.parametrize("name", ["index.html", "..%2f..%2fetc%2fpasswd", "swagger-ui.js.map", "SWAGGER-UI.CSS"])
def test_only_the_listed_files_are_served(name: str) -> None:
    assert call(APP, "GET", f"/docs/{name}").status == 404


def test_the_description_is_json_that_a_parser_takes_twice() -> None:
    assert json.loads(json.dumps(DESCRIPTION)) == DESCRIPTION
