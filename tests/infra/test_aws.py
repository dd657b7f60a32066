"""ray-cluster.yaml and the policies of infra/aws, put to Ray's own launcher against an emulator of EC2, and to S3."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import moto
import pytest
import yaml
from ray.autoscaler._private.aws.utils import client_cache, resource_cache
from ray.autoscaler._private.commands import _bootstrap_config
from ray.autoscaler._private.node_provider_availability_tracker import NodeAvailabilitySummary
from ray.autoscaler._private.providers import _get_node_provider
from ray.autoscaler._private.resource_demand_scheduler import _default_utilization_scorer, get_nodes_for

from tests.infra.policies import NAMES, allows, document, statements

ROOT = Path(__file__).parents[2]
TYPES = ("head", "gpu-on-demand", "gpu-spot")


@dataclass(frozen=True)
class Launcher:
    """What `ray up` made of ray-cluster.yaml on an emulated EC2, and the actions that EC2 was asked for."""

    config: dict[str, Any]
    provider: Any  # Ray's NodeProvider, whose methods are typed to return nothing
    asked_at_start: list[str]
    asked: list[str] = field(default_factory=list)

    def start(self, name: str) -> dict[str, Any]:
        """What EC2 says of a new node of this type."""
        tags = {"ray-node-type": "worker", "ray-user-node-type": name, "ray-launch-config": "x"}
        (node,) = self.provider.create_node(copy.deepcopy(node_types(self.config)[name]["node_config"]), tags, 1)
        reply = ec2().describe_instances(InstanceIds=[node])
        instance: dict[str, Any] = reply["Reservations"][0]["Instances"][0]
        return instance

    def actions_of_a_life(self, name: str) -> set[str]:
        """What EC2 is asked for while a node of this type comes, is looked at, and goes."""
        self.asked.clear()
        node = self.start(name)["InstanceId"]
        assert node in self.provider.non_terminated_nodes({})
        self.provider.set_node_tags(node, {"ray-node-status": "up-to-date"})
        self.provider.terminate_node(node)
        assert {"ec2:RunInstances", "ec2:CreateTags", "ec2:DescribeInstances", "ec2:TerminateInstances"} <= {
            *self.asked
        }
        return {*self.asked}


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """`ray up`, up to the point where it would log in to the head."""
    asked: list[str] = []

    def note(model: Any, **_: object) -> None:
        asked.append(f"{model.service_model.endpoint_prefix}:{model.name}")

    with pytest.MonkeyPatch.context() as patch, moto.mock_aws():
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # the launcher writes its ssh key there
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        resource_cache.cache_clear()  # Ray keeps its clients, and with them other tests' emulators
        client_cache.cache_clear()
        boto3.setup_default_session()
        make_profile("stcn-head", "bucket-policy.json", "autoscaler-policy.json")
        make_profile("stcn-worker", "bucket-policy.json")
        config = cluster()
        boto3.DEFAULT_SESSION.events.register("before-call", note)
        config = _bootstrap_config(config, no_config_cache=True)
        at_start = list(asked)
        yield Launcher(config, _get_node_provider(config["provider"], config["cluster_name"]), at_start, asked)
    resource_cache.cache_clear()
    client_cache.cache_clear()
    boto3.setup_default_session()


def ec2() -> Any:
    """A client of the emulator that notes nothing."""
    return boto3.Session().client("ec2", "eu-central-1")


def node_types(config: dict[str, Any]) -> dict[str, Any]:
    """The node types of a cluster's configuration."""
    found: dict[str, Any] = config["available_node_types"]
    return found


def make_profile(name: str, *policies: str) -> None:
    """An instance profile whose role has these policies, as docs/CLUSTER.md makes it."""
    iam = boto3.client("iam", "eu-central-1")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document("trust-policy.json"))
    for policy in policies:
        iam.put_role_policy(RoleName=name, PolicyName=policy.removesuffix(".json"), PolicyDocument=document(policy))
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def cluster() -> dict[str, Any]:
    """The cluster of ray-cluster.yaml, with an image that the emulator knows."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "ray-cluster.yaml").read_text())
    image = ec2().describe_images()["Images"][0]["ImageId"]
    for node_type in node_types(config).values():
        node_type["node_config"] = {**node_type["node_config"], "ImageId": image}
    return config


@pytest.mark.heavy
@pytest.mark.parametrize("name", TYPES)
def test_launched_nodes_are_closed_and_encrypted(launcher: Launcher, name: str) -> None:
    instance = launcher.start(name)
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    disks = [device["Ebs"]["VolumeId"] for device in instance["BlockDeviceMappings"]]
    (disk,) = ec2().describe_volumes(VolumeIds=disks)["Volumes"]
    assert disk["Encrypted"]
    assert disk["Size"] >= 200
    groups = [group["GroupId"] for group in instance["SecurityGroups"]]
    (group,) = ec2().describe_security_groups(GroupIds=groups)["SecurityGroups"]
    assert [rule.get("FromPort") for rule in group["IpPermissions"] if rule["IpRanges"] or rule["Ipv6Ranges"]] == [22]
    assert (instance.get("InstanceLifecycle") == "spot") == (name == "gpu-spot")


@pytest.mark.heavy
def test_launcher_s_policy_has_what_ray_up_asks_for(launcher: Launcher) -> None:
    actions = {*launcher.asked_at_start} | launcher.actions_of_a_life("head")
    assert {"ec2:AuthorizeSecurityGroupIngress", "ec2:CreateKeyPair"} <= actions
    assert [action for action in actions if not allows("launcher-policy.json", action)] == []


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["gpu-on-demand", "gpu-spot"])
def test_head_s_policy_has_what_its_autoscaler_asks_for(launcher: Launcher, name: str) -> None:
    actions = launcher.actions_of_a_life(name)
    assert [action for action in actions if not allows("autoscaler-policy.json", action)] == []
    assert not allows("autoscaler-policy.json", "ec2:AuthorizeSecurityGroupIngress")


@pytest.mark.parametrize("name", NAMES)
def test_policies_are_whole_and_give_nothing_by_a_wildcard(name: str) -> None:
    assert len("".join(document(name).split())) <= 6144  # the most of a policy in AWS, without white space
    for statement in statements(name):
        assert statement["Effect"] == "Allow"
        assert all("*" not in action for action in statement["Action"])
        is_read = all(":Describe" in action for action in statement["Action"])
        assert is_read or "*" not in statement.get("Resource", [])


def test_policies_agree_with_the_cluster_file() -> None:
    config = yaml.safe_load((ROOT / "ray-cluster.yaml").read_text())
    types = config["available_node_types"]
    assert set(types) == set(TYPES)
    for policy, names in (
        ("launcher-policy.json", ["head"]),
        ("autoscaler-policy.json", ["gpu-on-demand", "gpu-spot"]),
    ):
        (start,) = [part for part in statements(policy) if "ec2:InstanceType" in str(part)]
        wanted = start["Condition"]["StringEquals"]
        (role,) = [part["Resource"] for part in statements(policy) if part["Action"] == ["iam:PassRole"]]
        for node in (types[name]["node_config"] for name in names):
            assert node["InstanceType"] == wanted["ec2:InstanceType"]
            assert node["MetadataOptions"]["HttpTokens"] == wanted["ec2:MetadataHttpTokens"]
            assert role == [f"arn:aws:iam::123456789012:role/{node['IamInstanceProfile']['Name']}"]
        assert wanted["aws:RequestTag/ray-cluster-name"] == config["cluster_name"]


def test_actors_that_wait_get_spot_nodes_first() -> None:
    """By Ray's own choice among types that fit equally, which goes by name; its newer autoscaler goes by `priority`."""
    types = yaml.safe_load((ROOT / "ray-cluster.yaml").read_text())["available_node_types"]
    assert types["gpu-spot"]["priority"] > types["gpu-on-demand"].get("priority", 0)
    for name in ("gpu-on-demand", "gpu-spot"):
        types[name]["resources"] = {"CPU": 8, "GPU": 1}

    def score(*arguments: Any) -> Any:
        return _default_utilization_scorer(*arguments, node_availability_summary=NodeAvailabilitySummary({}))

    actors: list[dict[str, Any]] = [{"CPU": 1, "GPU": 1}] * 3
    added, left = get_nodes_for(types, {"gpu-on-demand": 0}, "head", 8, actors, utilization_scorer=score)
    assert (added, left) == ({"gpu-spot": 3}, [])
