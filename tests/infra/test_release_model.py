"""infra/model/release_model.py, which writes the file of the model that ships."""

import csv
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stcn_core.config import Locality
from stcn_core.models.checkpoint import build_like, read_card
from stcn_core.models.stcn import STCN_LITE
from tests.core.tiny import tiny_model

PROJECT = Path(__file__).parents[2]
RELEASE = runpy.run_path(str(PROJECT / "infra/model/release_model.py"))


def test_weights_and_statistics_are_averaged_but_counters_are_not() -> None:
    one = tiny_model()
    state = {name: 3 * tensor + 2 for name, tensor in one.state_dict().items()}
    mean = RELEASE["mean"]([one, build_like(one, state)]).state_dict()
    for name, tensor in one.state_dict().items():
        expected = 2 * tensor + 1 if tensor.is_floating_point() else state[name]
        torch.testing.assert_close(mean[name], expected)


def test_a_released_model_has_the_current_read_options_of_lite() -> None:
    before = replace(STCN_LITE, locality=Locality(0.3, 0.1), top_k=None, object_positions=None)
    assert RELEASE["read_as_today"](before) == STCN_LITE


def test_the_shipped_card_names_all_data_and_their_licences() -> None:
    assert read_card("stcn-mini")["data"] == RELEASE["data_sources"]()


@pytest.mark.parametrize("source", RELEASE["data_sources"](), ids=lambda source: source["name"])
def test_the_page_of_the_model_names_all_data_and_their_licences(source: dict[str, str]) -> None:
    page = (PROJECT / "docs/MODEL.md").read_text()
    assert f"| {source['name']} | {source['amount']} | {source['licence']} |" in page


def test_each_photograph_of_coco_is_named_with_its_licence() -> None:
    with (PROJECT / "docs/model/coco-pictures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 51
    assert all(row["licence"].startswith("Attribution") and row["url"].startswith("http") for row in rows)
