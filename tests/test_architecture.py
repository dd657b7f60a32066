"""Imports go downward only, and each heavy library appears in one place."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE_MAY_IMPORT = {"torch", "numpy", "safetensors", "stcn_core", *sys.stdlib_module_names}
ONLY_IN = {
    "ray": {"actor", "cluster", "crew", "deaths", "nodes", "pool"},
    "av": {"container", "video_file", "writer"},
    "typer": {"cli", "options"},
    "fsspec": {"filesystem"},
    "pycocotools": {"rle"},
}
# Top to bottom: a module imports only from lines below its own.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("bench", "demo"),
    ("driver", "verify", "overlay", "dataset"),
    ("desk",),
    ("job", "pool"),
    ("cluster", "crew"),
    ("notices", "worker"),
    ("actor",),
    ("archive", "evaluate", "progress", "train"),
    ("status", "export"),
    ("ledger", "identity", "manifest", "last_run"),
    ("published", "log", "holder", "plan", "models", "shard_file", "config"),
    ("segment", "watchdog", "drawn_scores", "create_only", "label_maps", "mask_index", "frame_reader", "sample"),
    ("board", "prompts", "stored_masks"),
    ("store", "ranges"),
    ("storage", "video"),
    ("allowed", "integrity", "local", "patience", "video_file"),
    ("budgets", "container", "filesystem", "images", "prompt_rows", "tracks", "writer"),
    (
        "ahead",
        "claims",
        "rle",
        "palette",
        "records",
        "deaths",
        "limits",
        "names",
        "nodes",
        "scratch",
        "errors",
        "interrupt",
        "options",
    ),
)


def imports(path: Path) -> set[str]:
    """Full names of all modules that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", sorted((ROOT / "stcn_core").rglob("*.py")), ids=lambda path: path.stem)
def test_the_core_needs_torch_numpy_and_safetensors_alone(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} <= CORE_MAY_IMPORT


@pytest.mark.parametrize("path", sorted((ROOT / "jobs").rglob("*.py")), ids=lambda path: path.stem)
def test_jobs_import_downward(path: Path) -> None:
    layer_of = {module: depth for depth, layer in enumerate(LAYERS) for module in layer}
    if path.stem == "__init__":
        return
    assert path.stem in layer_of, f"{path.relative_to(ROOT)} has no place in LAYERS"
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "jobs" and (module := next((part for part in rest if part in layer_of), None)):
            assert layer_of[module] > layer_of[path.stem], f"{path.stem} imports {module}, which is not below it"
        if top in ONLY_IN:
            assert path.stem in ONLY_IN[top], f"{path.stem} imports {top}; only {ONLY_IN[top]} may"


def test_the_run_does_not_know_the_other_commands() -> None:
    for path in (ROOT / "jobs").rglob("*.py"):
        if path.parent.name != "commands" and path.stem != "cli":
            assert not any(name.startswith("jobs.commands") for name in imports(path)), path.name


def test_modules_do_not_import_from_package_roots() -> None:
    files = [path for package in ("stcn_core", "jobs") for path in (ROOT / package).rglob("*.py")]
    modules = {path.stem for path in files} | {path.parent.name for path in files}
    for path in files:
        if path.stem == "__init__":
            continue
        for name in imports(path):
            package, _, member = name.partition(".")
            if package in ("stcn_core", "jobs"):
                assert member.split(".")[0] in modules, f"{path.name} imports {name} from the package's root"


def test_names_are_imported_from_the_module_that_defines_them() -> None:
    """mypy lets a module hand on what it imported only as `import x as x`."""
    for path in (path for package in ("stcn_core", "jobs") for path in (ROOT / package).rglob("*.py")):
        nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        handed_on = [alias.name for node in nodes for alias in node.names if alias.asname == alias.name]
        assert not handed_on, f"{path.name} hands on {handed_on}"


def test_propagation_does_not_know_how_it_is_timed() -> None:
    for path in (ROOT / "stcn_core").glob("*.py"):
        assert not any(name.startswith("stcn_core.benchmark") for name in imports(path)), path.name


def test_the_core_runs_where_nothing_else_is_installed() -> None:
    """A fresh interpreter in which every other distribution's import fails."""
    script = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        others = {"ray", "av", "pyarrow", "fsspec", "s3fs", "typer", "rich", "PIL", "pycocotools", "jobs"}
        if name.split(".")[0] in others:
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Refuse())
import numpy as np, stcn_core
model = stcn_core.load_model("stcn-mini")
frames = np.zeros((3, 32, 48, 3), np.uint8)
prompt = np.pad(np.ones((16, 16), int), ((8, 8), (8, 24)))
config = stcn_core.PropagationConfig.for_model(model)
assert len(list(stcn_core.propagate(model, frames, {0: prompt}, config))) == 3
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


@pytest.mark.parametrize("module", ["status", "commands.verify", "commands.evaluate", "commands.export"])
def test_what_only_reads_an_output_waits_for_neither_torch_nor_ray(module: str) -> None:
    """They take 2.5 s to import, of 3."""
    script = f"""
import sys
import jobs.cli, jobs.{module}
assert not {{"torch", "ray"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
