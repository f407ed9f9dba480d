"""What a server's libraries take from the environment: where they may write, and that they stay offline."""

from __future__ import annotations

from podium.deploy import places


def server_variables(weights: str | None) -> dict[str, str]:
    """Variables of a server whose root cannot be written to. ``weights``: folder of what came from a hub, or None."""
    cache = places.CACHE_FOLDER
    return {
        "HOME": places.TEMPORARY_FOLDER,
        "USER": places.APPLICATION,  # some libraries name folders by it, and the user may have no entry in the image
        "TMPDIR": places.TEMPORARY_FOLDER,
        "XDG_CACHE_HOME": f"{cache}/xdg",
        "NUMBA_CACHE_DIR": f"{cache}/numba",
        "TRITON_CACHE_DIR": f"{cache}/triton",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "HF_HOME": f"{cache}/huggingface" if weights is None else f"{weights}/{places.HUB_FOLDER}",
    }


def download_variables(weights: str) -> dict[str, str]:
    """Variables of what downloads into the folder ``weights``."""
    return {
        "HOME": places.TEMPORARY_FOLDER,
        "TMPDIR": places.TEMPORARY_FOLDER,
        "XDG_CACHE_HOME": places.TEMPORARY_FOLDER,
        "HF_HOME": f"{weights}/{places.HUB_FOLDER}",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def process_variables() -> dict[str, str]:
    """Variables of a process of ours without a model."""
    return {
        "HOME": places.TEMPORARY_FOLDER,
        "TMPDIR": places.TEMPORARY_FOLDER,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
