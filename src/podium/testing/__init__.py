"""Public test tools: a running server on a free port, the echo engine, small model folders."""
