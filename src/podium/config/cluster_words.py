"""Words of Kubernetes that settings may have: amounts, names, labels and images, refused where a cluster would."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator

_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?\Z")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\Z")
_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:\*\.)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)
_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")
_BYTES = re.compile(r"(?:[0-9]{7,}|[0-9]+(?:\.[0-9]+)?(?:M|Mi|G|Gi|T|Ti))\Z")
_PINNED = re.compile(r"[a-z0-9][a-z0-9./:_-]*@sha256:[0-9a-f]{64}\Z")


def _quantity(text: str) -> str:
    if not _QUANTITY.match(text) or not text.strip("0.kKmMGiT"):
        raise ValueError("should be a Kubernetes quantity above 0, such as 500m, 8Gi or 4")
    return text


def _bytes(text: str) -> str:
    if not _BYTES.match(_quantity(text)):
        raise ValueError("should have a unit of M or more, such as 512Mi or 8Gi: without one it counts bytes")
    return text


def _name(text: str) -> str:
    if text and not _NAME.match(text):
        raise ValueError("should be a name as Kubernetes has them: lower-case letters, digits, '-' and '.'")
    return text


def _host_name(text: str) -> str:
    if not _HOST.match(text):
        raise ValueError("should be a host name in lower case without port, such as models.example or *.models.example")
    return text


def _label_key(text: str) -> str:
    prefix, slash, name = text.rpartition("/")
    if not _WORD.match(name) or (slash and not _NAME.match(prefix)):
        raise ValueError("should be a name as labels and resources have them, such as release or nvidia.com/gpu")
    return text


def _label_value(text: str) -> str:
    if text and not _WORD.match(text):
        raise ValueError("should be a label's value: at most 63 letters, digits, '.', '_' and '-'")
    return text


def _label(text: str) -> str:
    if not _LABEL.match(text):
        raise ValueError("should be 1 to 63 lower-case letters, digits or '-'")
    return text


def _pinned(text: str) -> str:
    if text and not _PINNED.match(text):
        raise ValueError("should be pinned, as registry/name@sha256:… with 64 hexadecimal digits: a tag can move")
    return text


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("should be a network such as 10.0.0.0/8, or one address such as 10.0.0.7/32") from None


Quantity = Annotated[str, AfterValidator(_quantity)]
OptionalKey = Annotated[str, AfterValidator(lambda text: _label_key(text) if text else text)]
Bytes = Annotated[str, AfterValidator(_bytes)]
OptionalName = Annotated[str, AfterValidator(_name)]
HostName = Annotated[str, AfterValidator(_host_name)]
LabelKey = Annotated[str, AfterValidator(_label_key)]
Labels = dict[LabelKey, Annotated[str, AfterValidator(_label_value)]]
DnsLabel = Annotated[str, AfterValidator(_label)]
OptionalLabel = Annotated[str, AfterValidator(lambda text: _label(text) if text else text)]
PinnedImage = Annotated[str, AfterValidator(_pinned)]
Network = Annotated[str, AfterValidator(_network)]
