"""openvino-genai's ``step`` without Python's global lock.

The binding of ``ContinuousBatchingPipeline.step`` (2026.4) keeps the lock for the whole step. In a worker
that silences the heartbeat, so that a step longer than a few beats looks like a frozen process, and it
stops the threads that read and tokenize. ``ctypes`` gives the lock up around a foreign call, and the
library exports the method: this module calls it there, and falls back to the binding where it cannot.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openvino_genai

_SYMBOL = "_ZN2ov5genai26ContinuousBatchingPipeline4stepEv"
_LIBRARY = "libopenvino_genai.so*"
_WORD = ctypes.sizeof(ctypes.c_void_p)


def step_of(pipeline: Any) -> Callable[[], object]:
    """A function that steps ``pipeline`` and lets other threads run meanwhile, where that is possible.

    The pipeline must outlive it. A C++ exception in it ends the process, with its text on standard error.
    """
    method, address = _method(), _address(pipeline)
    if method is None or address is None:
        fallback: Callable[[], object] = pipeline.step
        return fallback
    return lambda: method(address)


def _method() -> Any:
    """The exported method, or None where the library or the symbol is not what we know."""
    for path in sorted(Path(openvino_genai.__file__).parent.glob(_LIBRARY)):
        try:
            method = getattr(ctypes.CDLL(str(path)), _SYMBOL)
        except (OSError, AttributeError):
            continue
        method.restype, method.argtypes = None, [ctypes.c_void_p]
        return method
    return None


def _address(pipeline: Any) -> ctypes.c_void_p | None:
    """Where the C++ object is: pybind11 keeps its address behind the object's head, then a holder.

    The holder is a ``unique_ptr``, so both words are equal; if they are not, the layout is another.
    """
    if type(pipeline).__basicsize__ < 4 * _WORD:
        return None
    value, holder = (ctypes.c_void_p.from_address(id(pipeline) + place * _WORD).value for place in (2, 3))
    return ctypes.c_void_p(value) if value and value == holder else None
