"""The socket of the control routes."""

from __future__ import annotations

import socket

from podium.controller.controller import _bind


def test_an_answer_on_a_kept_connection_does_not_wait_for_the_clients_acknowledgement() -> None:
    """Linux holds the second piece of an answer back for 40 ms otherwise; asyncio does not prevent it here."""
    with _bind("127.0.0.1:0", "gateway.control") as listening, socket.create_connection(listening.getsockname()):
        listening.setblocking(True)
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
