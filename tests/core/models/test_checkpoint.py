"""Every kind of checkpoint loads as it is; everything else is refused with what is wrong."""

import dataclasses
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from stcn_core import CheckpointError, ModelConfig, load_model, save_model
from stcn_core.config import Locality
from stcn_core.models.checkpoint import find_checkpoint, read_card, shipped_models
from stcn_core.models.network_registry import build_network
from stcn_core.models.stcn import STCN
from stcn_core.models.stm import STM, STM_PUBLISHED
from tests.core.conformance import published_state
from tests.core.tiny import STCN_SIZES, STM_SIZES, tiny_model

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def stcn_state() -> State:
    return published_state("stcn")


@pytest.fixture(scope="module")
def stm_state() -> State:
    return published_state("stm")


def saved(state: object, folder: Path, name: str = "model.pth") -> Path:
    torch.save(state, folder / name)
    return folder / name


def test_published_stcn_file_loads(stcn_state: State, tmp_path: Path) -> None:
    assert len(stcn_state) == 405
    model = load_model(saved(stcn_state, tmp_path))
    assert isinstance(model, STCN)
    assert model.config == ModelConfig()
    assert not model.training
    assert torch.equal(model.state_dict()["key_comp.weight"], stcn_state["key_comp.weight"])


def test_published_stm_file_loads(stm_state: State, tmp_path: Path) -> None:
    assert len(stm_state) == 558
    assert all(name.startswith("module.") for name in stm_state)
    model = load_model(saved(stm_state, tmp_path))
    assert isinstance(model, STM)
    assert model.config == STM_PUBLISHED


def test_network_nested_in_a_training_checkpoint_loads(stcn_state: State, tmp_path: Path) -> None:
    path = saved({"it": 150_000, "network": stcn_state, "optimizer": {"state": {}}}, tmp_path)
    assert load_model(path).config == ModelConfig()


def test_stage_0_file_ignores_other_objects(stcn_state: State) -> None:
    name = "value_encoder.conv1.weight"
    model = load_model({**stcn_state, name: stcn_state[name][:, :4].clone()})
    images = torch.rand(1, 3, 32, 48)
    query = model.encode_query(images)
    masks = torch.rand(1, 2, 32, 48)
    _, together = model.encode_memory(images, query, masks)
    _, alone = model.encode_memory(images, query, masks[:, :1])
    torch.testing.assert_close(together[:, :1], alone)


def test_stcn_without_cbam_loads(stcn_state: State) -> None:
    state = {name: tensor for name, tensor in stcn_state.items() if ".attention." not in name}
    assert load_model(state).config == ModelConfig(attention=False)


def test_file_without_batch_norm_counters_loads(stcn_state: State) -> None:
    state = {name: tensor for name, tensor in stcn_state.items() if "num_batches" not in name}
    model = load_model(state, dtype=torch.float64)
    assert model.encode_query(torch.rand(1, 3, 32, 32, dtype=torch.float64)).key.isfinite().all()


@pytest.mark.parametrize("kind", ["stcn", "stm"])
def test_our_own_file_keeps_sizes_similarity_and_card(kind: str, tmp_path: Path) -> None:
    model = tiny_model("stcn") if kind == "stcn" else STM(STM_SIZES)
    path = tmp_path / "own.safetensors"
    save_model(model, path, torch.float32, seed=7)
    loaded = load_model(path)
    assert loaded.config == model.config
    assert read_card(path) == {"seed": 7}
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


@pytest.mark.parametrize("depths", [(1, 2, 2, 3, 3), (1, 3, 3, 4, 4)])
def test_a_trunk_of_efficientnet_lite_is_read_off_the_entries(depths: tuple[int, ...], tmp_path: Path) -> None:
    config = dataclasses.replace(STCN_SIZES, key_trunk="efficientnet-lite", key_width=32, key_depths=depths)
    model = build_network(config)
    save_model(model, tmp_path / "lite.safetensors", torch.float32)
    loaded = load_model(tmp_path / "lite.safetensors")
    assert loaded.config == model.config
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_a_trunk_without_blocks_of_a_stage_is_refused_by_name() -> None:
    model = build_network(
        dataclasses.replace(STCN_SIZES, key_trunk="efficientnet-lite", key_width=32, key_depths=(1, 2, 2, 3, 3))
    )
    state = {
        name: tensor for name, tensor in model.state_dict().items() if not name.startswith("key_encoder.blocks.8.")
    }
    with pytest.raises(CheckpointError, match=r"missing: key_encoder\.blocks\.8\."):
        load_model(state)


@pytest.mark.heavy
def test_a_file_is_recognised_whatever_its_first_byte(tmp_path: Path) -> None:
    """It is the length of the header's low byte: 0x80 begins a pickle too, and 0x50 a zip."""
    path, config = tmp_path / "m.safetensors", tiny_model().config
    loaded = set[int]()
    for length in range(0, 256, 8):  # the header's length is a multiple of 8
        save_model(tiny_model(), path, padding="x" * length)
        with path.open("rb") as file:
            first_byte = file.read(1)[0]
        if first_byte in (0x80, 0x50) or not loaded:
            assert load_model(path).config == config
            loaded.add(first_byte)
    assert loaded >= {0x80, 0x50}


@pytest.mark.parametrize("locality", [None, Locality(0.1, 0.02)])
def test_how_memory_is_read_is_kept(locality: Locality | None, tmp_path: Path) -> None:
    config = ModelConfig(
        similarity="cosine", locality=locality, object_positions=locality and 7, top_k=locality and 6,
        key_width=4, value_width=4, key_dim=8, value_dim=16,
    )  # fmt: skip
    save_model(STCN(config), tmp_path / "cosine.safetensors")
    found = load_model(tmp_path / "cosine.safetensors").config
    assert (found.similarity, found.locality) == ("cosine", locality)
    assert (found.object_positions, found.top_k) == ((7, 6) if locality else (None, None))


def test_a_file_from_before_there_were_such_options_has_none(tmp_path: Path) -> None:
    model = tiny_model()
    saved = dataclasses.asdict(model.config)
    del saved["locality"], saved["object_positions"], saved["top_k"]
    metadata = {"stcn": json.dumps({"config": saved, "card": {}})}
    safetensors.torch.save_file(dict(model.state_dict()), tmp_path / "old.safetensors", metadata)
    found = load_model(tmp_path / "old.safetensors").config
    assert (found.locality, found.object_positions, found.top_k) == (None, None, None)


def test_the_shipped_model_is_found_by_name() -> None:
    assert "stcn-mini" in shipped_models()
    model = load_model("stcn-mini")
    assert sum(parameter.numel() for parameter in model.parameters()) <= 6e6
    assert find_checkpoint("stcn-mini").stat().st_size <= 13e6


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    victim = tmp_path / "executed"

    class Attack:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
            return open, (str(victim), "w")

    path = tmp_path / "attack.pth"
    torch.save({"key_encoder.conv1.weight": Attack()}, path)
    plain = tmp_path / "plain.pth"
    plain.write_bytes(pickle.dumps(Attack()))
    for file in (path, plain):
        with pytest.raises(CheckpointError, match="not a file of plain tensors"):
            load_model(file)
    assert not victim.exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut off", b"\x08\0\0\0\0\0\0\0{}      "])
def test_file_that_is_no_checkpoint_raises(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="Known kinds: STCN"):
        load_model(path)


def test_missing_and_unexpected_entries_are_named(stcn_state: State) -> None:
    state = {name: tensor for name, tensor in stcn_state.items() if name != "decoder.pred.weight"}
    state["surplus.weight"] = torch.zeros(1)
    state["decoder.pred.bias"] = torch.zeros(2)
    with pytest.raises(CheckpointError) as error:
        load_model(state)
    message = str(error.value)
    assert "1 missing: decoder.pred.weight" in message
    assert "1 unexpected: surplus.weight" in message
    assert "decoder.pred.bias (2,) for (1,)" in message
    assert "Known kinds: STCN" in message


def test_checkpoint_of_an_unknown_network_raises() -> None:
    with pytest.raises(CheckpointError, match=r"no known network; known: stcn, stm; it begins \['fc\.weight"):
        load_model({"fc.weight": torch.zeros(3, 3)})
    with pytest.raises(CheckpointError, match="expected a mapping from names to tensors"):
        load_model({"epoch": 3})  # type: ignore[dict-item]


def test_unknown_model_name_raises() -> None:
    with pytest.raises(FileNotFoundError, match="stcn-mini"):
        load_model("stcn-huge")


def test_memory_is_read_by_another_similarity_where_one_is_asked_for(stcn_state: State, tmp_path: Path) -> None:
    assert load_model(stcn_state, similarity="cosine").config == ModelConfig(similarity="cosine")
    save_model(tiny_model(), tmp_path / "own.safetensors")
    assert load_model(tmp_path / "own.safetensors", similarity="dot").config.similarity == "dot"
    with pytest.raises(ValueError, match="similarity='l1' is not usable; legal: l2, cosine, dot"):
        load_model(stcn_state, similarity="l1")
