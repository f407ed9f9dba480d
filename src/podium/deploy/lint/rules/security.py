"""Security context: the Pod Security standard `restricted`, for pods, containers and init containers."""

from __future__ import annotations

from collections.abc import Iterator

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Container, Graph, Workload, at, entries, words

_MAY_RETURN = {"NET_BIND_SERVICE"}


def _each(graph: Graph) -> Iterator[tuple[Workload, Container]]:
    for workload in graph.workloads:
        for container in workload.containers:
            yield workload, container


def _said(workload: Workload, container: Container, field: str) -> object:
    """What holds for a container: its own context, else its pod's."""
    own = at(container.value, "securityContext", field)
    return at(workload.pod, "securityContext", field) if own is None else own


def _root(graph: Graph) -> Iterator[Place]:
    for workload, container in _each(graph):
        if _said(workload, container, "runAsNonRoot") is not True or _said(workload, container, "runAsUser") == 0:
            yield workload.item, f"{container.path}.securityContext", "may run as root"


def _escalation(graph: Graph) -> Iterator[Place]:
    for workload, container in _each(graph):
        context = container.value.get("securityContext")
        if at(context, "allowPrivilegeEscalation") is not False or at(context, "privileged"):
            yield workload.item, f"{container.path}.securityContext", "may gain privileges"


def _capabilities(graph: Graph) -> Iterator[Place]:
    for workload, container in _each(graph):
        capabilities = at(container.value, "securityContext", "capabilities")
        dropped, added = words(at(capabilities, "drop")), words(at(capabilities, "add"))
        if "ALL" not in dropped or set(added) - _MAY_RETURN:
            yield workload.item, f"{container.path}.securityContext.capabilities", "keeps capabilities"


def _seccomp(graph: Graph) -> Iterator[Place]:
    for workload, container in _each(graph):
        profile = _said(workload, container, "seccompProfile")
        if str(at(profile, "type")) not in {"RuntimeDefault", "Localhost"}:
            yield workload.item, f"{container.path}.securityContext.seccompProfile", "no seccomp profile"


def _writable_root(graph: Graph) -> Iterator[Place]:
    for workload, container in _each(graph):
        if at(container.value, "securityContext", "readOnlyRootFilesystem") is not True:
            yield workload.item, f"{container.path}.securityContext.readOnlyRootFilesystem", "its root can be written"


def _host(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if workload.pod.get(field):
                yield workload.item, f"{workload.path}.spec.{field}", "shares it with the node"
    for workload, container in _each(graph):
        if any(port.get("hostPort") for port in entries(container.value.get("ports"))):
            yield workload.item, f"{container.path}.ports", "a port of the node"


def _token(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        name = workload.pod.get("serviceAccountName")
        account = graph.find("ServiceAccount", name, workload.item.namespace)
        said = workload.pod.get("automountServiceAccountToken")
        if said is None and account is not None:
            said = account.at("automountServiceAccountToken")
        if said is not False:
            yield (
                workload.item,
                f"{workload.path}.spec.automountServiceAccountToken",
                "a token of the cluster is in the pod",
            )
        if str(name or "default") == "default":
            yield workload.item, f"{workload.path}.spec.serviceAccountName", "uses the account of everybody"


def _files(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        claims = [
            name for name, volume in workload.volumes.items() if "persistentVolumeClaim" in volume or "spec" in volume
        ]
        if claims and at(workload.pod, "securityContext", "fsGroup") is None:
            yield workload.item, f"{workload.path}.spec.securityContext.fsGroup", f"volume {claims[0]} belongs to root"


def _namespace(graph: Graph) -> Iterator[Place]:
    for namespace in graph.of("Namespace"):
        level = namespace.mapping("metadata", "labels").get("pod-security.kubernetes.io/enforce")
        if level != "restricted":
            yield namespace, "metadata.labels", f"enforces {level or 'nothing'}"
    for workload in graph.workloads:
        if workload.item.namespace == "default":
            yield workload.item, "metadata.namespace", "is in the namespace of everybody"


RULES = (
    Rule("security-root", "error", "A hole in a parser of requests or weights would be root on a node with GPUs.",
         "Set runAsNonRoot: true and a runAsUser above 0.", _root),
    Rule("security-escalation", "error", "A program in the image could become root.",
         "Set allowPrivilegeEscalation: false, and never privileged.", _escalation),
    Rule("security-capabilities", "error", "Serving needs none of them; container escapes do.",
         "Drop ALL.", _capabilities),
    Rule("security-seccomp", "error", "Without it every system call of the node's kernel is open.",
         "Set seccompProfile.type to RuntimeDefault.", _seccomp),
    Rule("security-writable-root", "error", "Who gets in can change the program, and it stays until the pod ends.",
         "Set readOnlyRootFilesystem: true and mount what must be written.", _writable_root),
    Rule("security-host", "error", "It sees other tenants' processes and traffic.",
         "Leave host namespaces and host ports out.", _host),
    Rule("security-token", "error", "Serving never calls the API server, and a stolen token does.",
         "Give pods an account of their own with automountServiceAccountToken: false.", _token),
    Rule("security-fs-group", "error", "A claim that belongs to root cannot be read by another user.",
         "Set fsGroup, and fsGroupChangePolicy to OnRootMismatch.", _files),
    Rule("security-namespace", "error", "The cluster itself would admit a pod that is not restricted.",
         "Use a namespace of your own with the label pod-security.kubernetes.io/enforce: restricted.", _namespace),
)  # fmt: skip
