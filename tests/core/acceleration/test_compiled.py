"""Compiled steps: ten graphs serve every clip, masks stay, and whatever cannot be compiled runs as it is."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stcn_core import Network, PropagationConfig, load_model, propagate
from stcn_core.acceleration.compiled import compiled
from stcn_core.acceleration.inference import folded, for_inference
from stcn_core.models.network import Query
from stcn_core.models.stcn import STCN
from tests.core.clips import noisy_clip
from tests.core.tiny import STCN_SIZES, tiny_model
from tests.lengths import short_and_long

Graph = Callable[..., Sequence[Tensor]]
HALF = torch.bfloat16
TINY = {"size": (48, 64), "frames": (5,), "objects": (3,)}
CLIPS = [  # frames, height, width, objects
    (17, 70, 90, 2),
    (6, 90, 90, 1),
    (7, 64, 100, 5),
    (3, 200, 180, 1),
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"memory_every": 1, "direction": "both"},
    {"include_last": True, "key_batch": 1, "decode_batch": 1},
]
pytestmark = pytest.mark.heavy  # PyTorch traces a graph for a second or more
PRECISION = {"stcn": torch.float64, "stcn-mini": HALF}
DIFFERENCE = {"stcn": 1e-9, "stcn-mini": 0.02}  # of values, by their norm
needs_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="PyTorch compiles for a CPU with g++")


@pytest.fixture(autouse=True)
def _no_graphs_of_others() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Compiler:
    """A backend that compiles nothing, and counts."""

    def __init__(self) -> None:
        self.graphs = self.calls = 0
        self.fails_at: int | None = None  # a call for which memory does not suffice

    def __call__(self, graph: torch.fx.GraphModule, inputs: Sequence[Tensor]) -> Graph:
        self.graphs += 1

        def run(*arguments: Any) -> Sequence[Tensor]:
            self.calls += 1
            if self.calls == self.fails_at:
                raise torch.OutOfMemoryError("the GPU is full")
            return graph.forward(*arguments)  # type: ignore[no-any-return]

        return run


def labels(model: Network, clip: tuple[int, int, int, int], **options: Any) -> np.ndarray:
    frames, truth = noisy_clip(3, *clip)
    prompts = {0: truth[0], 2: truth[2]}
    config = PropagationConfig.for_model(model, **options)
    return np.stack([result.labels for result in propagate(model, frames, prompts, config=config)])


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Warnings of the core; PyTorch's own log is full."""
    return [record.getMessage() for record in caplog.records if record.name == "stcn_core"]


@short_and_long("kind", short=["stcn"], long=["stm"])
def test_ten_graphs_serve_clips_of_all_lengths_sizes_and_objects(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    model, compiler = folded(tiny_model(kind), HALF), Compiler()
    network = compiled(model, size=(48, 64), backend=compiler)
    assert compiler.graphs == 10
    for clip in CLIPS:
        for options in OPTIONS:
            before = compiler.calls
            np.testing.assert_array_equal(labels(network, clip, **options), labels(model, clip, **options))
            assert compiler.calls - before > clip[0] / 2
    assert compiler.graphs == 10
    assert not told(caplog)  # no call ran uncompiled


def memories_differ_by(network: Network, model: Network) -> float:
    """Of five frames at once: propagation memorises one, for which that test compiles nothing."""
    dtype = next(model.parameters()).dtype
    with torch.inference_mode():
        images = torch.rand(5, 3, 96, 160).to(dtype)
        query, masks = model.encode_query(images), torch.rand(5, 3, 96, 160).to(torch.promote_types(dtype, torch.float))
        found, expected = (one.encode_memory(images, query, masks)[1].double() for one in (network, model))
    return float((found - expected).norm() / expected.norm())


@needs_compiler
@short_and_long("kind", short=["stcn"], long=["stcn-mini"])
def test_masks_of_fused_kernels_are_equal_up_to_rounding_and_the_kernels_are_kept(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    """Random weights show each bit of bfloat16: the tiny network computes in float64."""
    model = folded(tiny_model(dtype=torch.float64) if kind == "stcn" else load_model(kind), PRECISION[kind])
    network = compiled(model, size=(96, 160), frames=(5,), objects=(3,))
    assert network is not model
    assert memories_differ_by(network, model) <= DIFFERENCE[kind]
    clip = (16, 96, 160, 3)
    assert np.mean(labels(network, clip) == labels(model, clip)) >= 0.999
    torch._dynamo.reset()  # as another process begins
    counters = torch._dynamo.utils.counters["inductor"]
    counters.clear()
    assert compiled(model, size=(96, 160), frames=(5,), objects=(3,)) is not model
    assert (counters["fxgraph_cache_hit"], counters["fxgraph_cache_miss"]) == (3, 0)


def test_a_call_that_no_graph_serves_runs_uncompiled_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    model, compiler = folded(tiny_model(), HALF), Compiler()
    network, clip = compiled(model, **TINY, backend=compiler), (12, 16, 60, 3)  # type: ignore[arg-type]
    np.testing.assert_array_equal(labels(network, clip), labels(model, clip))
    assert compiler.graphs == 3
    messages = told(caplog)
    assert sorted(message.split()[0] for message in messages) == ["encode_memory", "encode_query", "segment"]
    assert all("runs uncompiled: no graph serves it" in message for message in messages)


def test_a_compiler_that_fails_leaves_the_network_as_it_is_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    def backend(graph: torch.fx.GraphModule, inputs: Sequence[Tensor]) -> Graph:
        raise OSError("no space left on device")

    model = folded(tiny_model(), HALF)
    assert compiled(model, **TINY, backend=backend) is model  # type: ignore[arg-type]
    (message,) = told(caplog)
    assert message.startswith("the network runs uncompiled, which is slower: ")
    assert "no space left on device" in message
    assert "\n" not in message


class Waiting(STCN):
    """It looks at a value, so it is more than one graph."""

    def segment(self, readout: Tensor, query: Query) -> Tensor:
        return super().segment(readout * 2 if float(readout.sum()) > 1e9 else readout, query)


def test_a_network_that_is_not_one_graph_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    model = folded(Waiting(STCN_SIZES).eval(), HALF)
    assert compiled(model, **TINY, backend="eager") is model  # type: ignore[arg-type]
    assert len(told(caplog)) == 1


def test_a_network_that_amplifies_rounding_is_compiled_in_half_precision_alone() -> None:
    exact, compiler = for_inference(tiny_model("stm"), torch.float32), Compiler()
    assert compiled(exact, **TINY, backend=compiler) is exact  # type: ignore[arg-type]
    assert compiler.graphs == 0


def test_a_compiled_network_has_the_traits_and_parameters_of_its_network() -> None:
    model = folded(tiny_model("stm"), HALF)
    network = compiled(model, **TINY, backend="eager")  # type: ignore[arg-type]
    assert isinstance(network, Network)
    assert network is not model
    traits = ("memorises_padding", "memorises_prompt_exactly", "keys_from_image", "amplifies_rounding")
    assert [getattr(network, trait) for trait in traits] == [getattr(model, trait) for trait in traits]
    assert network.published_options == model.published_options
    assert list(network.parameters()) == list(model.parameters())
    assert network.config is model.config
    assert network.propagation_defaults == model.propagation_defaults
    assert network.key_projections() == model.key_projections()
    assert not network.training


def test_memory_that_runs_out_in_a_graph_halves_the_batch(caplog: pytest.LogCaptureFixture) -> None:
    model, compiler = folded(tiny_model(dtype=torch.float64), torch.float64), Compiler()
    network = compiled(model, size=(48, 64), objects=(1,), backend=compiler)
    compiler.fails_at = compiler.calls + 1
    clip = (17, 70, 90, 1)
    assert np.mean(labels(network, clip) == labels(model, clip)) >= 0.999
    assert told(caplog) == ["out of GPU memory: encoding goes on in batches of 8"]
