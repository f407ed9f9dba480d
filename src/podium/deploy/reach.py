"""What pods call outside of what is rendered, by the settings that say so, and why they could not."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from podium.config.engine import RemoteEngine
from podium.config.settings import Settings
from podium.deploy.pod_settings import has_own_redis

_PORTS = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379}


def called_outside(settings: Settings) -> dict[str, str]:
    """Addresses that servers must call and that are rendered nowhere, by the setting that says so."""
    found = {
        f"the engine of model {model.name}": model.engine.base_url
        for model in settings.all_models
        if isinstance(model.engine, RemoteEngine)
    }
    if settings.access.jwt is not None and "://" in settings.access.jwt.jwks:
        found["access.jwt.jwks"] = settings.access.jwt.jwks
    if settings.redis.url and not has_own_redis(settings):
        found["redis.url"] = settings.redis.url
    return found


def credential_problems(settings: Settings) -> Iterator[str]:
    """A password within an address would stand in a ConfigMap, for everybody who may read the configuration."""
    for setting, address in _called(settings).items():
        if urlsplit(address).password:
            yield (
                f"{setting} has a password in its address, which would be written out for everybody; put it into a "
                "file (redis.username and redis.password_file, the engine's api_key_file), and leave it out of there"
            )


def loopback_problems(settings: Settings) -> Iterator[str]:
    """An address of the machine that the settings were written on is that of the pod or container itself."""
    for setting, address in _called(settings).items():
        if is_loopback(address):
            yield f"{setting} is {address}, where a pod or container finds only itself; name it as it is known there"


def reach_problems(settings: Settings) -> Iterator[str]:
    """Why network policies would keep servers and controller from what they call."""
    wanted = _called(settings)
    if settings.redis.url.startswith("unix:"):
        yield "redis.url is a socket file, which no pod has; use redis:// or rediss://"
        wanted.pop("redis.url", None)
    split = {setting: urlsplit(address) for setting, address in wanted.items() if not is_loopback(address)}
    closed = [setting for setting, parts in split.items() if not _is_open(settings, parts)]
    if closed:
        places = ", ".join(f"{split[setting].hostname}:{_port(split[setting])}" for setting in closed)
        yield (
            f"network policies would keep pods from {', '.join(closed)}, and know no names; add the addresses of "
            f"{places} with these ports to deploy.network.egress"
        )


def _called(settings: Settings) -> dict[str, str]:
    """The same with what the controller's monitor calls."""
    receivers = {f"monitor.webhooks.{at}.url": hook.url for at, hook in enumerate(settings.monitor.webhooks)}
    return called_outside(settings) | receivers


def is_loopback(url: str) -> bool:
    """Whether an address means the machine, pod or container itself that asks it."""
    parts = urlsplit(url)
    address = _address(parts)
    return parts.hostname == "localhost" or (address is not None and (address.is_loopback or address.is_unspecified))


def _is_open(settings: Settings, parts: SplitResult) -> bool:
    """Whether some entry may mean it. A Service of the cluster leads to pods on any port, so any entry may."""
    listed = settings.deploy.network.egress
    address, labels = _address(parts), (parts.hostname or "").split(".")
    if address is None and (len(labels) <= 2 or labels[2] == "svc"):
        return bool(listed)
    same_port = [ipaddress.ip_network(each.network) for each in listed if each.port == _port(parts)]
    return any(address is None or address in network for network in same_port)


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS.get(parts.scheme, 443)


def _address(parts: SplitResult) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return None
