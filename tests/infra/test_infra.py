"""Cluster files agree with the schemas of what reads them, and with each other."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

from tests.parts import SHARED

ROOT = Path(__file__).parents[2]

CRD = SHARED / "k8s/rayjobs-crd.yaml"
needs_crd = pytest.mark.skipif(not CRD.exists(), reason="needs KubeRay's RayJob schema, in ../shared/k8s")
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
@needs_crd
def test_the_kubernetes_job_is_valid_for_kuberay() -> None:
    job = load("infra/kuberay/rayjob.yaml")
    jsonschema.validate(job, job_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**job, "spec": {**job["spec"], "entrypiont": ""}}, job_schema())


@pytest.mark.heavy
@needs_crd
def test_the_kubernetes_cluster_is_valid_for_kuberay() -> None:
    schema = job_schema()["properties"]["spec"]["properties"]["rayClusterSpec"]
    spec = load("infra/kuberay/raycluster.yaml")["spec"]
    jsonschema.validate(spec, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**spec, "enableInTreeAutoscaling": "yes"}, schema)


def test_the_job_s_cluster_is_the_one_that_stays() -> None:
    assert load("infra/kuberay/rayjob.yaml")["spec"]["rayClusterSpec"] == load("infra/kuberay/raycluster.yaml")["spec"]


def test_kuberay_s_autoscaler_adds_gpu_nodes_from_none_and_no_actors_to_the_head() -> None:
    """By what Ray's autoscaler makes of the file."""
    cluster = load("infra/kuberay/raycluster.yaml")
    cluster["metadata"]["namespace"] = "default"
    config = _derive_autoscaling_config_from_ray_cr(cluster)
    head, gpu = config["available_node_types"]["headgroup"], config["available_node_types"]["gpu"]
    assert (head["resources"]["CPU"], head["resources"].get("GPU", 0)) == (0, 0)
    assert (gpu["min_workers"], gpu["max_workers"], gpu["resources"]["GPU"]) == (0, 8, 1)
    assert config["idle_timeout_minutes"] == 5
    entrypoint = load("infra/kuberay/rayjob.yaml")["spec"]["entrypoint"]
    assert ("--device cuda" in entrypoint, "actors" in entrypoint) == (True, False), "as many as the autoscaler adds"
    assert cluster["spec"]["autoscalerOptions"]["version"] == "v2", "which reports to Ray"


def containers(pod: Any) -> list[Any]:
    assert pod["securityContext"]["runAsNonRoot"]
    found: list[Any] = pod["containers"]
    return found


def test_every_container_runs_without_root_and_without_capabilities() -> None:
    spec = load("infra/kuberay/rayjob.yaml")["spec"]
    cluster = spec["rayClusterSpec"]
    (group,) = cluster["workerGroupSpecs"]
    pods = [spec["submitterPodTemplate"], cluster["headGroupSpec"]["template"], group["template"]]
    for container in [cluster["autoscalerOptions"], *(c for pod in pods for c in containers(pod["spec"]))]:
        context = container["securityContext"]
        assert context == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert cluster["authOptions"]["mode"] == "token"
    assert not group["template"]["spec"]["automountServiceAccountToken"]


def test_scratch_has_room_of_its_own_within_the_pod_s() -> None:
    (group,) = load("infra/kuberay/raycluster.yaml")["spec"]["workerGroupSpecs"]
    pod = group["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    scratch, whole = volume["emptyDir"]["sizeLimit"], container["resources"]["limits"]["ephemeral-storage"]
    assert int(scratch.removesuffix("Gi")) < int(whole.removesuffix("Gi"))
    assert {"name": "TMPDIR", "value": container["volumeMounts"][0]["mountPath"]} in container["env"]


def test_pods_have_the_account_and_the_policy_of_their_files() -> None:
    account, policy = load("infra/kuberay/serviceaccount.yaml"), load("infra/kuberay/networkpolicy.yaml")
    job = load("infra/kuberay/rayjob.yaml")
    cluster = job["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert group["template"]["spec"]["serviceAccountName"] == account["metadata"]["name"]
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert job["metadata"]["name"] in str(policy["spec"]["ingress"])


@pytest.mark.parametrize("key", ["eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account"])
def test_account_is_valid_with_the_annotation_of_a_cloud(key: str) -> None:
    text = (ROOT / "infra/kuberay/serviceaccount.yaml").read_text()
    account = yaml.safe_load(text.replace(f"# {key}", key))
    assert account["metadata"]["annotations"].keys() == {key}


def test_metrics_of_pods_are_open_to_prometheus_alone_and_to_no_other_port() -> None:
    monitor, policy = yaml.safe_load_all((ROOT / "infra/kuberay/podmonitor.yaml").read_text())
    assert monitor["spec"]["selector"] == policy["spec"]["podSelector"]
    (rule,) = policy["spec"]["ingress"]
    (source,) = rule["from"]
    assert source.keys() == {"namespaceSelector", "podSelector"}  # both at once, and neither of them empty
    assert all(selector["matchLabels"] for selector in source.values())
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]
    assert "8080" not in str(load("infra/kuberay/networkpolicy.yaml"))


def test_the_entrypoints_are_commands_of_ours() -> None:
    entrypoint = load("infra/kuberay/rayjob.yaml")["spec"]["entrypoint"]
    for name in ("ray-cluster.yaml", "infra/kuberay/raycluster.yaml", "docs/CLUSTER.md"):
        assert entrypoint in re.sub(r"\\\n#?\s*", "", (ROOT / name).read_text()), name


def test_versions_agree() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert load("infra/kuberay/raycluster.yaml")["spec"]["rayVersion"] == pins["ray"]


def job_schema() -> Any:
    (version,) = [v for v in yaml.load(CRD.read_text(), LOADER)["spec"]["versions"] if v["name"] == "v1"]
    return _closed(version["schema"]["openAPIV3Schema"])


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
