"""How videos are decoded for the device that segments them."""

from functools import partial

import torch

from jobs.inputs.videos.decoding import Decoding
from stcn_core.transfers import page_locked


def decoding_for(device: torch.device) -> Decoding:
    """A GPU gets planes in page-locked memory, and converts them itself; a CPU gets RGB, which FFmpeg makes faster.

    At 480p FFmpeg converts a frame in a fifth of a millisecond, and PyTorch on a CPU in some. A file is decoded by as
    many threads as PyTorch has, which are the actor's share of its machine.
    """
    if device.type == "cpu":
        return Decoding(threads=torch.get_num_threads())
    return Decoding(as_planes=True, allocate=partial(page_locked, device=device), threads=torch.get_num_threads())
