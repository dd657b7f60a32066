"""How videos are decoded for the device that segments them."""

from functools import partial

import torch

from jobs.inputs.videos.decoding import Decoder, Decoding
from jobs.inputs.videos.nvdec import why_unavailable
from stcn_core.transfers import page_locked

MOST_THREADS = 16  # for a file; FFmpeg warns of more


def decoding_for(device: torch.device, decoder: Decoder = "auto", *, files: int = 1) -> Decoding:
    """How videos are decoded, `files` of them at a time.

    A GPU gets planes in page-locked memory, and converts them itself. A CPU gets RGB: for a frame of 480p it takes
    FFmpeg 0.2 ms and PyTorch 1.2, and PyTorch alone 4.7 from planes. A file is decoded by as many threads as PyTorch
    has, which are the actor's share of its machine.

    decoder: "cuda" or "auto" for a GPU's decoder where there is one and it suits the file. Raises ValueError for "cuda"
    where none can work.
    """
    threads = min(MOST_THREADS, max(1, torch.get_num_threads() // files))
    cores = min(torch.get_num_threads(), files * threads)
    if decoder == "cuda" and (reason := "the network runs on the CPU" if device.type == "cpu" else why_unavailable()):
        raise ValueError(f"--decoder cuda is not usable: {reason}; legal here: auto, cpu")
    if device.type == "cpu":
        return Decoding(threads=threads)
    return Decoding(True, partial(page_locked, device=device), threads, decoder, cores)
