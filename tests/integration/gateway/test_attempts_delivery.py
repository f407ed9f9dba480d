"""Lines of attempts from gateways elsewhere, over real gRPC: none is lost, whatever ends in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from podium.aio import tasks
from podium.gateway.attempts_delivery import AttemptsIntake, AttemptsSender
from support.deadline import soon
from support.ports import free_port


@asynccontextmanager
async def _taking(path: Path, address: str) -> AsyncIterator[AttemptsIntake]:
    intake, server = AttemptsIntake(path), grpc.aio.server()
    server.add_generic_rpc_handlers((intake.handler,))
    server.add_insecure_port(address)
    await server.start()
    try:
        yield intake
    finally:
        await server.stop(0)
        intake.close()


@asynccontextmanager
async def _sending(paths: Sequence[Path], address: str, *, most_bytes: int = 1_000_000) -> AsyncIterator[None]:
    """Senders of these files; told to go on in a new one, Envoy makes it, which is done here."""

    def sender(path: Path) -> AttemptsSender:
        async def reopen() -> None:
            _append(path)

        return AttemptsSender(path, address, reopen=reopen, most_bytes=most_bytes)

    running = [tasks.start(sender(path).run(), name=f"sender of {path.name}") for path in paths]
    try:
        yield
    finally:
        await tasks.stop(*running)


def _append(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_lines_of_several_gateways_come_whole(tmp_path: Path) -> None:
    async def run() -> None:
        address, taken = f"127.0.0.1:{free_port()}", tmp_path / "taken"
        paths = [tmp_path / "a", tmp_path / "b"]
        async with _taking(taken, address), _sending(paths, address):
            _append(paths[0], "a1", "a2")
            _append(paths[1], "b1")
            with paths[1].open("a") as file:
                file.write("half of ")
                file.flush()
                await soon("whole lines are there", lambda: sorted(taken.read_text().split()) == ["a1", "a2", "b1"])
                file.write("one\n")
            await soon("the rest is there", lambda: "half of one\n" in taken.read_text())

    asyncio.run(run())


def test_a_controller_that_was_away_gets_what_was_written_meanwhile(tmp_path: Path) -> None:
    async def run() -> None:
        address, taken, path = f"127.0.0.1:{free_port()}", tmp_path / "taken", tmp_path / "a"
        async with _sending([path], address):
            _append(path, "before")
            async with _taking(taken, address):
                await soon("the first is there", lambda: taken.read_text() == "before\n")
            _append(path, "meanwhile")
            async with _taking(taken, address):
                await soon("both are there", lambda: taken.read_text() == "before\nmeanwhile\n")

    asyncio.run(run())


def test_no_line_is_lost_while_the_file_is_replaced(tmp_path: Path) -> None:
    async def run() -> None:
        address, taken, path = f"127.0.0.1:{free_port()}", tmp_path / "taken", tmp_path / "a"
        written: list[str] = []
        async with _taking(taken, address), _sending([path], address, most_bytes=300):
            for number in range(40):
                written.append(f"line {number}")
                _append(path, written[-1])
                await asyncio.sleep(0.02)
            await soon("all are there", lambda: taken.read_text().splitlines() == written)
        assert path.with_suffix(".old").exists()

    asyncio.run(run())


def test_all_has_come_when_every_gateway_has_said_so(tmp_path: Path) -> None:
    async def run() -> None:
        address = f"127.0.0.1:{free_port()}"
        async with _taking(tmp_path / "taken", address) as intake:
            assert intake.seen_until is None
            begun = time.time()
            (tmp_path / "a").touch()
            async with _sending([tmp_path / "a"], address):
                await soon("it has said so", lambda: (intake.seen_until or 0) > begun)
                async with _sending([tmp_path / "no file yet"], address):
                    await soon("the second is there", lambda: len(intake._seen) == 2)
                    assert intake.seen_until is None
                await soon("the second has gone", lambda: intake.seen_until is not None)

    asyncio.run(run())
