"""Outputs for tests: from a real segmentation without a cluster, and from invented rows."""

import dataclasses
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.inputs.manifest import read_manifest
from jobs.io import storage
from jobs.outputs import store
from jobs.records import Track, VideoRow
from jobs.segmenting.segment_video import segment_video
from jobs.segmenting.work_item import VideoOptions, WorkItem
from stcn_core.config import PropagationConfig
from stcn_core.models.network import Network
from tests.jobs.commands.test_export import write_run


def segmented(videos: list[DrawnVideo], folder: Path, model: Network) -> Path:
    """Draw an archive with truth/ in `folder`, segment it, and return its output, with a mask file per video."""
    output, done = folder / "out", []
    for number, entry in enumerate(read_manifest(str(draw_archive(videos, folder))).entries):
        options = VideoOptions(propagation=PropagationConfig.for_model(model))
        item = WorkItem(entry=entry, options=options, work_id=f"work {entry.video_id}", expected_frames=1)
        work = segment_video(item, Path(entry.video), Path(entry.prompts), model=model)
        try:
            while True:
                next(work)
        except StopIteration as end:
            row, tables = end.value
        name = f"{number:08d}-{entry.video_id}.parquet"
        write_masks(output, name, pa.concat_tables(tables))
        done.append(dataclasses.replace(row, masks_file=name))
    write_run(output, done, manifest=str(folder / "manifest.csv"))
    return output


def write_masks(output: Path | str, name: str, table: Any) -> None:
    """Write one mask file."""
    content = io.BytesIO()
    with store.MaskWriter(content, table.schema) as writer:
        writer.add(table)
    storage.write(f"{output}/masks/{name}", content.getvalue())


def mask_rows(video_id: str, frames: int, objects: Iterable[int] = (1,), **values: Any) -> list[dict[str, Any]]:
    """Build rows of flawless masks of 2 pixels, for a video with prompts on its first frame."""
    return [
        dict(
            video_id=video_id, frame_index=frame, object_id=object_id, height=2, width=2, counts="11", area=2,
            box=[0, 0, 1, 2], score=1.0, stability=1.0, area_change=0.0, is_prompt=frame == 0, prompt_distance=frame,
            scene=0, **values,
        )
        for frame in range(frames)
        for object_id in objects
    ]  # fmt: skip


def made_up(output: Path, rows: list[dict[str, Any]], tracks: Mapping[str, tuple[Track, ...]] | None = None) -> str:
    """Write an output of one file with the given rows, whose videos are done."""
    write_masks(output, "m.parquet", store.masks_table(rows))
    done = [
        VideoRow(
            video_id=video_id,
            work_id="w",
            status="done",
            video="v.mp4",
            prompts="p",
            masks_file="m.parquet",
            tracks=(tracks or {}).get(video_id, ()),
        )
        for video_id in dict.fromkeys(row["video_id"] for row in rows)
    ]
    write_run(output, done)
    return str(output)
