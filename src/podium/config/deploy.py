"""Where else the same file runs: what a cluster must be told beyond the other settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from podium.config.cluster_words import (
    Bytes,
    DnsLabel,
    HostName,
    LabelKey,
    Labels,
    Network,
    OptionalKey,
    OptionalLabel,
    OptionalName,
    PinnedImage,
    Quantity,
)
from podium.config.compose import Compose
from podium.config.frozen import Group


class PodResources(Group):
    """What one server pod gets. Requests and limits of memory are equal: no pod lives on borrowed memory."""

    cpu: Quantity = Field("2", description="Cores asked for, and the most it gets.")
    memory: Bytes = Field("8Gi", description="Memory. Models may use four fifths of it.")
    ephemeral_storage: Bytes = Field(
        "20Gi", description="Local disk for caches, converted models and logs; the volumes below count against it."
    )
    cache: Bytes = Field("12Gi", description="Volume for converted models and compiled kernels.")
    temporary: Bytes = Field("2Gi", description="Volume of the folder for temporary files.")
    shared_memory: Bytes = Field("2Gi", description="Volume in which GPUs share a model; counts against memory.")


class Accelerators(Group):
    """GPUs, for the profile `gpu`."""

    allocation: Literal["device-plugin", "claim"] = Field(
        "device-plugin",
        description="`device-plugin`: a resource of the container. `claim`: dynamic resource allocation, with a "
        "ResourceClaimTemplate (Kubernetes 1.34 or later, and the vendor's DRA driver).",
    )
    resource: LabelKey = Field(
        "nvidia.com/gpu", description="Name of the resource, for `device-plugin`; a MIG slice has one of its own."
    )
    device_class: OptionalName = Field(
        "gpu.nvidia.com", description="DeviceClass, for `claim`; that of MIG slices is `mig.nvidia.com`."
    )
    device_selector: str = Field(
        "",
        description="CEL expression that a device must meet, for `claim`, such as a slice's profile. Empty: any.",
    )
    taint: OptionalKey = Field(
        "", description="Key of the taint of nodes with GPUs; empty: the vendor's, such as `nvidia.com/gpu`."
    )
    per_replica: int = Field(1, ge=1, le=512, description="How many one copy of the server takes.")
    per_node: int = Field(
        0,
        ge=0,
        le=64,
        description="How many a node has, where one copy needs several nodes: then it becomes a LeaderWorkerSet. 0: "
        "all of a copy's are on one node.",
    )
    available: int = Field(
        0, ge=0, description="How many can be scheduled. Needed for `gpu`: pods beyond them would wait for ever."
    )

    @property
    def nodes(self) -> int:
        """How many nodes one copy takes."""
        return -(-self.per_replica // self.per_node) if self.per_node else 1

    @property
    def per_pod(self) -> int:
        """How many one pod takes."""
        return self.per_node if self.nodes > 1 else self.per_replica

    @property
    def are_slices(self) -> bool:
        """Whether these are parts of a GPU, which no model can join."""
        return "/mig-" in self.resource if self.allocation == "device-plugin" else self.device_class.startswith("mig.")

    @property
    def taint_key(self) -> str:
        """What pods tolerate."""
        vendor = self.resource.partition("/")[0]
        if self.allocation == "claim":
            vendor = self.device_class.partition(".")[2]
        return self.taint or f"{vendor}/gpu"


class DeployedEnvironment(Group):
    """One environment of the gateway, as a Deployment."""

    image: PinnedImage = Field("", description="Image of this environment; empty: `deploy.image`.")
    weights_image: PinnedImage = Field(
        "", description="Image of its weights, for `deploy.weights.kind: image`; empty: `deploy.weights.image`."
    )
    replicas: int = Field(2, ge=0, le=1000, description="Pods in production; the fewest, where there is a scaler.")
    max_replicas: int = Field(4, ge=1, le=1000, description="Most pods, where there is a scaler.")
    dev_replicas: int = Field(1, ge=0, le=1000, description="Pods in the overlay `dev`.")


class ClusterRedis(Group):
    """The Redis that is deployed beside the servers, when `redis.url` is set."""

    image: PinnedImage = Field("", description="Image with `redis-server` 7.0 or later; needed where it is deployed.")
    external: bool = Field(
        False, description="Whether `redis.url` names a server that exists; then add its address to `network.egress`."
    )
    max_memory_bytes: int = Field(
        512 * 1024**2, ge=64 * 1024**2, description="Redis' maxmemory. Beyond it writes fail; nothing is thrown away."
    )
    storage: Bytes = Field("4Gi", description="Disk for keys, quotas and usage.")


class Weights(Group):
    """Where model files come from."""

    kind: Literal["claim", "image", "init"] = Field(
        "claim",
        description="`claim`: a volume that a job fills, and that pods wait for. `image`: a volume made from an OCI "
        "image (1.35). `init`: each pod fetches its own before it starts, into a volume of its node.",
    )
    image: PinnedImage = Field("", description="The image, for `image`.")
    path: str = Field("/models", pattern=r"^/[a-z0-9/_-]+$", description="Where it is mounted, read-only.")
    size: Bytes = Field("50Gi", description="Size of the claim, or of each pod's volume.")
    fetch_seconds: int = Field(
        3600, ge=60, description="The longest time in which weights are fetched; a rollout may take so much longer."
    )
    token_secret: OptionalLabel = Field(
        "",
        description="Secret whose key `token` is a token of the hub, for gated and private models; only what downloads "
        "reads it. With Docker: any name, and the token in the file `files/hub-token`. Empty: none.",
    )
    storage_class: OptionalName = Field("", description="Its storage class; empty: the cluster's default.")
    access_mode: Literal["ReadWriteMany", "ReadWriteOnce"] = Field(
        "ReadWriteMany", description="`ReadWriteOnce` holds all pods on one node, so it is refused for more than one."
    )


class Egress(Group):
    """A place outside the namespace that servers may call."""

    network: Network = Field(description="Addresses, as a network.")
    port: int = Field(443, ge=1, le=65535, description="TCP port.")


class ClusterNetwork(Group):
    """Who is on the other side of the network policies."""

    gateway_namespace: DnsLabel = Field("gateway-system", description="Namespace whose pods may send traffic.")
    client_addresses: tuple[Network, ...] = Field(
        (),
        description="Who else may send traffic: a load balancer that is no pod, such as Google's `35.191.0.0/16` and "
        "`130.211.0.0/22`.",
    )
    monitoring_namespace: DnsLabel = Field("monitoring", description="Namespace whose pods may scrape.")
    rollout_namespace: OptionalLabel = Field(
        "",
        description="Namespace of Argo Rollouts or Flagger, which ask for the verdict; empty: `argo-rollouts` or "
        "`flagger-system`.",
    )
    dns_namespace: DnsLabel = Field("kube-system", description="Namespace of the cluster's DNS.")
    dns_addresses: tuple[Network, ...] = Field(
        (),
        description="Where names are resolved beside pods of that namespace: NodeLocal DNSCache is `169.254.20.10/32`, "
        "an address of the node itself.",
    )
    egress: tuple[Egress, ...] = Field(
        (), description="What else servers may call: an issuer, a remote engine, a collector of traces."
    )
    api_server: tuple[Egress, ...] = Field(
        (), description="Where the API server is, for the controller alone; `kubectl get endpoints kubernetes` says it."
    )


class Placement(Group):
    """Which nodes servers run on, beside what GPUs demand. Empty: any."""

    node_selector: Labels = Field(
        {}, description="Labels that a node must have, such as `cloud.google.com/gke-accelerator: nvidia-l4`."
    )
    priority_class: OptionalName = Field(
        "", description="PriorityClass of servers: who is evicted first when a node is full."
    )
    runtime_class: OptionalName = Field("", description="RuntimeClass of servers, such as `nvidia` where GPUs need it.")


class Route(Group):
    """How traffic comes in."""

    kind: Literal["gateway-api", "istio", "ingress", "none"] = Field(
        "gateway-api",
        description="`gateway-api`: an HTTPRoute with weights. `istio`: a VirtualService, in whole per cents. "
        "`ingress`: an Ingress, which leads to one Service, so to gateways of our own or to the only environment.",
    )
    gateway: DnsLabel = Field("public", description="Name of the Gateway (of either kind) that it is attached to.")
    gateway_namespace: OptionalLabel = Field(
        "",
        description="Namespace of that Gateway, if its proxies run in another; empty: `network.gateway_namespace`.",
    )
    ingress_class: OptionalName = Field("", description="Class of the Ingress; empty: the cluster's default.")
    tls_secret: OptionalName = Field(
        "", description="Secret with the certificate of the Ingress; needs `host_names`. Empty: none."
    )
    host_names: tuple[HostName, ...] = Field((), description="Host names of the route; empty: all of the Gateway's.")


class ClusterGateway(Group):
    """Podium's own gateways and their controller in the cluster, when `deploy.splitter` is `gateway`."""

    replicas: int = Field(2, ge=1, le=100, description="Gateways in production; one of them may be replaced at a time.")
    dev_replicas: int = Field(1, ge=1, le=100, description="Gateways in the overlay `dev`.")
    cpu: Quantity = Field("1", description="Cores of one gateway; set `gateway.envoy_threads` to as many.")
    memory: Bytes = Field("1Gi", description="Memory of one gateway.")
    storage: Bytes = Field("4Gi", description="Disk of the controller: the history of rollouts, attempts, weights.")
    status_port: int = Field(9902, ge=1024, le=65535, description="Port on which a gateway says how it is.")
    discovery_port: int = Field(18000, ge=1024, le=65535, description="Port on which the controller feeds gateways.")


class Mesh(Group):
    """A service mesh whose proxy stands beside servers and gateways. Istio's is a matter of `route.kind` alone."""

    kind: Literal["none", "linkerd"] = Field(
        "none",
        description="`linkerd`: annotations for its native sidecar. The namespace is `restricted`, so the cluster "
        "needs Linkerd's network plugin (linkerd-cni); its own init container would be refused.",
    )
    control_namespace: DnsLabel = Field("linkerd", description="Namespace of its control plane.")
    proxy_cpu: Quantity = Field("500m", description="Cores of one proxy.")
    proxy_memory: Bytes = Field("256Mi", description="Memory of one proxy.")


class Autoscaling(Group):
    """How the number of pods follows the load: requests that run or wait, for each ready pod."""

    kind: Literal["none", "keda", "hpa"] = Field(
        "none",
        description="`keda`: a ScaledObject for each environment. `hpa`: a HorizontalPodAutoscaler for each, and the "
        "rule that the Prometheus adapter needs.",
    )
    prometheus: str = Field(
        "http://prometheus-operated.monitoring:9090", pattern=r"^https?://", description="Prometheus that KEDA asks."
    )
    fill_ratio: float = Field(0.8, gt=0, le=1, description="How full a pod's batch is meant to be.")
    scale_down_seconds: int = Field(
        0, ge=0, description="How long load must be low before a pod goes; 0: the longest stream, or 300."
    )


class Timing(Group):
    """Durations behind probes, hooks and deadlines. 0 is computed from the others; see docs/deploy.md."""

    route_propagation_seconds: int = Field(
        10, ge=1, le=60, description="How long the cluster may still send requests to a pod that is leaving."
    )
    longest_stream_seconds: int = Field(300, ge=1, le=7200, description="The longest answer that must not be cut.")
    stop_margin_seconds: int = Field(20, ge=1, description="Time to unload models after the last stream.")
    grace_seconds: int = Field(0, ge=0, description="Time from a pod's deletion to its SIGKILL; 0 is computed.")
    slowest_load_seconds: int = Field(300, ge=1, description="The slowest load of one model that you have seen.")
    startup_seconds: int = Field(0, ge=0, description="Time to start before a pod is restarted; 0 is computed.")
    progress_deadline_seconds: int = Field(0, ge=0, description="Time before a rollout counts as failed; 0: computed.")
    hang_seconds: int = Field(60, ge=10, description="Longest time until a pod that hangs is restarted.")


class ClusterLogging(Group):
    """What the cluster's collector of logs is told of ours: a ConfigMap in its namespace, in the folder `logging`."""

    kind: Literal["none", "fluent-bit", "vector"] = Field("none", description="The collector that the cluster has.")
    namespace: DnsLabel = Field("logging", description="Its namespace.")
    loki: str = Field(
        "http://loki-gateway.logging:80", pattern=r"^https?://[^/@\s]+$", description="Where lines go; no path."
    )


class Deploy(Group):
    """What `podium deploy` renders. The rest comes from the other sections."""

    image: PinnedImage = Field("", description="Image of the server, pinned by digest. Needed.")
    image_pull_secrets: tuple[DnsLabel, ...] = Field(
        (), description="Secrets with which images are pulled, for a registry that asks who does. Empty: none."
    )
    namespace: DnsLabel = Field("podium", description="Namespace of everything.")
    environments: dict[str, DeployedEnvironment] = Field(
        {}, description="By name, as in gateway.environments; one that is not listed has the defaults."
    )
    resources: PodResources = Field(PodResources(), description="What a server pod gets.")
    accelerators: Accelerators = Field(Accelerators(), description="GPUs, for the profile `gpu`.")
    placement: Placement = Field(Placement(), description="Which nodes servers run on.")
    strategy: Literal["rolling", "recreate-one"] = Field(
        "rolling", description="`rolling` needs room for one more pod; `recreate-one` takes one away first."
    )
    redis: ClusterRedis = Field(ClusterRedis(), description="The store that pods share.")
    weights: Weights = Field(Weights(), description="Where model files come from.")
    network: ClusterNetwork = Field(ClusterNetwork(), description="Who is on the other side.")
    route: Route = Field(Route(), description="How traffic comes in.")
    splitter: Literal["route", "gateway"] = Field(
        "route",
        description="Who splits traffic between environments. `route`: the weights of the HTTPRoute. `gateway`: "
        "gateways of Podium and their controller, with rollouts by evidence.",
    )
    gateway: ClusterGateway = Field(ClusterGateway(), description="Those gateways and their controller.")
    logging: ClusterLogging = Field(ClusterLogging(), description="Collecting logs.")
    mesh: Mesh = Field(Mesh(), description="A service mesh.")
    monitoring: Literal["pod-monitor", "none"] = Field(
        "pod-monitor", description="`pod-monitor`: for the Prometheus operator."
    )
    rules: bool = Field(
        True,
        description="Whether the rules of `podium monitor export` are rendered as a PrometheusRule, beside monitors.",
    )
    runbooks: str = Field(
        "docs/runbooks.md",
        description="Address of the page with a heading for each alert, to which alerts link: put that page where "
        "those who are woken can open it.",
    )
    dashboards: bool = Field(
        True,
        description="Whether the dashboard is rendered as a ConfigMap with the label `grafana_dashboard`, for "
        "Grafana's sidecar, beside monitors.",
    )
    monitoring_labels: Labels = Field(
        {},
        description="Labels of monitors and rules: what the Prometheus of the cluster selects them by, such as "
        "`release: kube-prometheus-stack`. Empty: none.",
    )
    autoscaling: Autoscaling = Field(Autoscaling(), description="How the number of pods follows the load.")
    timing: Timing = Field(Timing(), description="Durations.")
    compose: Compose = Field(Compose(), description="What a compose file has beside Podium itself.")
