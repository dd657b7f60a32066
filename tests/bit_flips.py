"""Files with one flipped bit: reading either succeeds or raises UserError."""

import random
from collections.abc import Callable
from pathlib import Path

from jobs.errors import UserError

SEED = 20_240_601


def check_flips_are_told(path: Path, read: Callable[[], object], flips: int) -> None:
    """Of so many flipped bits of a file, one at a time, none raises anything but UserError; and not few are told."""
    chance, whole, told = random.Random(SEED), path.read_bytes(), 0
    for number in range(flips):
        content = bytearray(whole)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        try:
            read()
        except UserError:
            told += 1
        except BaseException as error:
            raise AssertionError(f"flip {number} of seed {SEED}") from error
    assert told > flips / 10
