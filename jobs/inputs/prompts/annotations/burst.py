"""BURST: a JSON with sequences, each with the masks of its annotated frames, which are named, by track id."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations import fields
from jobs.inputs.prompts.annotations.fields import Record
from jobs.inputs.prompts.annotations.mask_witnesses import compare_with_record
from jobs.inputs.prompts.annotations.objects import Categories
from jobs.inputs.prompts.annotations.segmentation import mask_of
from jobs.inputs.prompts.names.frame_names import FrameNames
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import PromptKind, PromptSource

MAX_DIGITS = 10  # of a track id, which JSON has as text; more is no int32


def add_burst(source: PromptSource, builder: PromptBuilder) -> None:
    """Add the masks of a sequence's tracks; a track that a frame lacks is not visible there. Raises PromptError."""
    sequence, categories = _sequence(source), Categories(source.json)
    images = _texts(sequence, "annotated_image_paths")
    masks = _masks(sequence, images)
    tracks = _tracks(sequence, source.json["sequences"], masks, builder=builder)
    frames = _frames(sequence, images, source.frame_names)
    for image, of_image in zip(images, masks, strict=True):
        for track, record in of_image.items():
            whose = f"object {tracks[track]} on frame {frames[image]}"
            with builder.annotation(f"the mask of {whose}"):
                mask = _mask(record, sequence, source, whose=whose)
                if name := categories.name_of({"category_id": _categories(sequence).get(track)}):
                    builder.name(tracks[track], name)
                builder.put(frames[image], tracks[track], mask, source=f"image {fields.shown(image)}")


def _sequence(source: PromptSource) -> Record:
    """The sequence of the manifest's video. Raises PromptError."""
    sequences = fields.records(source.json, "sequences")
    called = {number: _names(sequence) for number, sequence in enumerate(sequences)}
    if not called:
        raise PromptError("the JSON has no sequences; legal: one or more")
    return sequences[fields.choose_video(source.entry.video_id, called)]


def _names(sequence: Record) -> set[str]:
    """What a manifest may call a sequence: names are unique within each of BURST's datasets alone."""
    name, dataset = (fields.text(sequence, key, "a sequence") for key in ("seq_name", "dataset"))
    called = fields.names_of_file(name) | ({f"{dataset}/{name}"} if name and dataset else set())
    number = sequence.get("id")
    return called | ({str(number)} if type(number) is int and abs(number) <= fields.MAX_INTEGER else set())


def _texts(sequence: Record, key: str) -> list[str]:
    names = sequence.get(key)
    if not isinstance(names, list) or not all(isinstance(n, str) and 0 < len(n) <= fields.MAX_TEXT for n in names):
        raise PromptError(f"{key} of a sequence is {fields.shown(names)}; legal: a list of texts")
    return names


def _masks(sequence: Record, images: list[str]) -> list[Record]:
    """The masks of each annotated image by track id. Raises PromptError if the lists contradict each other."""
    masks = fields.records(sequence, "segmentations")
    if len(masks) != len(images):
        raise PromptError(
            f"a sequence has {len(masks)} segmentations and {len(images)} annotated_image_paths; legal: one each"
        )
    if sequence.get("all_image_paths"):
        everything = set(_texts(sequence, "all_image_paths"))
        if strange := [image for image in images if image not in everything]:
            raise PromptError(
                f"annotated_image_paths holds {fields.shown(strange[0])}, which is not among the {len(everything)} "
                "all_image_paths; legal: some of these"
            )
    return masks


def _frames(sequence: Record, images: list[str], names: FrameNames) -> dict[str, int]:
    """The frame of each annotated image by its name. Raises PromptError if its place among all images is another one.

    The place counts where the video is a file with as many frames as there are images.
    """
    frames = names.frames_of(images)
    if len(set(frames.values())) < len(images):
        raise PromptError(f"annotated_image_paths say some frame twice: {fields.shown(images)}; legal: a frame each")
    everything = sequence.get("all_image_paths") or []
    if names.images is not None or names.frames != len(everything):
        return frames
    places = {image: place for place, image in enumerate(everything)}
    if image := next((image for image in images if frames[image] != places[image]), None):
        one_off = frames[image] == places[image] + 1 and not names.first_number
        question = ". Do the names count from 1? Then say so in the manifest's column first_frame: 1"
        raise PromptError(
            f"image {fields.shown(image)} is frame {frames[image]} by its name, and frame {places[image]} by its place "
            f"in all_image_paths; legal: the same{question if one_off else ''}"
        )
    return frames


def _tracks(
    sequence: Record, sequences: list[Record], masks: list[Record], *, builder: PromptBuilder
) -> dict[str, int]:
    """The object id of each track. Raises PromptError for ids that are none, or that the sequence does not list."""
    listed = _categories(sequence)
    tracks = list(dict.fromkeys(track for of_image in masks for track in of_image))
    if listed and (unlisted := next((track for track in tracks if track not in listed), None)):
        raise PromptError(
            f"track {fields.shown(unlisted)} has a mask, and track_category_ids has the tracks "
            f"{fields.shown(list(listed))}; legal: the same"
        )
    numbers = [_number(track) for track in tracks]
    if len(set(numbers)) < len(numbers):
        raise PromptError(f"track ids are {fields.shown(tracks)}, some number twice; legal: one text for each")
    is_from_zero = 0 in numbers or any("0" in _categories(other) for other in sequences)
    if is_from_zero:
        builder.note("track ids count from 0, and are read one higher: object 1 is track 0")
    return {track: number + is_from_zero for track, number in zip(tracks, numbers, strict=True)}


def _categories(sequence: Record) -> Mapping[str, Any]:
    categories = sequence.get("track_category_ids") or {}
    if not isinstance(categories, dict):
        raise PromptError(f"track_category_ids is {fields.shown(categories)}; legal: a category id for each track id")
    return categories


def _number(track: str) -> int:
    if not (track.isascii() and track.isdecimal() and len(track) <= MAX_DIGITS):
        raise PromptError(f"a track id is {fields.shown(track)}; legal: a whole number from 0 up, as text")
    return int(track)


def _mask(record: Any, sequence: Record, source: PromptSource, *, whose: str) -> np.ndarray:
    """One mask, boolean (H, W), of the sequence's size: BURST keeps the counts of COCO's RLE alone."""
    if not isinstance(record, dict):
        raise PromptError(f"the mask of {whose} is {fields.shown(record)}; legal: {{'rle': '...'}}")
    size = [fields.integer(sequence, key, "a sequence") for key in ("height", "width")]
    mask = mask_of({"size": size, "counts": record.get("rle")}, None, source, whose=whose)
    compare_with_record(record, mask, whose=whose)
    return mask


KIND = PromptKind(name="BURST", json_keys=("sequences",), add=add_burst)
