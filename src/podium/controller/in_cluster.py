"""``python -m podium.controller.in_cluster``: the controller in a Kubernetes cluster, as the rendered pod starts it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from podium.cluster.account import ServiceAccount
from podium.config.sources import load
from podium.controller.cluster_site import ClusterPlace
from podium.controller.controller import run
from podium.controller.run_folder import RunFolder
from podium.core.errors import PodiumError

API_SERVER = "https://kubernetes.default.svc"
_FAILED = 1


def main(arguments: Sequence[str]) -> int:
    """Control the gateways of the pod's namespace until SIGTERM; returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        settings = load({}, given.config, {}).settings
        place = ClusterPlace(
            api_server=given.api_server,
            account=ServiceAccount(given.account),
            discovery=given.discovery,
            gateways=given.gateways,
            status_port=given.status_port,
            servers={name: f"{given.gateways}-{name}" for name in settings.gateway.environments},
            gateway_log=given.gateway_log,
            scraped=given.scraped,
        )
        return run(settings, RunFolder(given.folder), place)
    except PodiumError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return _FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--config", type=Path, required=True, help="podium.yaml of the controller")
    parser.add_argument("--folder", type=Path, required=True, help="what must outlive the pod")
    parser.add_argument("--account", type=Path, required=True, help="folder of the service account's files")
    parser.add_argument("--discovery", required=True, help="host:port on which gateways are fed")
    parser.add_argument("--gateways", required=True, help="Service of the gateways; NAME-ENVIRONMENT are the servers'")
    parser.add_argument("--status-port", type=int, required=True, help="port on which a gateway says how it is")
    parser.add_argument("--gateway-log", required=True, help="path of the attempts log in a gateway's pod")
    parser.add_argument("--scraped", default="", help="host:port with the monitor's figures; none without it")
    parser.add_argument("--api-server", default=API_SERVER, help="URL of the API server")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
