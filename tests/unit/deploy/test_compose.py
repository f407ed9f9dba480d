"""The compose file: the same bytes each time, every file of it there, and no more rights than a pod has."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from podium.config.sources import load
from podium.core.errors import ConfigurationError
from podium.deploy import places
from podium.deploy.compose.document import write_compose
from podium.deploy.prometheus.files import dashboard_text
from podium.deploy.secrets import STACK_SECRETS, write_stack_secrets
from podium.deploy.timing import timings_of
from support.compose_models import InSwarm, OnHost
from support.golden_stacks import DASHBOARD, GOLDEN, NAMES, reviewed
from support.stacks import FILES_STACK, FULL_STACK, LEAST, STACKS, documents_of, stack_files

EACH = pytest.mark.parametrize("name", STACKS)


def _files(name: str) -> dict[str, str]:
    document, profile, swarm = STACKS[name]
    return stack_files(document, profile, swarm=swarm)


def _services(name: str) -> dict[str, Any]:
    return {name: each for found in documents_of(_files(name)).values() for name, each in found["services"].items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_the_golden_files(name: str) -> None:
    """After a wanted change: ``python -m support.golden_stacks`` in ``tests``, and review the difference."""
    folder = GOLDEN / name
    golden = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert dict(sorted(golden.items())) == dict(sorted(reviewed(_files(name)).items()))


@EACH
def test_rendering_twice_gives_the_same_bytes(name: str) -> None:
    assert list(_files(name).items()) == list(_files(name).items())


@EACH
def test_every_member_is_one_of_the_format(name: str) -> None:
    model = InSwarm if STACKS[name][2] else OnHost
    for document in documents_of(_files(name)).values():
        model.model_validate(document)


def test_the_model_of_the_format_refuses_what_is_not_in_it() -> None:
    document = documents_of(_files("host"))["compose.yaml"]
    document["services"]["blue"]["stop_grace"] = "3s"
    with pytest.raises(ValueError, match="stop_grace"):
        OnHost.model_validate(document)


@pytest.mark.parametrize("name", [name for name, (_, _, swarm) in STACKS.items() if swarm])
def test_docker_itself_reads_the_stack(name: str, tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("docker is not installed")
    write_compose(_files(name), tmp_path)
    for file in documents_of(_files(name)):
        done = subprocess.run(
            [docker, "stack", "config", "-c", str(tmp_path / file)],
            env={**os.environ, "DOCKER_HOST": "unix:///nowhere"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name, (_, _, swarm) in STACKS.items() if not swarm])
def test_docker_compose_itself_reads_the_file(name: str, tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    write_compose(_files(name), tmp_path)
    words = [docker, "compose", "-f", str(tmp_path / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@EACH
def test_no_service_has_a_right_that_a_pod_has_not(name: str) -> None:
    swarm = STACKS[name][2]
    for service in _services(name).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert not service["user"].startswith("0")
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
        assert swarm or service["security_opt"] == ["no-new-privileges:true"]
        assert {"privileged", "network_mode", "pid", "ipc", "cap_add", "devices"}.isdisjoint(service)
        assert {mount["type"] for mount in service["volumes"]} <= {"volume", "tmpfs"}


@EACH
def test_every_file_is_rendered_made_or_the_owners(name: str) -> None:
    files, made = _files(name), {f"secrets/{file}" for file in STACK_SECRETS.values()}
    for document in documents_of(files).values():
        read = {each["file"].removeprefix("./") for each in document.get("configs", {}).values()}
        assert read <= files.keys()
        secrets = {each["file"].removeprefix("./") for each in document.get("secrets", {}).values()}
        assert {path for path in secrets if not path.startswith("files/")} <= made
        for service in document["services"].values():
            assert {each["source"] for each in service.get("configs", ())} <= document.get("configs", {}).keys()
            assert {each["source"] for each in service.get("secrets", ())} <= document.get("secrets", {}).keys()
            assert set(service["networks"]) <= document["networks"].keys()
            volumes = {mount["source"] for mount in service["volumes"] if "source" in mount}
            assert volumes <= document.get("volumes", {}).keys()


@EACH
def test_every_configuration_loads_and_names_only_files_that_its_service_has(name: str, tmp_path: Path) -> None:
    files = _files(name)
    document = documents_of(files)["compose.yaml"]
    for service in document["services"].values():
        words = service.get("command", [])
        if "--config" not in words:
            continue
        source = {each["target"]: each["source"] for each in service["configs"]}[words[words.index("--config") + 1]]
        text = files[document["configs"][source]["file"].removeprefix("./")]
        (tmp_path / "podium.yaml").write_text(text)
        settings = load({}, tmp_path / "podium.yaml", {}).settings
        given = {each["target"] for each in service.get("secrets", ())}
        access = settings.access
        named = [settings.redis.password_file, access.metrics_key_file, access.shadow_key_file, access.deploy_key_file]
        assert {path for path in named if path} <= given
        if settings.gateway.tls is not None:
            assert {settings.gateway.tls.certificate, settings.gateway.tls.key} <= given


def test_servers_and_gateway_know_each_other_by_the_same_names() -> None:
    files = _files("host")
    gateway = yaml.safe_load(files["config/gateway.yaml"])
    document = documents_of(files)["compose.yaml"]
    for name, environment in gateway["gateway"]["environments"].items():
        assert environment["endpoints"] == [f"http://{name}:8000"]
        assert set(document["services"][name]["networks"]) & set(document["services"]["gateway"]["networks"])
    assert gateway["redis"]["url"] == "redis://redis:6379/0"
    prometheus = yaml.safe_load(files["config/prometheus/prometheus.yml"])
    targets = [each["targets"] for each in prometheus["scrape_configs"][0]["static_configs"]]
    assert targets == [["blue:8001"], ["green:8001"]]
    assert files[DASHBOARD] == dashboard_text()


def test_only_the_gateway_and_grafana_can_be_reached_and_only_from_this_host() -> None:
    published = {name: service["ports"] for name, service in _services("host").items() if "ports" in service}
    assert published == {"gateway": ["127.0.0.1:8080:8080"], "grafana": ["127.0.0.1:3000:3000"]}
    assert {name for name, service in _services("swarm").items() if "ports" in service} == {"gateway"}


def test_servers_and_redis_reach_nothing_outside() -> None:
    document = documents_of(_files("host"))["compose.yaml"]
    inside = {name for name, each in document["networks"].items() if (each or {}).get("internal")}
    for name in ("blue", "green", "redis", "prometheus"):
        assert set(document["services"][name]["networks"]) <= inside
    outside = documents_of(_files("host-files"))["compose.yaml"]["services"]["blue"]["networks"]
    assert "outside" in outside  # its engine is a remote one


def test_stopping_takes_as_long_as_the_longest_stream_and_a_margin() -> None:
    settings = load({}, None, {}).settings
    timing = timings_of(settings)
    least = timing.longest_stream_seconds + settings.deploy.timing.stop_margin_seconds
    for name in ("host", "swarm"):
        services = _services(name)
        for server in ("blue", "gateway"):
            assert int(services[server]["stop_grace_period"].removesuffix("s")) == least
        assert yaml.safe_load(_files(name)["config/blue.yaml"])["server"]["drain_seconds"] == timing.drain_seconds


def test_in_a_swarm_servers_are_replaced_start_first_and_what_fails_goes_back() -> None:
    services = _services("swarm")
    assert services["blue"]["deploy"]["update_config"] == {
        "parallelism": 1,
        "order": "start-first",
        "monitor": "30s",
        "failure_action": "rollback",
    }
    assert services["blue"]["deploy"]["endpoint_mode"] == "dnsrr"  # so that the gateway sees each server
    for name in ("gateway", "redis", "prometheus"):  # one writer for each volume
        assert services[name]["deploy"]["update_config"]["order"] == "stop-first"
        assert services[name]["deploy"]["placement"] == {"constraints": ["node.labels.podium.state == true"]}


def test_with_no_room_for_one_more_a_swarm_stops_first() -> None:
    document = {**FULL_STACK, "deploy": {**FULL_STACK["deploy"], "strategy": "recreate-one"}}
    found = documents_of(stack_files(document, swarm=True))["compose.yaml"]["services"]["blue"]
    assert found["deploy"]["update_config"]["order"] == "stop-first"


def test_in_a_swarm_a_changed_configuration_has_another_name() -> None:
    changed = {**FULL_STACK, "server": {"max_queue": 17}}
    before, after = (
        documents_of(stack_files(each, swarm=True))["compose.yaml"]["configs"] for each in (FULL_STACK, changed)
    )
    assert before["blue"]["name"] != after["blue"]["name"]
    assert before["alertmanager"]["name"] == after["alertmanager"]["name"]


def test_each_environment_gets_gpus_of_its_own() -> None:
    host, swarm = _services("host-gpus"), _services("swarm-gpus")
    ids = [host[name]["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] for name in ("blue", "green")]
    assert ids == [["0", "1"], ["2", "3"]]
    wanted = swarm["blue"]["deploy"]["resources"]["reservations"]["generic_resources"]
    assert wanted == [{"discrete_resource_spec": {"kind": "nvidia.com/gpu", "value": 2}}]
    assert any(mount["target"] == places.SHARED_MEMORY_FOLDER for mount in host["blue"]["volumes"])


def test_receivers_are_told_once() -> None:
    """By Alertmanager where it speaks their language, else by the gateway's own monitor."""
    told = yaml.safe_load(_files("host")["config/alertmanager.yml"])["receivers"][-1]["webhook_configs"]
    assert [hook["url"] for hook in told] == ["https://hooks.example/a"]
    assert yaml.safe_load(_files("host")["config/gateway.yaml"])["monitor"]["webhooks"] == []
    signed = yaml.safe_load(_files("host-files")["config/gateway.yaml"])["monitor"]["webhooks"]
    assert [hook["url"] for hook in signed] == ["https://hooks.example/b"]
    assert yaml.safe_load(_files("host-files")["config/alertmanager.yml"])["receivers"] == [{"name": "nobody"}]


def test_several_servers_of_one_name_are_found_by_looking_it_up() -> None:
    scrape = yaml.safe_load(_files("host-files")["config/prometheus/prometheus.yml"])["scrape_configs"][0]
    assert scrape["dns_sd_configs"][0]["names"] == ["blue"]
    assert scrape["static_configs"] == [{"targets": ["10.0.0.7:8001"], "labels": {"environment": "far"}}]


def test_without_a_named_image_it_is_the_one_that_the_recipe_builds() -> None:
    assert _services("host-least")["blue"]["image"] == "podium:0.1.0"


FILED = {"name": "m", "source": "/models/m", "chat_template_file": "./chat.jinja"}


def test_the_time_to_start_follows_from_the_environment_s_own_models() -> None:
    """Two models are at the top, and one is green's own."""
    environments = {"blue": {"replicas": 1}, "green": {"replicas": 1, "models": [{"name": "m", "source": "/models/m"}]}}
    found = documents_of(stack_files({**FULL_STACK, "gateway": {"environments": environments}}))["compose.yaml"]
    periods = [found["services"][name]["healthcheck"]["start_period"] for name in ("blue", "green")]
    assert periods == ["3600s", "1800s"]


def test_only_what_downloads_is_given_the_hub_s_token() -> None:
    document = {**FULL_STACK, "deploy": {**FULL_STACK["deploy"], "weights": {"token_secret": "hub"}}}
    for swarm in (False, True):
        documents = documents_of(stack_files(document, swarm=swarm))
        services = {name: each for found in documents.values() for name, each in found["services"].items()}
        given = {
            name: service["environment"]["HF_TOKEN_PATH"]
            for name, service in services.items()
            if "hub-token" in {each["source"] for each in service.get("secrets", ())}
        }
        assert given == {"weights-1": "/etc/podium/hub/token"}
        files = [
            found["secrets"]["hub-token"]["file"] for found in documents.values() if "hub-token" in found["secrets"]
        ]
        assert files == ["./files/hub-token"]


def test_where_traces_go_is_told_to_servers_and_gateway() -> None:
    telemetry = {"otlp_endpoint": "http://10.1.0.4:4318"}
    network = {"egress": [{"network": "10.1.0.4/32", "port": 4318}]}
    files = stack_files({**FULL_STACK, "telemetry": telemetry, "deploy": {**FULL_STACK["deploy"], "network": network}})
    assert [yaml.safe_load(files[f"config/{name}.yaml"])["telemetry"] for name in ("blue", "gateway")] == [
        telemetry
    ] * 2


@pytest.mark.parametrize("name", ["compose.yaml", "config"])
def test_a_folder_or_a_file_in_the_place_of_another_is_told_and_kept(name: str, tmp_path: Path) -> None:
    place = tmp_path / name
    place.mkdir() if name == "compose.yaml" else place.write_text("mine")
    with pytest.raises(ConfigurationError, match="name an empty folder with --out"):
        write_compose(_files("host"), tmp_path)
    assert place.exists()


HERE = "http://127.0.0.1:9000"


def _with(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**document, **changes}


@pytest.mark.parametrize(
    ("document", "swarm", "words"),
    [
        ({}, False, "no caller could be let in"),
        (LEAST, True, "deploy.image is empty"),
        (_with(FULL_STACK, server={"port": 0}), False, "server.port is 0"),
        (_with(FULL_STACK, gateway={"control": "127.0.0.1:8080"}), False, "the same port in one container"),
        (_with(FULL_STACK, gateway={"environments": {"redis": {"replicas": 1}}}), False, "one of our own services"),
        (_with(FULL_STACK, gateway={"listen": "127.0.0.1:3000"}), False, "the same port of the host"),
        (_with(FULL_STACK, models=[{"name": "m", "source": "./here"}]), False, "comes from the folder"),
        (_with(FULL_STACK, server={"grpc_port": 8002}), False, "server.grpc_port is set"),
        (_with(FULL_STACK, batches={"folder": "/var/lib/batches"}), False, "--set batches.folder="),
        (
            _with(FULL_STACK, gateway={"environments": {"blue": {"replicas": 1}, "far": {"endpoints": [HERE]}}}),
            False,
            "environment far has the endpoint http://127.0.0.1:9000, where the gateway's container finds only itself",
        ),
        (_with(FULL_STACK, server={"drain_seconds": 30}), False, "a server would cut streams"),
        (_with(FULL_STACK, gateway={"drain_seconds": 30}), False, "a gateway that leaves would cut streams"),
        (_with(FULL_STACK, gateway={"access_log": "/var/log/a"}), False, "a file in a container"),
        (_with(FILES_STACK, redis={"url": "redis://r", "ca_file": "/home/me/ca"}), False, "which no container has"),
        (
            _with(FULL_STACK, gateway={"environments": {"blue": {"replicas": 1, "models": [FILED]}}}),
            False,
            "the chat template of model m is ./chat.jinja, which no container has",
        ),
        (
            _with(FULL_STACK, deploy={**FULL_STACK["deploy"], "environments": {"blue": {"replicas": 0}}}),
            True,
            "95 % of traffic and no servers",
        ),
    ],
)
def test_what_could_not_work_is_refused_with_its_reason(document: dict[str, Any], swarm: bool, words: str) -> None:  # noqa: FBT001 - a case
    with pytest.raises(ConfigurationError, match=words):
        stack_files(document, swarm=swarm)


@pytest.mark.parametrize(
    ("environments", "available", "words"),
    [
        ({"blue": {"replicas": 2}}, 8, "share its GPUs"),
        ({"blue": {"replicas": 1}, "green": {"replicas": 1}}, 1, "1 against 2"),
    ],
)
def test_gpus_that_are_not_there_are_refused(environments: dict[str, Any], available: int, words: str) -> None:
    document = {
        **STACKS["host-gpus"][0],
        "gateway": {"environments": environments},
        "deploy": {"accelerators": {"available": available}},
    }
    with pytest.raises(ConfigurationError, match=words):
        stack_files(document, "gpu")


def test_what_was_rendered_before_goes_and_what_is_the_owners_stays(tmp_path: Path) -> None:
    write_compose(_files("host"), tmp_path)
    write_stack_secrets(tmp_path / "secrets", "podium")
    write_compose(_files("host-least"), tmp_path)
    assert not (tmp_path / "config/alertmanager.yml").exists()
    assert (tmp_path / "secrets/password").exists()
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    with pytest.raises(ConfigurationError, match="was not written by this command"):
        write_compose(_files("host"), tmp_path)


def test_secrets_of_a_stack_are_behind_a_folder_that_only_the_owner_enters(tmp_path: Path) -> None:
    written = write_stack_secrets(tmp_path / "secrets", "podium")
    assert {path.name for path in written} == set(STACK_SECRETS.values())
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o444}
    with pytest.raises(ConfigurationError, match="is there already"):
        write_stack_secrets(tmp_path / "secrets", "podium")


def test_a_collector_of_traces_is_told_to_servers_and_gateway_and_reached_by_both() -> None:
    telemetry = {"otlp_endpoint": "http://10.1.0.7:4318", "trace_ratio": 0.1}
    files = stack_files({**FULL_STACK, "telemetry": telemetry})
    told = [yaml.safe_load(files[f"config/{name}.yaml"])["telemetry"] for name in ("blue", "green", "gateway")]
    assert told == [telemetry] * 3
    services = documents_of(files)["compose.yaml"]["services"]
    ways_out = {"front", "outside"}  # the other networks lead nowhere else
    assert not [name for name in ("blue", "green", "gateway") if not ways_out & set(services[name]["networks"])]
