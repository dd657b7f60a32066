"""Write prompts in every kind, as other tools do."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pycocotools import mask as coco

from jobs.inputs.prompts.leniency import Leniency
from jobs.inputs.prompts.load import load_prompts
from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.outputs.label_maps import to_image
from jobs.outputs.palette import voc_palette
from jobs.records import Entry

Labels = Mapping[int, np.ndarray]  # frame -> label map
NAMES = {1: "ant", 2: "bee", 3: "cat"}  # of objects, in the kinds that have names


def prompts_of(
    path: Path,
    names: Sequence[str] | None = None,
    size: tuple[int, int] | None = None,
    *,
    frames: int | None = None,
    leniency: Leniency | None = None,
    **entry: Any,
) -> Prompts:
    """The prompts that are read for a video "v"."""
    of_video = Entry(**{"video_id": "v", "video": "", "prompts": "", **entry})
    return load_prompts(path, of_video, names, size=size, frames=frames, leniency=leniency)


def labels_of(
    path: Path, names: Sequence[str] | None = None, size: tuple[int, int] | None = None, **entry: Any
) -> Labels:
    """The label maps alone."""
    return prompts_of(path, names, size, **entry).labels


def rle(mask: np.ndarray) -> dict[str, Any]:
    """COCO's compressed RLE, by pycocotools."""
    return {
        "size": list(mask.shape),
        "counts": coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode(),
    }


def runs(mask: np.ndarray) -> dict[str, Any]:
    """COCO's uncompressed RLE."""
    pixels = np.concatenate(([0], mask.ravel(order="F").astype(int)))
    edges = np.flatnonzero(np.diff(pixels))
    return {"size": list(mask.shape), "counts": np.diff([0, *edges, mask.size]).tolist()}


def polygons(mask: np.ndarray) -> list[list[float]]:
    """A rectangle for each run along a row."""
    found: list[list[float]] = []
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(int), [0]))))
        found += [[x, y, end, y, end, y + 1, x, y + 1] for x, end in edges.reshape(-1, 2).tolist()]
    return found


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def coco_json(labels: Labels, encode: Callable[[np.ndarray], Any] = rle, video: str = "v") -> dict[str, Any]:
    """Instances, with a track_id, as trackers write them."""
    categories = [{"id": 10 + i, "name": name} for i, name in NAMES.items()]
    images = [
        {"id": 500 + f, "file_name": f"{video}/{f:05d}.jpg", "height": m.shape[0], "width": m.shape[1]}
        for f, m in labels.items()
    ]
    annotations = [
        {"id": 9_000 + k, "image_id": 500 + f, "category_id": 10 + i, "track_id": i, "segmentation": encode(m == i)}
        for k, (f, m, i) in enumerate(_each(labels))
    ]
    return {"images": images, "annotations": annotations, "categories": categories}


def ytvis_json(labels: Labels, frames: int = 12, video: str = "v") -> dict[str, Any]:
    ids = sorted({i for _, _, i in _each(labels)})
    shape = next(iter(labels.values())).shape
    annotations = [
        {
            "id": i,
            "video_id": 3,
            "category_id": 10 + i,
            "segmentations": [
                rle(labels[f] == i) if f in labels and (labels[f] == i).any() else None for f in range(frames)
            ],
        }
        for i in ids
    ]
    files = [f"{video}/{f:05d}.jpg" for f in range(frames)]
    return {
        "videos": [{"id": 3, "height": shape[0], "width": shape[1], "length": frames, "file_names": files}],
        "annotations": annotations,
        "categories": [{"id": 10 + i, "name": name} for i, name in NAMES.items()],
    }


def sav_json(labels: Labels, frames: int = 12, every: int = 1, first_id: int = 1) -> dict[str, Any]:
    """first_id: SA-V itself counts masklets from 0."""
    ids = sorted({i for _, _, i in _each(labels)})
    empty = np.zeros_like(next(iter(labels.values())))
    masklet = [[rle(labels.get(f, empty) == i) for i in ids] for f in range(0, frames, every)]
    return {
        "video_id": "v",
        "video_frame_count": float(frames),
        "masklet": masklet,
        "masklet_id": [i - 1 + first_id for i in ids],
        "masklet_frame_count": [len(masklet)] * len(ids),
    }


def burst_json(labels: Labels, frames: int = 12, video: str = "v") -> dict[str, Any]:
    """Masks of the annotated frames alone, as counts without a size."""
    height, width = next(iter(labels.values())).shape
    return {
        "sequences": [
            {
                "id": 7, "dataset": "LaSOT", "seq_name": video, "height": height, "width": width, "fps": 30,
                "all_image_paths": [f"{f:05d}.jpg" for f in range(frames)],
                "annotated_image_paths": [f"{f:05d}.jpg" for f in labels],
                "segmentations": [
                    {str(i): {"rle": rle(m == i)["counts"], "is_gt": True} for g, _, i in _each(labels) if g == f}
                    for f, m in labels.items()
                ],
                "track_category_ids": {str(i): 10 + i for i in NAMES},
            }
        ],
        "categories": [{"id": 10 + i, "name": name} for i, name in NAMES.items()],
        "split": "train",
    }  # fmt: skip


def cvat_images(labels: Labels, shape: Callable[[np.ndarray], str] | None = None, **meta: object) -> str:
    """CVAT for images 1.1, with the objects' ids in an attribute."""
    images = [
        f'<image id="{f}" name="v/{f:05d}.jpg" width="{m.shape[1]}" height="{m.shape[0]}">'
        + "".join(
            (shape or cvat_mask)(m == i).format(f'label="{NAMES[i]}"', f'<attribute name="track_id">{i}</attribute>')
            for g, _, i in _each(labels)
            if g == f
        )
        + "</image>"
        for f, m in labels.items()
    ]
    return _cvat(labels, images, meta)


def cvat_tracks(labels: Labels, shape: Callable[[np.ndarray], str] | None = None, **meta: object) -> str:
    """CVAT for video 1.1: tracks count from 0."""
    tracks = [
        f'<track id="{i - 1}" label="{name}">'
        + "".join(
            (shape or cvat_mask)(m == i).format(f'frame="{f}" keyframe="1" outside="0"', "")
            for f, m, j in _each(labels)
            if i == j
        )
        + "</track>"
        for i, name in NAMES.items()
    ]
    return _cvat(labels, tracks, meta)


def cvat_mask(mask: np.ndarray) -> str:
    """A mask whose runs are along the rows of its box; what is its own goes into the braces."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    counts = ", ".join(map(str, runs(box.T)["counts"]))
    place = f'left="{columns[0]}" top="{rows[0]}" width="{box.shape[1]}" height="{box.shape[0]}"'
    return f'<mask {{}} rle="{counts}" {place} z_order="0">{{}}</mask>'


def _cvat(labels: Labels, records: Sequence[str], meta: Mapping[str, object]) -> str:
    height, width = next(iter(labels.values())).shape
    names = "".join(f"<label><name>{name}</name></label>" for name in NAMES.values())
    size = f"<original_size><width>{width}</width><height>{height}</height></original_size>"
    task = {"size": 12, "start_frame": 0, "stop_frame": 11, "frame_filter": "", **meta}
    values = "".join(f"<{tag}>{value}</{tag}>" for tag, value in task.items())
    head = f"<version>1.1</version><meta><task>{values}<labels>{names}</labels>{size}</task></meta>"
    return f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>{head}{"".join(records)}</annotations>'


def write_text(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def rows(labels: Labels) -> list[dict[str, Any]]:
    return [
        {
            "video_id": "v", "frame_index": f, "object_id": i, "object_name": NAMES.get(i),
            "height": m.shape[0], "width": m.shape[1], "counts": rle(m == i)["counts"],
        }
        for f, m, i in _each(labels)
    ]  # fmt: skip


def _each(labels: Labels) -> list[tuple[int, np.ndarray, int]]:
    return [(f, m, int(i)) for f, m in labels.items() for i in np.unique(m[m > 0])]


def _folder(folder: Path, labels: Labels, image: Callable[[np.ndarray], Image.Image]) -> Path:
    folder.mkdir()
    for frame, label_map in labels.items():
        image(label_map).save(folder / f"{frame:05d}.png")
    return folder


def _objects(folder: Path, labels: Labels, names: Mapping[int, str]) -> Path:
    for frame, label_map, i in _each(labels):
        (folder / names[i]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(((label_map == i) * 255).astype(np.uint8)).save(folder / names[i] / f"{frame:05d}.png")
    return folder


def _rows_file(path: Path, labels: Labels) -> Path:
    pq.write_table(pa.Table.from_pylist(rows(labels)), path)
    return path


def _npz(path: Path, arrays: Mapping[str, Any]) -> Path:
    np.savez_compressed(path, **arrays)
    return path


KINDS: dict[str, Callable[[Path, Labels], Path]] = {
    "indexed": lambda folder, m: _folder(folder / "indexed", m, to_image),
    "grey": lambda folder, m: _folder(folder / "grey", m, lambda x: Image.fromarray(x.astype(np.uint8))),
    "16-bit": lambda folder, m: _folder(folder / "16-bit", m, lambda x: Image.fromarray(x.astype(np.uint16))),
    "rgb": lambda folder, m: _folder(folder / "rgb", m, lambda x: Image.fromarray(voc_palette()[x])),
    "objects": lambda folder, m: _objects(folder / "objects", m, {i: f"{i:03d}" for i in NAMES}),
    "named": lambda folder, m: _objects(folder / "named", m, NAMES),
    "coco": lambda folder, m: write_json(folder / "coco.json", coco_json(m)),
    "coco-runs": lambda folder, m: write_json(folder / "coco-runs.json", coco_json(m, runs)),
    "coco-polygons": lambda folder, m: write_json(folder / "coco-polygons.json", coco_json(m, polygons)),
    "ytvis": lambda folder, m: write_json(folder / "ytvis.json", ytvis_json(m)),
    "sa-v": lambda folder, m: write_json(folder / "sa-v.json", sav_json(m)),
    "burst": lambda folder, m: write_json(folder / "burst.json", burst_json(m)),
    "cvat-images": lambda folder, m: write_text(folder / "images.xml", cvat_images(m)),
    "cvat-video": lambda folder, m: write_text(folder / "tracks.xml", cvat_tracks(m)),
    "npz": lambda folder, m: _npz(folder / "names.npz", {str(f): labels for f, labels in m.items()}),
    "npz-masks": lambda folder, m: _npz(folder / "masks.npz", {"masks": np.stack([*m.values()]), "frames": [*m]}),
    "parquet": lambda folder, m: _rows_file(folder / "rows.parquet", m),
}
WITH_NAMES = ("named", "coco", "coco-runs", "coco-polygons", "ytvis", "burst", "cvat-images", "cvat-video", "parquet")
