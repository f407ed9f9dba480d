"""The Open Inference Protocol, version 2 (KServe, Triton): tensors over HTTP, and the same over gRPC."""
