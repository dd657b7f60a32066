"""Names and signatures keep to the house rules."""

import ast

import pytest

import stcn_core
from tests.architecture.source import FLOORS, ROOT

# Names of the first edition that explained themselves only to those who were there.
OLD_NAMES = {
    *("ahead", "attention", "board", "both_ways", "claims", "crew", "deaths", "desk", "enlarging", "footage", "given"),
    *("halving", "holder", "kept", "layers", "notices", "parallel", "patience", "planes_on_disk", "reopened"),
    *("retention", "tally", "walk", "way_back", "Ahead", "Board", "Crew", "Desk", "Footage", "Gathered", "GivenUp"),
    *("KeptPlanes", "LastWords", "Tally", "TriedAgain"),
}


@pytest.mark.parametrize("package", FLOORS)
def test_no_module_class_or_function_has_an_old_name(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        defined = {node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        assert not ({path.stem, path.parent.name} | defined) & OLD_NAMES, path


@pytest.mark.parametrize("package", FLOORS)
def test_functions_take_more_than_three_parameters_by_keyword(package: str) -> None:
    """But for `forward`, which torch calls, commands, whose parameters Typer reads, and kernels, which Triton calls."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "forward":
                positional = [a.arg for a in node.args.args if a.arg not in ("self", "cls")]
                is_command = path.parent.name == "cli" and path.stem.endswith("_commands")
                is_kernel = path.stem == "fused_kernels"
                assert len(positional) <= 3 or is_command or is_kernel, f"{path}: {node.name}({', '.join(positional)})"


def test_dir_lists_the_public_names_alone() -> None:
    assert dir(stcn_core) == sorted(stcn_core.__all__)
    assert all(getattr(stcn_core, name) is not None for name in dir(stcn_core))
