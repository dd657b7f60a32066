"""Contradictions are refused, with the value and what is legal."""

import pytest

from stcn_core import ModelConfig, PropagationConfig
from tests.core.tiny import tiny_model


def test_published_defaults_of_each_network() -> None:
    stcn, stm = (PropagationConfig.for_model(tiny_model(kind)) for kind in ("stcn", "stm"))
    assert (stcn.memory_every, stcn.top_k, stcn.include_last) == (5, 20, False)
    assert (stm.memory_every, stm.top_k, stm.include_last) == (5, None, True)
    assert PropagationConfig.for_model(tiny_model("stm"), top_k=20).top_k == 20


@pytest.mark.parametrize(
    "options", [{"memory_every": 0}, {"top_k": 0}, {"short_side": 8}, {"key_batch": 0}, {"decode_batch": 0}]
)
def test_propagation_options_out_of_range(options: dict[str, int]) -> None:
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name}={value} is not usable; legal: at least"):
        PropagationConfig(**options)  # type: ignore[arg-type]


def test_unknown_options_are_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'topk'.*'top_k'"):
        PropagationConfig.for_model(tiny_model(), topk=3)


@pytest.mark.parametrize(
    "sizes",
    [
        {"key_width": 0},
        {"key_depths": (1, 2)},
        {"value_dim": 24},
        {"key_trunk": "vgg"},
        {"key_depths": (3, 4, 6), "key_trunk": "efficientnet-lite"},
    ],
)
def test_sizes_that_make_no_network(sizes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(sizes))):
        ModelConfig(**sizes)  # type: ignore[arg-type]
