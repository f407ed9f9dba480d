"""Weights are whole before a server starts: pods wait for the job that fetches them, or fetch their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from podium.deploy.lint.graph import Workload
from podium.models import fetched
from support.command import environment
from support.deployments import FULL, OWN_WEIGHTS, SMALL, Document, sets_of

HUB = {**FULL, "models": [{"name": "a", "source": "owner/a"}, {"name": "b", "source": "owner/b"}]}


def _job(folder: Path, document: Document) -> Workload:
    return Workload(sets_of(folder, document)["weights"].of("Job")[0])


def _server(folder: Path, document: Document) -> Workload:
    return Workload(sets_of(folder, document)["overlays/production"].of("Deployment")[0])


def _arguments(words: list[str], folder: Path) -> list[str]:
    """What a container's program is told, with its volume at ``folder``."""
    return [word.replace("/models/", f"{folder}/") for word in words[words.index("podium.models.fetched") + 1 :]]


def test_pods_wait_for_the_mark_that_the_job_writes_last(tmp_path: Path) -> None:
    job, server = _job(tmp_path / "a", HUB), _server(tmp_path / "b", HUB)
    *pulls, mark = job.containers
    assert [each.is_init for each in pulls] == [True, True]
    waiting = server.containers[0]
    assert waiting.is_init
    assert waiting.mounts["/models"]["readOnly"]
    volume = tmp_path / "volume"
    words = [sys.executable, "-m", "podium.models.fetched", *_arguments(waiting.value["command"], volume)]
    with subprocess.Popen(words, env=environment()) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        assert fetched.main(_arguments(mark.value["command"], volume)) == 0
        assert process.wait(30) == 0


def test_other_models_have_another_mark_and_another_job(tmp_path: Path) -> None:
    more = {**HUB, "models": [*HUB["models"], {"name": "c", "source": "owner/c"}]}
    one, other = _job(tmp_path / "a", HUB), _job(tmp_path / "b", more)
    assert one.item.name != other.item.name
    assert one.serving == other.serving == []
    assert one.containers[-1].value["command"] != other.containers[-1].value["command"]


def test_who_waits_in_vain_says_for_what_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetched.main(["--wait", str(tmp_path / "mark"), "--seconds", "0"]) == 1
    assert "look at the job that fetches weights" in capsys.readouterr().err


def test_a_mark_that_is_there_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "mark").touch()
    assert fetched.main(["--wait", str(tmp_path / "mark")]) == 0


def test_a_pod_s_own_weights_are_fetched_before_its_server_into_a_bounded_volume(tmp_path: Path) -> None:
    sets = sets_of(tmp_path, OWN_WEIGHTS)
    server = Workload(sets["overlays/production"].of("Deployment")[0])
    pull, serving = server.containers
    assert (pull.is_init, pull.value["command"]) == (True, ["podium", "models", "pull", "openai-community/gpt2"])
    assert (pull.env["HF_HOME"], pull.mounts["/models"].get("readOnly")) == ("/models/huggingface", None)
    assert serving.mounts["/models"]["readOnly"]
    assert server.volumes["weights"]["emptyDir"] == {"sizeLimit": "4Gi"}
    assert "weights" not in sets
    policy = sets["overlays/production"].find("NetworkPolicy", "podium", "podium")
    assert policy is not None
    assert [rule for rule in policy.entries("spec", "egress") if rule["ports"] == [{"protocol": "TCP", "port": 443}]]


def test_nobody_waits_where_nothing_is_fetched(tmp_path: Path) -> None:
    assert [each.is_init for each in _server(tmp_path, SMALL).containers] == [False]


def test_a_rollout_has_time_for_the_download(tmp_path: Path) -> None:
    usual = sets_of(tmp_path / "a", FULL)
    quick = sets_of(tmp_path / "b", FULL, weights={"fetch_seconds": 600})
    one, other = (
        sets["overlays/dev"].of("Deployment")[0].at("spec", "progressDeadlineSeconds") for sets in (usual, quick)
    )
    assert one - other == 3000
