"""The manifest's column `remove`: the objects to remove, and from which frame on."""

import re
from collections import Counter

INT32 = 2**31 - 1
MAX_REMOVALS = 10_000  # per video
REMOVAL = re.compile(r"([0-9]{1,10})@([0-9]{1,10})")


def parse_removals(text: str) -> tuple[tuple[int, int], ...]:
    """Parse "3@120 5@200" into pairs (object id, frame), sorted by frame. Raises ValueError for illegal text."""
    parts = text.split()
    if len(parts) > MAX_REMOVALS:
        raise ValueError(f"it has {len(parts):,} removals; legal: up to {MAX_REMOVALS:,}")
    removals = []
    for part in parts:
        match = REMOVAL.fullmatch(part)
        object_id, frame = map(int, match.groups()) if match else (0, 0)
        if not (1 <= object_id <= INT32 and frame <= INT32):
            raise ValueError(f"{part[:40]!r} is not a removal; legal: object@frame, separated by spaces: 3@120 5@200")
        removals.append((object_id, frame))
    if duplicates := [removal for removal, count in Counter(removals).items() if count > 1]:
        raise ValueError("{}@{} is repeated; legal: once".format(*duplicates[0]))
    return tuple(sorted(removals, key=lambda removal: removal[::-1]))
