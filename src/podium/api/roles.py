"""Which role each route needs: one literal table."""

from __future__ import annotations

from podium.api.routes import UNMATCHED
from podium.core.identity import Role

PROBES = frozenset({"/startupz", "/livez", "/readyz"})
"""Open to everyone, by their exact paths; nothing else is."""

ROLES: dict[tuple[str, str], Role] = {
    ("/generate", "POST"): "infer",
    ("/batch_generate", "POST"): "infer",
    ("/v1/chat/completions", "POST"): "infer",
    ("/v1/completions", "POST"): "infer",
    ("/v1/responses", "POST"): "infer",
    ("/v1/files", "POST"): "infer",
    ("/v1/files", "GET"): "infer",
    ("/v1/files/{file_id}", "GET"): "infer",
    ("/v1/files/{file_id}/content", "GET"): "infer",
    ("/v1/files/{file_id}", "DELETE"): "infer",
    ("/v1/batches", "POST"): "infer",
    ("/v1/batches", "GET"): "infer",
    ("/v1/batches/{batch_id}", "GET"): "infer",
    ("/v1/batches/{batch_id}/cancel", "POST"): "infer",
    ("/v1/messages", "POST"): "infer",
    ("/v1/messages/count_tokens", "POST"): "infer",
    ("/api/generate", "POST"): "infer",
    ("/api/chat", "POST"): "infer",
    ("/api/embed", "POST"): "infer",
    ("/api/show", "POST"): "infer",
    ("/api/tags", "GET"): "infer",
    ("/api/ps", "GET"): "infer",
    ("/api/version", "GET"): "infer",
    ("/v1/embeddings", "POST"): "infer",
    ("/v1/rerank", "POST"): "infer",
    ("/v2/rerank", "POST"): "infer",
    ("/rerank", "POST"): "infer",
    ("/hf/{model_name:hf}", "POST"): "infer",
    ("/hf/{model_name:path}/generate", "POST"): "infer",
    ("/hf/{model_name:path}/generate_stream", "POST"): "infer",
    ("/hf/{model_name:path}/v1/chat/completions", "POST"): "infer",
    ("/hf/{model_name:path}/embed", "POST"): "infer",
    ("/hf/{model_name:path}/similarity", "POST"): "infer",
    ("/hf/{model_name:path}/rerank", "POST"): "infer",
    ("/hf/{model_name:path}/predict", "POST"): "infer",
    ("/hf/{model_name:path}/info", "GET"): "infer",
    ("/hf/{model_name:path}/health", "GET"): "infer",
    ("/ping", "GET"): "infer",
    ("/invocations", "POST"): "infer",
    ("/score", "POST"): "infer",
    ("/predict", "POST"): "infer",
    ("/v2", "GET"): "infer",
    ("/v2/health/live", "GET"): "infer",
    ("/v2/health/ready", "GET"): "infer",
    ("/v2/models/{model_name:model}", "GET"): "infer",
    ("/v2/models/{model_name:path}/ready", "GET"): "infer",
    ("/v2/models/{model_name:path}/infer", "POST"): "infer",
    ("/v2/models/{model_name:path}/generate", "POST"): "infer",
    ("/v2/models/{model_name:path}/generate_stream", "POST"): "infer",
    ("/v2/repository/index", "POST"): "infer",
    ("/v2/repository/models/{model_name:path}/load", "POST"): "admin",
    ("/v2/repository/models/{model_name:path}/unload", "POST"): "admin",
    ("/v1/classify", "POST"): "infer",
    ("/classify", "POST"): "infer",
    ("/v1/token-classification", "POST"): "infer",
    ("/v1/zero-shot-classification", "POST"): "infer",
    ("/v1/fill-mask", "POST"): "infer",
    ("/v1/question-answering", "POST"): "infer",
    ("/tokenize", "POST"): "infer",
    ("/v1/tokenize", "POST"): "infer",
    ("/detokenize", "POST"): "infer",
    ("/v1/detokenize", "POST"): "infer",
    ("/tokenizer_info", "GET"): "infer",
    ("/v1/tokenizer_info", "GET"): "infer",
    ("/models", "GET"): "infer",
    ("/v1/models", "GET"): "infer",
    ("/v1/models/{model_id:card}", "GET"): "infer",
    ("/v1/models/{model_name:path}:predict", "POST"): "infer",
    ("/version", "GET"): "infer",
    ("/health", "GET"): "infer",
    ("/usage", "GET"): "infer",
    ("/docs", "GET"): "infer",
    ("/docs/{name}", "GET"): "infer",
    ("/openapi.json", "GET"): "infer",
    ("/metrics", "GET"): "metrics",
    ("/requests/recent", "GET"): "metrics",
    ("/models/{model_name:path}/load", "POST"): "admin",
    ("/models/{model_name:path}/unload", "POST"): "admin",
    ("/cache", "DELETE"): "admin",
    ("/cache/stats", "GET"): "admin",
}

CONTROL_ROLES: dict[tuple[str, str], Role] = {
    ("/monitoring/metrics", "GET"): "metrics",
    ("/monitoring/dashboard", "GET"): "metrics",
    ("/monitoring/alerts", "GET"): "metrics",
    ("/monitoring/health", "GET"): "metrics",
    ("/monitoring/targets", "GET"): "metrics",
}
"""The same for the control port, where everything else is for admins."""


def role_for(template: str, method: str) -> Role | None:
    """The role for a method of a route. A route or method without a row needs ``admin``.

    A path that is no route needs no role (None), but a caller: nothing is told to strangers, not even
    what there is not.
    """
    if template == UNMATCHED:
        return None
    row = (template, method)
    return ROLES.get(row) or CONTROL_ROLES.get(row, "admin")
