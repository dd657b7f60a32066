"""SA-V JSON, one file a video: for each frame from the first on, a mask of each object, or null."""

import json
from functools import partial
from typing import Any

import numpy as np

from jobs.exports import json_columns
from jobs.exports.export_format import ExportContext, ExportFormat
from jobs.exports.frames import OutputVideos
from jobs.exports.joined_json import drop_last_comma
from jobs.exports.mask_batches import MaskBatch, video_summaries
from jobs.exports.resumable_units import PerVideoUnit, VideoExport, Written
from jobs.outputs.file_names import file_name
from jobs.records import VideoRow

COLUMNS = ("counts", "is_prompt")
SIZES, BUCKETS = (32**2, 96**2), ("small", "medium", "large")  # pixels


class Masklets:
    """Statistics of each object, collected batch by batch: arrays with an element for each object."""

    def __init__(self, ids: np.ndarray) -> None:
        self._ids = ids
        self._rows, self._prompts, self._visible, self._pixels, self._runs = np.zeros((5, ids.size), np.int64)
        self._first = np.full(ids.size, np.iinfo(np.int64).max)
        self._last = np.full(ids.size, -2)

    def add(self, batch: MaskBatch, areas: np.ndarray) -> None:
        """Count the rows of a batch. areas: pixels of each mask."""
        places, frames = np.searchsorted(self._ids, batch.numbers("object_id")), batch.numbers("frame_index")
        self._rows += self._count(places)
        self._prompts += self._count(places[batch.masks["is_prompt"].fill_null(False).to_numpy()])
        seen = np.flatnonzero(areas)
        seen = seen[np.argsort(places[seen], kind="stable")]
        places, frames = places[seen], frames[seen]
        before = np.roll(frames, 1)
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        before[starts] = self._last[places[starts]]
        self._runs += self._count(places[frames - before != 1])
        self._visible += self._count(places)
        self._pixels += np.bincount(places, areas[seen], self._ids.size).astype(np.int64)
        np.minimum.at(self._first, places, frames)
        np.maximum.at(self._last, places, frames)

    def _count(self, places: np.ndarray) -> np.ndarray:
        return np.bincount(places, minlength=self._ids.size)

    def fields(self, pixels: int, last_frame: int) -> dict[str, Any]:
        """SA-V's fields of masklets. pixels: number of a frame's pixels."""
        size = self._pixels / np.maximum(self._visible, 1)
        changes = 2 * self._runs - 1 - (self._last == last_frame)
        return {
            "masklet_id": self._ids.tolist(),
            "masklet_size_rel": (size / pixels).round(10).tolist(),
            "masklet_size_abs": size.round(10).tolist(),
            "masklet_size_bucket": [BUCKETS[number] for number in np.digitize(size, SIZES)],
            "masklet_visibility_changes": np.where(self._visible > 0, changes, 0).tolist(),
            "masklet_first_appeared_frame": np.where(self._visible > 0, self._first, 0).astype(float).tolist(),
            "masklet_frame_count": self._rows.tolist(),
            "masklet_edited_frame_count": self._prompts.tolist(),
            "masklet_type": ["manual"] * self._ids.size,
            "masklet_stability_score": [None] * self._ids.size,
            "masklet_num": self._ids.size,
        }


def _unit(context: ExportContext) -> PerVideoUnit:
    return PerVideoUnit(place="{}_manual.json", columns=COLUMNS, write=partial(write_video, videos=context.videos))


def write_video(video: VideoExport, *, videos: OutputVideos) -> Written:
    """Write one video. videos: the output's rows of videos."""
    summary = video_summaries(video.file)[video.video_id]
    masklets, count, following, size = Masklets(summary.objects), 0, 0, (0, 0)
    absent = b"[" + b",".join([b"null"] * summary.objects.size) + b"],"
    with video.path.open("wb") as out:
        out.write(b'{"masklet":[')
        for batch in video.batches:
            areas, size = video.file.areas(batch), batch.size
            masklets.add(batch, areas)
            places = np.searchsorted(summary.objects, batch.numbers("object_id"))
            ends = np.append(batch.starts[1:], len(batch.masks)).tolist()
            texts = json_columns.rle(batch)
            for frame, start, end in zip(batch.frames.tolist(), batch.starts.tolist(), ends, strict=True):
                for _ in range(frame - following):
                    out.write(absent)
                out.write(_frame(texts.slice(start, end - start), places[start:end], summary.objects.size))
                following = frame + 1
            count += len(batch.masks)
        drop_last_comma(out)
        fields = _video_fields(videos.row(video.video_id), size, following)
        fields |= masklets.fields(size[0] * size[1], summary.last_frame)
        out.write(b"]," + json.dumps(fields)[1:].encode())
    return Written(count)


def _frame(texts: Any, places: np.ndarray, objects: int) -> bytes:
    """A frame's masks as a JSON list, each at its object's place."""
    if places.size == objects:
        return b"[" + bytes(json_columns.content(json_columns.joined(texts, ",")))[:-1] + b"],"
    every = np.full(objects, "null", object)
    every[places] = texts.to_pylist()
    return f"[{','.join(every)}],".encode()


def _video_fields(row: VideoRow, size: tuple[int, int], frames: int) -> dict[str, Any]:
    """SA-V's fields of the video. The environment, indoor or outdoor, is unknown."""
    frames = max(frames, row.frames_decoded or 0)
    return {
        "video_id": file_name(row.video_id),
        "video_duration": frames / row.frames_per_second if row.frames_per_second else None,
        "video_frame_count": float(frames),
        "video_height": float(size[0]),
        "video_width": float(size[1]),
        "video_resolution": float(size[0] * size[1]),
        "video_environment": None,
        "video_split": "train",
    }


FORMAT = ExportFormat(
    name="sav",
    description="SA-V, a JSON for each video",
    masks=_unit,
    frames_folder="JPEGImages",
    has_numbered_frames=True,  # SA-V's reader finds frames by number
)
