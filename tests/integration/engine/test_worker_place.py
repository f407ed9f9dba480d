"""Where a worker stands among the processes of the machine: behind the API process, and leading its children."""

from __future__ import annotations

import asyncio
import os
import signal

import uvloop

from podium.engine.messages import FromWorker
from podium.engine.process import NICENESS, WorkerCommand, WorkerProcess
from support.engines import running_echo, submit, text_of


def test_a_worker_leads_its_group_gives_way_to_us_and_shares_our_session() -> None:
    async def main() -> None:
        async with running_echo() as handle:
            assert await text_of(submit(handle, "up")) == "up"
            assert handle._process is not None
            pid = handle._process.pid
            assert pid is not None
            assert os.getpgid(pid) == pid
            assert os.getpriority(os.PRIO_PROCESS, pid) == min(os.getpriority(os.PRIO_PROCESS, 0) + NICENESS, 19)
            assert os.getsid(pid) == os.getsid(0)  # else Linux would compare sessions, not priorities

    uvloop.run(main())


def test_a_worker_that_is_killed_before_it_leads_its_group_ends() -> None:
    async def main() -> None:
        ended = asyncio.get_running_loop().create_future()

        def ignore(message: FromWorker) -> None:
            raise AssertionError(f"it said {message}")

        process = WorkerProcess(WorkerCommand("early", dict(os.environ)), ignore, ended.set_result)
        await process.start()
        process.kill()
        async with asyncio.timeout(30):
            assert await ended == -signal.SIGKILL
        await process.wait_exit()

    uvloop.run(main())
