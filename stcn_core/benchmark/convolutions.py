"""The forms of a 3x3 convolution on this CPU, timed in turn: what `acceleration/convolution_choice` is written from."""

import torch
from torch import nn

from stcn_core.acceleration.allocator import keeping_freed_memory
from stcn_core.acceleration.convolution_choice import winograd_tile
from stcn_core.acceleration.inference import fastest_precision
from stcn_core.acceleration.winograd import POINTS, WinogradConv
from stcn_core.benchmark.measure import Run, in_turn, median_ratio

HEIGHT, WIDTH, FRAMES = 480, 864, 4
LAYERS = (  # input and output channels, and the stride of the map
    (64, 64, 4), (96, 96, 8), (128, 128, 4), (128, 128, 8), (192, 192, 8), (256, 256, 4), (256, 256, 8), (256, 256, 16),
    (512, 512, 8), (512, 512, 16), (1024, 512, 16),
)  # fmt: skip
TILES = {torch.float32: tuple(POINTS), torch.bfloat16: (4,)}  # in bfloat16 the larger tile rounds by 7 %
NOTED = 1.05  # a form that is chosen is behind if another is faster by more


@torch.inference_mode()
def compare_forms(device: torch.device, repeats: int) -> dict[str, float]:
    """Time each of `LAYERS` directly and by Winograd, in the CPU's fastest precision and in float32.

    Returns, for each layer and tile, how many times as fast as the direct form Winograd's is; where another form is
    faster than the one that the table chooses by more than `NOTED`, by how much; and how many such layers there are. On
    a GPU, where all convolutions are direct, nothing.
    """
    if device.type != "cpu":
        return {}
    figures: dict[str, float] = {}
    with keeping_freed_memory():  # as in propagation; without it large maps make Winograd look half as fast
        for precision in dict.fromkeys((fastest_precision(device), torch.float32)):
            for layer in LAYERS:
                figures |= _compare_layer(*layer, precision=precision, repeats=repeats)
    return {**figures, "layers_behind": float(sum(name.endswith("_behind") for name in figures))}


def _compare_layer(inputs: int, outputs: int, stride: int, *, precision: torch.dtype, repeats: int) -> dict[str, float]:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1).to(precision, memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(FRAMES, inputs, HEIGHT // stride, WIDTH // stride).relu().to(precision)
    x = x.contiguous(memory_format=torch.channels_last)
    forms: dict[int | None, nn.Module] = {None: conv, **{tile: WinogradConv(conv, tile) for tile in TILES[precision]}}
    runs: dict[str, Run] = {str(tile): lambda form=form: form(x) for tile, form in forms.items()}  # type: ignore[misc]
    in_turn(runs, 1, x.device)  # the first run of each takes memory
    seconds = in_turn(runs, repeats, x.device)
    name = f"{str(precision).removeprefix('torch.')}_{inputs}_to_{outputs}_at_{stride}"
    ratios = {tile: median_ratio(seconds["None"], seconds[str(tile)]) for tile in TILES[precision]}
    chosen = winograd_tile(inputs, outputs, precision)
    behind = max(1.0, *ratios.values()) / (1.0 if chosen is None else ratios[chosen])
    figures = {f"{name}_tile_{tile}": ratio for tile, ratio in ratios.items()}
    return {**figures, f"{name}_behind": behind} if behind > NOTED else figures
