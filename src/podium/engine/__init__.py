"""How tokens are produced: the engine interface, worker processes, tokenizers, admission. No HTTP, no model names."""
