"""Recipes: presets are valid, and errors name the faulty field."""

import dataclasses
import textwrap
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.training.recipe import read_recipe
from stcn_core import SimilarityParts, register_similarity
from stcn_core.config import Locality
from stcn_core.models.stcn import STCN_MINI

STAGE = "[[stages]]\nsteps = 5\nlearning_rate = 0.001\n"


@pytest.mark.parametrize(
    ("name", "network", "steps"),
    [
        ("mini", "mini", [4000]),
        ("lite", "lite", [1600, 3400]),
        ("long", None, [1400]),
        ("finetune", None, [400]),
        ("stcn", "stcn", [300_000, 150_000]),
    ],
)
def test_presets_are_valid(name: str, network: str | None, steps: list[int]) -> None:
    recipe = read_recipe(name)
    assert (recipe.network, [stage.steps for stage in recipe.stages]) == (network, steps)
    assert all(stage.schedule().steps == stage.steps for stage in recipe.stages)


def test_overrides_replace_values_of_the_stage() -> None:
    (stage,) = read_recipe("mini", steps=7, learning_rate=0.5).stages
    assert (stage.steps, stage.learning_rate, stage.clips) == (7, 0.5, 6)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("stages = []", r"stages \[\] is not usable; legal: 1 or more entries"),
        (STAGE + "step = 3", "stages.0.step is unknown; remove it or correct its name"),
        (STAGE.replace("5", "0"), "stages.0.steps 0 is not usable; legal: 1 or more"),
        (
            STAGE + "sizes = [{height = 100, width = 128}]",
            "stages.0.sizes.0.height 100 is not usable; legal: a multiple of 16$",
        ),
        (
            STAGE + "objects = [0.5]",
            "stages.0 is not usable; legal: at least one size, and chances of objects that add up to 1",
        ),
        ("network = 'vgg'\n" + STAGE, "network vgg is not usable; legal: stcn, mini, lite, stm"),
        ("similarity = 'l3'\n" + STAGE, "similarity l3 is not usable; legal: l2, cosine, dot"),
        ("[[", "is no TOML"),
    ],
)
def test_invalid_recipe_raises_with_the_field(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=reason):
        read_recipe(str(path))


def test_recipe_takes_a_registered_similarity(tmp_path: Path) -> None:
    register_similarity("halved dot", lambda memory, query: SimilarityParts(memory, query / 2))
    path = tmp_path / "recipe.toml"
    path.write_text("network = 'mini'\nsimilarity = 'halved dot'\n" + STAGE)
    sizes = read_recipe(str(path)).sizes()
    assert sizes
    assert sizes.similarity == "halved dot"


def test_missing_recipe_and_overrides_of_several_stages_raise() -> None:
    with pytest.raises(UserError, match="legal: finetune, lite, long, mini, stcn, or a file"):
        read_recipe("big")
    with pytest.raises(UserError, match="steps: stcn has 2 stages"):
        read_recipe("stcn", steps=3)


def test_recipe_of_the_documentation_is_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/TRAINING.md").read_text()
    block = page[page.index('    network = "mini"') :].split("\n\n")[0]
    (tmp_path / "recipe.toml").write_text(textwrap.dedent(block))
    (stage,) = read_recipe(str(tmp_path / "recipe.toml")).stages
    assert (stage.steps, stage.drawn, list(stage.gaps)) == (2000, 0.5, [(0.0, 5.0), (0.5, 25.0)])


@pytest.mark.parametrize(
    ("line", "locality"), [("", STCN_MINI.locality), ("locality = [0.1, 0.2]", Locality(0.1, 0.2)),
                           ("locality = false", None)]
)  # fmt: skip
def test_new_network_has_the_recipes_locality(line: str, locality: Locality | None, tmp_path: Path) -> None:
    recipe = f'network = "mini"\n{line}\n[[stages]]\nsteps = 1\nlearning_rate = 1e-3\n'
    (tmp_path / "recipe.toml").write_text(recipe)
    sizes = read_recipe(str(tmp_path / "recipe.toml")).sizes()
    assert sizes == dataclasses.replace(STCN_MINI, locality=locality)
