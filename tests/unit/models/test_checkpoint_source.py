"""From ``models[].source`` to a folder."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from podium.core.errors import CheckpointInvalid, CheckpointUnsafe, MissingExtra, ModelLoadError
from podium.models import source
from podium.models.source import DEMO, DEMO_FOLDER, resolve_source


def test_a_folder_under_a_root_is_taken_by_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    given = f"{tmp_path}/models/../models/mine"
    assert resolve_source(given, [tmp_path / "models"]) == (tmp_path / "models" / "mine").resolve()


def test_a_root_itself_may_be_the_model(tmp_path: Path) -> None:
    assert resolve_source(str(tmp_path), [tmp_path]) == tmp_path.resolve()


@pytest.mark.parametrize("roots", [[], ["elsewhere"]])
def test_a_folder_outside_the_roots_is_refused(tmp_path: Path, roots: list[str]) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(CheckpointUnsafe, match="model_roots"):
        resolve_source(str(tmp_path / "model"), [tmp_path / name for name in roots])


def test_a_link_out_of_a_root_does_not_count_as_inside(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(CheckpointUnsafe):
        resolve_source(str(tmp_path / "root" / "link"), [tmp_path / "root"])


def test_a_folder_whose_name_begins_like_a_root_is_outside(tmp_path: Path) -> None:
    (tmp_path / "models-private").mkdir()
    with pytest.raises(CheckpointUnsafe):
        resolve_source(str(tmp_path / "models-private"), [tmp_path / "models"])


def test_the_demo_model_is_in_the_package() -> None:
    assert resolve_source(DEMO, []) == DEMO_FOLDER


@pytest.mark.parametrize("given", ["nonsense", "a/b/c", "../up", "https://host/x", "owner/..", "", "a b/c"])
def test_what_is_neither_folder_nor_hub_id_is_refused(given: str) -> None:
    with pytest.raises(CheckpointInvalid) as caught:
        resolve_source(given, [])
    assert given == "" or given not in caught.value.message


def test_a_hub_id_without_the_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra, match=r"podium\[hf\]"):
        resolve_source("owner/name", [])


def _hub(monkeypatch: pytest.MonkeyPatch, snapshot: object) -> ModuleType:
    """The real hub library with another ``snapshot_download``."""
    hub = importlib.import_module("huggingface_hub")
    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    return importlib.import_module("huggingface_hub.errors")


def test_a_hub_id_asks_for_no_pickles_and_no_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, object] = {}

    def snapshot(name: str, **options: object) -> str:
        asked.update(options, name=name)
        return str(tmp_path)

    _hub(monkeypatch, snapshot)
    assert resolve_source("owner/name@v1.0", []) == tmp_path
    assert (asked["name"], asked["revision"]) == ("owner/name", "v1.0")
    patterns = asked["allow_patterns"]
    assert isinstance(patterns, list)
    assert not any(Path(name).match(pattern) for name in ("pytorch_model.bin", "modeling.py") for pattern in patterns)
    assert all(
        any(Path(name).match(pattern) for pattern in patterns)
        for name in ("model.safetensors", "config.json", "chat_template.jinja", "openvino_model.bin")
    )


def test_a_hub_that_cannot_be_reached_is_one_line_without_its_own_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The real library, put offline with an empty cache."""
    constants = importlib.import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelLoadError, match="cannot be reached") as caught:
        source.fetch("owner/name")
    assert "\n" not in caught.value.message
    assert "owner" not in caught.value.message


@pytest.mark.parametrize(
    ("error_name", "words"), [("GatedRepoError", "HF_TOKEN"), ("RepositoryNotFoundError", "no such model")]
)
def test_each_refusal_of_the_hub_says_what_to_do(monkeypatch: pytest.MonkeyPatch, error_name: str, words: str) -> None:
    errors = importlib.import_module("huggingface_hub.errors")
    kind = getattr(errors, error_name)

    def snapshot(*_: object, **__: object) -> str:
        raise kind.__new__(kind, "secret text of the hub")

    _hub(monkeypatch, snapshot)
    with pytest.raises(ModelLoadError, match=words) as caught:
        source.fetch("owner/name")
    assert "secret" not in caught.value.message
