"""Engine settings of one model: a variant for each engine, chosen by ``kind``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from podium.config.frozen import Group

GIB = 1024**3


class AutoEngine(Group):
    """Let Podium choose by device, task and what is installed; the reason is logged."""

    kind: Literal["auto"] = "auto"


class OpenVINOEngine(Group):
    """openvino-genai's continuous batching: the default on a CPU."""

    kind: Literal["openvino"] = "openvino"
    precision: Literal["auto", "int8", "bf16", "f16", "f32"] = Field(
        "auto",
        description="Weights and arithmetic. `int8`: int8 weights, see int8_activations. "
        "`bf16`/`f16`: 16-bit weights. `f32`: exact, equals transformers token for token. "
        "`auto`: what an IR folder already holds, otherwise int8 (see docs/demo-model.md for the measured quality).",
    )
    int8_activations: bool = Field(
        True,
        description="Multiply int8 weights by activations rounded to 8 bits in groups of 128, with sums in f32: "
        "decodes a third faster, see docs/benchmarks/tuning.md. False keeps bf16 arithmetic, or f32 where the CPU "
        "has no bf16. Without effect on other weights.",
    )
    kv_cache_precision: Literal["auto", "u8", "f16", "bf16", "f32"] = Field(
        "auto", description="Type of the KV cache. `auto`: f32 at precision f32, otherwise u8."
    )
    kv_cache_bytes: int = Field(
        1 * GIB, ge=16 * 1024**2, description="Memory for the KV cache, in bytes; taken from the system as it fills."
    )
    max_batch_sequences: int = Field(64, ge=1, le=1024, description="Most sequences in one step.")
    max_batch_tokens: int = Field(
        256,
        ge=16,
        le=16384,
        description="Most tokens in one step: the chunk size of prefill. Smaller keeps inter-token latency "
        "low while prompts arrive, larger raises prefill throughput. Chosen by docs/benchmarks/serving.md.",
    )
    prefix_caching: bool = Field(
        True, description="Keep KV blocks of finished prompts for requests that share a prefix."
    )
    threads: int = Field(0, ge=0, le=1024, description="Inference threads; 0 means one for each core.")


class TransformersEngine(Group):
    """transformers and torch: any architecture, any device, and the reference for the others."""

    kind: Literal["transformers"] = "transformers"
    device: str = Field("auto", description="`auto` (CUDA when there is one), `cpu`, `cuda`, `cuda:1`, …")
    precision: Literal["auto", "bf16", "f16", "f32"] = Field("auto", description="`auto`: bf16 on a GPU, f32 on a CPU.")
    max_batch_sequences: int = Field(16, ge=1, le=1024, description="Most sequences in one step.")
    threads: int = Field(0, ge=0, le=1024, description="torch threads; 0 means one for each core.")


class VLLMEngine(Group):
    """vLLM's AsyncLLM: the default on a GPU where it is installed."""

    kind: Literal["vllm"] = "vllm"
    precision: Literal["auto", "bf16", "f16", "f32"] = Field("auto", description="vLLM's dtype.")
    max_batch_sequences: int = Field(64, ge=1, le=4096, description="vLLM's max_num_seqs.")
    max_batch_tokens: int = Field(2048, ge=16, description="vLLM's max_num_batched_tokens.")
    prefix_caching: bool = Field(True, description="vLLM's enable_prefix_caching.")
    kv_cache_bytes: int = Field(1 * GIB, ge=16 * 1024**2, description="KV cache on a CPU, in bytes.")
    gpu_memory_ratio: float = Field(0.9, gt=0, le=1, description="vLLM's gpu_memory_utilization.")
    tensor_parallel: int = Field(1, ge=1, le=64, description="GPUs that share each layer of one copy of the model.")
    pipeline_parallel: int = Field(
        1, ge=1, le=64, description="Stages that one copy is cut into; it takes tensor_parallel GPUs for each."
    )
    nodes: int = Field(
        1,
        ge=1,
        le=64,
        description="Machines that hold one copy, with as many GPUs of it each. On the others run "
        "`python -m podium.server.engine_node`; `podium deploy kubernetes` renders that, and sets this.",
    )
    node_port: int = Field(29500, ge=1024, le=65535, description="Port on which the first of them meets the others.")
    eager: bool = Field(False, description="Skip compilation and CUDA graphs: starts faster, runs slower.")

    @property
    def gpus(self) -> int:
        """GPUs of one copy."""
        return self.tensor_parallel * self.pipeline_parallel

    @model_validator(mode="after")
    def _even_shares(self) -> Self:
        if self.gpus % self.nodes:
            raise ValueError(
                f"tensor_parallel * pipeline_parallel = {self.gpus} GPUs cannot be shared evenly by {self.nodes} "
                "nodes; make it a multiple of nodes"
            )
        return self


class RemoteEngine(Group):
    """Any OpenAI-compatible server: Podium's limits, cache and rollouts in front of what already runs."""

    kind: Literal["remote"] = "remote"
    base_url: str = Field(description="The server's base, up to and including `/v1`.")
    model: str | None = Field(None, description="Model name at the server; none means the first one it lists.")
    api_key_file: str | None = Field(None, description="File that holds the bearer key; none sends no key.")
    max_batch_sequences: int = Field(64, ge=1, le=4096, description="Most requests in flight to the server.")
    max_model_len: int = Field(8192, ge=1, description="Context length to promise, in tokens.")
    timeout_seconds: float = Field(120.0, gt=0, description="Longest silence of the server before a request fails.")


class EchoEngine(Group):
    """No model: repeats the prompt's tokens at a set pace. For tests, calibration and fault drills."""

    kind: Literal["echo"] = "echo"
    token_interval_seconds: float = Field(0.0, ge=0, le=60, description="Time of one step; 0 is as fast as possible.")
    prefill_tokens_per_second: float = Field(0.0, ge=0, description="Prefill pace; 0 is instantaneous.")
    max_batch_sequences: int = Field(64, ge=1, le=65536, description="Most sequences in one step.")
    max_model_len: int = Field(4096, ge=8, description="Context length, in tokens.")
    load_seconds: float = Field(0.0, ge=0, le=600, description="Pretended load time.")
    faults: bool = Field(
        False, description="Obey fault words in prompts (see podium.engine.adapters.echo). Never in production."
    )


Engine = Annotated[
    AutoEngine | OpenVINOEngine | TransformersEngine | VLLMEngine | RemoteEngine | EchoEngine,
    Field(discriminator="kind"),
]
