"""The traffic port: dialects and middleware, put together."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from podium.api import cloud, docs, health, hf_chat, metrics, requests
from podium.api.anthropic import messages
from podium.api.application import Application, within
from podium.api.backend import Backend
from podium.api.hugging_face import generation as hf_generation
from podium.api.hugging_face import model as hf_model
from podium.api.hugging_face import scores as hf_scores
from podium.api.hugging_face import vectors as hf_vectors
from podium.api.inference import generate as inference_generate
from podium.api.inference import infer, metadata, repository
from podium.api.locality import Locality
from podium.api.middleware import answer_facts
from podium.api.middleware.access_log import AccessLog
from podium.api.middleware.answer_facts import AnswerFacts
from podium.api.middleware.authenticate import Authenticate
from podium.api.middleware.body_limit import BodyLimit, Bounds
from podium.api.middleware.drain import Drain
from podium.api.middleware.error_funnel import ErrorFunnel
from podium.api.middleware.header_limit import HeaderLimit
from podium.api.middleware.host import HostCheck
from podium.api.middleware.path_alias import PathAlias
from podium.api.middleware.request_id import RequestId
from podium.api.middleware.security_headers import SecurityHeaders
from podium.api.native import cache, generate, usage, version
from podium.api.native import models as native_models
from podium.api.ollama import embed as ollama_embed
from podium.api.ollama import generate as ollama_generate
from podium.api.ollama import models as ollama_models
from podium.api.openai import batches, chat, completions, embeddings, files, responses, tokenize
from podium.api.openai import models as openai_models
from podium.api.openapi import describe
from podium.api.routes import RouteLabels
from podium.api.tasks import classify, fill_mask, question_answering, rerank, token_classification, zero_shot

DESCRIPTION = (
    "Text generation, embeddings, reranking and classification for production: Podium's own routes, and OpenAI's."
)
_ROUTERS = (
    generate.router,
    native_models.router,
    usage.router,
    cache.router,
    version.router,
    chat.router,
    completions.router,
    embeddings.router,
    responses.router,
    files.router,
    batches.router,
    messages.router,
    ollama_generate.router,
    ollama_embed.router,
    ollama_models.router,
    hf_generation.router,
    hf_vectors.router,
    hf_scores.router,
    hf_chat.router,
    hf_model.router,
    rerank.router,
    classify.router,
    token_classification.router,
    zero_shot.router,
    fill_mask.router,
    question_answering.router,
    infer.router,
    inference_generate.router,
    repository.router,
    metadata.router,
    cloud.router,
    openai_models.router,
    tokenize.router,
    health.router,
    health.probes,
    metrics.router,
    requests.router,
    docs.router,
)
_BROWSER_HEADERS = (
    "authorization",
    "cache-control",
    "content-type",
    "idempotency-key",
    "traceparent",
    "tracestate",
    "x-api-key",
    "x-request-id",
    "x-podium-timeout-seconds",
)
_EXPOSED_HEADERS = (
    "x-request-id",
    "retry-after",
    "retry-after-ms",
    "x-podium-ignored",
    "x-should-retry",
    "traceresponse",
    *answer_facts.HEADERS,
)
_GZIP_LEVEL = 4  # a third of the time of 9 for a few per cent of size
_PLAIN = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/x-ndjson")  # events and lines: no stream is compressed


def create_app(backend: Backend) -> Application:
    """The ASGI application of the traffic port.

    Every request passes, from outside in: other paths of routes (if configured), request id, log line and
    observer, security headers, CORS (if origins are configured), gzip (never for event streams), limits on
    the arriving body, facts of the answer (cache and quotas; outside of the funnel, so that refusals have
    them too), error funnel, host check, header limits, authentication (which attaches the principal), drain.
    All of it is pure ASGI.
    """
    app = bare_app(backend, title="Podium")
    for router in _ROUTERS:
        app.router.routes.extend(router.routes)  # flat: no prefixes here, and each route can be walked
    return within(app, _middleware(backend, RouteLabels(app.routes)))


def bare_app(backend: Backend, *, title: str) -> Application:
    """An application without routes; ``within`` completes it."""
    app = Application(
        title=title,
        version=backend.version,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.backend = backend
    description: list[dict[str, object]] = []

    def openapi() -> dict[str, object]:
        if not description:
            description.append(describe(app))
        return description[0]

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _middleware(backend: Backend, labels: RouteLabels) -> list[Middleware]:
    server, limits = backend.server, backend.server.limits
    outside = [Middleware(PathAlias, server.path_aliases)] if server.path_aliases else []
    outside += [
        Middleware(RequestId, backend.trace_ratio),
        Middleware(AccessLog, backend.observer, labels, backend.recent),
        Middleware(SecurityHeaders),
    ]
    if server.cors_origins:
        outside.append(_cors(server.cors_origins))
    return [
        *outside,
        Middleware(
            GZipMiddleware,
            minimum_size=server.gzip_minimum_bytes,
            compresslevel=_GZIP_LEVEL,
            exclude_content_types=_PLAIN,
        ),
        Middleware(BodyLimit, max_bytes=limits.body_bytes, max_seconds=limits.body_seconds, uploads=_uploads(backend)),
        Middleware(AnswerFacts),
        Middleware(ErrorFunnel),
        Middleware(HostCheck, server.allowed_hosts),
        Middleware(HeaderLimit, max_bytes=limits.header_bytes, max_lines=limits.header_count),
        Middleware(
            Authenticate,
            backend.gatekeeper,
            route_of=labels,
            is_local=Locality(server.host, server.cors_origins),
        ),
        Middleware(Drain, backend.draining),
    ]


def _uploads(backend: Backend) -> dict[str, Bounds]:
    if backend.batches is None:
        return {}
    settings = backend.batches.settings
    return {files.PATH: Bounds(settings.file_bytes + files.MOST_FORM_BYTES, settings.upload_seconds)}


def _cors(origins: tuple[str, ...]) -> Middleware:
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=_BROWSER_HEADERS,
        expose_headers=_EXPOSED_HEADERS,
        allow_credentials=False,
    )
