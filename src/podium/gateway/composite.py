"""Envoy's message for composite clusters, which ``xds-protos`` does not have: declared here, field for field.

Source: ``api/envoy/extensions/clusters/composite/v3/cluster.proto`` of Envoy 1.40.
"""

from __future__ import annotations

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto

PACKAGE = "envoy.extensions.clusters.composite.v3"
TYPE_URL = f"type.googleapis.com/{PACKAGE}.ClusterConfig"
_FILE = "podium/gateway/composite_cluster.proto"  # not Envoy's own path: a later xds-protos may bring that


def register() -> None:
    """Make the message known to the default pool of protocol buffers. Nothing happens where it is known already."""
    pool = descriptor_pool.Default()
    try:
        pool.FindMessageTypeByName(f"{PACKAGE}.ClusterConfig")
    except KeyError:
        pool.Add(_declaration())


def _declaration() -> FileDescriptorProto:
    file = FileDescriptorProto(name=_FILE, package=PACKAGE, syntax="proto3")
    config = file.message_type.add(name="ClusterConfig")
    entry = config.nested_type.add(name="ClusterEntry")
    entry.field.add(name="name", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    config.field.add(
        name="clusters",
        number=1,
        type="TYPE_MESSAGE",
        label="LABEL_REPEATED",
        type_name=f".{PACKAGE}.ClusterConfig.ClusterEntry",
    )
    return file
