"""Every route of the traffic port, with something in place of its parameters."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.routing import Route

from podium.api.app import create_app
from support.http_doubles import fake_backend

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE")
_EXAMPLES = {
    "{model_name:path}": "demo",
    "{model_name:model}": "demo",
    "{model_name:hf}": "demo",
    "{model_id:card}": "demo",
    "{name}": "start.js",
    "{file_id}": "demo",
    "{batch_id}": "demo",
}
_NO_BODY = {"/v1/batches/{batch_id}/cancel"}


def routes() -> list[Route]:
    app = create_app(fake_backend())
    assert isinstance(app, FastAPI)
    found = [route for route in app.routes if isinstance(route, Route)]
    assert len(found) == len(app.routes), "a route of another kind would escape the walks"
    return found


def concrete_paths() -> list[str]:
    """One path for each route."""
    return [filled(route.path) for route in routes()]


def body_paths() -> list[str]:
    """Paths that take a JSON body, and the one that takes a form."""
    found = [route.path for route in routes() if "POST" in (route.methods or ()) and route.path not in _NO_BODY]
    return [filled(path) for path in found]


def filled(template: str) -> str:
    """A path that falls under ``template``."""
    for parameter, example in _EXAMPLES.items():
        template = template.replace(parameter, example)
    assert "{" not in template, f"give an example for the parameter in {template}"
    return template
