"""YouTube-VIS JSON: an annotation for each track, with a mask or null for each frame of the track's video."""

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.exports import json_columns
from jobs.exports.export_format import ExportContext, ExportFormat
from jobs.exports.joined_json import Counts, JoinedJsonUnit, drop_last_comma
from jobs.exports.mask_batches import MAX_PLACES, MaskBatch, MasksFile
from jobs.exports.numbering import Categories, TrackIds
from jobs.outputs.file_names import file_name

SECTIONS = ("videos", "annotations")
COLUMNS = ("frame_name", "object_name", "scene", "box", "counts")
LISTS = ("segmentations", "bboxes", "areas")
NULL = "null,"


@dataclass
class Piece:
    """What one batch adds to the three lists of a track: some nulls, and then texts that lie in the spool."""

    nulls: int
    texts: list[tuple[int, int]]  # start and size in bytes, for each of LISTS


@dataclass
class Track:
    """One track of a video."""

    category: int
    filled: int = 0  # length of its lists so far
    pieces: list[Piece] = field(default_factory=list)


class Tracks:
    """The tracks of a video. Their lists stay on disk until the video's last frame is known."""

    def __init__(self, spool: BinaryIO, latest: int) -> None:
        self._spool, self._ids = spool, TrackIds(latest)
        self._tracks: dict[int, Track] = {}

    @property
    def latest(self) -> int:
        """The highest id in use."""
        return self._ids.latest

    def add(self, batch: MaskBatch, areas: np.ndarray, length: int, *, categories: Categories) -> None:
        """Add the masks of a batch that are not empty. length: number of the video's frames before the batch."""
        tracks = self._ids.ids(batch)
        rows = np.flatnonzero(areas)
        rows = rows[np.argsort(tracks[rows], kind="stable")]
        places = length + batch.frame_of_row[rows]
        starts = np.flatnonzero(np.diff(tracks[rows], prepend=0))
        gaps = np.diff(places, prepend=0) - 1
        gaps[starts] = 0
        nulls, taken = pc.binary_repeat(NULL, pa.array(gaps)), pa.array(rows)
        columns = [
            json_columns.rle(batch).take(taken),
            json_columns.boxes(batch).take(taken),
            pc.cast(pa.array(areas[rows]), pa.string()),
        ]
        lists = [json_columns.joined(nulls, column, ",") for column in columns]
        names = categories.numbers(batch.masks["object_name"].take(taken))
        for start, end in pairwise([*starts.tolist(), rows.size]):
            track = self._tracks.setdefault(int(tracks[rows[start]]), Track(1 + int(names[start])))
            texts = [self._spool_texts(column.slice(start, end - start)) for column in lists]
            track.pieces.append(Piece(int(places[start]) - track.filled, texts))
            track.filled = int(places[end - 1]) + 1

    def _spool_texts(self, texts: Any) -> tuple[int, int]:
        return self._spool.tell(), self._spool.write(json_columns.content(texts))

    def write(self, length: int, video: dict[str, Any], first: int, *, out: BinaryIO) -> int:
        """Write an annotation for each track; returns how many.

        length: number of the video's frames. video: fields of all annotations. first: the first annotation's id.
        """
        for number, (track_id, track) in enumerate(self._tracks.items()):
            fields = {"id": first + number, "track_id": track_id, "category_id": track.category, **video, "iscrowd": 0}
            out.write(json.dumps(fields)[:-1].encode())
            for kind, name in enumerate(LISTS):
                out.write(f',"{name}":['.encode())
                for piece in track.pieces:
                    out.write(NULL.encode() * piece.nulls)
                    self._spool.seek(piece.texts[kind][0])
                    out.write(self._spool.read(piece.texts[kind][1]))
                out.write(NULL.encode() * (length - track.filled))
                drop_last_comma(out)
                out.write(b"]")
            out.write(b"},")
        return len(self._tracks)


def _unit(context: ExportContext) -> JoinedJsonUnit:
    return JoinedJsonUnit(name="instances.json", sections=SECTIONS, write_part=write_part)


def write_part(file: MasksFile, counts: Counts, folder: Path) -> None:
    """Write what a file of masks adds to each section, and advance `counts`."""
    categories = Categories(counts.categories)
    with ExitStack() as stack:
        videos, annotations = (stack.enter_context((folder / name).open("wb")) for name in SECTIONS)
        for video_id, batches in file.videos(*COLUMNS):
            counts.videos += 1
            with TemporaryFile(dir=folder) as spool:
                tracks, names, size = Tracks(spool, counts.tracks), list[str](), (0, 0)
                for batch in batches:
                    areas = file.areas(batch)
                    tracks.add(batch, areas, len(names), categories=categories)
                    names += batch.names()
                    counts.masks += len(areas)
                    size = batch.size
                common = {"video_id": counts.videos, "height": size[0], "width": size[1], "length": len(names)}
                if len(names) * (tracks.latest - counts.tracks) > MAX_PLACES:
                    raise file.damaged(f"video {video_id!r} has {len(names)} frames and too many tracks for them")
                counts.annotations += tracks.write(len(names), common, counts.annotations + 1, out=annotations)
                counts.tracks = tracks.latest
            files = [f"{file_name(video_id)}/{name}.jpg" for name in names]
            entry = {"id": counts.videos, "name": video_id, "height": size[0], "width": size[1], "length": len(names)}
            videos.write(json_columns.line({**entry, "file_names": files}))
    counts.categories = categories.names


FORMAT = ExportFormat(
    name="ytvis",
    description="YouTube-VIS, one instances.json",
    masks=_unit,
    frames_folder="JPEGImages",
)
