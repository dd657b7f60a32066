"""Clips in several threads have the settings of their network, and the process has its own back after the last."""

import torch

from stcn_core.acceleration.float32_products import float32_products

CUDA = torch.device("cuda")


def settings() -> tuple[str, bool]:
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


def test_settings_are_put_back_by_the_last_of_those_that_overlap() -> None:
    before = settings()
    first, second = (float32_products(CUDA, torch.bfloat16) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert settings() == ("high", True)
    second.__exit__(None, None, None)
    assert settings() == before


def test_a_cpu_has_nothing_to_set() -> None:
    before = settings()
    with float32_products(torch.device("cpu"), torch.bfloat16):
        assert settings() == before
