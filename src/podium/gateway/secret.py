"""TLS at the listener: what it asks for, and the certificate that it is given."""

from __future__ import annotations

from typing import Any

from podium.gateway.certificate import Certificate

NAME = "certificate"
"""Under which the listener asks for its certificate."""
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"


def transport_socket() -> dict[str, Any]:
    """TLS 1.2 or later; HTTP/2 for clients that want it.

    The certificate comes apart from the listener, because a listener that changes drains its streams.
    """
    source = {"resource_api_version": "V3", "ads": {}}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": _TLS,
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificate_sds_secret_configs": [{"name": NAME, "sds_config": source}],
            },
        },
    }


def secrets(certificate: Certificate | None) -> list[dict[str, Any]]:
    """The certificate as Envoy is told of it; nothing while there is none."""
    if certificate is None:
        return []
    chain, key = certificate.chain.decode("latin-1"), certificate.key.decode("latin-1")
    pair = {"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": key}}
    return [{"name": NAME, "tls_certificate": pair}]
