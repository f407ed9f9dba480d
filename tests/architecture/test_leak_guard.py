"""The guard of ``tests/conftest.py`` sees what it must see."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

from support.deadline import until
from support.leaks import Running

_SLEEP = "import time; time.sleep(60)"
_LEAVE_AN_ORPHAN = (
    "import subprocess as s, sys; "
    f"print(s.Popen([sys.executable, '-c', {_SLEEP!r}], stdout=s.DEVNULL, stderr=s.DEVNULL).pid)"
)


def test_a_running_thread_is_a_leak() -> None:
    before, release = Running.now(), threading.Event()
    thread = threading.Thread(target=release.wait, name="left-behind")
    thread.start()
    try:
        assert before.leaked_since(patience_seconds=0) == ["thread 'left-behind' still runs"]
    finally:
        release.set()
        thread.join()
    assert before.leaked_since(patience_seconds=0) == []


def test_a_running_child_is_a_leak() -> None:
    before = Running.now()
    with subprocess.Popen([sys.executable, "-c", _SLEEP]) as child:
        leaks = before.leaked_since(patience_seconds=0)
        child.kill()
    assert len(leaks) == 1
    assert f"process {child.pid} still runs" in leaks[0]


def test_an_orphaned_grandchild_is_a_leak() -> None:
    before = Running.now()
    done = subprocess.run([sys.executable, "-c", _LEAVE_AN_ORPHAN], capture_output=True, text=True, check=True)
    orphan = int(done.stdout)
    leaks = before.leaked_since(patience_seconds=0)
    before.end_new_children()
    assert [f"process {orphan} still runs" in leak for leak in leaks] == [True]
    until("the orphan is gone", lambda: not before.leaked_since(patience_seconds=0))


def test_a_listening_port_is_a_leak() -> None:
    before = Running.now()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert before.leaked_since(patience_seconds=0) == [f"port {port} still listens"]
    assert before.leaked_since(patience_seconds=0) == []
