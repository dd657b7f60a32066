"""Clips that are segmented once."""

from fractions import Fraction
from pathlib import Path

import pytest
import torch

from jobs.commands.archive import DrawnVideo
from stcn_core import for_inference, load_model
from tests.jobs.commands.outputs import segmented

SEEDS = (904, 907, 916, 911)  # of which two are held throughout, and two are lost
CLIPS = [
    DrawnVideo(video_id=f"clip{i}", seed=seed, frames=16, height=240, width=320, rate=Fraction(24), objects=1 + i % 2)
    for i, seed in enumerate(SEEDS)
]


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips with known masks, segmented by the shipped model: archive and out/. At 240p: below, it knows little."""
    torch.set_num_threads(1)
    return segmented(CLIPS, tmp_path_factory.mktemp("clips"), for_inference(load_model("stcn-mini"))).parent
