"""A network is one file and one line: this file's network saves, loads, propagates and trains like the rest.

Its keys are mean colours of 16 x 16 pixels, its values the masks' own pixels: each position copies the mask of the
most similar colour in memory. Shapes: B images, O objects, H x W pixels, h x w = H/16 x W/16.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jobs.inputs.model_file import find_model
from jobs.training.initial_model import initial_network
from jobs.training.recipe import Recipe, Stage
from stcn_core import CheckpointError, Network, PropagationConfig, for_inference, load_model, propagate, save_model
from stcn_core.config import ModelConfig
from stcn_core.masks import Padding
from stcn_core.models.kind import NetworkKind, State
from stcn_core.models.network import Query
from stcn_core.models.network_registry import NETWORKS, build_network, presets, recognise, register_network
from stcn_core.models.stcn import STCN_KIND
from stcn_core.training.trainer import Schedule, Trainer
from tests.core.training.tiny import batch


@dataclass(frozen=True, kw_only=True)
class ColourConfig(ModelConfig):
    """Sizes of its own: a network's file may extend ModelConfig."""

    network: str = "colour"
    key_dim: int = 3
    value_dim: int = 256
    levels: int = 1  # of colours that are scaled


class ColourNetwork(Network):
    """Nearest neighbour by mean colour."""

    keys_from_image = True
    published_options = MappingProxyType({"top_k": 1, "memory_every": 2})

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        assert isinstance(config, ColourConfig)
        self.colour_scale = nn.Parameter(torch.ones(config.levels, config.key_dim))

    def preprocess(self, images: Tensor) -> Tensor:
        return Padding.to_stride(*images.shape[-2:]).add(images)

    def encode_query(self, images: Tensor) -> Query:
        key = F.avg_pool2d(images.float(), 16) * 100 * self.colour_scale.prod(0)[:, None, None]  # B, 3, h, w
        return Query(key=key, value=key, f16=key, f8=key, f4=key)

    def key_projections(self) -> list[nn.Module]:
        return []

    def encode_memory(self, images: Tensor, query: Query, masks: Tensor) -> tuple[Tensor, Tensor]:
        return query.key[:, None], F.pixel_unshuffle(
            masks[:, :, None].contiguous(), 16
        )  # B, 1, 3, h, w; B, O, 256, h, w

    def segment(self, readout: Tensor, query: Query) -> Tensor:
        return F.pixel_shuffle(readout, 16).squeeze(2).float().clamp(0, 1)  # B, O, H, W


def _infer_config(state: State) -> ColourConfig:
    levels, key_dim = state["colour_scale"].shape
    return ColourConfig(levels=levels, key_dim=key_dim)


COLOUR_KIND = NetworkKind(
    name="colour",
    build=ColourNetwork,
    marker_entry="colour_scale",
    infer_config=_infer_config,
    published_files="colour (no files are published)",
    presets={"colour": ColourConfig(levels=2)},
)


@pytest.fixture
def registered() -> Iterator[None]:
    """The network is known for the length of a test."""
    register_network(COLOUR_KIND)
    yield
    NETWORKS.remove(COLOUR_KIND.name)


def moving_square() -> tuple[np.ndarray, np.ndarray]:
    """A square of three shades that moves 16 pixels a frame over black, and its label maps."""
    frames, labels = np.zeros((6, 64, 128, 3), np.uint8), np.zeros((6, 64, 128), np.uint8)
    for index in range(6):
        place = np.s_[index, 16:48, 16 * index : 16 * index + 32]
        frames[place] = (200, 50, 20)
        labels[place] = 7
    return frames, labels


def masks(model: Network) -> np.ndarray:
    frames, labels = moving_square()
    config = PropagationConfig.for_model(model)
    return np.stack([result.labels for result in propagate(model, frames, {0: labels[0]}, config=config)])


@pytest.mark.usefixtures("registered")
def test_a_saved_file_is_recognised_and_its_network_propagates_with_its_own_defaults(tmp_path: Path) -> None:
    model = build_network(ColourConfig(levels=3))
    save_model(model, tmp_path / "colour.safetensors")
    loaded = load_model(tmp_path / "colour.safetensors")
    assert isinstance(loaded, ColourNetwork)
    assert loaded.config == model.config
    config = PropagationConfig.for_model(loaded, key_batch=3)
    assert (config.top_k, config.memory_every, config.include_last, config.key_batch) == (1, 2, False, 3)
    assert np.array_equal(masks(loaded), moving_square()[1])


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_form_for_inference_gives_the_same_masks(precision: torch.dtype) -> None:
    model = build_network(presets()["colour"]).eval().requires_grad_(False)
    assert np.array_equal(masks(for_inference(model, precision)), moving_square()[1])


@pytest.mark.usefixtures("registered")
def test_runs_and_recipes_find_a_registered_network(tmp_path: Path) -> None:
    recipe = Recipe(network="colour", similarity="cosine", stages=(Stage(steps=1, learning_rate=0.1),))
    model, taken = initial_network(recipe, "", seed=0)
    assert (type(model), taken) == (ColourNetwork, {})
    assert model.config == replace(presets()["colour"], similarity="cosine")
    save_model(model, tmp_path / "colour.safetensors")
    file = find_model(str(tmp_path / "colour.safetensors"))
    assert (file.config, PropagationConfig.for_model(file).top_k) == (model.config, 1)


def test_a_network_that_is_not_registered_trains_by_the_losses_that_its_traits_allow() -> None:
    trainer = Trainer(ColourNetwork(ColourConfig()), Schedule(steps=2, learning_rate=0.01, warmup=1, weight_decay=0))
    assert {"carried", "surface", "cross_entropy"} <= trainer.train_step(batch()).keys()
    trainer.train_step(batch(1))
    assert not torch.equal(trainer.averaged_model().state_dict()["colour_scale"], torch.ones(1, 3))


@pytest.mark.usefixtures("registered")
def test_unknown_networks_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        ValueError,
        match="network='xmem' is not usable; legal: stcn, stm, colour, and what",
    ):
        build_network(ModelConfig(network="xmem"))
    with pytest.raises(CheckpointError, match=r"known: stcn, stm, colour; .*Known kinds: .*colour \(no files"):
        load_model({"fc.weight": torch.zeros(3, 3)})


def test_a_file_of_a_network_that_is_not_registered_here_says_which_it_was(tmp_path: Path) -> None:
    save_model(ColourNetwork(ColourConfig()), tmp_path / "colour.safetensors")
    with pytest.raises(CheckpointError, match=r"no known network \(saved as 'colour'\); known: stcn, stm"):
        load_model(tmp_path / "colour.safetensors")


@pytest.mark.usefixtures("registered")
def test_a_variant_is_recognised_before_the_network_whose_entries_it_shares() -> None:
    register_network(replace(COLOUR_KIND, name="shaded", marker_entry="shade.weight", presets={}))
    scale = torch.ones(1, 3)
    found = [recognise(state) for state in ({"colour_scale": scale, "shade.weight": scale}, {"colour_scale": scale})]
    NETWORKS.remove("shaded")
    assert [kind and kind.name for kind in found] == ["shaded", "colour"]


@pytest.mark.usefixtures("registered")
def test_names_of_built_in_networks_and_of_their_presets_stay_theirs() -> None:
    register_network(COLOUR_KIND)
    assert NETWORKS.entries().count(COLOUR_KIND) == 1
    with pytest.raises(ValueError, match="network='stcn' is built in and stays as it is"):
        register_network(replace(COLOUR_KIND, name="stcn", presets={}))
    with pytest.raises(ValueError, match=r"presets \['mini'\] are taken; .*'colour'"):
        register_network(replace(COLOUR_KIND, name="tiny", presets={"mini": ModelConfig(network="tiny")}))
    assert NETWORKS["stcn"] is STCN_KIND


def test_a_preset_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"presets of network 'shaded' name another network: \{'colour': 'colour'\}"):
        replace(COLOUR_KIND, name="shaded")
