"""The ``transformers`` engine for one-shot tasks: any text encoder that transformers and torch can run.

It is the reference that other engines are compared with; pooling is done in torch, on the model's device.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podium.config.engine import TransformersEngine
from podium.core.errors import CheckpointInvalid, EngineError
from podium.core.one_shot import InputIds, Task, Vectors
from podium.engine.adapters.transformers import require_libraries, set_threads
from podium.engine.interface import EngineFacts, LoadContext
from podium.engine.one_shot import EmbeddingPlan, FillMaskPlan, OneShotLoad, Plan, TokenPlan, facts_of
from podium.engine.pooling import likeliest

if TYPE_CHECKING:
    import torch


_CLASSES: dict[Task, str] = {
    "embed": "AutoModel",
    "token_classification": "AutoModelForTokenClassification",
    "fill_mask": "AutoModelForMaskedLM",
    "question_answering": "AutoModelForQuestionAnswering",
}


class TorchOneShot:
    """See the module's docstring; ``OneShotEngine`` of ``podium.engine.one_shot``."""

    def __init__(self, model: Any, facts: EngineFacts, plan: Plan) -> None:
        import torch  # noqa: PLC0415  # heavy and optional

        self.facts = facts
        self._torch = torch
        self._model = model
        self._plan = plan
        self._segmented = _tells_segments_apart(model)

    def compute(self, batch: Sequence[InputIds]) -> Vectors:
        """The model's output for the padded batch, pooled where one vector stands for several tokens."""
        torch = self._torch
        try:
            with torch.inference_mode():
                arguments = self._arguments(batch)
                return self._rows(self._model(**arguments), arguments["input_ids"], arguments["attention_mask"])
        except torch.OutOfMemoryError as error:
            raise EngineError("No memory is left for this batch; lower models[].batching.max_tokens.") from error

    def close(self) -> None:
        """Drop the model, and its memory with it."""
        self._model = None

    def _rows(self, output: Any, token_ids: torch.Tensor, mask: torch.Tensor) -> Vectors:
        match self._plan:
            case EmbeddingPlan():
                vectors = self._pooled(output.last_hidden_state.float(), mask, self._plan)
            case FillMaskPlan(mask_token_id=mask_token_id, most=most):
                masked = (token_ids == mask_token_id) & (mask == 1)
                return likeliest(output.logits[masked].float().cpu().numpy(), most)
            case TokenPlan(task="question_answering"):
                vectors = self._torch.stack([output.start_logits, output.end_logits], dim=-1)[mask == 1].float()
            case TokenPlan():
                vectors = output.logits[mask == 1].float()
            case _:
                vectors = output.logits.float()
        found: Vectors = vectors.cpu().numpy()
        return found

    def _arguments(self, batch: Sequence[InputIds]) -> dict[str, torch.Tensor]:
        """What is masked is 0, whatever the padding token."""
        torch = self._torch
        token_ids, mask, segments = torch.zeros((3, len(batch), max(len(ids.token_ids) for ids in batch))).long()
        for row, ids in enumerate(batch):
            length = len(ids.token_ids)
            token_ids[row, :length] = torch.tensor(ids.token_ids)
            mask[row, :length] = 1
            if ids.second_from:
                segments[row, ids.second_from : length] = 1
        arguments = {"input_ids": token_ids, "attention_mask": mask}
        if self._segmented:
            arguments["token_type_ids"] = segments
        return {name: value.to(self._model.device) for name, value in arguments.items()}

    def _pooled(self, hidden: torch.Tensor, mask: torch.Tensor, plan: EmbeddingPlan) -> torch.Tensor:
        match plan.pooling:
            case "cls":
                found = hidden[:, 0]
            case "last":
                found = hidden[self._torch.arange(len(hidden)), mask.sum(dim=1) - 1]
            case "mean":
                weights = mask.unsqueeze(-1).to(hidden.dtype)
                found = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
        return self._torch.nn.functional.normalize(found, dim=1) if plan.normalize else found


def _tells_segments_apart(model: Any) -> bool:
    takes = "token_type_ids" in inspect.signature(model.forward).parameters
    return takes and getattr(model.config, "type_vocab_size", 0) > 1


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
    kind = getattr(transformers, _CLASSES.get(load.plan.task, "AutoModelForSequenceClassification"))
    model = load_model(model_dir, config, trust_remote_code=context.trust_remote_code, auto_class=kind)
    facts = EngineFacts(
        engine="transformers",
        engine_version=transformers.__version__,
        device=str(model.device),
        precision=choose_precision(config.precision, model.device),
        max_model_len=max_model_len,
        max_batch_sequences=load.limits.max_inputs,
        **facts_of(load.plan, model.config.hidden_size),
    )
    return TorchOneShot(model, facts, load.plan)
