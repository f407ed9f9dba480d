"""Tasks beside generation: embeddings against their peers, and five models of different tasks in one server."""
