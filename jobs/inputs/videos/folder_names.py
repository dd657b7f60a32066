"""Whether the images of a folder are the frames of one video, by their names.

A folder with masks beside its frames would be read as a video of twice the length, in which every other frame is a
mask. Two frames of one name would overwrite each other in exports.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from pathlib import PurePath

from jobs.errors import VideoError

EXAMPLES = 3
NUMBER = re.compile(r"[0-9]+")


def check_names(names: Sequence[str]) -> None:
    """Raise VideoError if images of a folder share their stem or their numbers, or if only some have numbers.

    names: of the files, with extensions. Names without any numbers are legal.
    """
    numbers = {name: tuple(int(part) for part in NUMBER.findall(PurePath(name).stem)) for name in names}
    if shared := _shared((PurePath(name).stem, name) for name in names):
        raise _error("images of one name", shared)
    if shared := _shared((numbers[name], name) for name in names if numbers[name]):
        raise _error("images of one number", shared)
    with_number, without = (
        [name for name in names if bool(numbers[name]) == has_number] for has_number in (True, False)
    )
    if with_number and without:
        raise _error("images with a number and images without", [[with_number[0], without[0]]])


def _shared(keyed: Iterable[tuple[Hashable, str]]) -> list[list[str]]:
    """Return the groups of several names with one key."""
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for key, name in keyed:
        groups[key].append(name)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def _error(what: str, groups: list[list[str]]) -> VideoError:
    examples = "; ".join(" and ".join(group[:EXAMPLES]) for group in groups[:EXAMPLES])
    more = f"; {len(groups) - EXAMPLES} more" if len(groups) > EXAMPLES else ""
    return VideoError(
        f"the folder holds {what} ({examples}{more}); legal: the frames of one video, each with a number of its own. "
        "Move masks, or another camera's frames, to a folder of their own; the manifest's `prompts` names that of masks"
    )
