"""A model's digest changes with everything that changes its answers, and costs one reading of each file."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from podium.config.engine import EchoEngine, Engine, OpenVINOEngine, RemoteEngine
from podium.config.models import Model
from podium.core.errors import CheckpointInvalid
from podium.models.file_hashes import sha256_file
from podium.models.hash_memo import FILE, HashMemo
from podium.models.model_digest import model_digest
from support.deadline import until

FILES = {
    "model.safetensors": b"weights",
    "tokenizer.json": b"{}",
    "config.json": b"{}",
    "chat_template.jinja": b"{{ x }}",
    "additional_chat_templates/tool_use.jinja": b"{{ y }}",
}
LONG_AGO = 1000.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "model"


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def digest_of(folder: Path, cache_dir: Path, *, engine: Engine | None = None, **model: object) -> str:
    config = Model.model_validate({"name": "demo", "source": "x", **model})
    return uvloop.run(model_digest(config, folder, engine or OpenVINOEngine(), cache_dir))


def write(name: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(write(name, content + b"+") for name, content in FILES.items()),
        write("model.safetensors", b"weightS"),
        write("vocab.txt", b""),
        write("deep/er.py", b""),
        lambda folder: (folder / "config.json").unlink(),
        lambda folder: (folder / "config.json").rename(folder / "config2.json"),
    ],
)
def test_every_change_of_a_file_or_its_name_is_another_model(
    folder: Path, cache_dir: Path, change: Callable[[Path], object]
) -> None:
    before = digest_of(folder, cache_dir)
    assert digest_of(folder, cache_dir) == before
    change(folder)
    assert digest_of(folder, cache_dir) != before


def test_contents_that_change_places_are_another_model(folder: Path, cache_dir: Path) -> None:
    (folder / "a.json").write_bytes(b"1")
    (folder / "b.json").write_bytes(b"2")
    before = digest_of(folder, cache_dir)
    (folder / "a.json").write_bytes(b"2")
    (folder / "b.json").write_bytes(b"1")
    assert digest_of(folder, cache_dir) != before


def test_the_place_and_hidden_files_do_not_matter(folder: Path, cache_dir: Path, tmp_path: Path) -> None:
    before = digest_of(folder, cache_dir)
    write(".git/HEAD", b"x")(folder)
    write(".DS_Store", b"x")(folder)
    assert digest_of(folder, cache_dir) == before
    assert digest_of(folder.rename(tmp_path / "moved"), cache_dir) == before


def test_a_name_of_any_bytes_is_a_name(folder: Path, cache_dir: Path) -> None:
    before = digest_of(folder, cache_dir)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.json")).write_bytes(b"")
    one = digest_of(folder, cache_dir)
    assert one != before
    assert digest_of(folder, cache_dir) == one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (OpenVINOEngine(), OpenVINOEngine(precision="f32")),
        (OpenVINOEngine(), OpenVINOEngine(int8_activations=False)),
        (OpenVINOEngine(), OpenVINOEngine(kv_cache_precision="f16")),
        (RemoteEngine(base_url="http://a/v1"), RemoteEngine(base_url="http://b/v1")),
        (RemoteEngine(base_url="http://a/v1"), RemoteEngine(base_url="http://a/v1", model="m")),
        (EchoEngine(), EchoEngine(faults=True)),
        (EchoEngine(), OpenVINOEngine()),
    ],
)
def test_other_engine_settings_are_another_model_without_files_too(one: Engine, other: Engine, cache_dir: Path) -> None:
    none = Path("none")
    assert digest_of(none, cache_dir, engine=one) == digest_of(none, cache_dir, engine=one)
    assert digest_of(none, cache_dir, engine=one) != digest_of(none, cache_dir, engine=other)


def test_the_template_of_the_configuration_counts_by_content(folder: Path, cache_dir: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one.jinja", tmp_path / "other.jinja"
    one.write_text("{{ a }}")
    other.write_text("{{ a }}")
    plain = digest_of(folder, cache_dir)
    with_one = digest_of(folder, cache_dir, chat_template_file=str(one))
    assert with_one != plain
    assert digest_of(folder, cache_dir, chat_template_file=str(other)) == with_one
    one.write_text("{{ b }}")
    assert digest_of(folder, cache_dir, chat_template_file=str(one)) != with_one
    assert digest_of(folder, cache_dir, max_model_len=8) != plain


def settled_memo(cache_dir: Path) -> HashMemo:
    """A memo for which every file is old enough to be believed."""
    return HashMemo(cache_dir, clock=lambda: time.time() + LONG_AGO)


def count_readings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return sha256_file(path)

    monkeypatch.setattr("podium.models.hash_memo.sha256_file", counted)
    return read


def test_a_file_is_read_once_whatever_restarts(folder: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = folder / "model.safetensors"
    read = count_readings(monkeypatch)
    first = settled_memo(cache_dir)
    digest = first.sha256(weights)
    first.save()
    second = settled_memo(cache_dir)
    assert second.sha256(weights) == digest
    assert read == [weights]


def _touched(probe: Path) -> int:
    probe.write_bytes(b"")
    return probe.stat().st_ctime_ns


@pytest.mark.parametrize("same", ["size", "size and time", "all but the inode"])
def test_a_file_that_changed_is_read_again(
    folder: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, same: str
) -> None:
    weights = folder / "model.safetensors"
    memo = settled_memo(cache_dir)
    before = memo.sha256(weights)
    memo.save()
    stat = weights.stat()
    until("the file system's clock has moved on", lambda: _touched(folder / "probe") > stat.st_ctime_ns)
    if same == "all but the inode":
        replacement = folder / "new"
        replacement.write_bytes(b"WEIGHTS")
        replacement.replace(weights)
    else:
        weights.write_bytes(b"WEIGHTS")
    if same != "size":
        os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    read = count_readings(monkeypatch)
    assert settled_memo(cache_dir).sha256(weights) != before
    assert read == [weights]


def test_the_hash_of_a_file_that_was_just_written_is_not_kept(folder: Path, cache_dir: Path) -> None:
    """It could change once more within the same time stamp."""
    memo = HashMemo(cache_dir)
    memo.sha256(folder / "model.safetensors")
    memo.save()
    assert not (cache_dir / FILE).exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"a": {"sha256": 1}}', b"\xff\xfe"])
def test_a_damaged_memo_costs_reading_only(folder: Path, cache_dir: Path, damage: bytes) -> None:
    before = digest_of(folder, cache_dir)
    cache_dir.mkdir(exist_ok=True)
    (cache_dir / FILE).write_bytes(damage)
    assert digest_of(folder, cache_dir) == before
    memo = settled_memo(cache_dir)
    memo.sha256(folder / "config.json")
    memo.save()
    assert settled_memo(cache_dir)._known


def test_a_folder_that_cannot_be_written_costs_reading_only(folder: Path, tmp_path: Path) -> None:
    no_folder = tmp_path / "file"
    no_folder.write_text("")
    memo = settled_memo(no_folder)
    assert memo.sha256(folder / "config.json")
    memo.save()


def test_two_processes_keep_what_both_learnt(folder: Path, cache_dir: Path) -> None:
    one, other = settled_memo(cache_dir), settled_memo(cache_dir)
    one.sha256(folder / "config.json")
    other.sha256(folder / "tokenizer.json")
    one.save()
    other.save()
    assert len(settled_memo(cache_dir)._known) == 2
    assert [path.name for path in cache_dir.iterdir()] == [FILE]


def test_a_file_that_grows_while_it_is_read_is_no_file_to_answer_with(
    folder: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grow(path: Path) -> str:
        digest = sha256_file(path)
        path.write_bytes(b"more than before")
        return digest

    monkeypatch.setattr("podium.models.hash_memo.sha256_file", grow)
    with pytest.raises(CheckpointInvalid, match="changed while it was read"):
        digest_of(folder, cache_dir)


def test_a_file_that_changed_after_the_worker_read_it_has_no_digest(folder: Path, cache_dir: Path) -> None:
    config = Model(name="demo", source="x")
    loaded = time.time() + 0.1
    found = uvloop.run(model_digest(config, folder, OpenVINOEngine(), cache_dir, loaded_at_unix_seconds=loaded))
    assert found == digest_of(folder, cache_dir)
    with pytest.raises(CheckpointInvalid, match="changed after it was loaded"):
        uvloop.run(model_digest(config, folder, OpenVINOEngine(), cache_dir, loaded_at_unix_seconds=time.time() - 60))


def test_a_missing_template_is_told_without_its_path(folder: Path, cache_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointInvalid) as raised:
        digest_of(folder, cache_dir, chat_template_file=str(tmp_path / "gone.jinja"))
    assert str(tmp_path) not in raised.value.message


def test_hashing_leaves_the_event_loop_free_and_ends_when_nobody_waits(
    folder: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = threading.Event(), threading.Event()
    read: list[Path] = []

    def slow(path: Path) -> str:
        read.append(path)
        began.set()
        go_on.wait(10)
        return "0" * 64

    monkeypatch.setattr("podium.models.hash_memo.sha256_file", slow)

    async def main() -> None:
        config = Model(name="demo", source="x")
        task = asyncio.get_running_loop().create_task(
            model_digest(config, folder, OpenVINOEngine(), cache_dir), name="digest"
        )
        assert await asyncio.to_thread(began.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()

    uvloop.run(main())
    assert len(read) == 1
