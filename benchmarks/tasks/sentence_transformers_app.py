"""sentence-transformers behind FastAPI, as its documentation and many a tutorial do it. Run by uvicorn, one process.

Runs in the peer's own environment: nothing of Podium is imported. ``model.txt`` in its
working directory names the model's folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

app = FastAPI()
model = SentenceTransformer(Path("model.txt").read_text("utf-8"), device="cpu")


class EmbeddingsBody(BaseModel):
    """What is used of OpenAI's request."""

    input: list[str]
    model: str = ""


@app.get("/health")
def health() -> dict[str, str]:
    """The model is loaded when this answers."""
    return {"status": "ok"}


@app.post("/v1/embeddings")
def embeddings(body: EmbeddingsBody) -> dict[str, Any]:
    """A plain ``def``: FastAPI runs it on a thread, so that requests overlap."""
    vectors = model.encode(body.input, normalize_embeddings=True)
    data = [{"object": "embedding", "index": index, "embedding": row.tolist()} for index, row in enumerate(vectors)]
    return {"object": "list", "data": data, "model": body.model}
