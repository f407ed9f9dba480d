"""Public test tools: a real server on free ports, with models that behave exactly and fail on demand."""
