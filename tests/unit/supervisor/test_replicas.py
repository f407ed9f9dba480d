"""Local replicas: where they are, and what the controller is told of them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from podium.access.run_keys import read_run_key
from podium.config.access import Access
from podium.config.batches import Batches
from podium.config.gateway import Environment, Gateway
from podium.config.models import Model
from podium.config.settings import Settings
from podium.controller.run_folder import RunFolder
from podium.core.errors import ConfigurationError
from podium.supervisor.logs import MergedLog
from podium.supervisor.ports import free_ports, require_free
from podium.supervisor.replicas import for_environment, plan_replicas, with_endpoints, with_run_keys
from support.ports import free_port

FAR = Environment(endpoints=("http://10.0.0.7:8000",))


def test_each_replica_has_a_name_and_ports_of_its_own() -> None:
    replicas = plan_replicas({"blue": Environment(replicas=2), "green": FAR, "red": Environment(replicas=1)})
    assert [replica.name for replica in replicas] == ["blue-1", "blue-2", "red-1"]
    assert len({port for replica in replicas for port in (replica.port, replica.admin_port)}) == 6


def test_the_controller_sees_endpoints_only() -> None:
    settings = Settings(gateway=Gateway(environments={"blue": Environment(replicas=1), "green": FAR}))
    replicas = plan_replicas(settings.gateway.environments)
    seen = with_endpoints(settings, replicas).gateway.environments
    assert {name: given.endpoints for name, given in seen.items()} == {
        "blue": (replicas[0].url,),
        "green": FAR.endpoints,
    }
    assert (
        Gateway.model_validate_json(with_endpoints(settings, replicas).gateway.model_dump_json()).environments == seen
    )


def test_a_replica_gets_the_models_of_its_environment_and_the_controller_none() -> None:
    model = Model(name="other", source="none")
    green = Environment(replicas=1, models=(model,))
    settings = Settings(gateway=Gateway(environments={"blue": Environment(replicas=1), "green": green}))
    assert for_environment(settings, "blue").models == settings.models
    assert for_environment(settings, "green").models == (model,)
    seen = with_endpoints(settings, plan_replicas(settings.gateway.environments))
    assert Settings.model_validate_json(seen.model_dump_json()).gateway.environments["green"].models == ()


def test_a_taken_port_is_refused_with_the_setting_to_change() -> None:
    (port,) = free_ports(1)
    assert require_free("127.0.0.1", port, "gateway.listen") == port
    assert require_free("127.0.0.1", 0, "gateway.listen") != 0
    with pytest.raises(ConfigurationError, match=r"set gateway\.listen"):
        require_free("192.0.2.1", free_port(), "gateway.listen")


def test_every_line_says_whose_it_is() -> None:
    stream = io.StringIO()
    log = MergedLog(stream, ("gateway", "blue-1"), as_json=False)
    log.write("blue-1", "hello")
    log.write("gateway", "there")
    assert stream.getvalue() == "blue-1  | hello\ngateway | there\n"


def test_a_log_for_programs_is_json_in_every_line() -> None:
    stream = io.StringIO()
    log = MergedLog(stream, ("gateway", "blue-1"), as_json=True)
    log.write("blue-1", '{"event":"request","status":200,"process":"gateway"}')
    for line in ("[info] starting", "[1]", '{"torn', "\x1b[2J\u2028\udc80"):
        log.write("gateway", line)
    own, *others = [json.loads(line) for line in stream.getvalue().strip("\n").split("\n")]
    assert own == {"process": "blue-1", "event": "request", "status": 200}
    assert [(each["process"], each["event"]) for each in others] == [("gateway", "process output")] * 4
    assert [each["line"] for each in others] == ["[info] starting", "[1]", '{"torn', "\x1b[2J\u2028?"]


def test_a_line_can_neither_forge_another_nor_move_the_cursor_but_may_have_colours() -> None:
    stream = io.StringIO()
    MergedLog(stream, ("a",), as_json=False).write(
        "a", "\x1b[31mred\x1b[0m\tx\rb | forged\x1b[2J\x1b]0;title\x07\u2028\x9b1A"
    )
    assert stream.getvalue() == ("a | \x1b[31mred\x1b[0m\tx\\rb | forged\\x1b[2J\\x1b]0;title\\x07\\u2028\\x9b1A\n")


def test_the_controller_reaches_an_environment_at_what_stands_in_front_of_it() -> None:
    environments = {"blue": Environment(replicas=1), "green": Environment(replicas=1)}
    settings = Settings(gateway=Gateway(environments=environments))
    replicas = plan_replicas(environments)
    seen = with_endpoints(settings, replicas, {"green": "http://127.0.0.1:9"}).gateway.environments
    assert [given.endpoints for given in seen.values()] == [(replicas[0].url,), ("http://127.0.0.1:9",)]


def test_the_controller_is_told_where_the_metrics_of_local_replicas_are() -> None:
    settings = Settings(gateway=Gateway(environments={"blue": Environment(replicas=2), "green": FAR}))
    replicas = plan_replicas(settings.gateway.environments)
    seen = with_endpoints(settings, replicas).gateway.environments
    assert seen["blue"].metrics == (replicas[0].admin_url, replicas[1].admin_url)
    assert seen["green"].metrics == ()


def test_each_run_has_a_key_for_its_monitor_that_only_its_owner_can_read(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    settings = with_run_keys(Settings(), folder)
    assert settings.access.metrics_key_file == str(folder.metrics_key)
    assert folder.metrics_key.stat().st_mode & 0o777 == 0o600
    assert read_run_key(settings.access.metrics_key_file, "access.metrics_key_file")
    assert with_run_keys(settings, RunFolder(tmp_path / "elsewhere")) == settings


def test_local_servers_share_a_folder_for_batches_beside_the_keys_unless_one_is_named(tmp_path: Path) -> None:
    local = Settings(
        access=Access(database=str(tmp_path / "podium.db")),
        gateway=Gateway(environments={"blue": Environment(replicas=2), "green": Environment(replicas=1)}),
    )
    blue, green = (for_environment(local, name).batches for name in ("blue", "green"))
    assert blue.folder == green.folder == str(tmp_path / "podium-batches")
    assert (blue.servers, green.servers) == ("blue", "green")
    named = local.model_copy(update={"batches": Batches(folder="/else/where", servers="all")})
    assert for_environment(named, "blue").batches == named.batches


def test_servers_elsewhere_share_no_folder_that_we_know_of() -> None:
    mixed = Gateway(
        environments={"blue": Environment(replicas=1), "green": Environment(endpoints=("http://10.0.0.7:8000",))}
    )
    assert not for_environment(Settings(gateway=mixed), "blue").batches.folder
