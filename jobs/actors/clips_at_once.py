"""How many videos an actor segments at once."""

from typing import Literal

import torch

from jobs.actors.division import NodeShare

MOST = 8  # clips of five frames a call are 40 images: a batch from which a data centre's GPU is full
CLIPS_PER_THREAD = 2  # each decodes and encodes masks on the CPU; one core decodes 200 to 300 frames/s at 480p
GIB_PER_CLIP = 1.0  # of the host: decoded frames, masks, and room for a second clip that is fetched and opened


def clips_at_once(wanted: Literal["auto"] | int, device: torch.device, share: NodeShare) -> int:
    """What the user wants; auto: 1 on a CPU, whose cores a clip's batches fill, on a GPU by its cores and memory."""
    if wanted != "auto":
        return wanted
    if device.type == "cpu":
        return 1
    by_memory = MOST if share.memory_gib is None else int(share.memory_gib / GIB_PER_CLIP)
    return max(1, min(MOST, CLIPS_PER_THREAD * share.threads, by_memory))
