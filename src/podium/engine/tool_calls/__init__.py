"""Calls of tools in what a model writes: its format, the grammar that forces a call, the parser. No HTTP, no engine."""
