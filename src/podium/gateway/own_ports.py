"""Asking the ports of this machine's own processes."""

from __future__ import annotations

import ssl

import httpx


def own_ports_client(timeout_seconds: float) -> httpx.AsyncClient:
    """For questions whether a port answers; whose certificate it shows does not matter, for that is for clients' names.

    Ignores proxies of the environment. The caller closes it.
    """
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    return httpx.AsyncClient(trust_env=False, timeout=timeout_seconds, verify=anybody)
