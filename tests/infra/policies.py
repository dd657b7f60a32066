"""The AWS policies of infra/aws, and what they allow."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "infra/aws"
NAMES = sorted(path.name for path in FOLDER.glob("*.json"))
PLACEHOLDERS = {"REGION": "eu-central-1", "ACCOUNT": "123456789012", "BUCKET": "bucket"}


def document(name: str) -> str:
    """A policy's text, with values in the place of its placeholders."""
    text = (FOLDER / name).read_text()
    for placeholder, value in PLACEHOLDERS.items():
        text = re.sub(rf"\b{placeholder}\b", value, text)
    return text


def statements(name: str) -> list[dict[str, Any]]:
    """A policy's statements, with actions and resources as lists."""
    found: list[dict[str, Any]] = json.loads(document(name))["Statement"]
    for statement in found:
        for key in ("Action", "Resource"):
            if isinstance(statement.get(key), str):
                statement[key] = [statement[key]]
    return found


def allows(name: str, action: str, resource: str | None = None) -> bool:
    """Whether a policy has the action, for the resource if one is given; its conditions are not looked at."""
    return any(
        action in statement["Action"]
        and (resource is None or any(fnmatchcase(resource, pattern) for pattern in statement["Resource"]))
        for statement in statements(name)
    )
