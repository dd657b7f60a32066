"""The command's flags are the config's fields; a user's mistakes are messages, never tracebacks."""

import dataclasses
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from jobs.cli import label_commands, model_commands, run_commands
from jobs.errors import UserError
from jobs.inputs.model_file import find_model
from jobs.planning.config import SegmentConfig
from jobs.planning.run_record import read_config
from jobs.scores.config import EvaluateConfig
from jobs.selections.criteria import Criteria
from jobs.training.config import TrainingConfig
from tests.core.tiny import tiny_model
from tests.parts import stcn


@pytest.mark.parametrize(
    ("command", "config"),
    [
        (run_commands.segment, SegmentConfig),
        (model_commands.train, TrainingConfig),
        (label_commands.select, Criteria),
        (label_commands.evaluate, EvaluateConfig),
    ],
)
def test_flags_and_fields_are_the_same(command: Callable[..., None], config: Any) -> None:
    fields = {field.name: field.default for field in dataclasses.fields(config)}
    flags = {
        name: dataclasses.MISSING if parameter.default is inspect.Parameter.empty else parameter.default
        for name, parameter in inspect.signature(command).parameters.items()
        if not (command is label_commands.select and name in ("output", "dest"))
    }
    assert flags == fields


def test_zero_stands_for_no_limit() -> None:
    config = SegmentConfig(manifest="m.csv", output="out", top_k=0, short_side=0, max_memory_frames=0).propagation(
        tiny_model()
    )
    assert (config.top_k, config.short_side, config.max_memory_frames) == (None, None, None)
    assert SegmentConfig(manifest="m.csv", output="out").propagation(tiny_model()).top_k == 20


def test_an_interrupt_while_imports_are_under_way_is_one() -> None:
    script = """
import sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
from jobs.__main__ import main
main()
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (130, "interrupted\n")


def test_plan_takes_options_of_segment() -> None:
    segment, plan = (inspect.signature(command).parameters for command in (run_commands.segment, run_commands.plan))
    own = {"check", "check_sample", "sample", "seed"}
    assert set(plan) - own < set(segment)
    assert {name for name in set(plan) - own if plan[name].default != segment[name].default} == {"actors"}
    assert {"model", "similarity", "memory_every", "direction", "strict", "allow"} < set(plan)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "--device tpu is not usable; legal: auto, cpu, cuda"),
        ({"decoder": "gpu"}, "--decoder gpu is not usable; legal: auto, cpu, cuda"),
        ({"precision": "int8"}, "--precision int8 is not usable; legal: auto, float32, bfloat16, float16"),
        ({"compile": "on"}, "--compile on is not usable; legal: auto, off"),
        ({"actors": 0}, "--actors 0"),
        ({"max_memory_frames": 1}, "--max-memory-frames 1 is not usable; legal: 2 or more; 0: no bound"),
        ({"memory_policy": "oldest"}, "--memory-policy oldest is not usable; legal: recent, spread, used"),
        ({"direction": "up"}, "--direction up is not usable; legal: forward, backward, both"),
        ({"on_cut": "skip"}, "--on-cut skip is not usable; legal: keep, stop, split"),
        ({"num_gpus_per_actor": 1.5}, "--num-gpus-per-actor 1.5 is not usable; legal: 0 to 1, such as 0.5, or a whole"),
        ({"direction": "backward", "cycle_check": True}, "--cycle-check with --direction backward"),
        ({"num_gpus_per_actor": -1.0}, "--num-gpus-per-actor -1.0"),
        ({"device": "cpu", "num_gpus_per_actor": 1.0}, "0 with --device cpu"),
        ({"threads_per_actor": 0}, "--threads-per-actor 0"),
        ({"memory_every": 0}, "--memory-every 0"),
        ({"top_k": -1}, "--top-k -1"),
        ({"short_side": 8}, "--short-side 8"),
        ({"frames_per_shard": 0}, "--frames-per-shard 0"),
        ({"max_attempts": 0}, "--max-attempts 0"),
        ({"frames_per_second": 0}, "--frames-per-second 0.* is not usable; legal: more than 0"),
        ({"price_per_hour": -1}, "--price-per-hour -1.* is not usable; legal: more than 0"),
    ],
)
def test_options_that_are_not_usable(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SegmentConfig(manifest="m.csv", output="out", **options)  # type: ignore[arg-type]


def test_published_defaults_hold_where_nothing_is_given() -> None:
    config = SegmentConfig(manifest="m.csv", output="out", memory_every=3)
    stcn, stm = (config.propagation(tiny_model(kind)) for kind in ("stcn", "stm"))
    assert (stcn.top_k, stm.top_k) == (20, None)
    assert stm.include_last
    assert stm.memory_every == 3
    assert SegmentConfig(manifest="m.csv", output="out", short_side=0).propagation(tiny_model()).short_side is None


def test_a_networks_own_top_k_is_taken_where_none_is_given() -> None:
    mini = find_model("stcn-mini")
    assert SegmentConfig(manifest="m.csv", output="out").propagation(mini).top_k == mini.config.top_k == 5
    assert SegmentConfig(manifest="m.csv", output="out", top_k=0).propagation(mini).top_k is None


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (["segment"], 2, "Missing argument"),
        (["segment", "m.csv", "out", "--speed", "9"], 2, "No such option"),
        (["segment", "none.csv", "out"], 2, "none.csv does not exist"),
        (["segment", "{archive}/manifest.csv", "out", "--device", "tpu"], 2, "legal: auto, cpu, cuda"),
        (
            ["segment", "{archive}/manifest.csv", "out", "--top-k", "-1", "--actors", "0"],
            2,
            "--top-k -1 is not usable; legal: 1 or more; 0: all --actors 0 is not usable; legal: 1 or more",
        ),
        (["segment", "{archive}/manifest.csv", "out", "--model", "stcn-huge"], 2, "there is no file 'stcn-huge'"),
        (["plan", "{archive}/manifest.csv", "out", "--direction", "up"], 2, "--direction up is not usable"),
        (["plan", "{archive}/manifest.csv", "gopher://x/out"], 2, "legal: a local path, or a URL"),
        (["train", "model.pth"], 2, "legal: one that ends in .safetensors"),
        (["status", "nothing-here"], 2, "holds no run"),
        (["export", "nothing-here", "out", "--format", "xml"], 2, "legal: coco"),
    ],
)
def test_mistakes_are_explained(command: list[str], code: int, message: str, archive: Path, tmp_path: Path) -> None:
    result = stcn(*(part.format(archive=archive) for part in command), cwd=tmp_path)
    assert result.returncode == code
    assert message in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"config": 1}', b'{"config": {"speed": 9}}', b"\xff"])
def test_a_damaged_record_of_a_run_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UserError, match=f"{tmp_path}/run.json is damaged.*`stcn segment` writes it again"):
        read_config(str(tmp_path))


def test_record_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """`stcn retry` goes on with outputs of earlier versions, whose records lack options that came later."""
    options = {
        "manifest": "/data/m.csv", "output": "/data/out", "model": "stcn-mini", "model_sha256": None, "device": "auto",
        "precision": "float32", "actors": 2, "num_gpus_per_actor": None, "threads_per_actor": 1, "memory_every": 3,
        "top_k": 0, "include_last": None, "max_memory_frames": None, "memory_policy": "used", "direction": "both",
        "on_cut": "split", "cycle_check": True, "short_side": 240, "frames_per_shard": 4000, "max_attempts": 3,
        "max_failures": None, "strict": False, "max_pixels": 67108864, "max_frames": 1000000, "stall_seconds": 300.0,
        "max_video_seconds": 43200.0, "memory_per_actor": None, "allow": ["/data"], "single_writer": False,
        "storage_patience": 300.0,
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps({"config": options}))
    later: dict[str, object] = {"similarity": None, "verify_downloads": False, "compact_at_end": False}
    later |= {"compile": "auto", "clips_per_actor": "auto", "decoder": "auto"}
    later |= {"frames_per_second": None, "price_per_hour": None, "min_actors": None, "max_actors": None}
    rules = {"on_bad_frame": "refuse", "on_bad_annotation": "refuse", "overlap": "refuse"}
    assert read_config(str(tmp_path)).as_dict() == options | {"output": str(tmp_path)} | later | rules


@pytest.mark.parametrize("panel", ["Manifest", "Model", "Memory", "Videos", "Cluster", "Cost", "Failures", "Storage"])
def test_help_groups_the_options_of_a_run(panel: str) -> None:
    environment = {**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100"}
    assert f"─ {panel} ─" in stcn("segment", "--help", env=environment).stdout


@pytest.mark.parametrize("command", ["segment", "plan", "retry"])
def test_recheck_is_an_option_of_one_run(command: str) -> None:
    assert "--recheck " in stcn(command, "--help").stdout
    assert not {"recheck", "only", "redo"} & set(SegmentConfig(manifest="m.csv", output="o", recheck=True).as_dict())


def test_no_cluster_at_the_address_is_fatal(archive: Path, model_file: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "RAY_ADDRESS": "127.0.0.1:1"}
    command = ("segment", archive / "manifest.csv", tmp_path / "out", "--model", model_file)
    result = stcn(*command, env=environment)
    assert result.returncode == 1
    assert "fatal: no Ray cluster at RAY_ADDRESS=127.0.0.1:1" in result.stderr
    assert "Traceback" not in result.stderr


def test_plan_says_what_is_not_there(archive: Path, tmp_path: Path) -> None:
    rows = [("a", "a", "a"), ("b", "none", "b"), ("c", "none", "none")]
    lines = [f"{name},{archive}/videos/{video}.mp4,{archive}/prompts/{prompts}" for name, video, prompts in rows]
    (tmp_path / "m.csv").write_text("\n".join(["video_id,video,prompts", *lines]))
    options = ("--allow", archive, "--allow", tmp_path)
    planned = stcn("plan", tmp_path / "m.csv", tmp_path / "out", *options)
    assert planned.returncode == 0, planned.stderr
    told = [line.strip() for line in planned.stdout.splitlines() if "there is no" in line]
    assert told == ["b: there is no video", "c: there is no video and no prompts"]


def test_the_version() -> None:
    assert stcn("--version").stdout.strip() == version("stcn")
