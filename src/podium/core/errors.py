"""Every error that Podium raises on purpose, in one tree.

::

    PodiumError                     code                  retryable
    ├── InvalidRequest              invalid_request       no
    │   ├── ContextLengthExceeded   context_length_exceeded
    │   ├── UnsupportedParameter    unsupported_parameter
    │   ├── UnsupportedTask         unsupported_task
    │   └── PayloadTooLarge         payload_too_large
    ├── Unauthenticated             invalid_api_key       no
    ├── PermissionDenied            permission_denied     no
    ├── NotFound                    not_found             no
    │   └── ModelNotFound           model_not_found
    ├── Conflict                    conflict              no
    │   ├── IdempotencyMismatch     idempotency_mismatch
    │   ├── IdempotencyInProgress   idempotency_in_progress (yes)
    │   └── GatewayRejected         gateway_rejected
    ├── RateLimited                 rate_limit_exceeded   yes
    │   └── QuotaExhausted          insufficient_quota    no
    ├── Unavailable                 unavailable           yes
    │   ├── Overloaded              overloaded
    │   ├── ModelNotReady           model_not_ready
    │   ├── Draining                draining
    │   └── GatewayUnavailable      gateway_unavailable
    ├── DeadlineExceeded            deadline_exceeded     yes
    ├── ClientDisconnected          client_disconnected   no
    ├── EngineError                 engine_error          yes
    │   ├── EngineCrashed           engine_crashed
    │   └── EngineStalled           engine_stalled
    ├── ModelLoadError              model_load_failed     no
    │   ├── CheckpointInvalid       checkpoint_invalid
    │   ├── CheckpointUnsafe        checkpoint_unsafe
    │   ├── UnsupportedArchitecture unsupported_architecture
    │   ├── MissingExtra            missing_extra
    │   └── MemoryBudgetExceeded    memory_budget_exceeded
    └── ConfigurationError          configuration_error   no
        └── NotConfigured           not_configured

A message says what was given in kind, what is allowed, and what to do next. It never repeats the
input, and it never holds an address, a path of the server, or the text of a foreign exception.
Nothing here knows HTTP: ``podium.api.errors`` maps codes to statuses and bodies for each dialect.
"""

from __future__ import annotations

from typing import ClassVar

from podium.core.standing import Standing


class PodiumError(Exception):
    """Root of the tree. ``code`` is stable; ``param`` names the field at fault, where there is one."""

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_seconds = retry_after_seconds


class InvalidRequest(PodiumError):
    """The request can never succeed as sent."""

    code = "invalid_request"


class ContextLengthExceeded(InvalidRequest):
    """Prompt plus requested output does not fit the model's context."""

    code = "context_length_exceeded"


class UnsupportedParameter(InvalidRequest):
    """The model's engine cannot honour a parameter; the message names an engine that can."""

    code = "unsupported_parameter"


class UnsupportedTask(InvalidRequest):
    """The model does something else than what was asked: it generates, or it embeds."""

    code = "unsupported_task"


class PayloadTooLarge(InvalidRequest):
    """The body exceeds the configured limit; reading stopped there."""

    code = "payload_too_large"


class Unauthenticated(PodiumError):
    """No key, or one that is not valid; both read the same."""

    code = "invalid_api_key"


class PermissionDenied(PodiumError):
    """The caller is known and may not do this."""

    code = "permission_denied"


class NotFound(PodiumError):
    """There is nothing at that name."""

    code = "not_found"


class ModelNotFound(NotFound):
    """No configured model has that name, version or alias."""

    code = "model_not_found"


class Conflict(PodiumError):
    """The resource is in a state that does not allow the action."""

    code = "conflict"


class IdempotencyMismatch(Conflict):
    """An idempotency key was used before, with another request."""

    code = "idempotency_mismatch"


class IdempotencyInProgress(Conflict):
    """The request of that idempotency key still runs on another replica."""

    code = "idempotency_in_progress"
    retryable = True


class GatewayRejected(Conflict):
    """The gateway answered a change with a NACK and goes on as before; the message holds its text, for the operator."""

    code = "gateway_rejected"


class RateLimited(PodiumError):
    """The caller's quota leaves no room now. ``retry_after_seconds`` is when it will."""

    code = "rate_limit_exceeded"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after_seconds: float | None = None,
        standings: tuple[Standing, ...] = (),
    ) -> None:
        super().__init__(message, param=param, retry_after_seconds=retry_after_seconds)
        self.standings = standings


class QuotaExhausted(RateLimited):
    """No wait of a minute helps: a day's quota or a budget is used up, or the request alone is larger than one."""

    code = "insufficient_quota"
    retryable = False


class Unavailable(PodiumError):
    """Cannot be served now; the same request may succeed later."""

    code = "unavailable"
    retryable = True


class Overloaded(Unavailable):
    """The admission queue is full. ``retry_after_seconds`` comes from the measured service rate."""

    code = "overloaded"


class ModelNotReady(Unavailable):
    """The model is loading, restarting, or not loaded."""

    code = "model_not_ready"


class Draining(Unavailable):
    """The server finishes what it has and takes nothing new."""

    code = "draining"


class GatewayUnavailable(Unavailable):
    """No gateway is connected, or it did not confirm a change in time; the change was taken back."""

    code = "gateway_unavailable"


class DeadlineExceeded(PodiumError):
    """The request's deadline passed before its last token."""

    code = "deadline_exceeded"
    retryable = True


class ClientDisconnected(PodiumError):
    """The client hung up; nobody reads the answer."""

    code = "client_disconnected"


class EngineError(PodiumError):
    """The engine failed this request."""

    code = "engine_error"
    retryable = True


class EngineCrashed(EngineError):
    """The worker process ended while the request was running."""

    code = "engine_crashed"


class EngineStalled(EngineError):
    """The worker made no progress for longer than its stall threshold and was replaced."""

    code = "engine_stalled"


class ModelLoadError(PodiumError):
    """A model could not be loaded; the server lives on."""

    code = "model_load_failed"


class CheckpointInvalid(ModelLoadError):
    """Files are missing, damaged, or do not match their manifest."""

    code = "checkpoint_invalid"


class CheckpointUnsafe(ModelLoadError):
    """Pickled weights, or code that would have to be run, in a model folder."""

    code = "checkpoint_unsafe"


class UnsupportedArchitecture(ModelLoadError):
    """No installed engine knows the model's architecture."""

    code = "unsupported_architecture"


class MissingExtra(ModelLoadError):
    """An optional dependency is needed; the message holds the command that installs it."""

    code = "missing_extra"


class MemoryBudgetExceeded(ModelLoadError):
    """The model does not fit the memory budget, even after eviction."""

    code = "memory_budget_exceeded"


class ConfigurationError(PodiumError):
    """``podium.yaml``, the environment or a flag holds something unusable; the program stops."""

    code = "configuration_error"


class NotConfigured(ConfigurationError):
    """The configuration leaves out what the request needs."""

    code = "not_configured"


def all_errors() -> dict[str, type[PodiumError]]:
    """Every error class by its code, the root included."""
    found: dict[str, type[PodiumError]] = {}
    pending: list[type[PodiumError]] = [PodiumError]
    while pending:
        kind = pending.pop()
        found[kind.code] = kind
        pending.extend(kind.__subclasses__())
    return found
