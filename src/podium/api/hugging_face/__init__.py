"""Hugging Face's servers, one address for each model: ``/hf/MODEL`` is what their clients take for a whole server."""
