"""Promise: random kill -9 across actors, raylets and drivers lose and duplicate nothing; `make chaos` is longer."""

import random
from pathlib import Path

from tests.reliability.chaos import MIX, Chaos, outputs
from tests.reliability.nodes import SHORT_HEALTH_CHECK, Nodes


def test_random_kills_lose_and_duplicate_nothing(bucket: str, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    with Nodes(3, **SHORT_HEALTH_CHECK) as nodes:
        chaos = Chaos(tmp_path / "archive", nodes, seed)
        chaos.run(len(MIX), outputs([str(tmp_path), bucket]))
    assert chaos.violations == []
    assert dict(chaos.killed) == {kind: MIX.count(kind) for kind in MIX}
    assert chaos.finished >= 2
