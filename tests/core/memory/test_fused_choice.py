"""The kernels of a GPU are tried once a process, however many clips read at the same time."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from stcn_core.memory import fused_choice


def test_clips_that_begin_together_wait_for_one_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = []

    def trial(*arguments: object, **options: object) -> float:
        trials.append(1)
        time.sleep(0.05)
        return 0.0

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(fused_choice, "trial", trial)
    monkeypatch.setitem(sys.modules, "stcn_core.memory.fused_read", SimpleNamespace(read_fused=print))
    keys: Any = SimpleNamespace(device=torch.device("cuda"), dtype=torch.float32, shape=(1, 8, 4))
    values: Any = SimpleNamespace(dtype=torch.bfloat16, shape=(1, 4, 16))

    def choose(_: int) -> object:
        return fused_choice.fused_read_of(keys, values, similarity_name="l2", k=7, is_local=False)

    fused_choice._tried.cache_clear()
    with ThreadPoolExecutor(4) as threads:
        chosen = list(threads.map(choose, range(4)))
    fused_choice._tried.cache_clear()
    assert len(trials) == 1
    assert all(chosen)
