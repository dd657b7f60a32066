"""The formats of `stcn export`. A new format is a module of this room, and its entry in FORMATS."""

from jobs.errors import UserError
from jobs.exports import coco, davis, hf, sav, yolo, ytvis
from jobs.exports.export_format import ExportFormat

FORMATS: dict[str, ExportFormat] = {
    format.name: format for format in (coco.FORMAT, ytvis.FORMAT, davis.FORMAT, sav.FORMAT, yolo.FORMAT, hf.FORMAT)
}


def register(format: ExportFormat) -> None:
    """Add a format from outside the project. Raises ValueError if the name is taken."""
    if format.name in FORMATS:
        raise ValueError(f"the format {format.name} exists already; legal: a name other than {', '.join(FORMATS)}")
    FORMATS[format.name] = format


def find_format(name: str, options: frozenset[str] = frozenset()) -> ExportFormat:
    """The format of a name. Raises UserError if there is none, or if it does not take one of the options."""
    if name not in FORMATS:
        raise UserError(f"--format {name} is not known; legal: {', '.join(FORMATS)}")
    for option in sorted(options - FORMATS[name].options):
        legal = ", ".join(format.name for format in FORMATS.values() if option in format.options)
        raise UserError(f"--{option} is not usable with --format {name}; legal: with {legal}")
    return FORMATS[name]


def describe_formats() -> str:
    """All formats with their descriptions, for --help."""
    return "; ".join(f"{format.name}: {format.description}" for format in FORMATS.values()) + ". See docs/EXPORT.md."
