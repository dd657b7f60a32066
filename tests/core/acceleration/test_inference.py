"""The form for inference computes what the loaded network computes, and leaves that one as it was."""

import numpy as np
import pytest
import torch
from torch import nn

from stcn_core import PropagationConfig, load_model, propagate
from stcn_core.acceleration import inference
from stcn_core.acceleration.convolution_choice import WINOGRAD, FewestChannels, bfloat16_feature
from stcn_core.acceleration.inference import for_inference
from stcn_core.acceleration.winograd import WinogradConv
from stcn_core.models.network import Network
from tests.core import recipe
from tests.core.tiny import tiny_model


def probabilities(model: Network) -> np.ndarray:
    frames, labels = recipe.clip(4, 9, 40, 56, 3)
    config = PropagationConfig.for_model(model, short_side=None, memory_every=3)
    prompts = {0: np.where(labels[0] < 3, labels[0], 0), 4: np.where(labels[4] == 3, 3, 0)}
    results = list(propagate(model, frames, prompts, config=config, return_probabilities=True))
    return np.concatenate([result.probabilities.ravel() for result in results if result.probabilities is not None])


@pytest.mark.parametrize("kind", ["stcn", "stm"])
def test_form_for_inference_gives_equal_masks(kind: str) -> None:
    model = tiny_model(kind, torch.float64)
    before = probabilities(model)
    assert np.abs(probabilities(for_inference(model)) - before).max() < 1e-6  # returned in float32
    assert np.array_equal(probabilities(model), before)


def test_winograd_takes_the_wide_convolutions_of_objects_and_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WINOGRAD, (bfloat16_feature(), torch.float32), FewestChannels(8, None))
    model = tiny_model()
    fast = for_inference(model, torch.float32)
    names = {name for name, module in fast.named_modules() if isinstance(module, WinogradConv)}
    assert {"decoder.compress.conv1.own", "decoder.compress.conv1.shared", "decoder.up_8_4.skip_conv"} <= names
    assert "decoder.pred" not in names
    assert np.abs(probabilities(fast) - probabilities(model)).max() < 1e-4


def test_batch_norm_is_folded() -> None:
    assert not any(isinstance(module, nn.BatchNorm2d) for module in for_inference(tiny_model()).modules())


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_reduced_precision_keeps_keys_wide_and_masks_alike(precision: torch.dtype) -> None:
    model = load_model("stcn-mini")
    reduced = for_inference(model, precision)
    image = torch.rand(1, 3, 48, 64)
    query = reduced.encode_query(image.to(precision))
    assert (query.key.dtype, query.value.dtype) == (torch.float32, precision)
    assert (np.abs(probabilities(reduced) - probabilities(model)) < 0.1).mean() > 0.97


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": False, "avx512_f": True}, torch.float32),
    ],
)
def test_bfloat16_is_for_cpus_with_instructions_for_it(
    capabilities: dict[str, object], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert inference.fastest_precision(torch.device("cpu")) == expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # PyTorch before 2.10
    assert inference.fastest_precision(torch.device("cpu")) == torch.float32


@pytest.mark.parametrize(
    ("has_bfloat16", "capability", "expected"),
    [(True, (9, 0), torch.bfloat16), (False, (7, 5), torch.float16), (False, (6, 1), torch.float32)],
)
def test_a_gpu_without_bfloat16_takes_what_it_has_and_says_so(
    has_bfloat16: bool,
    capability: tuple[int, int],
    expected: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: has_bfloat16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    assert inference.fastest_precision(torch.device("cuda")) == expected
    said = [f"Tesla T4 has no bfloat16: the network computes in {str(expected)[6:]}"]
    assert caplog.messages == ([] if has_bfloat16 else said)


def test_a_model_in_training_is_refused() -> None:
    model = load_model("stcn-mini").train()
    with pytest.raises(AssertionError):
        for_inference(model)


def test_norms_are_folded_but_where_their_input_is_a_sum_of_convolutions() -> None:
    fast = for_inference(tiny_model("stm", torch.float64))
    left = [name for name, module in fast.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert left == ["Encoder_M.bn1"]


def test_a_network_that_amplifies_rounding_is_left_alone_in_float32() -> None:
    model = tiny_model("stm")
    assert np.array_equal(probabilities(for_inference(model, torch.float32)), probabilities(model))
