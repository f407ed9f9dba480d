"""What is served, and its life, as the HTTP surface needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class LoadProgress(Protocol):
    """How far a load is."""

    @property
    def stage(self) -> str:
        """What is being done."""

    @property
    def ratio(self) -> float:
        """Done share, -1 when unknown."""


class ModelStatus(Protocol):
    """One version of one model, now."""

    @property
    def name(self) -> str:
        """Name in requests."""

    @property
    def version(self) -> str:
        """Version label."""

    @property
    def aliases(self) -> Sequence[str]:
        """Other names."""

    @property
    def state(self) -> str:
        """Where it is in its life; `ready` serves, but for the moments in which its worker is restarted."""

    @property
    def serving(self) -> bool:
        """Whether it is ready and its worker lives."""

    @property
    def task(self) -> str | None:
        """What the model does; None until it is known."""

    @property
    def engine(self) -> str | None:
        """Engine kind, once chosen."""

    @property
    def source(self) -> str:
        """Where it comes from, as configured."""

    @property
    def loaded_at_unix_seconds(self) -> float | None:
        """When it became ready."""

    @property
    def created_unix_seconds(self) -> float:
        """When its files were made."""

    @property
    def request_count(self) -> int:
        """Requests so far."""

    @property
    def max_model_len(self) -> int | None:
        """Context in tokens, once known."""

    @property
    def memory_bytes(self) -> int | None:
        """Measured memory of its worker."""

    @property
    def progress(self) -> LoadProgress | None:
        """How far loading is, while it loads."""

    @property
    def error(self) -> str | None:
        """Why loading failed."""

    @property
    def active(self) -> bool:
        """Whether the plain name means this version."""

    @property
    def default(self) -> bool:
        """Whether requests without a model name go here."""


class LoadReport(Protocol):
    """A finished load."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def version(self) -> str:
        """The version that was loaded."""

    @property
    def load_seconds(self) -> float:
        """Duration of the load."""

    @property
    def memory_bytes(self) -> int | None:
        """Measured memory of its worker."""


class UnloadReport(Protocol):
    """A finished unload, with measured memory."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def version(self) -> str:
        """The version that was unloaded."""

    @property
    def memory_before_bytes(self) -> int | None:
        """Before the model was loaded."""

    @property
    def memory_loaded_bytes(self) -> int | None:
        """While it was loaded."""

    @property
    def memory_after_bytes(self) -> int | None:
        """After its worker was gone."""


class Health(Protocol):
    """The three verdicts, with reasons for a no."""

    @property
    def started(self) -> bool:
        """All models that load at start are ready."""

    @property
    def live(self) -> bool:
        """Work goes forward."""

    @property
    def ready(self) -> bool:
        """New requests are welcome."""

    @property
    def reasons(self) -> Sequence[str]:
        """What stands against a yes."""


class Models(Protocol):
    """What is served, and its life."""

    def list(self) -> Sequence[ModelStatus]:
        """Every configured version."""

    def resolve(self, name: str) -> ModelStatus:
        """By name, alias or name@version. Raises ModelNotFound."""

    async def load(self, name: str, *, source: str | None = None, activate: bool = True) -> LoadReport:
        """Returns when the model is ready. With ``source``, a new name or version is added first.

        Raises a ModelLoadError, ModelNotFound or Conflict.
        """

    async def unload(self, name: str) -> UnloadReport:
        """Returns when the worker is gone."""

    def health(self) -> Health:
        """Cheap; never blocks."""
