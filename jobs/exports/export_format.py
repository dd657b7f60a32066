"""What a format tells the export: its name, the files that it writes, and the options that it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobs.exports.frames import OutputVideos
from jobs.exports.journal import Journal
from jobs.exports.resumable_units import ExportUnit


@dataclass(frozen=True, kw_only=True)
class ExportContext:
    """One export under way: what a format may read besides the masks."""

    videos: OutputVideos  # rows and frames of the output's videos
    journal: Journal  # units that are complete, and results that a later export of the same destination needs
    options: frozenset[str] = frozenset()  # those of ExportFormat.options that the user gave
    with_frames: bool = False  # --frames


@dataclass(frozen=True, kw_only=True)
class LastFile:
    """A file that depends on all masks, such as a list of classes. It is written again by every export."""

    name: str  # path below the destination
    write: Callable[[Path, ExportContext], None]


@dataclass(frozen=True, kw_only=True)
class ExportFormat:
    """A format of masks. `formats.FORMATS` lists all of them."""

    name: str  # of --format
    description: str  # one line
    masks: Callable[[ExportContext], ExportUnit]  # the unit that writes the masks
    frames_folder: str | None = None  # where --frames writes JPEGs, by video; None: `masks` writes them itself
    has_numbered_frames: bool = False  # JPEGs are named by frame index even where images have names of their own
    options: frozenset[str] = frozenset()  # flags of `stcn export` that only some formats take, such as "polygons"
    last_file: LastFile | None = None
