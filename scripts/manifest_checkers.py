"""Sets other checkers beside ours: on what we render, and on one planted fault at a time.

``python scripts/manifest_checkers.py --checkov PATH --hadolint PATH`` prints a Markdown table and, with ``--out FILE``,
writes the raw figures as JSON. The two programs are installed elsewhere: checkov brings more than a hundred packages.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from podium.deploy.lint.checking import check  # noqa: E402
from podium.deploy.lint.graph import Graph  # noqa: E402
from support.crd_models import CUSTOM, check_custom  # noqa: E402
from support.deployments import FULL, VARIETIES, WAYS, files_of, progressive_sets, sets_of  # noqa: E402
from support.planted_faults import FAULTS  # noqa: E402

CLAIMS = "ResourceClaimTemplate"
BEFORE_CLAIMS = ("1.32", "1.33")  # which know an older version of that API
VERSIONS = ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")


def schema_problems(graph: Graph, version: str) -> int:
    """Objects that the official schema does not allow."""
    wrong = 0
    for item in graph.items:
        if item.kind in CUSTOM or (item.kind == CLAIMS and version in BEFORE_CLAIMS):
            continue
        try:
            kubernetes_validate.validate(dict(item.value), version, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError):
            wrong += 1
    return wrong


def custom_resources(graph: Graph) -> int:
    """How many fit our models of them; raises ``ValidationError`` at the first that does not."""
    found = [item for item in graph.items if item.kind in CUSTOM]
    for item in found:
        check_custom(dict(item.value))
    return len(found)


def in_own_namespace(graph: Graph, name: str) -> list[dict[str, Any]]:
    """The objects in a namespace of their own, so that a scan of many sets does not mix them."""
    found = []
    for item in graph.items:
        value = copy.deepcopy(dict(item.value))
        if item.kind == "Rollout":  # unknown to checkov as well; its pods are those of a Deployment
            value |= {"apiVersion": "apps/v1", "kind": "Deployment"}
            value["spec"].pop("strategy")
        for each in in_known_kinds(value):
            if item.kind == "Namespace":
                each["metadata"]["name"] = name
            else:
                each.setdefault("metadata", {})["namespace"] = name
            found.append(each)
    return found


def in_known_kinds(value: dict[str, Any]) -> list[dict[str, Any]]:
    """A LeaderWorkerSet, which checkov does not know, as a Deployment for each kind of its pods; others as they are."""
    if value["kind"] != "LeaderWorkerSet":
        return [value]
    spec = value["spec"]["leaderWorkerTemplate"]
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {**value["metadata"], "name": f"{value['metadata']['name']}-{role}"},
            "spec": {
                "selector": {"matchLabels": spec[f"{role}Template"]["metadata"]["labels"]},
                "template": spec[f"{role}Template"],
            },
        }
        for role in ("leader", "worker")
    ]


def checkov_failures(program: Path, sets: dict[str, Graph]) -> dict[str, list[str]]:
    """Failed checks of each set, all sets in one scan; and the totals under the name ``""``."""
    with tempfile.TemporaryDirectory() as folder:
        for name, graph in sets.items():
            (Path(folder) / f"{name}.yaml").write_text(yaml.safe_dump_all(in_own_namespace(graph, name)), "utf-8")
        words = [str(program), "--directory", folder, "--framework", "kubernetes", "--output", "json", "--compact"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    found: dict[str, list[str]] = {name: [] for name in sets}
    for failed in told["results"]["failed_checks"]:
        found[Path(failed["file_path"]).stem].append(failed["check_id"])
    summary = told["summary"]
    found[""] = [f"{summary['passed']} passed, {summary['failed']} failed, {summary['skipped']} skipped"]
    return found


def recipe_checks(checkov: Path, hadolint: Path) -> dict[str, str]:
    """What both programs say of the image recipes."""
    recipes = [str(ROOT / "deploy" / name) for name in ("Dockerfile", "Dockerfile.gpu")]
    clean = subprocess.run([str(hadolint), *recipes], capture_output=True, text=True, check=False)
    words = [str(checkov), "--file", *recipes, "--framework", "dockerfile", "--output", "json", "--compact"]
    summary = json.loads(subprocess.run(words, capture_output=True, text=True, check=False).stdout)["summary"]
    said = f"{summary['passed']} passed, {summary['failed']} failed, {summary['skipped']} skipped"
    return {"hadolint": clean.stdout.strip() or "clean", "checkov": said}


def render_seconds() -> float:
    """The median of five renderings of the full set."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        files_of(FULL)
        times.append(time.perf_counter() - begun)
    return sorted(times)[2]


def main() -> None:
    """Run everything and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkov", type=Path, required=True)
    parser.add_argument("--hadolint", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        good = {
            f"{name}-{overlay.rpartition('/')[2]}": graph
            for name, (document, profile) in VARIETIES.items()
            for overlay, graph in sets_of(Path(folder) / name, document, profile).items()
        }
        good |= {
            f"{name}-{top}": graph
            for name, (way, deploy) in WAYS.items()
            for top, graph in progressive_sets(Path(folder) / name, way, **deploy).items()
        }
    production = good["full-cpu-production"]
    faults = {f"{rule}-{n}": plant(production) for rule, plants in FAULTS.items() for n, plant in enumerate(plants)}
    others, scored = checkov_failures(arguments.checkov, good), checkov_failures(arguments.checkov, faults)
    noticed = {
        name: {
            "podium": bool(check({name: graph})),
            "kubernetes-validate": schema_problems(graph, VERSIONS[0]) > 0,
            "checkov": bool(scored[name]),
        }
        for name, graph in faults.items()
    }
    result = {
        "good_sets": len(good),
        "findings_on_good_sets": len(check(good)),
        "schema_problems_on_good_sets": {v: sum(schema_problems(g, v) for g in good.values()) for v in VERSIONS},
        "custom_resources": sum(custom_resources(graph) for graph in good.values()),
        "checkov_on_good_sets": others[""][0],
        "recipes": recipe_checks(arguments.checkov, arguments.hadolint),
        "render_seconds": round(render_seconds(), 3),
        "faults": len(faults),
        "noticed": {tool: sum(each[tool] for each in noticed.values()) for tool in next(iter(noticed.values()))},
        "by_fault": noticed,
    }
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps({key: value for key, value in result.items() if key != "by_fault"}, indent=1))


if __name__ == "__main__":
    main()
