"""Imports go downward only, each heavy library appears in one place, and tests keep to their costs."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import stcn_core
from stcn_core.models import registry
from tests.lengths import short_and_long

ROOT = Path(__file__).parents[1]
CORE_MAY_IMPORT = {"torch", "numpy", "safetensors", "stcn_core", *sys.stdlib_module_names}
ONLY_IN = {
    "ray": {
        *(
            f"actors/{name}"
            for name in ("actor", "actor_group", "cluster", "death_cause", "draining", "handles", "pool", "worker")
        ),
        "training/processes",
    },
    "av": {
        "inputs/videos/container",
        "inputs/videos/decoder_memory",
        "inputs/videos/video_file",
        "outputs/video_writer",
    },
    "typer": {
        f"cli/{name}" for name in ("__main__", "config_flags", "label_commands", "model_commands", "run_commands")
    },
    "fsspec": {"io/filesystem"},
    "pycocotools": {"outputs/rle"},
    "contourpy": {"exports/polygons"},
    "pydantic": {
        "validation_errors",
        "options",
        "cli/config_flags",
        *(f"{room}/config" for room in ("planning", "scores", "training")),
        "selections/criteria",
        "training/recipe",
    },
    "jinja2": {"training/page"},
}
# Each network's own files, which alone may ask for it: by its name, or by a class of theirs.
KIND_NAMES = [kind.name for kind in registry.SHIPPED_KINDS]
NETWORK_FILES = [path for path in (ROOT / "stcn_core/models").glob("*.py") if path.stem.split("_")[0] in KIND_NAMES]
NETWORK_NODES = [node for path in NETWORK_FILES for node in ast.parse(path.read_text()).body]
NETWORK_NAMES = {*KIND_NAMES, *(node.name for node in NETWORK_NODES if isinstance(node, ast.ClassDef))}
# The modules that use what a library does not publish, and what each uses. Each says what holds where that is gone.
PRIVATE = {
    "jobs/actors/draining": {"ray._private.state"},
    "jobs/inputs/videos/decoder_memory": {"ctypes"},
    "jobs/concurrency/process_exit": {"multiprocessing.util"},
    "stcn_core/acceleration/allocator": {
        "ctypes"
    },  # of the C library, whose functions are public; and where it is glibc
    "stcn_core/acceleration/fused_convolution": {"._convolution_pointwise"},
}
PUBLIC_IN_SPITE_OF_ITS_NAME = {"._replace", "._asdict", "._fields", "os._exit"}
MAY_KEEP_FREED_MEMORY = {
    "jobs/actors/actor",
    "jobs/cli/label_commands",
    "jobs/cli/model_commands",
    "stcn_core/benchmark/__main__",
}
# Names of the first edition that explained themselves only to those who were there.
OLD_NAMES = {
    *("ahead", "attention", "board", "both_ways", "claims", "crew", "deaths", "desk", "enlarging", "footage", "given"),
    *("halving", "holder", "kept", "layers", "notices", "parallel", "patience", "planes_on_disk", "reopened"),
    *("retention", "tally", "walk", "way_back", "Ahead", "Board", "Crew", "Desk", "Footage", "Gathered", "GivenUp"),
    *("KeptPlanes", "LastWords", "Tally", "TriedAgain"),
}
# The rooms of each package, from top to bottom: each imports only from lines below its own.
FLOORS = {
    "jobs": (
        ("__main__",),
        ("cli",),
        ("commands",),
        ("run", "training"),
        ("actors",),
        ("exports",),
        ("dataset",),
        ("planning", "scores", "selections"),
        ("ledger", "segmenting"),
        ("inputs",),
        ("outputs",),
        ("io",),
        ("concurrency",),
        ("records", "options"),
        ("validation_errors",),
        ("errors",),
    ),
    "stcn_core": (
        ("benchmark",),
        ("training",),
        ("propagation", "synthetic"),
        ("acceleration",),
        ("models",),
        ("memory",),
        ("masks", "metrics"),
        ("config", "frames", "precision"),
    ),
}


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
def test_the_core_imports_only_torch_numpy_and_safetensors(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} <= CORE_MAY_IMPORT


FILES = sorted(path for package in FLOORS for path in (ROOT / package).rglob("*.py") if path.parent.name != package)


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


def private_names(path: Path) -> set[str]:
    """Names of other libraries that a file uses and that are not published: with an underscore, or from C."""
    found = {
        name.rpartition(".")[0] if any(part.startswith("_") for part in name.split(".")[:-1]) else name
        for name in imports(path)
        if any(part.startswith("_") and not part.startswith("__") for part in name.split("."))
        or name.startswith(("ctypes", "multiprocessing.util"))
    }
    found = {"multiprocessing.util" if name.startswith("multiprocessing.util") else name for name in found}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            owner = ast.unparse(node.value)
            is_own = owner.split(".")[0] in ("self", "cls") and owner.count(".") == 0
            is_public = {f"{owner}.{node.attr}", f".{node.attr}"} & PUBLIC_IN_SPITE_OF_ITS_NAME
            if not is_own and not is_public:
                found.add(f".{node.attr}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_names_of_libraries_have_their_modules(path: Path) -> None:
    assert private_names(path) == PRIVATE.get(str(path.relative_to(ROOT).with_suffix("")), set())


def test_only_processes_of_the_product_change_their_allocator() -> None:
    callers = {
        str(path.relative_to(ROOT).with_suffix(""))
        for package in ("stcn_core", "jobs")
        for path in (ROOT / package).rglob("*.py")
        if "stcn_core.acceleration.allocator.keep_freed_memory" in imports(path)
    }
    assert callers == MAY_KEEP_FREED_MEMORY


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
        "validation_errors",
        "errors",
        "config",
        "frames",
        "masks",
        "metrics",
        "precision",
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
        assert not imported or path == ROOT / "stcn_core/models/registry.py", f"{path} imports {imported}"


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
    "module", ["run.status", "commands.verify", "commands.evaluate", "commands.export", "commands.select"]
)
def test_commands_that_only_read_an_output_import_neither_torch_nor_ray(module: str) -> None:
    """They take 2.5 s to import, of 3."""
    script = f"""
import sys
import jobs.cli.__main__, jobs.{module}
assert not {{"torch", "ray"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_SLEEP = 0.1  # seconds; a test that waits for something asks again after less
LONGER_SLEEPS = {  # why a test sleeps longer, by file: not to wait, but to be slow
    "jobs/concurrency/test_process_map.py": "a call that takes long, so that others overtake it or it is interrupted",
    "jobs/io/test_storage_policy.py": "time in which a request without retries would have ended",
    "stores/test_fault_proxy.py": "a fault that does not know of closing",
}


def calls(path: Path, name: str) -> list[ast.Call]:
    """The calls of a function by its last name, scripts in strings left out."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [call for call in nodes if getattr(call.func, "attr", getattr(call.func, "id", "")) == name]


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_sleeps_long_without_a_reason(path: Path) -> None:
    if str(path.relative_to(ROOT / "tests")) in LONGER_SLEEPS:
        return
    for call in calls(path, "sleep"):
        (seconds,) = call.args
        assert isinstance(seconds, ast.Constant), (
            f"{path}:{call.lineno} sleeps for {ast.unparse(seconds)} s; say a number"
        )
        assert float(str(seconds.value)) <= LONGEST_SLEEP, (
            f"{path}:{call.lineno} sleeps for {ast.unparse(seconds)} s; legal: up to {LONGEST_SLEEP}, in a loop that "
            "ends when what it waits for has happened, or a reason in LONGER_SLEEPS"
        )


def test_a_sleep_needs_a_reason_only_where_it_is_long() -> None:
    for name in LONGER_SLEEPS:
        assert calls(ROOT / "tests" / name, "sleep"), f"{name} sleeps no more; take it out of LONGER_SLEEPS"


def test_a_slow_test_has_a_short_form() -> None:
    """`short_and_long` refuses a test without a short form, and nothing else marks a test slow."""
    for path in TEST_FILES:
        marks = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
        are_slow = [node for node in marks if node.attr == "slow" and ast.unparse(node.value).endswith("mark")]
        assert not are_slow or path.name == "lengths.py", f"{path} marks a test slow; legal: by short_and_long"


def test_short_and_long_refuses_a_test_without_a_short_form() -> None:
    with pytest.raises(AssertionError, match="a test has a short form"):
        short_and_long("count", short=[], long=[1])
    _, values = short_and_long("count", short=[1], long=[2, 3]).args
    assert [[mark.name for mark in value.marks] for value in values] == [[], ["slow"], ["slow"]]


@pytest.mark.parametrize("package", FLOORS)
def test_no_module_class_or_function_has_an_old_name(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        defined = {node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        assert not ({path.stem, path.parent.name} | defined) & OLD_NAMES, path


@pytest.mark.parametrize("package", FLOORS)
def test_functions_take_more_than_three_parameters_by_keyword(package: str) -> None:
    """But for `forward`, which torch calls, and commands, whose parameters Typer reads."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "forward":
                positional = [a.arg for a in node.args.args if a.arg not in ("self", "cls")]
                is_command = path.parent.name == "cli" and path.stem.endswith("_commands")
                assert len(positional) <= 3 or is_command, f"{path}: {node.name}({', '.join(positional)})"


def test_dir_lists_the_public_names_alone() -> None:
    assert dir(stcn_core) == sorted(stcn_core.__all__)
    assert all(getattr(stcn_core, name) is not None for name in dir(stcn_core))
