"""Promise: random kill -9 across actors, raylets and drivers lose and duplicate nothing; `make chaos` kills more."""

import random
from collections import Counter
from pathlib import Path

from tests.lengths import short_and_long
from tests.reliability.chaos import FULL, SHORT, Chaos, Scale, outputs
from tests.reliability.nodes import SHORT_HEALTH_CHECK, Nodes


@short_and_long("scale", short=[SHORT], long=[FULL], ids=lambda scale: f"{len(scale.mix)} kills")
def test_random_kills_neither_lose_nor_duplicate_masks(scale: Scale, bucket: str, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    with Nodes(scale.nodes, **SHORT_HEALTH_CHECK) as nodes:
        chaos = Chaos(tmp_path / "archive", nodes, seed, scale=scale)
        chaos.run(len(scale.mix), outputs([str(tmp_path), bucket]))
    assert chaos.violations == []
    assert chaos.killed == Counter(scale.mix)
    assert chaos.finished >= 2
