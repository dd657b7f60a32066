"""What propagation launches again and again compiles as one graph each, so nothing of it waits for a value."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from stcn_core import masks
from stcn_core.acceleration.inference import folded
from stcn_core.config import Locality
from stcn_core.memory.locality import locality_prior
from stcn_core.memory.read import read_frames, read_memory
from stcn_core.models.network import Network
from stcn_core.propagation.full_size import planes_at_full_size
from stcn_core.propagation.results import FramePlanes
from tests.core.tiny import tiny_model

KINDS = ["stcn", "stm"]
SIMILARITIES = ["l2", "cosine", "dot"]


@pytest.fixture(autouse=True)
def _no_graphs_of_others() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiled(function: Callable[..., object]) -> Callable[..., object]:
    """Raises where the function is not one graph."""
    return torch.compile(function, fullgraph=True, backend="eager")


def equal_compiled(function: Callable[..., object], *arguments: object) -> None:
    with torch.no_grad():
        torch.testing.assert_close(compiled(function)(*arguments), function(*arguments))


def model(kind: str) -> Network:
    return folded(tiny_model(kind), torch.bfloat16)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_encoder_is_one_graph(kind: str) -> None:
    network = model(kind)

    def encode(images: Tensor) -> list[Tensor]:
        return list(vars(network.encode_query(network.preprocess(images).bfloat16())).values())

    equal_compiled(encode, torch.rand(2, 3, 40, 56))


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_encoder_is_one_graph(kind: str) -> None:
    network, images = model(kind), torch.rand(1, 3, 48, 64).bfloat16()
    query = network.encode_query(images)
    equal_compiled(lambda planes: network.encode_memory(images, query, planes), torch.rand(1, 2, 48, 64))


@pytest.mark.parametrize("kind", KINDS)
def test_a_decoder_with_aggregation_is_one_graph(kind: str) -> None:
    network = model(kind)
    query = network.encode_query(torch.rand(2, 3, 48, 64).bfloat16())
    readout = torch.rand(2, 3, 16, 3, 4).bfloat16()
    equal_compiled(lambda read: masks.aggregate(network.segment(read, query)), readout)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("top_k", [5, None])
@pytest.mark.parametrize("local", [False, True])
def test_a_memory_read_is_one_graph(similarity: str, top_k: int | None, local: bool) -> None:
    def read(keys: Tensor, values: Tensor, query: Tensor, ages: Tensor) -> Tensor:
        priors = locality_prior(Locality(0.06, 0.02), ages, 3, width=4) if local else None
        return read_frames(
            read_memory, keys, values, query=query, similarity_name=similarity, top_k=top_k, attention_received=None,
            priors=priors,
        )  # fmt: skip

    equal_compiled(
        read, torch.rand(1, 8, 24), torch.rand(2, 24, 16), torch.rand(8, 24), torch.tensor([[5.0, 3.0], [4.0, 2.0]])
    )


@pytest.mark.parametrize("objects", [1, 3])
def test_results_are_one_graph(objects: int) -> None:
    def described(planes: Tensor) -> tuple[Tensor, ...]:
        block = [FramePlanes(index, tuple(range(objects, 0, -1)), planes[index], (40, 60)) for index in range(2)]
        _, full = planes_at_full_size(block, None)
        winner, margin = masks.winners(full)
        return winner, masks.mean_inside(margin, winner, objects), masks.stability(full, winner, margin)

    equal_compiled(described, masks.aggregate(torch.rand(2, objects, 20, 30)))


def test_a_value_taken_off_the_device_breaks_the_graph() -> None:
    def waits(planes: Tensor) -> Tensor:
        return planes if float(planes.sum()) > 1 else -planes

    with pytest.raises(torch._dynamo.exc.TorchDynamoException):
        compiled(waits)(torch.rand(4))
