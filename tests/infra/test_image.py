"""The image: its steps work, its torch is the tested one, and it has what Ray, Triton and KubeRay call."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lengths import short_and_long

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "infra/Dockerfile").read_text()


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def test_base_image_has_the_torch_that_is_tested() -> None:
    (tag,) = re.findall(r"^ARG BASE=pytorch/pytorch:(\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(rf"{re.escape(pins()['torch'])}-cuda[\d.]+-cudnn9-runtime", tag)


def test_image_has_the_programs_that_others_call_in_it() -> None:
    (installed,) = re.findall(r"apt-get install -y --no-install-recommends \\\n(.+) \\\n", DOCKERFILE)
    triton, kuberay, launcher = {"gcc", "libc6-dev", "python3-dev"}, {"wget"}, {"openssh-client", "rsync"}
    assert triton | kuberay | launcher <= set(installed.split())
    assert "boto3" in pins()  # of the extra `aws`, which the head's autoscaler imports


def test_image_is_not_root_s_and_its_user_is_the_one_of_the_pods() -> None:
    number = re.findall(r"useradd .*--uid (\d+)", DOCKERFILE)[0]
    assert DOCKERFILE.rindex("USER ray") > DOCKERFILE.rindex("RUN ")
    for name in ("rayjob.yaml", "raycluster.yaml"):
        assert f"runAsUser: {number}," in (ROOT / "infra/kuberay" / name).read_text()


def test_build_sends_docker_what_is_copied_and_little_more() -> None:
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.heavy
@short_and_long("options", short=[["--installed"]], long=[[]], ids=lambda options: "-".join(options) or "clean")
def test_image_s_steps_make_a_command_that_segments(options: list[str]) -> None:
    """In short with this environment's packages, in long with those that pip finds: up to 10 minutes."""
    command = [sys.executable, "infra/check_image.py", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 videos: 1 done" in done.stdout
    assert "the image's steps work" in done.stdout
