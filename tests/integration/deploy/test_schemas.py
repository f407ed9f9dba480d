"""What is rendered is what the API servers of six minor versions accept, field by field."""

from __future__ import annotations

import copy
from pathlib import Path

import kubernetes_validate
import pydantic
import pytest

from podium.deploy.lint.graph import Item
from support.crd_models import CUSTOM, check_custom
from support.deployments import FULL, VARIETIES, sets_of

CLAIMS = "ResourceClaimTemplate"
BEFORE_CLAIMS = ("1.32", "1.33")  # which know an older version of that API
VERSIONS = ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")


def _objects(folder: Path, name: str) -> list[Item]:
    document, profile = VARIETIES[name]
    return [item for graph in sets_of(folder, document, profile).values() for item in graph.items]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", VARIETIES)
def test_every_object_fits_the_official_schema(name: str, version: str, tmp_path: Path) -> None:
    for item in _objects(tmp_path, name):
        if item.kind not in CUSTOM and not (item.kind == CLAIMS and version in BEFORE_CLAIMS):
            kubernetes_validate.validate(dict(item.value), version, strict=True)


@pytest.mark.parametrize("name", VARIETIES)
def test_every_custom_resource_fits_its_model(name: str, tmp_path: Path) -> None:
    for item in _objects(tmp_path, name):
        if item.kind in CUSTOM:
            check_custom(dict(item.value))


def test_a_wrong_field_would_be_noticed(tmp_path: Path) -> None:
    graph = sets_of(tmp_path, FULL)["overlays/production"]
    deployment = copy.deepcopy(dict(graph.of("Deployment")[0].value))
    deployment["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[0], strict=True)
    scaler = copy.deepcopy(dict(graph.of("ScaledObject")[0].value))
    scaler["spec"]["triggers"][0]["metadata"]["threshold"] = 51
    with pytest.raises(pydantic.ValidationError, match="threshold"):
        check_custom(scaler)
