"""Private names of libraries, and settings of the whole process, have modules of their own."""

import ast
from pathlib import Path

import pytest

from tests.architecture.source import FILES, ROOT, imports

# The modules that use what a library does not publish, and what each uses. Each says what holds where that is gone.
PRIVATE = {
    "jobs/actors/draining": {"ray._private.state"},
    "jobs/inputs/videos/decoder_memory": {"ctypes"},
    "jobs/io/listing_parser": {"._handle_structure"},
    "jobs/concurrency/process_exit": {"multiprocessing.util"},
    "stcn_core/acceleration/allocator": {
        "ctypes"
    },  # of the C library, whose functions are public; and where it is glibc
    "stcn_core/acceleration/fused_convolution": {"._convolution_pointwise"},
    "stcn_core/acceleration/symbolic_sizes": {"._dynamo"},
}
PUBLIC_IN_SPITE_OF_ITS_NAME = {"._replace", "._asdict", "._fields", "os._exit"}
MAY_KEEP_FREED_MEMORY = {
    "jobs/cli/label_commands",
    "stcn_core/benchmark/convolutions",
    "stcn_core/propagation/forward",
    "stcn_core/propagation/session",
}


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


def test_only_what_takes_large_blocks_again_and_again_changes_the_allocator() -> None:
    names = {f"stcn_core.acceleration.allocator.{name}" for name in ("keeping_freed_memory", "hold_freed_memory")}
    callers = {
        str(path.relative_to(ROOT).with_suffix(""))
        for package in ("stcn_core", "jobs")
        for path in (ROOT / package).rglob("*.py")
        if names & imports(path)
    }
    assert callers == MAY_KEEP_FREED_MEMORY
