"""Read a JSON file of prompts within bounds on its size and on the memory of its values."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations.fields import shown

JSON_SUFFIX = ".json"
MAX_BYTES = 128 * 2**20
MAX_MEMORY = 2**30  # bytes of its values in memory: 16 million numbers
# Upper bounds of the bytes in memory for each mark: another value, a list, an object, a key. "{}," is 3 bytes in a
# file. With these bounds, files made to exhaust memory took 0.8 GB, or 1.6 GB with texts that are not Latin.
COSTS = {b",": 64, b"[": 96, b"{": 240, b":": 200}


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON object. Raises PromptError, for a file that is too large before it is parsed."""
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
        parsed = json.loads(content, parse_constant=_refuse_constant, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise PromptError(f"prompts {path.name} cannot be read as JSON: {error}") from error
    if isinstance(parsed, list) and parsed and isinstance(parsed[0], dict) and "image_id" in parsed[0]:
        raise PromptError(
            f"prompts {path.name} is a list of results, which names no images; legal: an object with the data set's "
            "images and categories, and these as its annotations, each with an id"
        )
    if not isinstance(parsed, dict):
        raise PromptError(f"prompts {path.name} is {shown(parsed)}; legal: a JSON object {{...}}")
    return parsed


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys differ: of two values of one key, Python would take the last."""
    if len(found := dict(pairs)) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"an object has the key {shown(twice)} twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no JSON")
