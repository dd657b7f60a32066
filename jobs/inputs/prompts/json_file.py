"""Prompts in JSON: read within bounds, and handed to who knows its format."""

import json
from pathlib import Path
from typing import Any, NoReturn

from jobs.errors import PromptError
from jobs.inputs.prompts.frame_names import FrameNames
from jobs.inputs.prompts.json_coco import add_coco
from jobs.inputs.prompts.json_fields import shown
from jobs.inputs.prompts.json_sav import add_sav
from jobs.inputs.prompts.json_ytvis import add_ytvis
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.records import Entry

MAX_BYTES = 128 * 2**20
MAX_MEMORY = 2**30  # bytes that its values take once they are read: 16 million numbers
# Bytes at most for each of these marks: another value, a list, an object, a key. "{}," is 3 bytes in a file. With
# these, files made for it took 0.8 GB in all, and 1.6 GB where their texts are not Latin.
COSTS = {b",": 64, b"[": 96, b"{": 240, b":": 200}


def add_json(path: Path, entry: Entry, names: FrameNames, *, max_pixels: int, gathered: PromptBuilder) -> None:
    """The masks of a video in a COCO, YTVIS or SA-V JSON. Raises PromptError."""
    content = _read(path)
    if "masklet" in content:
        add_sav(content, names, max_pixels, gathered=gathered)
    elif "annotations" in content and "images" in content:
        add_coco(content, entry, names, max_pixels=max_pixels, gathered=gathered)
    elif "annotations" in content and "videos" in content:
        add_ytvis(content, entry, names, max_pixels=max_pixels, gathered=gathered)
    else:
        raise PromptError(
            f"prompts {path.name} are no JSON that is known, its keys are {shown(list(content)[:10])}; legal: COCO "
            "instances (images, annotations), YTVIS (videos, annotations) or SA-V (masklet, masklet_id)"
        )


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise PromptError(f"prompts {path.name} cannot be read: it does not exist, or is no regular file")
    if (num_bytes := path.stat().st_size) > MAX_BYTES:
        raise PromptError(
            f"prompts {path.name} has {num_bytes:,} bytes; legal: up to {MAX_BYTES:,}. Write a JSON for each video"
        )
    content = path.read_bytes()
    if (num_bytes := sum(content.count(mark) * cost for mark, cost in COSTS.items())) > MAX_MEMORY:
        raise PromptError(
            f"prompts {path.name} would take {num_bytes:,} bytes of memory; legal: up to {MAX_MEMORY:,}. "
            "Write a JSON for each video, and masks as compressed RLE"
        )
    try:
        parsed = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise PromptError(f"prompts {path.name} cannot be read as JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise PromptError(f"prompts {path.name} is {shown(parsed)}; legal: a JSON object {{...}}")
    return parsed


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no JSON")
