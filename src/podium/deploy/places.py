"""Names, labels and paths that several objects must agree on."""

from __future__ import annotations

APPLICATION = "podium"
CONFIG_MAP = "podium-config"
GATEWAY = "podium-gateway"
"""Name of the gateways' workload; their Service is ``APPLICATION``."""
GATEWAY_CONFIG = "podium-gateway-config"
DASHBOARDS = "podium-dashboards"
CONTROLLER = "podium-controller"
VERDICT = "podium-verdict"
REDIS = "podium-redis"
"""Name of the Redis service, its workload, and the secret with its users and its password."""
FILES_SECRET = "podium-files"  # noqa: S105 - a name
METRICS_SECRET = "podium-metrics"  # noqa: S105 - a name
ACCELERATORS = "podium-gpus"
"""Name of the template of claims on GPUs."""
WEIGHTS = "podium-weights"
"""Name of the claim, and of the job that fills it."""

USER_ID = 10001
TRAFFIC_PORT = "http"
DISCOVERY_PORT = "discovery"
ADMIN_PORT = "admin"
REDIS_PORT = 6379
LEAST_PORT = 1024
"""Below it only root may listen, as far as every runtime agrees."""

CONFIG_FOLDER = "/etc/podium/config"
CONFIG_FILE = "podium.yaml"
REDIS_FOLDER = "/etc/podium/redis"
REDIS_PASSWORD = "password"  # noqa: S105 - a file name
REDIS_USERS = "users.acl"
METRICS_FOLDER = "/etc/podium/metrics"
FILES_FOLDER = "/etc/podium/files"
HUB_SECRET_FOLDER = "/etc/podium/hub"  # noqa: S105 - a folder
HUB_TOKEN_VARIABLE = "HF_TOKEN_PATH"  # noqa: S105 - a name, by which the hub's library finds the file
STATE_FOLDER = "/var/lib/podium"
RUN_FOLDER = "/run/podium"
ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
CACHE_FOLDER = "/var/cache/podium"
TEMPORARY_FOLDER = "/tmp"  # noqa: S108 - of the container, a volume of its own
SHARED_MEMORY_FOLDER = "/dev/shm"  # noqa: S108 - same
HUB_FOLDER = "huggingface"  # below the weights

ENVIRONMENT_LABEL = "podium/environment"
LONGEST_STREAM = "podium/longest-stream-seconds"
"""Annotation of pods: the longest answer that must not be cut. The check reads it."""
CONFIG_HASH = "podium/config-sha256"
"""Annotation of pods: a changed configuration is a new rollout."""
MADE_ELSEWHERE = "podium/secrets-made-elsewhere"
"""Annotation of what uses secrets that are in no file, by name, separated by spaces."""


def labels(component: str, environment: str | None = None) -> dict[str, str]:
    """The labels that selectors use."""
    found = {"app.kubernetes.io/name": APPLICATION, "app.kubernetes.io/component": component}
    return found if environment is None else {**found, ENVIRONMENT_LABEL: environment}


def server_name(environment: str) -> str:
    """Name of an environment's objects."""
    return f"{APPLICATION}-{environment}"
