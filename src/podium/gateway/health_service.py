"""The health service of gRPC (grpc.health.v1), which kubelets ask: the loop that feeds gateways turns."""

from __future__ import annotations

from typing import Any

import grpc

SERVICE = "grpc.health.v1.Health"
_SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}: field 1, a varint, value 1


async def _check(_: bytes, __: Any) -> bytes:
    return _SERVING


def health_handler() -> Any:
    """The service's handler, for a gRPC server. It answers for every service name."""
    return grpc.method_handlers_generic_handler(SERVICE, {"Check": grpc.unary_unary_rpc_method_handler(_check)})
