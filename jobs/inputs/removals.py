"""The manifest's column `remove`: which objects are gone from which frame on."""

import re
from collections import Counter

INT32 = 2**31 - 1
MAX_REMOVALS = 10_000  # of one video
REMOVAL = re.compile(r"([0-9]{1,10})@([0-9]{1,10})")


def parse_removals(text: str) -> tuple[tuple[int, int], ...]:
    """ "3@120 5@200" as (object id, frame), in order. Raises ValueError that says what is wrong."""
    parts = text.split()
    if len(parts) > MAX_REMOVALS:
        raise ValueError(f"it has {len(parts):,} removals; legal: up to {MAX_REMOVALS:,}")
    removals = []
    for part in parts:
        match = REMOVAL.fullmatch(part)
        object_id, frame = map(int, match.groups()) if match else (0, 0)
        if not (1 <= object_id <= INT32 and frame <= INT32):
            raise ValueError(f"{part[:40]!r} is none; legal: object@frame, such as 3@120 5@200, with a space between")
        removals.append((object_id, frame))
    if twice := [removal for removal, count in Counter(removals).items() if count > 1]:
        raise ValueError("{}@{} is there twice; legal: once".format(*twice[0]))
    return tuple(sorted(removals, key=lambda removal: removal[::-1]))
