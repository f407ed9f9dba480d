"""Custom resources that we render, as typed models of ours: unknown fields and wrong types are refused.

Written after the published API references (Gateway API v1, KEDA v1alpha1, prometheus-operator v1), and only for the
fields that are rendered. They are no substitute for the projects' own schemas, which are not available offline.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Port = Annotated[int, Field(ge=1, le=65535)]
Duration = Annotated[str, Field(pattern=r"^([0-9]{1,5}(h|m|s|ms)){1,4}$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=253)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Strict):
    name: Name
    namespace: Name
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Parent(Strict):
    name: Name
    namespace: Name | None = None


class Header(Strict):
    type: Literal["Exact", "RegularExpression"]
    name: str
    value: str


class Match(Strict):
    headers: Annotated[list[Header], Field(max_length=16)]


class Timeouts(Strict):
    request: Duration | None = None
    backendRequest: Duration | None = None  # noqa: N815


class Backend(Strict):
    name: Name
    port: Port
    weight: Annotated[int, Field(ge=0, le=1_000_000)]


class RouteRule(Strict):
    matches: Annotated[list[Match], Field(max_length=64)] = []
    timeouts: Timeouts
    backendRefs: Annotated[list[Backend], Field(max_length=16)]  # noqa: N815


class RouteSpec(Strict):
    parentRefs: Annotated[list[Parent], Field(max_length=32)]  # noqa: N815
    hostnames: Annotated[list[str], Field(max_length=16)] = []
    rules: Annotated[list[RouteRule], Field(min_length=1, max_length=16)]


class HTTPRoute(Strict):
    apiVersion: Literal["gateway.networking.k8s.io/v1"]  # noqa: N815
    kind: Literal["HTTPRoute"]
    metadata: Metadata
    spec: RouteSpec


class ScaleTarget(Strict):
    apiVersion: str  # noqa: N815
    kind: str
    name: Name


class Fallback(Strict):
    failureThreshold: Annotated[int, Field(ge=1)]  # noqa: N815
    replicas: Annotated[int, Field(ge=0)]


class ScalingPolicy(Strict):
    type: Literal["Pods", "Percent"]
    value: Annotated[int, Field(ge=1)]
    periodSeconds: Annotated[int, Field(ge=1, le=1800)]  # noqa: N815


class ScalingRules(Strict):
    stabilizationWindowSeconds: Annotated[int, Field(ge=0, le=3600)]  # noqa: N815
    policies: list[ScalingPolicy]


class Behavior(Strict):
    scaleUp: ScalingRules  # noqa: N815
    scaleDown: ScalingRules  # noqa: N815


class ScalerConfig(Strict):
    behavior: Behavior


class Advanced(Strict):
    horizontalPodAutoscalerConfig: ScalerConfig  # noqa: N815


class PrometheusMetadata(Strict):
    serverAddress: str  # noqa: N815
    query: str
    threshold: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]
    ignoreNullValues: Literal["true", "false"]  # noqa: N815


class Trigger(Strict):
    type: Literal["prometheus"]
    metricType: Literal["AverageValue", "Value", "Utilization"]  # noqa: N815
    metadata: PrometheusMetadata


class ScaledSpec(Strict):
    scaleTargetRef: ScaleTarget  # noqa: N815
    minReplicaCount: Annotated[int, Field(ge=0)]  # noqa: N815
    maxReplicaCount: Annotated[int, Field(ge=1)]  # noqa: N815
    pollingInterval: Annotated[int, Field(ge=1)]  # noqa: N815
    fallback: Fallback
    advanced: Advanced
    triggers: Annotated[list[Trigger], Field(min_length=1)]


class ScaledObject(Strict):
    apiVersion: Literal["keda.sh/v1alpha1"]  # noqa: N815
    kind: Literal["ScaledObject"]
    metadata: Metadata
    spec: ScaledSpec


class Selector(Strict):
    matchLabels: dict[str, str]  # noqa: N815


class SecretKey(Strict):
    name: Name
    key: str


class Authorization(Strict):
    type: str
    credentials: SecretKey


class Relabelling(Strict):
    sourceLabels: list[str]  # noqa: N815
    targetLabel: str  # noqa: N815
    action: Literal["replace", "keep", "drop"]


class Endpoint(Strict):
    port: str
    path: str
    interval: Duration
    params: dict[str, list[str]] = {}
    authorization: Authorization | None = None
    relabelings: list[Relabelling] = []


class MonitorSpec(Strict):
    selector: Selector
    podMetricsEndpoints: list[Endpoint]  # noqa: N815


class PodMonitor(Strict):
    apiVersion: Literal["monitoring.coreos.com/v1"]  # noqa: N815
    kind: Literal["PodMonitor"]
    metadata: Metadata
    spec: MonitorSpec


class RecordingRule(Strict):
    record: Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
    expr: str
    labels: dict[str, str] = {}


class AlertingRule(Strict):
    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]
    keep_firing_for: Duration | None = None
    for_: Annotated[Duration | None, Field(alias="for")] = None


class RuleGroup(Strict):
    name: str
    interval: Duration
    rules: list[RecordingRule | AlertingRule]


class RuleSpec(Strict):
    groups: list[RuleGroup]


class PrometheusRule(Strict):
    apiVersion: Literal["monitoring.coreos.com/v1"]  # noqa: N815
    kind: Literal["PrometheusRule"]
    metadata: Metadata
    spec: RuleSpec


class GroupUpdate(Strict):
    maxUnavailable: Annotated[int, Field(ge=0)]  # noqa: N815
    maxSurge: Annotated[int, Field(ge=0)]  # noqa: N815


class GroupRollout(Strict):
    type: Literal["RollingUpdate"]
    rollingUpdateConfiguration: GroupUpdate  # noqa: N815


class GroupNetwork(Strict):
    subdomainPolicy: Literal["Shared", "UniquePerReplica"]  # noqa: N815


class GroupTemplate(Strict):
    size: Annotated[int, Field(ge=1)]
    restartPolicy: Literal["RecreateGroupOnPodRestart", "None"]  # noqa: N815
    leaderTemplate: dict[str, Any]  # noqa: N815 - those of Deployments, checked as such
    workerTemplate: dict[str, Any]  # noqa: N815


class GroupSpec(Strict):
    replicas: Annotated[int, Field(ge=0)] | None = None
    rolloutStrategy: GroupRollout  # noqa: N815
    startupPolicy: Literal["LeaderCreated", "LeaderReady"]  # noqa: N815
    networkConfig: GroupNetwork  # noqa: N815
    leaderWorkerTemplate: GroupTemplate  # noqa: N815


class LeaderWorkerSet(Strict):
    apiVersion: Literal["leaderworkerset.x-k8s.io/v1"]  # noqa: N815
    kind: Literal["LeaderWorkerSet"]
    metadata: Metadata
    spec: GroupSpec


class TemplateName(Strict):
    templateName: Name  # noqa: N815


class StepAnalysis(Strict):
    templates: Annotated[list[TemplateName], Field(min_length=1)]


class Step(Strict):
    setWeight: Annotated[int, Field(ge=0, le=100)] | None = None  # noqa: N815
    analysis: StepAnalysis | None = None


class PluginRoute(Strict):
    httpRoute: Name  # noqa: N815
    namespace: Name


class TrafficRouting(Strict):
    plugins: dict[Literal["argoproj-labs/gatewayAPI"], PluginRoute]


class CanaryStrategy(Strict):
    canaryService: Name  # noqa: N815
    stableService: Name  # noqa: N815
    trafficRouting: TrafficRouting  # noqa: N815
    scaleDownDelaySeconds: int  # noqa: N815
    abortScaleDownDelaySeconds: int  # noqa: N815
    maxUnavailable: int  # noqa: N815
    maxSurge: int  # noqa: N815
    analysis: StepAnalysis
    steps: list[Step]


class RolloutStrategy(Strict):
    canary: CanaryStrategy


class RolloutSpec(Strict):
    replicas: Annotated[int, Field(ge=0)] | None = None
    revisionHistoryLimit: int  # noqa: N815
    progressDeadlineSeconds: int  # noqa: N815
    selector: Selector
    template: dict[str, Any]  # that of a Deployment, checked as such
    strategy: RolloutStrategy


class Rollout(Strict):
    apiVersion: Literal["argoproj.io/v1alpha1"]  # noqa: N815
    kind: Literal["Rollout"]
    metadata: Metadata
    spec: RolloutSpec


class WebMetric(Strict):
    url: str
    timeoutSeconds: int  # noqa: N815
    jsonPath: str  # noqa: N815


class Provider(Strict):
    web: WebMetric


class AnalysisMetric(Strict):
    name: str
    count: int | None = None
    interval: Duration
    successCondition: str | None = None  # noqa: N815
    failureCondition: str  # noqa: N815
    consecutiveSuccessLimit: int | None = None  # noqa: N815
    failureLimit: int  # noqa: N815
    inconclusiveLimit: int | None = None  # noqa: N815
    consecutiveErrorLimit: int  # noqa: N815
    provider: Provider


class AnalysisSpec(Strict):
    metrics: list[AnalysisMetric]


class AnalysisTemplate(Strict):
    apiVersion: Literal["argoproj.io/v1alpha1"]  # noqa: N815
    kind: Literal["AnalysisTemplate"]
    metadata: Metadata
    spec: AnalysisSpec


class Webhook(Strict):
    name: str
    type: Literal["rollback", "confirm-traffic-increase", "confirm-promotion"]
    url: str
    timeout: Duration


class CanaryAnalysis(Strict):
    interval: Duration
    threshold: int
    maxWeight: int  # noqa: N815
    stepWeights: list[int]  # noqa: N815
    webhooks: list[Webhook]


class CanaryService(Strict):
    port: Port
    portName: str  # noqa: N815
    targetPort: str | Port  # noqa: N815
    timeout: Duration
    gatewayRefs: list[Parent]  # noqa: N815
    hosts: list[str] = []


class CanarySpec(Strict):
    provider: Literal["gatewayapi:v1"]
    targetRef: ScaleTarget  # noqa: N815
    progressDeadlineSeconds: int  # noqa: N815
    service: CanaryService
    analysis: CanaryAnalysis


class Canary(Strict):
    apiVersion: Literal["flagger.app/v1beta1"]  # noqa: N815
    kind: Literal["Canary"]
    metadata: Metadata
    spec: CanarySpec


class MeshPort(Strict):
    number: Port


class MeshHost(Strict):
    host: str
    port: MeshPort


class MeshDestination(Strict):
    destination: MeshHost
    weight: Annotated[int, Field(ge=0, le=100)]


class ExactText(Strict):
    exact: str


class MeshMatch(Strict):
    headers: dict[str, ExactText]


class MeshRetries(Strict):
    attempts: int


class MeshRoute(Strict):
    match: list[MeshMatch] = []
    timeout: Duration
    retries: MeshRetries
    route: Annotated[list[MeshDestination], Field(min_length=1)]


class VirtualServiceSpec(Strict):
    hosts: Annotated[list[str], Field(min_length=1)]
    gateways: list[str]
    http: list[MeshRoute]


class VirtualService(Strict):
    apiVersion: Literal["networking.istio.io/v1"]  # noqa: N815
    kind: Literal["VirtualService"]
    metadata: Metadata
    spec: VirtualServiceSpec


CUSTOM: dict[str, type[Strict]] = {
    kind.__name__: kind
    for kind in (
        HTTPRoute, ScaledObject, PodMonitor, PrometheusRule, LeaderWorkerSet, Rollout, AnalysisTemplate, Canary,
        VirtualService,
    )
}  # fmt: skip


def check_custom(value: dict[str, Any]) -> None:
    """Raise ``ValidationError`` for an object that its model does not allow, ``KeyError`` for an unknown kind."""
    CUSTOM[value["kind"]].model_validate(value)
