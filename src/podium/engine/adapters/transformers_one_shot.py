"""The ``transformers`` engine for one-shot tasks: any text encoder that transformers and torch can run.

It is the reference that other engines are compared with; pooling is done in torch, on the model's device.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podium.config.engine import TransformersEngine
from podium.core.errors import CheckpointInvalid, EngineError
from podium.core.one_shot import Vectors
from podium.engine.adapters.transformers import require_libraries, set_threads
from podium.engine.interface import EngineFacts, LoadContext
from podium.engine.one_shot import EmbeddingPlan, OneShotLoad

if TYPE_CHECKING:
    import torch


class TorchOneShot:
    """See the module's docstring; ``OneShotEngine`` of ``podium.engine.one_shot``."""

    def __init__(self, model: Any, facts: EngineFacts, plan: EmbeddingPlan) -> None:
        import torch  # noqa: PLC0415  # heavy and optional

        self.facts = facts
        self._torch = torch
        self._model = model
        self._plan = plan

    def compute(self, batch: Sequence[tuple[int, ...]]) -> Vectors:
        """Hidden states of the padded batch, pooled."""
        torch = self._torch
        width = max(map(len, batch))
        token_ids = torch.tensor([[*sequence, *[0] * (width - len(sequence))] for sequence in batch])
        mask = torch.tensor([[1] * len(sequence) + [0] * (width - len(sequence)) for sequence in batch])
        device = self._model.device
        try:
            with torch.inference_mode():
                output = self._model(input_ids=token_ids.to(device), attention_mask=mask.to(device))
                vectors = self._pooled(output.last_hidden_state.float(), mask.to(device))
        except torch.OutOfMemoryError as error:
            raise EngineError("No memory is left for this batch; lower models[].batching.max_tokens.") from error
        result: Vectors = vectors.cpu().numpy()
        return result

    def close(self) -> None:
        """Drop the model, and its memory with it."""
        self._model = None

    def _pooled(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        match self._plan.pooling:
            case "cls":
                found = hidden[:, 0]
            case "last":
                found = hidden[self._torch.arange(len(hidden)), mask.sum(dim=1) - 1]
            case "mean":
                weights = mask.unsqueeze(-1).to(hidden.dtype)
                found = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
        return self._torch.nn.functional.normalize(found, dim=1) if self._plan.normalize else found


def load_one_shot(model_dir: Path, config: TransformersEngine, context: LoadContext, load: OneShotLoad) -> TorchOneShot:
    """Load the checkpoint in ``model_dir``.

    Raises ``MissingExtra`` without torch or transformers, and what ``load_model`` raises.
    """
    require_libraries()
    import transformers  # noqa: PLC0415

    from podium.engine.adapters.transformers_model import choose_precision, load_model  # noqa: PLC0415

    max_model_len = context.max_model_len or load.plan.max_model_len
    if not max_model_len:
        raise CheckpointInvalid("The checkpoint does not tell its context length: set models[].max_model_len.")
    set_threads(config.threads)
    context.report("loading weights", -1.0)
    model = load_model(
        model_dir, config, trust_remote_code=context.trust_remote_code, auto_class=transformers.AutoModel
    )
    facts = EngineFacts(
        engine="transformers",
        engine_version=transformers.__version__,
        device=str(model.device),
        precision=choose_precision(config.precision, model.device),
        max_model_len=max_model_len,
        max_batch_sequences=load.limits.max_inputs,
        task="embed",
        dimensions=model.config.hidden_size,
    )
    return TorchOneShot(model, facts, load.plan)
