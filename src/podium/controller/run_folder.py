"""The folder in which the processes of one ``podium up`` meet; only its owner can enter it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """The files of one run, by what they are for."""

    path: Path

    def settings_of(self, environment: str) -> Path:
        """The settings that the local servers of an environment are started with."""
        return self.path / f"podium-{environment}.yaml"

    @property
    def controller_settings(self) -> Path:
        """The same for the controller, in which every environment names endpoints."""
        return self.path / "controller.yaml"

    @property
    def metrics_key(self) -> Path:
        """The key with which the monitor of the run asks its servers."""
        return self.path / "metrics.key"

    @property
    def shadow_key(self) -> Path:
        """The key that marks the controller's copies of requests."""
        return self.path / "shadow.key"

    @property
    def deploy_key(self) -> Path:
        """The key with which the controller loads models."""
        return self.path / "deploy.key"

    @property
    def copies_socket(self) -> Path:
        """Where Envoy sends its copies of requests."""
        return self.path / "copy.sock"

    @property
    def bootstrap(self) -> Path:
        """What Envoy starts with."""
        return self.path / "envoy.json"

    @property
    def began(self) -> float:
        """When this run began, in seconds since 1970: no attempt before it is in its log."""
        return self.bootstrap.stat().st_mtime

    @property
    def discovery_socket(self) -> Path:
        """Where Envoy asks for its configuration."""
        return self.path / "xds.sock"

    @property
    def admin_socket(self) -> Path:
        """Envoy's own interface."""
        return self.path / "admin.sock"

    @property
    def attempts_log(self) -> Path:
        """A line for each attempt."""
        return self.path / "attempts.jsonl"

    @property
    def restarts(self) -> Path:
        """Which local servers were restarted, and when."""
        return self.path / "restarts.jsonl"

    @property
    def weights(self) -> Path:
        """The weights that were last confirmed."""
        return self.path / "weights.json"
