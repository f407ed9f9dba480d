"""One fault at a time in a good set of manifests, by the rule that must find it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from podium.deploy.lint.graph import Graph
from support.deployments import VARIETIES, added, changed, sets_of, without

Fault = Callable[[Graph], Graph]
Value = dict[str, Any]
BLUE = "podium-blue"


def _pod(value: Value) -> Value:
    found: Value = value["spec"]["template"]["spec"]
    return found


def _container(value: Value) -> Value:
    found: Value = _pod(value)["containers"][0]
    return found


def blue(change: Callable[[Value], Any]) -> Fault:
    """A change of the Deployment of blue."""
    return lambda graph: changed(graph, "Deployment", change, BLUE)


def in_container(change: Callable[[Value], Any]) -> Fault:
    """A change of its container."""
    return blue(lambda value: change(_container(value)))


def in_pod(change: Callable[[Value], Any]) -> Fault:
    """A change of its pods."""
    return blue(lambda value: change(_pod(value)))


def of(kind: str, change: Callable[[Value], Any], name: str | None = None) -> Fault:
    """A change of objects of another kind."""
    return lambda graph: changed(graph, kind, change, name)


def _env(name: str, value: str) -> Fault:
    return in_container(lambda c: c["env"].append({"name": name, "value": value}))


def _drop(key: str) -> Callable[[Value], Any]:
    return lambda value: value.pop(key)


def _trigger(value: Value) -> Value:
    found: Value = value["spec"]["triggers"][0]["metadata"]
    return found


def _resources(side: str, **amounts: Any) -> Fault:
    return in_container(lambda c: c["resources"][side].update({k.replace("_", "-"): v for k, v in amounts.items()}))


def _both(**amounts: Any) -> Fault:
    def change(container: Value) -> None:
        for side in ("requests", "limits"):
            container["resources"][side].update(amounts)

    return in_container(change)


def _volume(name: str, **changes: Any) -> Fault:
    return in_pod(lambda pod: next(v for v in pod["volumes"] if v["name"] == name).update(changes))


def _service(change: Callable[[Value], Any]) -> Fault:
    return of("Service", lambda s: change(s["spec"]), BLUE)


def _policy(change: Callable[[Value], Any], name: str = "podium") -> Fault:
    return of("NetworkPolicy", lambda p: change(p["spec"]), name)


def _rule(change: Callable[[Value], Any]) -> Fault:
    return of("HTTPRoute", lambda route: change(route["spec"]["rules"][-1]))


def _scaler(change: Callable[[Value], Any]) -> Fault:
    return of("ScaledObject", change, BLUE)


def _budget(change: Callable[[Value], Any]) -> Fault:
    return of("PodDisruptionBudget", lambda b: change(b["spec"]), BLUE)


def _monitor(change: Callable[[Value], Any]) -> Fault:
    return of("PodMonitor", lambda m: change(m["spec"]))


def _second_scaler(graph: Graph) -> Graph:
    target = {"kind": "Deployment", "name": BLUE}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 2}
    metadata = {"name": "other", "namespace": "podium"}
    return added(
        graph, {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}
    )


def _quota(gpus: str) -> Fault:
    hard = {"requests.nvidia.com/gpu": gpus}
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "gpus", "namespace": "podium"},
        "spec": {"hard": hard},
    }
    return lambda graph: added(_both(**{"nvidia.com/gpu": 1})(graph), quota)


@cache
def _of_variety(name: str) -> Graph:
    """The production set of another variety of settings."""
    document, profile = VARIETIES[name]
    with TemporaryDirectory() as folder:
        return sets_of(Path(folder), document, profile)["overlays/production"]


def _in(name: str, fault: Fault) -> Fault:
    """A fault in another variety, since the full set has nothing of that kind."""
    return lambda _graph: fault(_of_variety(name))


@cache
def _logs(name: str) -> Graph:
    document, profile = VARIETIES[name]
    with TemporaryDirectory() as folder:
        return sets_of(Path(folder), document, profile)["logging"]


def _in_logs(name: str, old: str, new: str) -> Fault:
    def change(config: Value) -> None:
        config["data"] = {key: text.replace(old, new) for key, text in config["data"].items()}

    return lambda _graph: changed(_logs(name), "ConfigMap", change)


def _annotated(**changes: str | None) -> Fault:
    """Annotations of blue's pods in the mesh, by the last part of their name."""

    def change(value: Value) -> None:
        found = value["spec"]["template"]["metadata"]["annotations"]
        for short, new in changes.items():
            name = next((name for name in found if name.endswith(short.replace("_", "-"))), short)
            found.pop(name, None)
            if new is not None:
                found[name] = new

    return _in("mesh-cpu", blue(change))


def _group(change: Callable[[Value], Any]) -> Fault:
    return _in("spread-gpu", of("LeaderWorkerSet", lambda g: change(g["spec"]), BLUE))


def _leader(spec: Value) -> Value:
    found: Value = spec["leaderWorkerTemplate"]["leaderTemplate"]["spec"]
    return found


def _worker(spec: Value) -> Value:
    found: Value = spec["leaderWorkerTemplate"]["workerTemplate"]["spec"]
    return found


def _gpus(amount: int) -> Callable[[Value], Any]:
    def change(spec: Value) -> None:
        for side in ("requests", "limits"):
            for pod in (_leader(spec), _worker(spec)):
                pod["containers"][0]["resources"][side]["nvidia.com/gpu"] = amount

    return change


def _expressions(old: str, new: str, name: str = "podium") -> Fault:
    def change(value: Value) -> None:
        for group in value["spec"]["groups"]:
            for rule in group["rules"]:
                rule["expr"] = rule["expr"].replace(old, new)

    return of("PrometheusRule", change, name)


def _dashboard(old: str, new: str) -> Fault:
    return of(
        "ConfigMap",
        lambda c: c.update(data={key: text.replace(old, new) for key, text in c["data"].items()}),
        "podium-dashboards",
    )


def _filling_job(graph: Graph) -> Graph:
    """The job that fills the claim comes into the set, and pods no longer wait for it."""
    document, profile = VARIETIES["full-cpu"]
    with TemporaryDirectory() as folder:
        job = sets_of(Path(folder), document, profile)["weights"]
    kept = [
        item for item in job.items if item.kind != "Namespace" and graph.find(item.kind, item.name, "podium") is None
    ]
    return in_pod(lambda pod: pod.pop("initContainers"))(Graph((*graph.items, *kept)))


def _meshed_job(_graph: Graph) -> Graph:
    document, profile = VARIETIES["full-cpu"]
    with TemporaryDirectory() as folder:
        job = sets_of(Path(folder), document, profile)["weights"]
    return changed(
        job, "Job", lambda j: j["spec"]["template"]["metadata"].update(annotations={"linkerd.io/inject": "enabled"})
    )


def _set(value: Value, key: str, new: Any) -> None:
    value[key] = new


FAULTS: dict[str, list[Fault]] = {
    "probe-missing": [in_container(_drop(kind)) for kind in ("startupProbe", "livenessProbe", "readinessProbe")],
    "probe-same-endpoint": [in_container(lambda c: c["livenessProbe"]["httpGet"].update(path="/readyz"))],
    "probe-port": [
        in_container(lambda c: c["readinessProbe"]["httpGet"].update(port="metrics")),
        in_container(lambda c: c["startupProbe"]["httpGet"].update(port=9000)),
    ],
    "probe-timeout": [in_container(lambda c: c["livenessProbe"].pop("timeoutSeconds"))],
    "probe-threshold": [in_container(lambda c: c["livenessProbe"].update(failureThreshold=1))],
    "drain-no-pre-stop": [in_container(_drop("lifecycle"))],
    "drain-grace": [
        in_pod(_drop("terminationGracePeriodSeconds")),
        in_pod(lambda pod: pod.update(terminationGracePeriodSeconds=305)),
    ],
    "drain-shell": [in_container(lambda c: c.update(command=["sh", "-c", "podium serve"]))],
    "drain-route-timeout": [
        _rule(_drop("timeouts")),
        _rule(lambda rule: rule.update(timeouts={"request": "30s"})),
        _rule(lambda rule: rule.update(timeouts={"request": "600s", "backendRequest": "15m"})),
        _rule(lambda rule: rule.update(timeouts={"request": "5 minutes"})),
    ],
    "mount-no-volume": [in_pod(lambda pod: pod["volumes"].pop(0))],
    "mount-not-writable": [
        in_container(lambda c: c.update(volumeMounts=[m for m in c["volumeMounts"] if m["name"] != "temporary"])),
        _env("HF_HUB_OFFLINE", "0"),
        in_container(lambda c: next(m for m in c["volumeMounts"] if m["name"] == "cache").update(readOnly=True)),
    ],
    "mount-unbounded": [_volume("cache", emptyDir={})],
    "mount-hidden": [in_container(lambda c: c["volumeMounts"].append({"name": "temporary", "mountPath": "/models"}))],
    "secret-written-out": [
        _env("API_KEY", "abc"),
        _env("REDIS_URL", "redis://app:hunter2@podium-redis:6379/0"),
        in_container(lambda c: c["command"].append("--key=hf_" + "a" * 34)),
        of("ConfigMap", lambda c: c["data"].update(extra="password: correcthorsebattery"), "podium-config"),
        of("Service", lambda s: s["metadata"].update(annotations={"note": "token=abcdefghijklmnop"}), BLUE),
    ],
    "secret-in-environment": [
        in_container(
            lambda c: c["env"].append(
                {"name": "X", "valueFrom": {"secretKeyRef": {"name": "podium-redis", "key": "password"}}}
            )
        )
    ],
    "secret-missing": [
        blue(lambda d: d["metadata"].pop("annotations")),
        _volume("config", configMap={"name": "podium-confg"}),
        _volume("config", configMap={"name": "podium-config", "items": [{"key": "podium.yml", "path": "x"}]}),
        of("PodMonitor", lambda m: m["metadata"].pop("annotations")),
    ],
    "secret-mode": [_volume("redis-password", secret={"secretName": "podium-redis"})],
    "resources-missing": [
        in_container(_drop("resources")),
        in_container(lambda c: c["resources"]["limits"].pop("ephemeral-storage")),
    ],
    "resources-memory": [_resources("requests", memory="4Gi")],
    "resources-extended": [in_container(lambda c: c["resources"]["requests"].update({"nvidia.com/gpu": 1}))],
    "resources-quantity": [_resources("requests", cpu="lots")],
    "resources-order": [_resources("requests", cpu="4")],
    "resources-volumes": [
        _volume("cache", emptyDir={"sizeLimit": "100Gi"}),
        _volume("temporary", emptyDir={"sizeLimit": "8Gi", "medium": "Memory"}),
    ],
    "resources-toleration": [
        _both(**{"nvidia.com/gpu": 1}),
        _in("full-gpu", in_pod(lambda p: p["tolerations"][0].update(key="nvidia.com/mig-3g.40gb"))),
        _in("slices-gpu", in_pod(_drop("tolerations"))),
    ],
    "resources-claim": [
        _in("slices-gpu", lambda graph: without(graph, "ResourceClaimTemplate")),
        _in("slices-gpu", in_container(lambda c: c["resources"]["claims"][0].update(name="gpu"))),
        _in("slices-gpu", in_container(lambda c: c["resources"].pop("claims"))),
        _in("slices-gpu", _both(**{"nvidia.com/gpu": 1})),
    ],
    "port-service": [_service(lambda s: s["ports"][0].update(targetPort="web"))],
    "port-route": [
        _rule(lambda rule: rule["backendRefs"][0].update(port=80)),
        _rule(lambda rule: rule["backendRefs"][0].update(name="podium")),
    ],
    "port-monitor": [_monitor(lambda s: s["podMetricsEndpoints"][0].update(port="metrics"))],
    "port-policy": [_policy(lambda s: s["ingress"][0]["ports"][0].update(port=80))],
    "selector-own": [blue(lambda d: d["spec"]["selector"]["matchLabels"].update({"podium/environment": "red"}))],
    "selector-shared": [blue(lambda d: d["spec"]["selector"]["matchLabels"].pop("podium/environment"))],
    "selector-nothing": [
        _service(lambda s: s["selector"].update({"podium/environment": "red"})),
        _budget(lambda s: s["selector"]["matchLabels"].update({"podium/environment": "red"})),
        _monitor(lambda s: s["selector"]["matchLabels"].update({"app.kubernetes.io/name": "pod"})),
        _policy(
            lambda s: s["podSelector"]["matchLabels"].update({"app.kubernetes.io/component": "cache"}), "podium-redis"
        ),
    ],
    "selector-two-versions": [_service(lambda s: s["selector"].pop("podium/environment"))],
    "selector-spread": [
        in_pod(lambda p: p["topologySpreadConstraints"][0].update(labelSelector={"matchLabels": {"app": "podium"}}))
    ],
    "scaler-two-owners": [blue(lambda d: d["spec"].update(replicas=2)), _second_scaler],
    "scaler-no-target": [_scaler(lambda s: s["spec"]["scaleTargetRef"].update(name="podium"))],
    "scaler-window": [
        _scaler(
            lambda s: s["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"].update(
                stabilizationWindowSeconds=60
            )
        )
    ],
    "scaler-silent-zero": [
        _scaler(lambda s: _trigger(s).pop("ignoreNullValues")),
        _scaler(lambda s: s["spec"].pop("fallback")),
    ],
    "scaler-text": [_scaler(lambda s: _trigger(s).update(threshold=51))],
    "scaler-range": [_scaler(lambda s: s["spec"].update(minReplicaCount=9))],
    "scaler-signal": [_scaler(lambda s: s["spec"]["triggers"].append({"type": "cpu", "metadata": {"value": "60"}}))],
    "scaler-unscraped": [lambda graph: without(graph, "PodMonitor")],
    "scaler-unwatched": [
        lambda graph: without(graph, "PrometheusRule", "podium-scalers"),
        _expressions("blue", "green", "podium-scalers"),
    ],
    "volume-claim": [lambda graph: without(graph, "PersistentVolumeClaim")],
    "volume-one-node": [of("PersistentVolumeClaim", lambda c: c["spec"].update(accessModes=["ReadWriteOnce"]))],
    "volume-kind": [in_pod(lambda p: p["volumes"].append({"name": "node", "hostPath": {"path": "/var/models"}}))],
    "volume-order": [_filling_job],
    "network-open": [
        lambda graph: without(without(graph, "NetworkPolicy", "default-deny"), "NetworkPolicy", "podium"),
        lambda graph: without(graph, "NetworkPolicy"),
    ],
    "network-everything": [_policy(lambda s: s["ingress"].append({})), _policy(lambda s: s["egress"].append({}))],
    "network-dns": [
        _policy(lambda s: s["egress"].pop(0)),
        _policy(lambda s: s["egress"][0]["ports"].pop(1)),
    ],
    "network-metadata": [
        _policy(lambda s: s["egress"].append({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 80}]})),
        _policy(
            lambda s: s["egress"].append({"to": [{"ipBlock": {"cidr": "169.254.0.0/16"}}], "ports": [{"port": 80}]})
        ),
    ],
    "network-exposed": [_service(lambda s: s.update(type="LoadBalancer"))],
    "network-admin": [_service(lambda s: s["ports"].append({"name": "admin", "port": 8001, "targetPort": "admin"}))],
    "network-unreachable": [_policy(lambda s: s["ingress"].pop(0))],
    "security-root": [
        in_pod(lambda p: p["securityContext"].pop("runAsNonRoot")),
        in_container(lambda c: c["securityContext"].update(runAsUser=0)),
    ],
    "security-escalation": [
        in_container(lambda c: c["securityContext"].pop("allowPrivilegeEscalation")),
        in_container(lambda c: c["securityContext"].update(privileged=True)),
    ],
    "security-capabilities": [
        in_container(lambda c: c["securityContext"].pop("capabilities")),
        in_container(lambda c: c["securityContext"]["capabilities"].update(add=["SYS_PTRACE"])),
    ],
    "security-seccomp": [in_pod(lambda p: p["securityContext"].pop("seccompProfile"))],
    "security-writable-root": [in_container(lambda c: c["securityContext"].update(readOnlyRootFilesystem=False))],
    "security-host": [
        in_pod(lambda p: p.update(hostIPC=True)),
        in_container(lambda c: c["ports"][0].update(hostPort=80)),
    ],
    "security-token": [
        in_pod(lambda p: p.update(automountServiceAccountToken=True)),
        in_pod(_drop("serviceAccountName")),
    ],
    "security-fs-group": [in_pod(lambda p: p["securityContext"].pop("fsGroup"))],
    "security-namespace": [of("Namespace", lambda n: n["metadata"].pop("labels"))],
    "rollout-image": [in_container(lambda c: c.update(image="registry.example/podium:latest"))],
    "rollout-deadline": [blue(lambda d: d["spec"].pop("progressDeadlineSeconds"))],
    "rollout-strategy": [
        blue(lambda d: d["spec"].update(strategy={"type": "Recreate"})),
        blue(lambda d: d["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=2)),
    ],
    "rollout-stuck": [blue(lambda d: d["spec"]["strategy"]["rollingUpdate"].update(maxSurge=0))],
    "rollout-no-budget": [lambda graph: without(graph, "PodDisruptionBudget", BLUE)],
    "rollout-blocking-budget": [
        _budget(lambda s: s.update(minAvailable=4)),
        _budget(lambda s: s.update(maxUnavailable=0)),
        _budget(lambda s: s.pop("unhealthyPodEvictionPolicy")),
    ],
    "rollout-quota": [_quota("4")],
    "query-series": [
        _scaler(lambda s: _trigger(s).update(query="sum(podium_requests_waiting)")),
        _expressions("podium_requests_total", "podium_request_count"),
        _dashboard("podium_requests_total", "podium_request_count"),
    ],
    "query-type": [_scaler(lambda s: _trigger(s).update(query="sum(rate(podium_model_waiting_requests[1m]))"))],
    "query-syntax": [_scaler(lambda s: _trigger(s).update(query="sum(podium_model_waiting_requests"))],
    "query-label": [_monitor(lambda s: s["podMetricsEndpoints"][0].pop("relabelings"))],
    "query-job": [_expressions('job="podium/podium"', 'job="podium"')],
    "query-dashboard": [_dashboard('"panels"', '"panel"'), _dashboard("{", "")],
    "group-size": [
        _group(_gpus(4)),
        _group(lambda s: s["leaderWorkerTemplate"].update(size=1)),
        _in("full-gpu", in_container(lambda c: c.update(args=["--tensor-parallel-size=4"]))),
    ],
    "group-restart": [_group(lambda s: s["leaderWorkerTemplate"].update(restartPolicy="None"))],
    "group-startup": [_group(lambda s: s.update(startupPolicy="LeaderReady"))],
    "group-network": [
        _in("spread-gpu", _policy(lambda s: s["ingress"][0].update(ports=[{"port": 29500}]), "podium-group")),
        _in("spread-gpu", _policy(lambda s: s["egress"].pop(), "podium-group")),
    ],
    "group-shared-memory": [
        _group(lambda s: _worker(s)["containers"][0]["volumeMounts"].pop()),
        _in("full-gpu", _volume("shared-memory", emptyDir={"sizeLimit": "1Gi"})),
    ],
    "mesh-drain": [
        _annotated(proxy_enable_native_sidecar=None),
        _annotated(shutdown_grace_period=None),
        _annotated(shutdown_grace_period="60s"),
        _annotated(**{"config.alpha.linkerd.io/proxy-wait-before-exit-seconds": "300"}),
    ],
    "mesh-network": [
        _in("mesh-cpu", _policy(lambda s: s["ingress"][0]["ports"].pop())),
        _in("mesh-cpu", _policy(lambda s: s["egress"].pop(1), "podium-gateway")),
    ],
    "mesh-job": [_meshed_job],
    "logs-labels": [
        _in_logs("own-weights-cpu", "$level,$namespace", "$level,$request_id"),
        _in_logs("mesh-cpu", "app: podium", "pod: x"),
    ],
    "logs-fields": [
        _in_logs("own-weights-cpu", "allowlist_key", "denylist_key"),
        _in_logs("own-weights-cpu", "- ts\n", "- line\n"),
        _in_logs("mesh-cpu", "filter(line)", "merge(line)"),
    ],
}
