"""The source tree: the rooms of both packages from top to bottom, their files, and their imports."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The rooms of each package, from top to bottom: each imports only from lines below its own.
FLOORS = {
    "jobs": (
        ("__main__",),
        ("cli",),
        ("commands",),
        ("run", "training"),
        ("watching",),
        ("costs",),
        ("actors",),
        ("scheduling",),
        ("exports",),
        ("dataset",),
        ("planning", "scores", "selections"),
        ("ledger", "segmenting"),
        ("inputs",),
        ("outputs",),
        ("io",),
        ("concurrency",),
        ("telemetry",),
        ("records", "options", "plugins"),
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
        ("config", "device", "frames", "precision", "registry", "transfers", "yuv"),
    ),
}
FILES = sorted(path for package in FLOORS for path in (ROOT / package).rglob("*.py") if path.parent.name != package)


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
