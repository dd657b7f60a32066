"""The memory read, against the equations written out."""

import math

import pytest
import torch

from stcn_core.memory.affinity import affinity, readout, similarity

C, N, Q = 6, 9, 4


@pytest.fixture
def keys() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(C, N, generator=generator), torch.randn(C, Q, generator=generator)


@pytest.mark.parametrize("name", ["dot", "l2", "cosine"])
def test_similarity_matches_the_papers_equation(keys: tuple[torch.Tensor, torch.Tensor], name: str) -> None:
    """Up to a constant of each query position, which the softmax does not see."""
    memory, query = keys
    found = similarity(memory, query, name)
    expected = torch.empty(N, Q)
    for n in range(N):
        for q in range(Q):
            m, k = memory[:, n], query[:, q]
            values = {
                "dot": (m @ k) / math.sqrt(C),
                "l2": -((m - k) ** 2).sum() / math.sqrt(C),
                "cosine": (m @ k) / (m.norm() * k.norm()) * math.sqrt(C),
            }
            expected[n, q] = values[name]
    torch.testing.assert_close(found.softmax(0), expected.softmax(0))
    if name != "l2":
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("top_k", [None, 1, 3, N, N + 5])
def test_affinity_is_a_softmax_over_the_most_similar(top_k: int | None) -> None:
    scores = torch.randn(N, Q, generator=torch.Generator().manual_seed(1))
    weights = affinity(scores, top_k)
    torch.testing.assert_close(weights.sum(0), torch.ones(Q))
    for q in range(Q):
        chosen = scores[:, q].sort(descending=True).indices[: top_k or N]
        torch.testing.assert_close(weights[chosen, q], scores[chosen, q].softmax(0))
        assert (weights[:, q] > 0).sum() == min(top_k or N, N)


def test_readout_averages_values() -> None:
    value = torch.randn(2, 5, N)
    weights = torch.zeros(N, Q)
    weights[3, 0] = weights[7, 1] = 1
    weights[[2, 4], 2] = 0.5
    read = readout(weights, value)
    torch.testing.assert_close(read[..., 0], value[..., 3])
    torch.testing.assert_close(read[..., 1], value[..., 7])
    torch.testing.assert_close(read[..., 2], (value[..., 2] + value[..., 4]) / 2)
    assert not read[..., 3].any()
