"""Several gateways of one controller: what one of them does harms none of the others."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from podium.core.errors import GatewayUnavailable
from podium.gateway.snapshot import snapshot_of
from podium.gateway.traffic import Traffic
from podium.gateway.weights_file import WeightsFile
from podium.gateway.xds import DiscoveryServer
from support.ads_client import Wire, gateway
from support.deadline import soon
from support.ports import free_port
from support.topologies import topology

FIRST = snapshot_of(topology())
SECOND = snapshot_of(topology({"blue": 90, "green": 10}))


def test_a_gateway_whose_machine_died_is_waited_for_once() -> None:
    """Its connection stands as before; else no canary could lose its traffic for a quarter of an hour."""

    async def run() -> None:
        port, known, dead = free_port(), dict[str, str](), dict[str, str]()
        address, wire = f"127.0.0.1:{port}", Wire(port)
        async with (
            DiscoveryServer(address, FIRST, ack_seconds=0.5) as discovery,
            wire as far,
            gateway(address, "lives", known),
            gateway(far, "dies", dead),
        ):
            await soon("both have confirmed", lambda: discovery.connected == 2 and discovery.confirmed)
            wire.cut()
            with pytest.raises(GatewayUnavailable, match="did not confirm"):
                await discovery.push(SECOND)
            assert discovery.confirmed  # with the state before, and without the dead one
            await discovery.push(SECOND)
            assert known == {kind: SECOND.versions[kind] for kind in known}

    asyncio.run(run())


def test_what_one_gateway_does_not_confirm_reaches_the_others() -> None:
    """Servers that are gone, for instance: whoever is not told of them goes on sending requests there."""

    async def run() -> None:
        port = free_port()
        address, wires = f"127.0.0.1:{port}", [Wire(port) for _ in range(4)]
        seen: list[dict[str, str]] = [{} for _ in range(8)]
        async with contextlib.AsyncExitStack() as stack:
            discovery = await stack.enter_async_context(DiscoveryServer(address, FIRST, ack_seconds=0.5))
            for number, known in enumerate(seen):
                far = await stack.enter_async_context(wires[number // 2]) if number % 2 else address
                await stack.enter_async_context(gateway(far, f"gw-{number}", known))
            await soon("all have confirmed", lambda: discovery.connected == 8 and discovery.confirmed)
            for wire in wires:
                wire.cut()
            await discovery.renew(SECOND)
            told = [known for number, known in enumerate(seen) if number % 2 == 0]
            await soon("those that live have it", lambda: all(set(each.values()) <= _versions() for each in told))

    asyncio.run(run())


def test_a_gateway_that_was_too_slow_once_comes_again_and_gets_everything() -> None:
    """The rest of a change would else never be sent to it: it would go on with servers that are gone."""

    async def run() -> None:
        port, known = free_port(), dict[str, str]()
        wire = Wire(port)
        moved = topology(servers={"blue": 18102, "green": 18201})
        async with (
            DiscoveryServer(f"127.0.0.1:{port}", FIRST, ack_seconds=0.3) as discovery,
            wire as far,
            gateway(far, "slow", known),
        ):
            await soon("it has confirmed", lambda: discovery.confirmed)
            traffic = Traffic(topology(), discovery, WeightsFile(Path("/dev/null")))
            wanted = {each.name: each.endpoints for each in moved.environments}
            wire.cut()
            await traffic.set_servers(wanted)
            wire.mend()
            await soon("it has confirmed everything", lambda: discovery.confirmed)
            assert known == {kind: snapshot_of(moved).versions[kind] for kind in known}

    asyncio.run(run())


def _versions() -> set[str]:
    return set(SECOND.versions.values())


def test_gateways_that_come_and_go_during_changes_end_nothing() -> None:
    """Sixty changes, while a gateway connects and hangs up again and again."""

    async def run() -> None:
        address = f"127.0.0.1:{free_port()}"
        async with DiscoveryServer(address, FIRST, ack_seconds=10.0) as discovery, gateway(address, "stays", {}):
            await soon("it has confirmed", lambda: discovery.confirmed)
            enough = asyncio.Event()

            async def restless() -> None:
                while not enough.is_set():
                    async with gateway(address, "restless", {}):
                        await asyncio.sleep(0.005)

            async with asyncio.TaskGroup() as group:
                group.create_task(restless(), name="restless")
                for number in range(60):
                    with contextlib.suppress(GatewayUnavailable):
                        await discovery.push((FIRST, SECOND)[number % 2])
                enough.set()

    asyncio.run(run())


def test_weights_that_cannot_be_kept_are_set_all_the_same(tmp_path: Path) -> None:
    """The gateway runs with them; to say anything else would be wrong."""

    async def run() -> None:
        address = f"127.0.0.1:{free_port()}"
        async with DiscoveryServer(address, FIRST, ack_seconds=10.0) as discovery, gateway(address, "gw", {}):
            await soon("it has confirmed", lambda: discovery.confirmed)
            traffic = Traffic(topology(), discovery, WeightsFile(tmp_path / "gone" / "weights.json"))
            await traffic.set_weights({"blue": 90, "green": 10})
            assert traffic.weights == {"blue": 90, "green": 10}

    asyncio.run(run())
