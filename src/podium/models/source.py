"""From a model's configured source to a local folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from podium.core.errors import CheckpointInvalid, CheckpointUnsafe, MissingExtra, ModelLoadError

DEMO = "builtin:demo"
DEMO_FOLDER = Path(__file__).parent / "demo"

_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}(@[A-Za-z0-9._-]{1,64})?\Z")
_PATTERNS = ("*.safetensors", "*.json", "*.jinja", "openvino_*.xml", "openvino_*.bin")
"""What is fetched from a hub: no pickles, no code."""


def resolve_source(source: str, roots: Sequence[Path]) -> Path:
    """The folder behind ``source``: ``builtin:demo``, a folder under ``roots``, or a hub id ``owner/name[@revision]``.

    Blocking: a hub id may download. Raises ``CheckpointInvalid`` for a source that is nothing of these,
    ``CheckpointUnsafe`` for a folder outside ``roots``, ``MissingExtra`` without the hub library and
    ``ModelLoadError`` when the hub cannot deliver.
    """
    if source == DEMO:
        if not DEMO_FOLDER.is_dir():
            raise CheckpointInvalid("This installation has no demo model; install podium again.")
        return DEMO_FOLDER
    folder = Path(source).expanduser()
    if source and folder.is_dir():
        return _under_roots(folder, roots)
    if _HUB_ID.match(source) and ".." not in source:
        return fetch(source)
    raise CheckpointInvalid(
        "The source is no folder, no hub id (owner/name) and not builtin:demo; correct models[].source."
    )


def fetch(hub_id: str) -> Path:
    """The local snapshot of a hub model, downloaded if it is not there yet.

    The hub library's own settings hold (``HF_HOME``, ``HF_TOKEN``, ``HF_HUB_OFFLINE``). An interrupted
    download goes on where it stopped.
    """
    try:
        import huggingface_hub  # noqa: PLC0415  # only for hub ids
        from huggingface_hub import errors  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra("Hub ids need huggingface_hub; install it with: pip install 'podium[hf]'") from error
    name, _, revision = hub_id.partition("@")
    try:
        return Path(huggingface_hub.snapshot_download(name, revision=revision or None, allow_patterns=list(_PATTERNS)))
    except errors.GatedRepoError as error:
        raise ModelLoadError("The hub model is gated; accept its licence there and set HF_TOKEN.") from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise ModelLoadError("The hub knows no such model or revision, or HF_TOKEN may not see it.") from error
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        raise ModelLoadError(
            "The hub model is not in the local cache and the hub cannot be reached; "
            "fetch it on a machine with network and give its folder as the source."
        ) from error


def _under_roots(folder: Path, roots: Sequence[Path]) -> Path:
    """The real path; a link inside a root that leads out of it does not count as inside."""
    real = folder.resolve()
    if not any(real.is_relative_to(root.expanduser().resolve()) for root in roots):
        raise CheckpointUnsafe("The folder is outside the allowed model roots; add its parent to server.model_roots.")
    return real
