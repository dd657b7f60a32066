"""Imports go downward only, and each heavy library appears in its modules alone."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import FILES, FLOORS, ROOT, imports

CORE_ONLY_IN = {"triton": {"memory/fused_kernels"}}  # comes with PyTorch for GPUs; the core does without
CORE_MAY_IMPORT = {"torch", "numpy", "safetensors", "stcn_core", *sys.stdlib_module_names}
ONLY_IN = {
    "ray": {
        *(
            f"actors/{name}"
            for name in (
                "actor_factory",
                "actor_group",
                "autoscaler",
                "cluster",
                "death_cause",
                "draining",
                "handles",
                "merge_tasks",
                "metrics_export",
                "nodes",
                "pool",
                "received",
                "segmenter",
            )
        ),
        "training/processes",
    },
    "av": {
        "inputs/videos/container",
        "inputs/videos/decoder_memory",
        "inputs/videos/nvdec",
        "inputs/videos/orientation",
        "inputs/videos/rgb_frame",
        "inputs/videos/video_file",
        "inputs/videos/yuv_frame",
        "outputs/video_writer",
    },
    "typer": {
        f"cli/{name}" for name in ("__main__", "config_flags", "label_commands", "model_commands", "run_commands")
    },
    "fsspec": {"io/filesystem"},
    "pycocotools": {"outputs/rle"},
    "defusedxml": {"inputs/prompts/cvat/xml_file"},
    "xml": set(),
    "contourpy": {"exports/polygons"},
    "pydantic": {
        "validation_errors",
        "options",
        "plugins",
        "cli/config_flags",
        *(f"{room}/config" for room in ("planning", "scores", "training")),
        "selections/criteria",
        "training/recipe",
    },
    "jinja2": {"training/training_page"},
}


@pytest.mark.parametrize("path", sorted((ROOT / "stcn_core").rglob("*.py")), ids=lambda path: path.stem)
def test_the_core_imports_only_torch_numpy_and_safetensors(path: Path) -> None:
    module = path.relative_to(ROOT / "stcn_core").with_suffix("").as_posix()
    optional = {library for library, modules in CORE_ONLY_IN.items() if module in modules}
    assert {name.split(".")[0] for name in imports(path)} <= CORE_MAY_IMPORT | optional


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downward(path: Path) -> None:
    package, room = path.relative_to(ROOT).with_suffix("").parts[:2]
    floor_of = {room: floor for floor, rooms in enumerate(FLOORS[package]) for room in rooms}
    assert room in floor_of, f"{path} has no floor in FLOORS"
    for imported in imports(path):
        top, *rest = imported.split(".")
        if top == package and rest[0] != room:
            assert floor_of[rest[0]] > floor_of[room], f"{path} imports {imported}, which is not below it"


@pytest.mark.parametrize("path", sorted((ROOT / "jobs").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_heavy_library_is_imported_only_by_its_modules(path: Path) -> None:
    name = str(path.relative_to(ROOT / "jobs").with_suffix(""))
    for top in {imported.split(".")[0] for imported in imports(path)} & ONLY_IN.keys():
        assert name in ONLY_IN[top], f"{name} imports {top}; only {ONLY_IN[top]} may"


@pytest.mark.parametrize("library", ONLY_IN)
def test_modules_that_may_import_a_heavy_library_exist(library: str) -> None:
    gone = [name for name in ONLY_IN[library] if not (ROOT / "jobs" / name).with_suffix(".py").exists()]
    assert not gone


@pytest.mark.parametrize("package", FLOORS)
def test_every_package_docstring_says_who_may_import_it(package: str) -> None:
    rooms = {path.parent for path in (ROOT / package).rglob("*.py")} - {ROOT / package}
    for room in rooms:
        docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
        assert "import" in docstring, f"{room}/__init__.py says: {docstring!r}"


@pytest.mark.parametrize("package", FLOORS)
def test_only_listed_modules_lie_at_the_top_of_a_package(package: str) -> None:
    rooms = {room for floor in FLOORS[package] for room in floor}
    loose = {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"}
    assert loose <= rooms
    assert loose <= {
        "__main__",
        "records",
        "options",
        "plugins",
        "validation_errors",
        "errors",
        "config",
        "device",
        "frames",
        "masks",
        "metrics",
        "precision",
        "registry",
        "transfers",
        "yuv",
    }


@pytest.mark.parametrize("package", ["jobs", "stcn_core"])
def test_imports_have_no_cycle(package: str) -> None:
    files = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / package).rglob("*.py")}
    graph = {
        module: {found for name in imports(path) for found in (name, name.rpartition(".")[0]) if found in files}
        for module, path in files.items()
        if path.stem != "__init__"
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_nothing_but_the_cli_imports_a_command() -> None:
    for path in (ROOT / "jobs").rglob("*.py"):
        if path.parent.name not in ("commands", "cli"):
            assert not any(name.startswith("jobs.commands") for name in imports(path)), path.name


def test_no_module_imports_from_a_package_root() -> None:
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


def test_only_the_benchmark_imports_the_benchmark() -> None:
    for path in (path for path in (ROOT / "stcn_core").rglob("*.py") if path.parent.name != "benchmark"):
        assert not any(name.startswith("stcn_core.benchmark") for name in imports(path)), path.name


def test_the_core_runs_without_the_dependencies_of_jobs() -> None:
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
assert len(list(stcn_core.propagate(model, frames, {0: prompt}, config=config))) == 3
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    "module",
    [
        "watching.watch",
        "costs.cost_report",
        "commands.verify",
        "commands.evaluate",
        "commands.export",
        "commands.select",
    ],
)
def test_commands_that_only_read_an_output_import_neither_torch_nor_ray(module: str) -> None:
    """They take 2.5 s to import, of 3."""
    script = f"""
import sys
import jobs.cli.__main__, jobs.{module}
assert not {{"torch", "ray"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
