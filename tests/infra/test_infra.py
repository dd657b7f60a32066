"""Cluster files agree with the schemas of what reads them, and with each other."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml

from tests.parts import SHARED

ROOT = Path(__file__).parents[2]

CRD = SHARED / "k8s/rayjobs-crd.yaml"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C: 0.5 s for the schema in place of 6


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def test_the_cluster_file_is_valid_for_ray_up() -> None:
    schema = json.loads((Path(ray.__file__).parent / "autoscaler/ray-schema.json").read_text())
    cluster = load("ray-cluster.yaml")
    jsonschema.validate(cluster, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**cluster, "max_workers": "eight"}, schema)


@pytest.mark.heavy
@pytest.mark.skipif(not CRD.exists(), reason="needs KubeRay's RayJob schema, in ../shared/k8s")
def test_the_kubernetes_job_is_valid_for_kuberay() -> None:
    (version,) = [v for v in yaml.load(CRD.read_text(), LOADER)["spec"]["versions"] if v["name"] == "v1"]
    schema = _closed(version["schema"]["openAPIV3Schema"])
    job = load("infra/rayjob.yaml")
    jsonschema.validate(job, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**job, "spec": {**job["spec"], "entrypiont": ""}}, schema)


def test_the_entrypoints_are_commands_of_ours() -> None:
    entrypoint = load("infra/rayjob.yaml")["spec"]["entrypoint"]
    assert entrypoint in re.sub(r"\\\n#?\s*", "", (ROOT / "ray-cluster.yaml").read_text())
    assert entrypoint in re.sub(r"\\\n\s*", "", (ROOT / "infra/README.md").read_text())


def test_versions_agree() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert load("infra/rayjob.yaml")["spec"]["rayClusterSpec"]["rayVersion"] == pins["ray"]
    dockerfile = (ROOT / "infra/Dockerfile").read_text()
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE) for name in line.split()}
    assert all((ROOT / name).exists() for name in copied)
    assert {"pyproject.toml", "constraints.txt", "stcn_core", "jobs"} <= copied


def _closed(schema: Any) -> Any:
    """As the API server does: refuse fields that the schema does not have."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    open_ended = {"additionalProperties", "x-kubernetes-preserve-unknown-fields"} & schema.keys()
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not open_ended:
        closed["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        return {}
    return closed
