"""Which address a command talks to when none is named."""

from __future__ import annotations

import socket

from podium.cli.serving_address import listening_address, serving_address
from podium.config.gateway import Gateway
from podium.config.server import Server
from podium.config.settings import Settings
from support.ports import free_port


def settings(server: int, gateway: int) -> Settings:
    return Settings(server=Server(port=server), gateway=Gateway(listen=f"127.0.0.1:{gateway}"))


def test_a_server_that_listens_comes_before_the_gateway() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as gateway:
        ports = server.getsockname()[1], gateway.getsockname()[1]
        assert listening_address(settings(*ports)) == f"http://127.0.0.1:{ports[0]}"
        assert listening_address(settings(free_port(), ports[1])) == f"http://127.0.0.1:{ports[1]}"


def test_where_nothing_listens_it_is_where_a_server_would() -> None:
    server, gateway = free_port(), free_port()
    assert listening_address(settings(server, gateway)) is None
    assert serving_address(settings(server, gateway)) == f"http://127.0.0.1:{server}"
    assert serving_address(settings(0, gateway)) is None
