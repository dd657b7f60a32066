"""The table of forms: what each kind of CPU gets for each layer."""

import pytest
import torch

from stcn_core.acceleration.convolution_choice import WINOGRAD, FewestChannels, winograd_tile

XEON, ZEN_4, AMX = {"avx512_f": True}, {"avx512_bf16": True}, {"amx_bf16": True, "avx512_bf16": True}
BFLOAT16, FLOAT32 = torch.bfloat16, torch.float32


@pytest.mark.parametrize(
    ("cpu", "precision", "channels", "tile"),
    [
        (XEON, FLOAT32, (512, 256), 6),
        (XEON, FLOAT32, (255, 512), 4),
        (XEON, FLOAT32, (512, 95), None),
        (XEON, BFLOAT16, (512, 512), None),
        (ZEN_4, FLOAT32, (256, 192), 6),
        (ZEN_4, BFLOAT16, (512, 512), 4),
        (ZEN_4, BFLOAT16, (127, 512), None),
        (AMX, BFLOAT16, (512, 512), None),
        (AMX, FLOAT32, (512, 512), 6),
        (ZEN_4, torch.float64, (512, 512), None),
    ],
)
def test_a_layer_gets_the_form_that_is_fastest_on_its_kind_of_cpu(
    cpu: dict[str, object],
    precision: torch.dtype,
    channels: tuple[int, int],
    tile: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: cpu)
    assert winograd_tile(*channels, precision) == tile


def test_before_pytorch_says_what_a_cpu_has_it_gets_what_every_cpu_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    monkeypatch.setitem(WINOGRAD, (None, FLOAT32), FewestChannels(7, None))
    assert (winograd_tile(7, 7, FLOAT32), winograd_tile(6, 7, FLOAT32)) == (4, None)


def test_bfloat16_never_gets_the_tile_that_rounds_too_much() -> None:
    assert {fewest.tile_6 for (_, precision), fewest in WINOGRAD.items() if precision == BFLOAT16} == {None}
