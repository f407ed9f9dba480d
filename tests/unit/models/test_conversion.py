"""The conversion cache: complete or absent, once for each content, whoever dies. The converter is a stand-in."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from podium.core.errors import (
    ConfigurationError,
    MissingExtra,
    ModelLoadError,
    UnsupportedArchitecture,
)
from podium.models.checkpoint import Checkpoint, inspect
from podium.models.conversion import cache_key, convert
from podium.models.converter import Converter
from support.checkpoint_folders import write_checkpoint
from support.deadline import until

_PRELUDE = """
import json, os, pathlib, sys, time
source, output, precision = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
here = pathlib.Path(__file__).parent
def tell(**line): print(json.dumps(line), flush=True)
with (here / "runs").open("a") as runs: runs.write(f"{os.getpid()} {precision}\\n")
"""
WRITES = """
tell(stage="loading", ratio=0.1)
print("a library says hello", flush=True)
(output / "openvino_model.bin").write_text(precision)
tell(stage="done", ratio=1.0)
"""
HANGS = WRITES + "time.sleep(600)\n"


def _ignore(_stage: str, _ratio: float) -> None:
    return


class Bench:
    """A checkpoint, a cache folder, and a converter made of ``body``."""

    def __init__(self, folder: Path, body: str) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        (folder / "converter.py").write_text(_PRELUDE + textwrap.dedent(body))
        self.converter = Converter((sys.executable, str(folder / "converter.py")))
        self.checkpoint: Checkpoint = inspect(write_checkpoint(folder / "model"))

    async def convert(self, precision: str = "f32") -> Path:
        return await convert(self.checkpoint, precision, self.cache, _ignore, converter=self.converter)  # type: ignore[arg-type]

    def runs(self) -> list[list[str]]:
        """(pid, precision) of each start of the converter."""
        path = self.folder / "runs"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def folders(self) -> list[str]:
        """Folders in the cache, hidden ones too."""
        return sorted(path.name for path in self.cache.iterdir() if path.is_dir())


def test_a_result_is_kept_under_its_key(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WRITES)
    folder = asyncio.run(bench.convert())
    assert folder == bench.cache / cache_key(bench.checkpoint.path, "f32")
    assert (folder / "openvino_model.bin").read_text() == "f32"
    assert bench.folders() == [folder.name]
    assert not list(bench.cache.glob("*.log"))


def test_an_encoder_decoder_is_not_converted_and_the_engine_that_runs_it_is_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WRITES)
    bench.checkpoint = dataclasses.replace(bench.checkpoint, task="text2text_generation")
    with pytest.raises(UnsupportedArchitecture, match="transformers"):
        asyncio.run(bench.convert())
    assert not bench.cache.exists()


def test_the_second_conversion_of_the_same_content_starts_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WRITES)
    assert asyncio.run(bench.convert()) == asyncio.run(bench.convert())
    assert len(bench.runs()) == 1


def test_other_content_is_converted_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WRITES)
    first = asyncio.run(bench.convert())
    write_checkpoint(bench.checkpoint.path, {"architectures": ["OtherForCausalLM"]})
    assert asyncio.run(bench.convert()) != first
    assert len(bench.runs()) == 2


def test_bf16_shares_the_weights_of_f16_and_others_are_apart(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WRITES)
    results = {precision: asyncio.run(bench.convert(precision)) for precision in ("f32", "f16", "bf16", "int8")}
    assert results["bf16"] == results["f16"]
    assert len(set(results.values())) == 3
    assert [precision for _, precision in bench.runs()] == ["f32", "f16", "int8"]


def test_progress_is_reported_and_what_libraries_print_is_not(tmp_path: Path) -> None:
    bench, seen = Bench(tmp_path, WRITES), list[tuple[str, float]]()

    def report(stage: str, ratio: float) -> None:
        seen.append((stage, ratio))

    asyncio.run(convert(bench.checkpoint, "f32", bench.cache, report, converter=bench.converter))
    assert seen == [("hashing", -1.0), ("loading", 0.1), ("done", 1.0)]


def test_conversions_at_the_same_time_run_one_converter(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "time.sleep(0.3)\n" + WRITES)

    async def several() -> list[Path]:
        return await asyncio.gather(*(bench.convert() for _ in range(4)))

    assert len(set(asyncio.run(several()))) == 1
    assert len(bench.runs()) == 1


@pytest.mark.parametrize("kind", [UnsupportedArchitecture, MissingExtra])
def test_a_told_failure_keeps_its_kind_and_words(tmp_path: Path, kind: type[ModelLoadError]) -> None:
    bench = Bench(tmp_path, f'tell(code="{kind.code}", message="what to do")\nsys.exit(1)\n')
    with pytest.raises(kind, match="what to do"):
        asyncio.run(bench.convert())
    assert bench.folders() == []


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "sys.exit(3)", "raise RuntimeError('secret')"])
def test_a_converter_that_dies_half_way_leaves_nothing_that_looks_finished(tmp_path: Path, end: str) -> None:
    bench = Bench(tmp_path, f"{WRITES}{end}\n")
    with pytest.raises(ModelLoadError) as caught:
        asyncio.run(bench.convert())
    assert "secret" not in caught.value.message
    assert bench.folders() == []


def test_the_converters_own_words_are_kept_when_it_failed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "raise RuntimeError('the reason')\n")
    with pytest.raises(ModelLoadError):
        asyncio.run(bench.convert())
    (log,) = bench.cache.glob("*.log")
    assert "the reason" in log.read_text()


def test_a_failed_conversion_can_be_tried_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "sys.exit(1)\n")
    with pytest.raises(ModelLoadError):
        asyncio.run(bench.convert())
    again = Bench(tmp_path, WRITES)
    assert (asyncio.run(again.convert()) / "openvino_model.bin").is_file()


def test_cancelling_ends_the_converter_and_leaves_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, HANGS)

    async def cancelled() -> int:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(bench.convert(), name="conversion")
            pid = await asyncio.to_thread(until, "the converter starts", bench.runs)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return int(pid[0][0])

    pid = asyncio.run(cancelled())
    until("the converter is gone", lambda: not psutil.pid_exists(pid))
    assert bench.folders() == []


def test_what_a_killed_server_left_is_removed_by_the_next_conversion(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WRITES)
    stale = bench.cache / f".{cache_key(bench.checkpoint.path, 'f32')}-abandoned"
    stale.mkdir(parents=True)
    (stale / "openvino_model.bin").write_text("half")
    folder = asyncio.run(bench.convert())
    assert bench.folders() == [folder.name]


def test_a_cache_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WRITES)
    (tmp_path / "file").write_text("")
    bench.cache = tmp_path / "file" / "cache"
    with pytest.raises(ConfigurationError, match="cache_dir"):
        asyncio.run(bench.convert())


def test_the_same_folder_converted_for_another_task_is_another_result(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    assert cache_key(folder, "f32") == cache_key(folder, "f32", "generate") != cache_key(folder, "f32", "embed")
