"""Generic code asks for no network, so that a new network is one file and one line."""

import ast

import pytest

from stcn_core.models import network_registry
from tests.architecture.source import FLOORS, ROOT, imports

# Each network's own files, which alone may ask for it: by its name, or by a class of theirs.
KIND_NAMES = network_registry.NETWORKS.names()
NETWORK_FILES = [path for path in (ROOT / "stcn_core/models").glob("*.py") if path.stem.split("_")[0] in KIND_NAMES]
NETWORK_NODES = [node for path in NETWORK_FILES for node in ast.parse(path.read_text()).body]
NETWORK_NAMES = {*KIND_NAMES, *(node.name for node in NETWORK_NODES if isinstance(node, ast.ClassDef))}


def asks_for_a_network(node: ast.AST) -> bool:
    """Whether code compares something with a network's name, or tests for a network's class."""
    if isinstance(node, ast.Compare):
        compared = [leaf for side in (node.left, *node.comparators) for leaf in ast.walk(side)]
    elif isinstance(node, ast.match_case):
        compared = list(ast.walk(node.pattern))
    elif (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass")
    ):
        compared = list(ast.walk(node.args[1]))
    else:
        return False
    asked = {leaf.value if isinstance(leaf, ast.Constant) else getattr(leaf, "id", None) for leaf in compared}
    return bool(asked & NETWORK_NAMES)


@pytest.mark.parametrize(
    "code",
    ['config.network == "stm"', '"stcn" != kind', 'kind in ("stm", "x")', "isinstance(m, (X, MemoryEncoder))",
     'match kind:\n    case "stm": pass'],
)  # fmt: skip
def test_asking_for_a_network_is_noticed(code: str) -> None:
    assert any(map(asks_for_a_network, ast.walk(ast.parse(code))))


def test_generic_code_asks_for_no_network() -> None:
    """Traits of `Network` and the registry answer it, so that a new network is one file and one line."""
    modules = {f"stcn_core.models.{path.stem}" for path in NETWORK_FILES}
    assert {"stcn_core.models.stcn", "stcn_core.models.stm"} <= modules
    files = {path for package in FLOORS for path in (ROOT / package).rglob("*.py")} - set(NETWORK_FILES)
    for path in files:
        asking = [node for node in ast.walk(ast.parse(path.read_text())) if asks_for_a_network(node)]
        assert not asking, f"{path} asks for a network: {[ast.unparse(node) for node in asking]}"
        imported = {name for name in imports(path) if name.rpartition(".")[0] in modules or name in modules}
        assert not imported or path == ROOT / "stcn_core/models/network_registry.py", f"{path} imports {imported}"
