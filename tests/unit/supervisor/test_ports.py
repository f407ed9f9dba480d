"""Ports of local replicas."""

from __future__ import annotations

import socket
from unittest.mock import patch

import pytest

from podium.core.errors import ConfigurationError
from podium.supervisor import ports
from podium.supervisor.ports import QUIET_PORTS, free_ports


def test_a_replicas_port_is_none_that_an_outgoing_connection_could_take() -> None:
    """Between the choice and the start of the replica, and between two of its starts, a connection of anybody may."""
    found = free_ports(40)
    assert len(set(found)) == 40
    assert all(port in QUIET_PORTS for port in found)
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as client:
        client.connect(listening.getsockname())
        assert client.getsockname()[1] not in QUIET_PORTS


def test_a_port_that_is_taken_is_not_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with patch.object(ports, "QUIET_PORTS", range(port, port + 1)), pytest.raises(ConfigurationError):
            free_ports(1)
