"""The tiled memory read is the plain one, however the tiles fall."""

import pytest
import torch

from stcn_core.memory import top_k
from stcn_core.memory.affinity import affinity, readout, similarity

CK, CV, Q = 8, 5, 30


@pytest.fixture(params=[(16_384, 32, 128), (96, 4, 7), (100, 3, 30), (33, 2, 1)], ids=str)
def _tiling(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    tile, block, queries = request.param
    monkeypatch.setattr(top_k, "TILE_POSITIONS", tile)
    monkeypatch.setattr(top_k, "BLOCK_POSITIONS", block)
    monkeypatch.setattr(top_k, "QUERIES_PER_TILE", {"cpu": queries})


def tensors(key_sets: int, objects: int, positions: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(positions)
    shapes = (key_sets, CK, positions), (objects, positions, CV), (CK, Q)
    keys, values, query = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return keys, values, query


@pytest.mark.usefixtures("_tiling")
@pytest.mark.parametrize("name", ["l2", "dot", "cosine"])
@pytest.mark.parametrize(("key_sets", "objects"), [(1, 1), (1, 3), (3, 3)])
@pytest.mark.parametrize("positions", [3, 20, 101, 500])
def test_tiled_read_equals_the_plain_read(name: str, key_sets: int, objects: int, positions: int) -> None:
    keys, values, query = tensors(key_sets, objects, positions)
    expected = readout(affinity(similarity(keys, query, name), 20), values.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(top_k.read_top_k(keys, values, query, similarity_name=name, k=20), expected)


@pytest.mark.usefixtures("_tiling")
@pytest.mark.parametrize("distinct", [1, 5, 40])
def test_among_equal_similarities_any_k_may_be_read(distinct: int) -> None:
    """Frames in which nothing moves have equal keys: the k largest similarities are what is certain."""
    keys, _, query = tensors(1, 1, distinct)
    keys = keys.repeat(1, 1, 12)[..., torch.randperm(12 * distinct, generator=torch.Generator().manual_seed(0))]
    scores, positions = top_k.most_similar(keys, query, "l2", k=20)
    plain = similarity(keys, query, "l2").transpose(1, 2)
    torch.testing.assert_close(scores, plain.gather(-1, positions))
    expected = plain.topk(min(20, 12 * distinct)).values
    torch.testing.assert_close(scores.sort(descending=True).values, expected)
    assert all(len(set(row)) == len(row) for row in positions[0].tolist())
