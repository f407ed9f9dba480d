"""Podium: run NLP models in production. See ``docs/architecture.md`` for the way of a request."""
