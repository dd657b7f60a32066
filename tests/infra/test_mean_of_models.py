"""infra/model/mean_of_models.py, which made the model that training of the shipped one started from."""

import runpy
from dataclasses import replace
from pathlib import Path

import torch

from stcn_core.config import Locality
from stcn_core.models.checkpoint import build_like
from stcn_core.models.stcn import STCN_MINI
from tests.core.tiny import tiny_model

SCRIPT = Path(__file__).parents[2] / "infra/model/mean_of_models.py"


def test_weights_and_statistics_are_averaged_but_counters_are_not() -> None:
    one = tiny_model()
    state = {name: 3 * tensor + 2 for name, tensor in one.state_dict().items()}
    mean = runpy.run_path(str(SCRIPT))["mean"]([one, build_like(one, state)]).state_dict()
    for name, tensor in one.state_dict().items():
        expected = 2 * tensor + 1 if tensor.is_floating_point() else state[name]
        torch.testing.assert_close(mean[name], expected)


def test_mean_model_has_current_read_options_of_mini() -> None:
    before = replace(STCN_MINI, locality=Locality(0.3, 0.1), top_k=None, object_positions=None)
    assert runpy.run_path(str(SCRIPT))["read_as_today"](before) == STCN_MINI
